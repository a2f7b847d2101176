//! Sources that several runtimes share, outlive, or have none at hand. Real clocks, and nothing waits for them.

mod support;

use std::{
    sync::{
        Arc, Barrier, LazyLock, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use futures_util::{FutureExt, future::join_all};
use support::{at_once, millis, secs, served, text};
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinHandle,
    time::Instant,
};
use tower::service_fn;
use tower_oauth::{BoxError, Token, TokenRequest, TokenSource, TokenSourceBuilder};

fn runtime() -> Runtime {
    Builder::new_current_thread().enable_time().build().unwrap()
}

fn threads(number: usize) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    builder
        .worker_threads(number)
        .enable_time()
        .build()
        .unwrap()
}

/// A source whose first fetches hang, and whose later ones bring `token-<fetch>` at once.
fn hanging_at_first(hanging: usize) -> (TokenSourceBuilder, Arc<AtomicUsize>) {
    let fetches = Arc::new(AtomicUsize::new(0));
    let counted = fetches.clone();
    let fetcher = service_fn(move |_: TokenRequest| {
        let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
        async move {
            if number <= hanging {
                std::future::pending::<()>().await;
            }
            let token = Token::new(format!("token-{number}"));
            Ok::<_, BoxError>(token.expires_in(secs(3600)))
        }
    });
    let builder = TokenSource::builder(fetcher);
    let builder = builder.policy(|policy| policy.min_flight_interval = millis(1));
    (builder, fetches)
}

fn quick() -> (TokenSource, Arc<AtomicUsize>) {
    let (builder, fetches) = hanging_at_first(0);
    (builder.build().unwrap(), fetches)
}

/// Runs a runtime until as many fetches have begun.
fn drive_until(runtime: &Runtime, fetches: &AtomicUsize, begun: usize) {
    runtime.block_on(async {
        while fetches.load(Ordering::SeqCst) < begun {
            tokio::task::yield_now().await;
        }
    });
}

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
    assert_eq!(error.kind(), "no_runtime");
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
        assert_eq!(error.kind(), "no_runtime");
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

/// A runtime whose clock jumps to the next timer when there is nothing else to do: it waits for nothing that another
/// runtime does.
fn impatient() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_time().start_paused(true).build().unwrap()
}

/// Asks for a token on an impatient runtime, and returns it and how long it took.
fn ask_impatiently(source: &TokenSource) -> (String, Duration) {
    impatient().block_on(async {
        let started = Instant::now();
        (text(source).await, started.elapsed())
    })
}

#[test]
fn a_fetch_that_its_runtime_does_not_begin_is_begun_by_who_waits() {
    let (source, fetches) = quick();
    let still = runtime();
    {
        let _inside = still.enter();
        assert!(at_once(&source).is_none());
    }
    let (token, took) = ask_impatiently(&source);
    assert_eq!(token, "token-1");
    assert!(took <= millis(150), "{took:?}");
    // Driven again, the first runtime finds nothing to do.
    still.block_on(settle());
    assert_eq!(still.metrics().num_alive_tasks(), 0);
    assert_eq!(fetches.load(Ordering::SeqCst), 1);
    let counters = source.status().counters;
    assert_eq!((counters.fetches, counters.flights), (1, 1));
}

#[test]
fn a_fetch_whose_runtime_stands_still_is_taken_over_once() {
    let (builder, fetches) = hanging_at_first(1);
    let source = builder.build().unwrap();
    let still = runtime();
    {
        let _inside = still.enter();
        assert!(at_once(&source).is_none());
    }
    drive_until(&still, &fetches, 1);
    let took = impatient().block_on(async {
        let started = Instant::now();
        let tokens = join_all((0..20).map(|_| text(&source))).await;
        assert!(tokens.iter().all(|token| token == "token-2"));
        started.elapsed()
    });
    assert!(took <= secs(1), "{took:?}");
    assert_eq!(fetches.load(Ordering::SeqCst), 2);
    // Driven again, the first runtime gives up.
    still.block_on(settle());
    assert_eq!(still.metrics().num_alive_tasks(), 0);
    let counters = source.status().counters;
    assert_eq!(
        (counters.fetches, counters.flights, counters.failures),
        (2, 1, 0)
    );
    assert_eq!(source.status().generation, Some(1));
}

#[test]
fn a_fetch_that_is_driven_now_and_then_is_not_taken_over() {
    let (builder, fetches) = hanging_at_first(1);
    let source = builder.policy(|policy| policy.attempts = 1);
    let source = source.build().unwrap();
    let busy = impatient();
    let error = busy.block_on(source.token()).unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(fetches.load(Ordering::SeqCst), 1);
}

#[test]
fn a_renewal_without_traffic_takes_over_a_fetch_that_stands_still() {
    let (builder, fetches) = hanging_at_first(1);
    let source = builder.build().unwrap();
    let still = runtime();
    {
        let _inside = still.enter();
        assert!(at_once(&source).is_none());
    }
    drive_until(&still, &fetches, 1);
    let living = impatient();
    living.spawn(source.keep_fresh());
    living.block_on(async {
        let started = Instant::now();
        while source.status().generation.is_none() {
            tokio::time::sleep(millis(10)).await;
        }
        assert!(started.elapsed() <= secs(1), "{:?}", started.elapsed());
    });
    assert_eq!(fetches.load(Ordering::SeqCst), 2);
}

