//! Sources that several runtimes share, that outlive a runtime, or that have none. Real clocks, without waits for them.

use std::{
    sync::{
        Arc, Barrier, LazyLock,
        atomic::{AtomicUsize, Ordering},
    },
    thread,
};

use crate::on_runtimes::{drive_until, hanging_at_first, quick, runtime, threads};
use crate::support::{at_once, millis, secs, served, text};
use futures_util::{FutureExt, future::join_all};
use tokio::runtime::Builder;
use tower::service_fn;
use tower_oauth::{BoxError, Token, TokenRequest, TokenSource};

#[test]
fn a_source_built_outside_a_runtime_works_inside_one() {
    let (source, fetches) = quick();
    assert_eq!(runtime().block_on(text(&source)), "token-1");
    assert_eq!(runtime().block_on(text(&source)), "token-1");
    assert_eq!(fetches.load(Ordering::SeqCst), 1);
}

#[test]
fn without_a_runtime_a_token_is_served_and_none_is_fetched() {
    let (source, fetches) = quick();
    let error = at_once(&source).unwrap().unwrap_err();
    assert_eq!(error.kind().as_str(), "no_runtime");
    runtime().block_on(source.ready()).unwrap();
    assert_eq!(served(&source), "token-1");
    assert_eq!(fetches.load(Ordering::SeqCst), 1);
}

#[test]
fn a_runtime_that_is_gone_is_an_error_and_no_endless_loop() {
    let (source, fetches) = quick();
    let gone = runtime();
    let handle = gone.handle().clone();
    drop(gone);
    {
        let _inside = handle.enter();
        let error = at_once(&source).unwrap().unwrap_err();
        assert_eq!(error.kind().as_str(), "no_runtime");
    }
    assert_eq!(runtime().block_on(text(&source)), "token-1");
    assert_eq!(fetches.load(Ordering::SeqCst), 1);
}

#[test]
fn a_static_source_outlives_the_runtime_that_fetched_its_token() {
    static FETCHES: AtomicUsize = AtomicUsize::new(0);
    static SOURCE: LazyLock<TokenSource> = LazyLock::new(|| {
        let fetcher = service_fn(|_: TokenRequest| async {
            FETCHES.fetch_add(1, Ordering::SeqCst);
            Ok::<_, BoxError>(Token::new("static"))
        });
        TokenSource::builder(fetcher).build().unwrap()
    });
    for _ in 0..3 {
        assert_eq!(runtime().block_on(text(&SOURCE)), "static");
    }
    assert_eq!(FETCHES.load(Ordering::SeqCst), 1);
}

#[test]
fn several_sources_on_several_runtimes_fetch_once_each() {
    let sources: Vec<_> = (0..3).map(|_| quick()).collect();
    let together = Barrier::new(4);
    thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let runtime = runtime();
                together.wait();
                let tokens = join_all(sources.iter().map(|(source, _)| text(source)));
                assert_eq!(runtime.block_on(tokens), ["token-1"; 3]);
                // No runtime goes before everyone has what it drives.
                together.wait();
            });
        }
    });
    for (_, fetches) in sources {
        assert_eq!(fetches.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn the_driving_runtime_gone_a_live_waiter_starts_the_fetch_anew_once() {
    let (builder, fetches) = hanging_at_first(1);
    let source = builder.build().unwrap();
    let (driving, living) = (runtime(), runtime());
    let mut waiters: Vec<_> = (0..20).map(|_| Box::pin(text(&source))).collect();
    {
        let _inside = driving.enter();
        assert!(at_once(&source).is_none());
    }
    drive_until(&driving, &fetches, 1);
    {
        let _inside = living.enter();
        for waiter in &mut waiters {
            assert!(waiter.as_mut().now_or_never().is_none());
        }
    }
    drop(driving);
    assert!(!source.status().fetching);
    let tokens = living.block_on(join_all(waiters));
    assert!(tokens.iter().all(|token| token == "token-2"));
    assert_eq!(fetches.load(Ordering::SeqCst), 2);
}

#[test]
fn the_driving_runtime_gone_a_refresh_without_traffic_is_started_anew() {
    let (builder, fetches) = hanging_at_first(1);
    let source = builder.build().unwrap();
    let driving = runtime();
    let mut builder = Builder::new_current_thread();
    let living = builder.enable_time().start_paused(true).build().unwrap();
    {
        let _inside = driving.enter();
        assert!(at_once(&source).is_none());
    }
    drive_until(&driving, &fetches, 1);
    living.spawn(source.keep_fresh());
    living.block_on(tokio::task::yield_now());
    drop(driving);
    let took = living.block_on(async {
        let started = tokio::time::Instant::now();
        while fetches.load(Ordering::SeqCst) < 2 {
            tokio::time::sleep(millis(1)).await;
        }
        started.elapsed()
    });
    // The loss was noticed, and not only the next look at the clocks.
    assert!(took < secs(1), "{took:?}");
    living.block_on(async { assert_eq!(text(&source).await, "token-2") });
    assert_eq!(fetches.load(Ordering::SeqCst), 2);
}

#[test]
fn callers_on_real_threads_make_one_fetch() {
    let runtime = threads(4);
    for _ in 0..50 {
        let (source, fetches) = quick();
        runtime.block_on(async {
            let together = Arc::new(tokio::sync::Barrier::new(100));
            let callers = (0..100).map(|_| {
                let (source, together) = (source.clone(), together.clone());
                tokio::spawn(async move {
                    together.wait().await;
                    text(&source).await
                })
            });
            let tokens = join_all(callers).await;
            assert!(tokens.iter().all(|it| it.as_ref().unwrap() == "token-1"));
        });
        assert_eq!(fetches.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn rejections_on_real_threads_make_one_fetch_for_each_token() {
    let runtime = threads(4);
    for _ in 0..50 {
        let (source, fetches) = quick();
        runtime.block_on(async {
            let rejected = source.token().await.unwrap().generation();
            let together = Arc::new(tokio::sync::Barrier::new(100));
            let callers = (0..100).map(|_| {
                let (source, together) = (source.clone(), together.clone());
                tokio::spawn(async move {
                    together.wait().await;
                    source.invalidate(rejected);
                    text(&source).await
                })
            });
            let tokens = join_all(callers).await;
            assert!(tokens.iter().all(|it| it.as_ref().unwrap() == "token-2"));
        });
        assert_eq!(fetches.load(Ordering::SeqCst), 2);
    }
}

#[test]
fn a_shutdown_at_the_moment_of_a_start_leaves_no_fetch_behind() {
    let runtime = threads(2);
    for _ in 0..2000 {
        let (builder, _) = hanging_at_first(1);
        let source = builder.build().unwrap();
        let together = Barrier::new(2);
        thread::scope(|scope| {
            scope.spawn(|| {
                let _inside = runtime.enter();
                together.wait();
                at_once(&source)
            });
            together.wait();
            source.shutdown();
        });
        // Ends at once, or only with the fetch's own time-out.
        let fetching = || source.status().fetching;
        let aborted = (0..1_000_000).any(|_| {
            thread::yield_now();
            !fetching()
        });
        assert!(aborted, "the fetch goes on after the shutdown");
    }
}
