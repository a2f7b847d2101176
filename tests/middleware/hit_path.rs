//! The hit path under stress, with the real `ArcSwap` and real threads, which the models of `.ci/loom` stand in for:
//! whatever happens to the token, each request carries a whole one, in step with the generation that its response
//! names, and no task ever meets an older one again.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use http::{Request, Response, header::AUTHORIZATION};
use tower::{Layer, ServiceExt, service_fn};
use tower_oauth::{BoxError, Clock, Generation, OAuthLayer, Token, TokenRequest, TokenSource};

const SWAPS: u64 = 800;
const LIFETIME: Duration = Duration::from_secs(3600);
/// Later than the refresh is due, and earlier than the end.
const STALE: Duration = Duration::from_secs(50 * 60);

/// A token whose text is its number over and over, so that one put together of two would show.
fn text(number: u64) -> String {
    format!("{number:04}").repeat(300)
}

fn source(clock: &Clock) -> TokenSource {
    let issued = Arc::new(AtomicU64::new(0));
    let fetcher = service_fn(move |_: TokenRequest| {
        let number = issued.fetch_add(1, Ordering::SeqCst) + 1;
        async move { Ok::<_, BoxError>(Token::new(text(number)).with_lifetime(LIFETIME)) }
    });
    let source = TokenSource::builder(fetcher)
        .policy(|policy| policy.back_off.min_fetch_interval = Duration::from_millis(1))
        .clock(clock.clone())
        .build();
    source.unwrap()
}

/// Answers with what it was sent.
async fn echo(request: Request<()>) -> Result<Response<String>, BoxError> {
    let value = request.headers()[AUTHORIZATION].to_str()?;
    Ok(Response::new(value.to_owned()))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn requests_carry_whole_tokens_in_order_while_they_are_replaced() {
    let clock = Clock::tokio();
    let source = source(&clock);
    source.ready().await.unwrap();
    let mut changes = source.changes();
    let service = OAuthLayer::new(source.clone())
        .expose_generation()
        .layer(service_fn(echo));
    let over = Arc::new(AtomicBool::new(false));

    let callers: Vec<_> = (0..4)
        .map(|_| {
            let (service, over) = (service.clone(), over.clone());
            tokio::spawn(async move {
                let mut last = 0;
                while !over.load(Ordering::SeqCst) {
                    let request = Request::get("https://api.example/").body(()).unwrap();
                    let response = service.clone().oneshot(request).await.unwrap();
                    let generation = response.extensions().get::<Generation>().unwrap().get();
                    assert_eq!(*response.body(), format!("Bearer {}", text(generation)));
                    assert!(generation >= last, "{generation} after {last}");
                    last = generation;
                    tokio::task::yield_now().await;
                }
                last
            })
        })
        .collect();
    for number in 2..SWAPS {
        // No request waits: each token is replaced while requests use the one before.
        clock.step_wall_forward(STALE);
        while source.token().await.unwrap().generation().get() < number {
            changes.next().await.unwrap();
        }
    }
    over.store(true, Ordering::SeqCst);
    for caller in callers {
        assert!(caller.await.unwrap() > 1, "a caller saw one token only");
    }
}