/// A source whose first attempt blocks its thread, in the fetcher's call or in the future that it returned, and then
/// brings `token-1`; the later ones bring `token-2` and so on at once.
fn blocking(inside_the_call: bool) -> (TokenSource, Arc<AtomicUsize>, mpsc::Sender<()>) {
    let (release, released) = mpsc::channel();
    let released = Arc::new(Mutex::new(released));
    let fetches = Arc::new(AtomicUsize::new(0));
    let counted = fetches.clone();
    let fetcher = service_fn(move |_: TokenRequest| {
        let number = counted.fetch_add(1, Ordering::SeqCst) + 1;
        let released = released.clone();
        let block = move || {
            if number == 1 {
                released.lock().unwrap().recv().unwrap();
            }
        };
        let later = match inside_the_call {
            true => {
                block();
                None
            }
            false => Some(block),
        };
        async move {
            later.into_iter().for_each(|block| block());
            let token = Token::new(format!("token-{number}"));
            Ok::<_, BoxError>(token.expires_in(secs(3600)))
        }
    });
    let builder = TokenSource::builder(fetcher);
    let builder = builder.policy(|policy| policy.min_flight_interval = millis(1));
    (builder.build().unwrap(), fetches, release)
}

/// Starts a fetch on a runtime of its own, whose thread it blocks.
fn start_blocked(source: &TokenSource, fetches: &AtomicUsize) -> thread::JoinHandle<Runtime> {
    let asking = source.clone();
    let blocked = thread::spawn(move || {
        let runtime = runtime();
        runtime.block_on(async {
            assert!(at_once(&asking).is_none());
            settle().await;
        });
        runtime
    });
    while fetches.load(Ordering::SeqCst) == 0 {
        thread::yield_now();
    }
    blocked
}

#[test]
fn who_comes_back_after_its_fetch_was_taken_over_counts_for_nothing() {
    let (source, fetches, release) = blocking(false);
    let blocked = start_blocked(&source, &fetches);
    let (token, took) = ask_impatiently(&source);
    assert_eq!(token, "token-2");
    assert!(took <= secs(1), "{took:?}");
    // The first attempt's token comes after all.
    release.send(()).unwrap();
    let runtime = blocked.join().unwrap();
    runtime.block_on(settle());
    assert_eq!(served(&source), "token-2");
    let status = source.status();
    assert_eq!((status.generation, status.fetching), (Some(1), false));
    let counters = status.counters;
    assert_eq!(
        (counters.fetches, counters.flights, counters.failures),
        (2, 1, 0)
    );
}

#[test]
fn a_fetcher_that_blocks_inside_its_call_costs_waiters_their_bound_and_recovers() {
    let (source, fetches, release) = blocking(true);
    let blocked = start_blocked(&source, &fetches);
    let error = impatient().block_on(source.token()).unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(fetches.load(Ordering::SeqCst), 1);
    release.send(()).unwrap();
    blocked.join().unwrap().block_on(settle());
    assert_eq!(source.status().generation, None, "its token came too late");
    source.retry_now();
    assert_eq!(ask_impatiently(&source).0, "token-2");
}

#[test]
fn a_worker_that_blocks_right_after_it_started_a_fetch_holds_nobody_up() {
    let (source, fetches) = quick();
    let runtime = threads(2);
    let (release, released) = mpsc::channel::<()>();
    let (tell, told) = mpsc::channel();
    let blocking = source.clone();
    runtime.spawn(async move {
        assert!(at_once(&blocking).is_none());
        tell.send(()).unwrap();
        // What it started is in this worker's own slot, which nobody else may take from.
        released.recv().unwrap();
    });
    told.recv().unwrap();
    let others = (0..20).map(|_| {
        let source = source.clone();
        runtime.spawn(async move { text(&source).await })
    });
    let tokens = impatient_join(&runtime, others.collect());
    assert!(tokens.iter().all(|token| token == "token-1"));
    assert_eq!(fetches.load(Ordering::SeqCst), 1);
    release.send(()).unwrap();
}

/// Waits for tasks from outside their runtime; they are to end while one of its workers is blocked.
fn impatient_join(runtime: &Runtime, tasks: Vec<JoinHandle<String>>) -> Vec<String> {
    let all = async { tokio::time::timeout(secs(20), join_all(tasks)).await };
    let ended = runtime.block_on(all).expect("nobody is held up");
    ended.into_iter().map(Result::unwrap).collect()
}

/// Lets what is ready run.
async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
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
fn the_driving_runtime_gone_a_renewal_without_traffic_is_started_anew() {
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
fn a_herd_on_real_threads_makes_one_fetch() {
    let runtime = threads(4);
    for _ in 0..50 {
        let (source, fetches) = quick();
        runtime.block_on(async {
            let together = Arc::new(tokio::sync::Barrier::new(100));
            let herd = (0..100).map(|_| {
                let (source, together) = (source.clone(), together.clone());
                tokio::spawn(async move {
                    together.wait().await;
                    text(&source).await
                })
            });
            let tokens = join_all(herd).await;
            assert!(tokens.iter().all(|it| it.as_ref().unwrap() == "token-1"));
        });
        assert_eq!(fetches.load(Ordering::SeqCst), 1);
    }
}

#[test]
fn refusals_on_real_threads_make_one_fetch_for_each_token() {
    let runtime = threads(4);
    for _ in 0..50 {
        let (source, fetches) = quick();
        runtime.block_on(async {
            let refused = source.token().await.unwrap().generation();
            let together = Arc::new(tokio::sync::Barrier::new(100));
            let herd = (0..100).map(|_| {
                let (source, together) = (source.clone(), together.clone());
                tokio::spawn(async move {
                    together.wait().await;
                    source.invalidate(refused);
                    text(&source).await
                })
            });
            let tokens = join_all(herd).await;
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
        // Ends at once, or only with the flight's own time-out.
        let fetching = || source.status().fetching;
        let aborted = (0..1_000_000).any(|_| {
            thread::yield_now();
            !fetching()
        });
        assert!(aborted, "the fetch goes on after the shutdown");
    }
}
