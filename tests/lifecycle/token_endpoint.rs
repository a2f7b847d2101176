//! The sources of one token endpoint share its pauses and its rate.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use tokio::{task::JoinSet, time::Instant};
use tower::service_fn;
use tower_oauth::{
    BoxError, Clock, FetchCause, FetchError, OAuthErrorKind, SourceState, Token, TokenEndpoint,
    TokenRequest, TokenSource,
};

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

/// A bank that notes which customer asked when and why.
#[derive(Clone)]
struct Bank {
    clock: Clock,
    started: Instant,
    seen: Arc<Mutex<Vec<(u32, FetchCause, Duration)>>>,
    answer: Arc<dyn Fn(u32, usize) -> Result<Token, FetchError> + Send + Sync>,
    latency: Duration,
}

impl Bank {
    /// `answer`: to this customer, at this request of all.
    fn new(
        answer: impl Fn(u32, usize) -> Result<Token, FetchError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            clock: Clock::tokio(),
            started: Instant::now(),
            seen: Arc::default(),
            answer: Arc::new(answer),
            latency: Duration::from_millis(20),
        }
    }

    fn endpoint(&self) -> tower_oauth::TokenEndpointBuilder {
        TokenEndpoint::builder("bank")
            .clock(self.clock.clone())
            .seed(1)
    }

    fn source(&self, customer: u32, endpoint: &TokenEndpoint) -> TokenSource {
        let bank = self.clone();
        let fetcher = service_fn(move |request: TokenRequest| {
            let bank = bank.clone();
            async move {
                let number = {
                    let mut seen = bank.seen.lock().unwrap();
                    seen.push((customer, request.cause(), bank.started.elapsed()));
                    seen.len()
                };
                tokio::time::sleep(bank.latency).await;
                (bank.answer)(customer, number).map_err(BoxError::from)
            }
        });
        TokenSource::builder(fetcher)
            .name(format!("bank/{customer}"))
            .clock(self.clock.clone())
            .seed(customer.into())
            .token_endpoint(endpoint)
            .build()
            .unwrap()
    }

    fn seen(&self) -> Vec<(u32, FetchCause, Duration)> {
        self.seen.lock().unwrap().clone()
    }

    fn customers(&self) -> Vec<u32> {
        self.seen().iter().map(|(customer, ..)| *customer).collect()
    }
}

fn token(customer: u32) -> Result<Token, FetchError> {
    Ok(Token::new(format!("token-of-{customer}")).with_lifetime(secs(3600)))
}

/// Asks for the tokens of all at the same time, and returns how many got one.
async fn ask_all(sources: &[TokenSource]) -> usize {
    let mut asking = JoinSet::new();
    for source in sources {
        let source = source.clone();
        asking.spawn(async move { source.token().await.is_ok() });
    }
    asking.join_all().await.into_iter().filter(|ok| *ok).count()
}

#[tokio::test(start_paused = true)]
async fn a_429_to_one_customer_holds_the_others_back() {
    let bank = Bank::new(|customer, number| match number {
        1 => Err(FetchError::transient("too many").with_retry_after(secs(60))),
        _ => token(customer),
    });
    let endpoint = bank.endpoint().concurrency(4).build().unwrap();
    let sources: Vec<_> = (0..500).map(|it| bank.source(it, &endpoint)).collect();
    ask_all(&sources).await;
    let within_the_pause = bank.seen().len();
    assert_eq!(within_the_pause, 4, "those that were under way");

    // After the pause, and whatever each source backs off for it.
    tokio::time::sleep(secs(67)).await;
    assert_eq!(ask_all(&sources).await, 500);
}

#[tokio::test(start_paused = true)]
async fn who_is_held_back_fails_at_once_and_says_when_it_goes_on() {
    let bank = Bank::new(|customer, _| match customer {
        0 => Err(FetchError::transient("too many").with_retry_after(secs(60))),
        _ => token(customer),
    });
    let endpoint = bank.endpoint().build().unwrap();
    let [first, other] = [0, 1].map(|it| bank.source(it, &endpoint));
    first.token().await.unwrap_err();
    let started = Instant::now();
    let error = other.token().await.unwrap_err();
    assert_eq!(started.elapsed(), Duration::ZERO);
    assert_eq!(error.kind(), OAuthErrorKind::Unavailable);
    let text = error.to_string();
    assert!(
        text.starts_with(
            "bank/1: no token request was sent: the token endpoint asked to wait, and all clients wait. Next attempt at"
        ),
        "{text}"
    );
    let wait = error.retry_after().unwrap();
    assert!(wait > secs(58) && wait <= secs(66), "{wait:?}");
    let status = endpoint.status();
    assert_eq!((status.pauses, status.held_back, status.waiting), (1, 1, 0));
    assert_eq!(
        status.pause_reason.as_deref(),
        Some("the token endpoint asked to wait")
    );

    // It was no failure of its own: nothing is left of it.
    tokio::time::sleep(wait).await;
    assert_eq!(other.token().await.unwrap().expose_token(), "token-of-1");
    assert_eq!(other.status().counters.failures, 0);
    assert_eq!(endpoint.status().paused_until, None);
}

