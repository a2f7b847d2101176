//! Runtimes with real clocks, and a source that hangs on them.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use crate::support::{millis, secs};
use tokio::runtime::{Builder, Runtime};
use tower::service_fn;
use tower_oauth::{BoxError, Token, TokenRequest, TokenSource, TokenSourceBuilder};

pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

pub(crate) fn threads(number: usize) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder
        .worker_threads(number)
        .enable_time()
        .build()
        .unwrap()
}

/// A source whose first fetches hang, and whose later ones bring `token-<fetch>` at once.
pub(crate) fn hanging_at_first(hanging: usize) -> (TokenSourceBuilder, Arc<AtomicUsize>) {
    let fetches = Arc::new(AtomicUsize::new(0));
    let counted = fetches.clone();
    let fetcher = service_fn(move |_: TokenRequest| {
        let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
        async move {
            if number <= hanging {
                std::future::pending::<()>().await;
            }
            let token = Token::new(format!("token-{number}"));
            Ok::<_, BoxError>(token.with_lifetime(secs(3600)))
        }
    });
    let builder = TokenSource::builder(fetcher);
    let builder = builder.policy(|policy| policy.back_off.min_fetch_interval = millis(1));
    (builder, fetches)
}

pub(crate) fn quick() -> (TokenSource, Arc<AtomicUsize>) {
    let (builder, fetches) = hanging_at_first(0);
    (builder.build().unwrap(), fetches)
}

/// Runs a runtime until as many fetches have begun.
pub(crate) fn drive_until(runtime: &Runtime, fetches: &AtomicUsize, begun: usize) {
    runtime.block_on(async {
        while fetches.load(Ordering::SeqCst) < begun {
            tokio::task::yield_now().await;
        }
    });
}
