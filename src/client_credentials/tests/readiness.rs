//! The transport's readiness is the fetcher's.

use std::task::{Context, Poll};

use tower::Service;

use super::*;

/// Pending once, then broken for good.
#[derive(Default)]
struct Breaking {
    polled: bool,
}

impl Service<Request<Full<Bytes>>> for Breaking {
    type Response = Response<Full<Bytes>>;
    type Error = std::io::Error;
    type Future = std::future::Ready<Result<Self::Response, Self::Error>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Self::Error>> {
        match std::mem::replace(&mut self.polled, true) {
            false => Poll::Pending,
            true => Poll::Ready(Err(std::io::ErrorKind::BrokenPipe.into())),
        }
    }

    fn call(&mut self, _: Request<Full<Bytes>>) -> Self::Future {
        unreachable!("it was never ready")
    }
}

#[test]
fn readiness_and_its_error_pass_through() {
    let mut fetcher = plain().fetcher(Breaking::default()).unwrap();
    let mut cx = Context::from_waker(std::task::Waker::noop());
    assert!(fetcher.poll_ready(&mut cx).is_pending());
    assert!(matches!(fetcher.poll_ready(&mut cx), Poll::Ready(Err(_))));
}

#[test]
fn nothing_printable_holds_a_secret() {
    let builder = plain().token_header("x-key", secret("c4n4ry-2"));
    let shown = format!("{builder:?}");
    let fetcher = builder.fetcher(Breaking::default()).unwrap();
    for text in [shown, format!("{fetcher:?}")] {
        assert!(!text.contains("c4n4ry"), "{text}");
    }
}

/// The API's client may have the same limit.
#[cfg(feature = "redis")]
#[tokio::test(start_paused = true)]
async fn a_token_from_the_store_leaves_no_permit_of_the_transport_behind() {
    use std::sync::Arc;

    use crate::{
        Clock,
        shared::{SealingKeys, SharedStore},
    };

    let store = SharedStore::in_memory(Clock::tokio(), SealingKeys::new(&[7; 32]));
    let permits = Arc::new(tokio::sync::Semaphore::new(1));
    for _ in 0..2 {
        let transport = tower::service_fn(async |_: Request<Full<Bytes>>| {
            let token = Bytes::from_static(br#"{"access_token":"abc","expires_in":3600}"#);
            Ok::<_, std::io::Error>(Response::new(Full::new(token)))
        });
        let limited = tower::limit::ConcurrencyLimit::with_semaphore(transport, permits.clone());
        let source = plain().shared(store.clone()).clock(Clock::tokio());
        let source = source.build(limited).unwrap();
        source.token().await.unwrap();
        assert_eq!(permits.available_permits(), 1);
    }
}