#[tokio::test(start_paused = true)]
async fn a_short_pause_is_waited_for() {
    let bank = Bank::new(|customer, number| match number {
        1 => Err(FetchError::transient("too many").with_retry_after(secs(3))),
        _ => token(customer),
    });
    let endpoint = bank.endpoint().build().unwrap();
    let [first, other] = [0, 1].map(|it| bank.source(it, &endpoint));
    let (first, other) = tokio::join!(first.token(), async {
        tokio::time::sleep(secs(1)).await;
        other.token().await
    });
    assert!(first.is_ok() && other.is_ok());
    assert!(
        bank.seen()[1..].iter().all(|(.., at)| *at >= secs(3)),
        "{:?}",
        bank.seen()
    );
}

#[tokio::test(start_paused = true)]
async fn a_denial_of_one_customer_concerns_nobody_else() {
    let bank = Bank::new(|customer, _| match customer {
        0 => Err(FetchError::permanent("invalid_client")),
        _ => token(customer),
    });
    let endpoint = bank.endpoint().build().unwrap();
    let sources: Vec<_> = (0..50).map(|it| bank.source(it, &endpoint)).collect();
    assert_eq!(ask_all(&sources).await, 49);
    assert_eq!((endpoint.status().pauses, bank.seen().len()), (0, 50));
}

#[tokio::test(start_paused = true)]
async fn a_storm_of_5xx_pauses_all_and_one_attempt_looks_first() {
    let bank = Bank::new(|customer, number| match number {
        1..=40 => Err(FetchError::transient("bad gateway")),
        _ => token(customer),
    });
    let endpoint = bank.endpoint().concurrency(10).build().unwrap();
    let sources: Vec<_> = (0..500).map(|it| bank.source(it, &endpoint)).collect();
    ask_all(&sources).await;
    // Ten were under way. Then one attempt at a time, after 1, 2, 4, 8, 16, 32 s and so on.
    let in_a_minute = bank.seen().iter().filter(|(.., at)| *at < secs(60)).count();
    assert!(in_a_minute <= 10 + 8, "{in_a_minute}");
}

#[tokio::test(start_paused = true)]
async fn two_thousand_customers_keep_the_rate_and_are_served_in_order() {
    let bank = Bank::new(|customer, _| token(customer));
    let endpoint = bank
        .endpoint()
        .rate(180, secs(10))
        .concurrency(64)
        .build()
        .unwrap();
    let sources: Vec<_> = (0..2000).map(|it| bank.source(it, &endpoint)).collect();
    let served = ask_all(&sources).await;
    // The others wait longer than `timeouts.acquire`. Their fetches keep their place.
    assert!((360..=540).contains(&served), "{served}");
    let last = tokio::spawn({
        let source = sources[1999].clone();
        async move { source.token().await.unwrap_err().to_string() }
    });
    assert_eq!(
        last.await.unwrap(),
        "bank/1999: no token within timeouts.acquire (25s); the fetch waits for its turn at the token endpoint, and keeps it"
    );
    tokio::time::sleep(secs(120)).await;
    let starts: Vec<_> = bank.seen().iter().map(|(.., at)| *at).collect();
    assert_eq!(starts.len(), 2000);
    for (at, first) in starts.iter().enumerate() {
        let next = starts.get(at + 180).copied().unwrap_or(Duration::MAX);
        assert!(
            next - *first >= secs(10),
            "180 after {first:?}, and one more at {next:?}"
        );
    }
    assert!(bank.customers().is_sorted());
    assert_eq!(ask_all(&sources).await, 2000);
    assert_eq!(bank.seen().len(), 2000);
}

#[tokio::test(start_paused = true)]
async fn a_waiting_request_goes_before_refreshes_ahead() {
    let bank = Bank::new(|customer, _| token(customer));
    let endpoint = bank.endpoint().rate(1, secs(2)).build().unwrap();
    let old: Vec<_> = (0..5).map(|it| bank.source(it, &endpoint)).collect();
    for source in &old {
        source.ready().await.unwrap();
    }
    tokio::time::sleep(secs(3100)).await; // all are stale
    assert_eq!(ask_all(&old).await, 5);
    tokio::time::sleep(secs(1)).await;
    let before = bank.seen().len();
    let new = bank.source(9, &endpoint);
    new.token().await.unwrap();
    let next = &bank.seen()[before..];
    assert_eq!((next[0].0, next[0].1), (9, FetchCause::Missing));
    tokio::time::sleep(secs(20)).await;
    assert!(
        bank.seen()[before + 1..]
            .iter()
            .all(|(_, cause, _)| *cause == FetchCause::Ahead)
    );
    assert!(old.iter().all(|it| it.status().state == SourceState::Fresh));
}

