//! A bank, a token source by the bank's own preset, and an API client behind the layer.

use std::time::Duration;

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper_util::{
    client::legacy::{Client as HyperClient, connect::HttpConnector},
    rt::TokioExecutor,
};
use tokio::time::timeout;
use tower::{Layer, ServiceExt};
use tower_oauth::{
    BoxError, Clock, OAuth, OAuthLayer, RetryRejected, Status, TokenSource,
    client_credentials::ClientCredentialsBuilder,
    testing::{Bank, BankBuilder, BankCounters},
    transport::ReqwestService,
};

pub(crate) use crate::support::presets::{
    BANKS, Http, PATIENCE, at, preset, preset_of, read_to_end,
};

/// Long enough for every preset to refresh a token of an hour, and not long enough for any to give it up.
pub(crate) const UNTIL_STALE: Duration = Duration::from_secs(3310);

/// A token of an hour is no longer used after this.
pub(crate) const UNTIL_EXPIRED: Duration = Duration::from_secs(3595);

/// Which client carries the requests, to the token endpoint and to the API.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Client {
    Hyper,
    Reqwest,
}

pub(crate) const CLIENTS: [Client; 2] = [Client::Hyper, Client::Reqwest];

impl Client {
    pub(crate) fn source(self, builder: ClientCredentialsBuilder) -> TokenSource {
        match self {
            Self::Hyper => builder.build(hyper()),
            Self::Reqwest => builder.build_reqwest(reqwest_builder()),
        }
        .unwrap()
    }

    pub(crate) fn http(self, origin: &str) -> Http {
        match self {
            Self::Hyper => read_to_end(hyper()),
            Self::Reqwest => {
                let origin = origin.parse().unwrap();
                read_to_end(ReqwestService::new(reqwest_builder(), &origin).unwrap())
            }
        }
    }
}

fn hyper() -> HyperClient<HttpConnector, Full<Bytes>> {
    HyperClient::builder(TokioExecutor::new()).build_http()
}

/// As careless as a user's may be, and in no need of the machine's certificate authorities.
pub(crate) fn reqwest_builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::limited(10))
        .referer(true)
        .connection_verbose(true)
        .tls_certs_only([])
}

pub(crate) struct Stack {
    pub(crate) bank: Bank,
    pub(crate) client: Client,
    pub(crate) source: TokenSource,
    /// The source's; the bank's stands still while this one is stepped.
    pub(crate) clock: Clock,
    pub(crate) api: OAuth<Http, RetryRejected>,
}

impl Stack {
    pub(crate) async fn open(bank: BankBuilder, client: Client) -> Self {
        let bank = bank.start().await.unwrap();
        let builder = preset(&bank);
        Self::of(bank, client, builder)
    }

    pub(crate) fn of(bank: Bank, client: Client, builder: ClientCredentialsBuilder) -> Self {
        let clock = Clock::tokio();
        let source = client.source(builder.clock(clock.clone()));
        let layer = OAuthLayer::new(source.clone()).retry_rejected();
        Self {
            api: layer.layer(client.http(&bank.api_origin())),
            bank,
            client,
            source,
            clock,
        }
    }

    /// What to call this stack when a test fails.
    pub(crate) fn case(&self) -> String {
        format!("{} by {:?}", self.bank.name(), self.client)
    }

    /// A request, under way once it is polled.
    pub(crate) fn call(
        &self,
        method: Method,
        url: &str,
        body: &'static str,
    ) -> impl Future<Output = Result<Response<Bytes>, BoxError>> + Send + use<> {
        let request = Request::builder().method(method).uri(url);
        let request = request.body(Full::from(body)).unwrap();
        self.api.clone().oneshot(request)
    }

    pub(crate) async fn get(&self, url: &str) -> StatusCode {
        let response = self.call(Method::GET, url, "").await;
        response
            .unwrap_or_else(|error| panic!("{}: {error}", self.case()))
            .status()
    }

    /// What becomes of a request when there is no token to be had.
    pub(crate) async fn error(&self) -> BoxError {
        let response = self.call(Method::GET, &self.bank.api_url(), "").await;
        response.expect_err(&self.case())
    }

    /// So many requests at once, all of which get this status.
    pub(crate) async fn all_get(&self, requests: usize, url: &str, expected: StatusCode) {
        let statuses = join_all((0..requests).map(|_| self.get(url))).await;
        assert_eq!(statuses, vec![expected; requests], "{}", self.case());
    }

    pub(crate) fn counters(&self) -> BankCounters {
        self.bank.counters()
    }

    /// Asserts how many token requests the bank has seen, all of them faultless.
    #[track_caller]
    pub(crate) fn assert_fetches(&self, expected: u64) {
        let seen = (
            self.counters().token_requests,
            self.counters().token_denials,
        );
        let error = self.bank.last_error();
        assert_eq!(seen, (expected, 0), "{}: {error:?}", self.case());
    }

    /// Waits until the source says of itself what the function is looking for.
    pub(crate) async fn wait_until(&self, reached: impl Fn(&Status) -> bool) -> Status {
        let mut changes = self.source.changes();
        let wait = async {
            while !reached(&self.source.status()) {
                changes.next().await.expect("the source is there");
            }
            self.source.status()
        };
        let waited = timeout(PATIENCE, wait).await;
        waited.unwrap_or_else(|_| panic!("{}: {:?}", self.case(), self.source.status()))
    }
}

/// Every bank with every client.
pub(crate) async fn every_stack() -> Vec<Stack> {
    every_stack_of(&BANKS, |bank| bank).await
}

/// These banks, opened with a change, with every client.
pub(crate) async fn every_stack_of(
    banks: &[fn() -> BankBuilder],
    change: impl Fn(BankBuilder) -> BankBuilder,
) -> Vec<Stack> {
    let mut stacks = Vec::new();
    for bank in banks {
        for client in CLIENTS {
            // An hour everywhere, so that one step of the clock fits all.
            let bank = bank().lifetime(Duration::from_secs(3600));
            stacks.push(Stack::open(change(bank), client).await);
        }
    }
    stacks
}
