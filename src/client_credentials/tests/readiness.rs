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