#[tokio::test(start_paused = true)]
async fn a_refresh_whose_token_expires_while_it_waits_goes_by_when_it_came() {
    let bank = Bank::new(|customer, _| match customer {
        0 => Ok(Token::new("short").with_lifetime(secs(100))),
        _ => token(customer),
    });
    let endpoint = bank.endpoint().rate(1, secs(10)).build().unwrap();
    let sources: Vec<_> = (0..20).map(|it| bank.source(it, &endpoint)).collect();
    let start = |source: &TokenSource| {
        let source = source.clone();
        tokio::spawn(async move { source.token().await.is_ok() })
    };
    let refreshed = &sources[0];
    refreshed.ready().await.unwrap();
    tokio::time::sleep(secs(84)).await;
    start(&sources[1]).await.unwrap(); // takes the turn
    refreshed.token().await.unwrap(); // starts the refresh, at the end of the queue
    tokio::time::sleep(secs(1)).await;
    sources[2..].iter().for_each(|it| drop(start(it)));
    // At 94 s one of the others goes. At 95 s the token expires, and its refresh came before the others.
    tokio::time::sleep(secs(25)).await;
    assert_eq!(bank.customers()[..4], [0, 1, 2, 0]);
}

#[tokio::test(start_paused = true)]
async fn a_source_that_ends_leaves_the_queue() {
    let bank = Bank::new(|customer, _| token(customer));
    let endpoint = bank.endpoint().rate(1, secs(10)).build().unwrap();
    let sources: Vec<_> = (0..4).map(|it| bank.source(it, &endpoint)).collect();
    let asking: Vec<_> = sources
        .iter()
        .cloned()
        .map(|source| tokio::spawn(async move { source.token().await.is_ok() }))
        .collect();
    tokio::time::sleep(secs(1)).await;
    assert_eq!(endpoint.status().waiting, 3);
    sources[1].shutdown();
    sources[2].shutdown();
    tokio::time::sleep(secs(12)).await;
    assert_eq!(
        (bank.customers(), endpoint.status().waiting),
        (vec![0, 3], 0)
    );
    drop(asking);
}

#[tokio::test(start_paused = true)]
async fn an_attempt_that_ends_with_its_source_makes_room() {
    let mut bank = Bank::new(|customer, _| token(customer));
    bank.latency = secs(7);
    let endpoint = bank.endpoint().concurrency(1).build().unwrap();
    let [first, other] = [0, 1].map(|it| bank.source(it, &endpoint));
    let asking = tokio::spawn({
        let first = first.clone();
        async move { first.token().await.is_ok() }
    });
    tokio::time::sleep(secs(1)).await;
    first.shutdown();
    let started = Instant::now();
    other.token().await.unwrap();
    assert!(started.elapsed() < secs(8), "{:?}", started.elapsed());
    assert!(!asking.await.unwrap());
}

/// With the default policy: an hour's refresh falls into six minutes.
#[tokio::test(start_paused = true)]
async fn tokens_fetched_in_one_minute_are_not_refreshed_in_one_minute() {
    let bank = Bank::new(|customer, number| {
        let token = Token::new(format!("token-{number}-of-{customer}"));
        Ok(token.with_lifetime(secs(3600)))
    });
    let endpoint = bank.endpoint().concurrency(64).build().unwrap();
    let sources: Vec<_> = (0..1000).map(|it| bank.source(it, &endpoint)).collect();
    assert_eq!(ask_all(&sources).await, 1000);
    let keep: Vec<_> = sources
        .iter()
        .map(|it| tokio::spawn(it.keep_fresh()))
        .collect();
    tokio::time::sleep(secs(3590)).await;
    let refreshes = bank.seen().split_off(1000);
    assert_eq!(refreshes.len(), 1000);
    let most_in_a_minute = (0..60)
        .map(|minute| secs(60 * minute)..secs(60 * minute + 60))
        .map(|minute| {
            refreshes
                .iter()
                .filter(|(.., at)| minute.contains(at))
                .count()
        })
        .max();
    assert!(most_in_a_minute < Some(250), "{most_in_a_minute:?}");
    drop(keep);
}
