//! A token source over either client, with bounds that a test can sit through.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper_rustls::HttpsConnectorBuilder;
use hyper_util::{client::legacy, rt::TokioExecutor};
use tokio::time::timeout;
use tower_oauth::{
    BackOff, ClientId, ClientSecret, OAuthError, Policy, TokenSource,
    client_credentials::{ClientCredentialsBuilder, Dialect},
    testing::Authority,
    transport::ReqwestThread,
};

use crate::support::tls::rustls_config;

#[derive(Clone, Copy, Debug)]
pub(crate) enum Client {
    Hyper,
    Reqwest,
    /// The client that many sources share.
    Thread,
}

pub(crate) const CLIENTS: [Client; 3] = [Client::Hyper, Client::Reqwest, Client::Thread];

/// The bound of an attempt against a peer that would take for ever.
pub(crate) const SHORT: Duration = Duration::from_millis(500);

/// The bound of an attempt that is not to reach it.
pub(crate) const LONG: Duration = Duration::from_secs(30);

/// What a busy machine may add to a bound.
pub(crate) const SLACK: Duration = Duration::from_secs(10);

pub(crate) const ID: &str = "hostile";

/// In nothing that may be shown.
pub(crate) const SECRET: &str = "c4n4ry";

impl Client {
    /// A source that makes one attempt per fetch, of at most `bound`, and backs off for no longer than it must.
    pub(crate) fn source(self, token_url: String, bound: Duration) -> TokenSource {
        self.source_with(token_url, &Authority::new().unwrap(), |policy| {
            policy.retry.attempts = 1;
            policy.timeouts.attempt = bound;
            policy.timeouts.fetch = bound * 2;
            // Not to be reached, however busy the machine: what is wanted is the fetch's own error.
            policy.timeouts.acquire = bound * 2 + SLACK;
        })
    }

    pub(crate) fn source_with(
        self,
        token_url: String,
        trusted: &Authority,
        change: impl FnOnce(&mut Policy),
    ) -> TokenSource {
        let soon = Duration::from_millis(20);
        let id = ClientId::new(ID).unwrap();
        let dialect = Dialect::new("hostile", token_url);
        let origin = dialect.token_origin().unwrap();
        let builder = ClientCredentialsBuilder::new(dialect, id)
            .secret(ClientSecret::new(SECRET))
            .policy(|policy| {
                policy.retry.first_wait = Duration::from_millis(1);
                policy.back_off.min_fetch_interval = Duration::from_millis(1);
                policy.retry.max_retry_after_in_fetch = Duration::ZERO;
                policy.back_off.transient = BackOff::new(soon, soon);
                policy.back_off.unclear = BackOff::new(soon, soon);
                policy.back_off.permanent = BackOff::new(soon, soon);
            })
            .policy(change);
        match self {
            Self::Hyper => builder.build(hyper(trusted)),
            Self::Reqwest => builder.build_reqwest(reqwest(trusted)),
            Self::Thread => {
                // It keeps the connection of an attempt that ended before its request was sent.
                let client = reqwest(trusted).pool_idle_timeout(SHORT);
                builder.build(ReqwestThread::new(client, &origin).unwrap())
            }
        }
        .unwrap()
    }
}

fn hyper(
    trusted: &Authority,
) -> legacy::Client<hyper_rustls::HttpsConnector<legacy::connect::HttpConnector>, Full<Bytes>> {
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(rustls_config(trusted, None, rustls::ALL_VERSIONS))
        .https_or_http()
        .enable_http1()
        .enable_http2()
        .build();
    // As `build` asks for it: with the default, `hyper` reads 400 KiB at once, and 128 times before it yields.
    legacy::Client::builder(TokioExecutor::new())
        .http1_max_buf_size(16 * 1024)
        .build(connector)
}

fn reqwest(trusted: &Authority) -> reqwest::ClientBuilder {
    let trusted = trusted.certificate_pem();
    let trusted = reqwest::Certificate::from_pem(trusted.as_bytes()).unwrap();
    reqwest::Client::builder().tls_certs_only([trusted])
}

/// What a fetch fails with, and fails in time.
pub(crate) async fn failure(source: &TokenSource, bound: Duration, case: &str) -> OAuthError {
    let token = timeout(bound + SLACK, source.token()).await;
    let token = token.unwrap_or_else(|_| panic!("{case}: it hangs"));
    token.expect_err(case)
}

/// The source gets this token by itself as soon as there is one.
pub(crate) async fn recovers(source: &TokenSource, expected: &str, case: &str) {
    let ready = timeout(LONG, source.ready()).await;
    let ready = ready.unwrap_or_else(|_| panic!("{case}: {:?}", source.status()));
    ready.unwrap_or_else(|error| panic!("{case}: {error}"));
    let token = source.token().await.unwrap();
    assert_eq!(token.expose_token(), expected, "{case}");
    assert_eq!(source.status().error, None, "{case}");
}

/// An error's words, and those of all that caused it.
pub(crate) fn chain(error: &OAuthError) -> String {
    let links = std::iter::successors(Some(error as &dyn std::error::Error), |it| it.source());
    links.map(|error| format!("{error}\n")).collect()
}
