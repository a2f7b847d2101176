//! The main job in a few seconds: four banks on loopback, called through the layer, by hyper and by reqwest.
//!
//! ```sh
//! cargo run --example quickstart
//! ```
//!
//! Exit status 1 if a promise did not hold.

use std::{process::ExitCode, time::Duration};

use bytes::Bytes;
use futures_util::future::{join_all, try_join_all};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use tokio::time::Instant;
use tower::{Service, ServiceBuilder, ServiceExt, util::BoxCloneSyncService};
use tower_oauth::{
    BoxError, ClientId, ClientSecret, OAuthError, OAuthLayer, Origin, TokenSource,
    client_credentials::ClientCredentialsBuilder,
    provider,
    testing::{Bank, Fault},
    transport::ReqwestService,
};

/// An API client that forgets which HTTP library is below it.
type Api = BoxCloneSyncService<Request<Full<Bytes>>, Response<()>, BoxError>;

/// One bank, one token source, and two clients that share it.
struct Desk {
    bank: Bank,
    source: TokenSource,
    by_hyper: Api,
    by_reqwest: Api,
}

/// What a scene found at one bank.
struct Finding {
    scene: &'static str,
    bank: &'static str,
    requests: usize,
    token_requests: u64,
    slowest: Duration,
    held: bool,
    promise: String,
}

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(findings) => report(&findings),
        Err(error) => {
            eprintln!("quickstart could not run: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<Vec<Finding>, BoxError> {
    let mut findings = Vec::new();
    announce("a cold storm: 1,000 requests at once, at each bank");
    findings.extend(try_join_all(desks().await?.into_iter().map(cold_storm)).await?);
    announce("renewal under load: tokens of 2 s, a token endpoint that takes 300 ms");
    findings.extend(try_join_all(desks().await?.into_iter().map(renewal_under_load)).await?);
    announce("revocation: the bank revokes every token, 100 requests follow");
    findings.extend(try_join_all(desks().await?.into_iter().map(revocation)).await?);
    announce("an outage: the token endpoint answers 503 from now on");
    findings.extend(try_join_all(desks().await?.into_iter().map(outage)).await?);
    announce("a 403 that no token can cure, amid good traffic");
    findings.extend(try_join_all(desks().await?.into_iter().map(forbidden)).await?);
    Ok(findings)
}

/// Nobody has a token, and everybody wants one: one fetch.
async fn cold_storm(desk: Desk) -> Result<Finding, BoxError> {
    let storm = desk.get_many(&desk.bank.api_url(), 1000).await;
    let good = storm.count(StatusCode::OK);
    let fetched = desk.token_requests();
    let held = good == 1000 && fetched == 1;
    Ok(desk.finding(
        "cold storm",
        storm,
        held,
        format!("{good} of 1000 served, one fetch"),
    ))
}

/// Tokens are renewed behind the requests: every fetch but the first was started while the old token still served.
async fn renewal_under_load(desk: Desk) -> Result<Finding, BoxError> {
    desk.bank.set_lifetime(Duration::from_secs(2));
    desk.source.ready().await?;
    desk.bank
        .token_fault_always(Fault::Delay(Duration::from_millis(300)));
    let load = desk.load_for(Duration::from_secs(4)).await;
    let counters = desk.source.status().counters;
    let all_good = load.count(StatusCode::OK) == load.answers.len();
    let held =
        all_good && counters.flights >= 2 && counters.flights == counters.refreshes_ahead + 1;
    let promise = format!("{} renewals, none waited for", counters.refreshes_ahead);
    Ok(desk.finding("renewal under load", load, held, promise))
}

/// The refused requests wait for one new token, and are sent again with it.
async fn revocation(desk: Desk) -> Result<Finding, BoxError> {
    desk.source.ready().await?;
    desk.bank.revoke_all();
    let load = desk.get_many(&desk.bank.api_url(), 100).await;
    let good = load.count(StatusCode::OK);
    let held = good == 100 && desk.token_requests() == 2;
    Ok(desk.finding(
        "revocation",
        load,
        held,
        format!("{good} of 100 served, one more fetch"),
    ))
}

/// While the token is good, nobody notices; then there is one error that says when to come back, and a way back.
async fn outage(desk: Desk) -> Result<Finding, BoxError> {
    desk.bank.set_lifetime(Duration::from_secs(3));
    desk.source.ready().await?;
    desk.bank
        .token_fault_always(Fault::status(StatusCode::SERVICE_UNAVAILABLE));
    let good_for = desk.source.status().expires_in.unwrap_or_default();
    let load = desk
        .load_for(good_for.saturating_sub(Duration::from_millis(400)))
        .await;
    let unnoticed = load.count(StatusCode::OK) == load.answers.len();

    tokio::time::sleep(Duration::from_millis(500)).await;
    let after = desk.get(&desk.by_hyper, &desk.bank.api_url()).await;
    let told = matches!(&after, Err(error) if OAuthError::find(error.as_ref())
        .is_some_and(|error| error.retry_at().is_some()));
    desk.bank.heal();
    desk.source.retry_now();
    let back = desk.get(&desk.by_hyper, &desk.bank.api_url()).await.is_ok();
    let held = unnoticed && told && back;
    Ok(desk.finding(
        "token endpoint down",
        load,
        held,
        "unnoticed until expiry, then back".into(),
    ))
}

/// A 403 may be ANBIMA's word for a revoked token: one fetch finds out that it is not. Elsewhere it never is.
async fn forbidden(desk: Desk) -> Result<Finding, BoxError> {
    desk.source.ready().await?;
    let url = desk.bank.forbidden_url();
    let mut load = desk.get_many(&url, 20).await;
    let good = desk.get_many(&desk.bank.api_url(), 50).await;
    let again = desk.get_many(&url, 50).await;
    let refused = load.count(StatusCode::FORBIDDEN) + again.count(StatusCode::FORBIDDEN);
    let allowed = if desk.bank.name() == "anbima" { 2 } else { 1 };
    let held =
        refused == 70 && good.count(StatusCode::OK) == 50 && desk.token_requests() == allowed;
    load.extend(good);
    load.extend(again);
    let promise = format!(
        "{refused} of 70 handed on, {} fetch(es) for them",
        allowed - 1
    );
    Ok(desk.finding("hopeless 403", load, held, promise))
}

/// The four banks, each with a source that has no token yet.
async fn desks() -> Result<Vec<Desk>, BoxError> {
    let anbima = Bank::anbima().start().await?;
    let avista = Bank::avista().start().await?;
    let conta_simples = Bank::conta_simples().start().await?;
    let bankly = Bank::bankly().start().await?;
    Ok(vec![
        Desk::open(anbima, provider::anbima::sandbox)?,
        Desk::open(avista, provider::avista::production)?,
        Desk::open(conta_simples, provider::conta_simples::sandbox)?,
        Desk::open(bankly, |id, secret| {
            provider::bankly::sandbox(id, secret).scopes(["boleto.read"])
        })?,
    ])
}

impl Desk {
    fn open(
        bank: Bank,
        preset: impl FnOnce(ClientId, ClientSecret) -> ClientCredentialsBuilder,
    ) -> Result<Self, BoxError> {
        let origin: Origin = bank.api_origin().parse()?;
        let id = ClientId::new(bank.client_id())?;
        let secret = ClientSecret::new(bank.client_secret());
        let source = preset(id, secret)
            .token_url(bank.token_url())
            .origin(bank.api_origin())
            .build(reqwest_builder())?;

        let hyper = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        let reqwest = ReqwestService::new(reqwest_builder(), &origin)?;
        Ok(Self {
            by_hyper: api(&source, hyper),
            by_reqwest: api(&source, reqwest),
            bank,
            source,
        })
    }

    async fn get(&self, api: &Api, url: &str) -> Result<StatusCode, BoxError> {
        let request = Request::get(url).body(Full::default())?;
        Ok(api.clone().oneshot(request).await?.status())
    }

    /// So many requests at once, half of them by each client.
    async fn get_many(&self, url: &str, requests: usize) -> Load {
        let apis = [&self.by_hyper, &self.by_reqwest];
        let timed = (0..requests).map(|number| self.timed(apis[number % 2], url));
        Load {
            answers: join_all(timed).await,
        }
    }

    /// A steady trickle for so long.
    async fn load_for(&self, duration: Duration) -> Load {
        let started = Instant::now();
        let mut load = Load::default();
        while started.elapsed() < duration {
            load.extend(self.get_many(&self.bank.api_url(), 4).await);
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        load
    }

    async fn timed(&self, api: &Api, url: &str) -> (Option<StatusCode>, Duration) {
        let started = Instant::now();
        let status = self.get(api, url).await.ok();
        (status, started.elapsed())
    }

    fn token_requests(&self) -> u64 {
        self.bank.counters().token_requests
    }

    fn finding(&self, scene: &'static str, load: Load, held: bool, promise: String) -> Finding {
        let finding = Finding {
            scene,
            bank: self.bank.name(),
            requests: load.answers.len(),
            token_requests: self.token_requests(),
            slowest: load
                .answers
                .iter()
                .map(|(_, took)| *took)
                .max()
                .unwrap_or_default(),
            held,
            promise,
        };
        println!(
            "  {:<14} {:>5} requests  {}",
            finding.bank, finding.requests, finding.promise
        );
        finding
    }
}

/// Statuses (none for an error) and how long each took.
#[derive(Default)]
struct Load {
    answers: Vec<(Option<StatusCode>, Duration)>,
}

impl Load {
    fn count(&self, status: StatusCode) -> usize {
        self.answers
            .iter()
            .filter(|(seen, _)| *seen == Some(status))
            .count()
    }

    fn extend(&mut self, other: Self) {
        self.answers.extend(other.answers);
    }
}

/// Loopback needs no certificate authorities, and a bare machine has none.
fn reqwest_builder() -> reqwest::ClientBuilder {
    reqwest::Client::builder().tls_certs_only([])
}

/// The stack: the layer outside a limit on connections, which a request waiting for a token does not count towards.
fn api<S, C>(source: &TokenSource, client: S) -> Api
where
    S: Service<Request<Full<Bytes>>, Response = Response<C>> + Clone + Send + Sync + 'static,
    S::Error: Into<BoxError>,
    S::Future: Send,
    C: http_body::Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    let client = ServiceBuilder::new()
        .layer(OAuthLayer::new(source.clone()).replay())
        .concurrency_limit(32)
        .service(client);
    // The body is read to its end, so that the connection can be used again.
    BoxCloneSyncService::new(client.and_then(async |response: Response<C>| {
        let (head, body) = response.into_parts();
        body.collect().await.map_err(Into::into)?;
        Ok(Response::from_parts(head, ()))
    }))
}

fn announce(scene: &str) {
    println!("\n{scene}");
}

fn report(findings: &[Finding]) -> ExitCode {
    println!(
        "\n{:<20} {:<14} {:>8} {:>14} {:>11}  promise",
        "scene", "bank", "requests", "token requests", "slowest"
    );
    for it in findings {
        println!(
            "{:<20} {:<14} {:>8} {:>14} {:>8} ms  {} {}",
            it.scene,
            it.bank,
            it.requests,
            it.token_requests,
            it.slowest.as_millis(),
            if it.held { "held:" } else { "BROKEN:" },
            it.promise,
        );
    }
    let broken = findings.iter().filter(|it| !it.held).count();
    println!(
        "\n{} promises held, {broken} broken",
        findings.len() - broken
    );
    if broken == 0 {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}
