//! A fetcher that is ready late: a limit of the user's around it.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex},
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time::{Instant, Sleep, sleep, sleep_until};
use tower::Service;
use tower_oauth::{BoxError, Clock, Token, TokenEndpoint, TokenRequest, TokenSource};

use crate::bank::secs;

struct Late {
    ready: Pin<Box<Sleep>>,
    sent: Arc<Mutex<Vec<Duration>>>,
    began: Instant,
}

impl Service<TokenRequest> for Late {
    type Response = Token;
    type Error = BoxError;
    type Future = std::future::Ready<Result<Token, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        ready!(self.ready.as_mut().poll(cx));
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, _: TokenRequest) -> Self::Future {
        self.sent.lock().unwrap().push(self.began.elapsed());
        std::future::ready(Ok(Token::new("abc")))
    }
}

/// The first has its turn at once, and its fetcher is ready after 15 s.
#[tokio::test(start_paused = true)]
async fn its_attempt_counts_when_it_is_sent() {
    let endpoint = TokenEndpoint::builder("bank")
        .rate(1, secs(5))
        .clock(Clock::tokio())
        .build()
        .unwrap();
    let (sent, began) = (Arc::<Mutex<Vec<Duration>>>::default(), Instant::now());
    let source = |ready: u64| {
        let late = Late {
            ready: Box::pin(sleep_until(began + secs(ready))),
            sent: sent.clone(),
            began,
        };
        let source = TokenSource::builder(late).clock(Clock::tokio());
        source.token_endpoint(&endpoint).build().unwrap()
    };
    let (first, second) = (source(15), source(0));
    let first = tokio::spawn(async move { first.token().await.map(drop) });
    sleep(secs(1)).await;
    let second = tokio::spawn(async move { second.token().await.map(drop) });
    let _ = (first.await.unwrap(), second.await.unwrap());
    let sent = sent.lock().unwrap().clone();
    assert!(sent[1] - sent[0] >= secs(5), "{sent:?}");
}
