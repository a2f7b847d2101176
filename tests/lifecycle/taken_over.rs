//! Fetches that are taken over from a runtime that stands still, or a thread that is blocked. Real runtimes; who waits
//! does so on a clock that jumps.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};

use crate::on_runtimes::{drive_until, hanging_at_first, quick, runtime, threads};
use crate::support::{at_once, millis, secs, served, text};
use futures_util::future::join_all;
use tokio::{
    runtime::{Builder, Runtime},
    task::JoinHandle,
    time::Instant,
};
use tower::service_fn;
use tower_oauth::{
    BoxError, ClientId, ClientSecret, FetchError, Token, TokenRequest, TokenSource,
    TokenSourceBuilder,
    client_credentials::{ClientCredentialsBuilder, Dialect},
};

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
    assert_eq!((counters.attempts, counters.fetches), (1, 1));
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
        (counters.attempts, counters.fetches, counters.failures),
        (2, 1, 0)
    );
    assert_eq!(source.status().generation, Some(1));
}

/// The driver is gone, and what the endpoint asked of it is not.
#[test]
fn who_takes_a_fetch_over_waits_as_long_as_the_endpoint_asked() {
    let (builder, numbers) = answering(|call| match call {
        1 => Some(Err(FetchError::transient("busy")
            .with_retry_after(secs(5))
            .into())),
        _ => Some(token(call)),
    });
    let source = builder.policy(|policy| policy.retry.attempts = 2);
    let source = source.build().unwrap();
    let still = runtime();
    still.block_on(async {
        assert!(at_once(&source).is_none());
        settle().await;
    });
    let (token, took) = ask_impatiently(&source);
    assert_eq!(token, "token-2");
    assert!(took >= secs(2), "{took:?}");
    assert_eq!(*numbers.lock().unwrap(), [1, 2]);
    let counters = source.status().counters;
    assert_eq!((counters.attempts, counters.failures), (2, 1));
}

#[test]
fn who_takes_a_fetch_over_repeats_the_attempt_under_way_under_its_number() {
    let (builder, numbers) = answering(|call| (call > 1).then(|| token(call)));
    let source = builder.build().unwrap();
    let still = runtime();
    still.block_on(async {
        assert!(at_once(&source).is_none());
        settle().await;
    });
    assert_eq!(ask_impatiently(&source).0, "token-2");
    assert_eq!(*numbers.lock().unwrap(), [1, 1]);
    assert_eq!(source.status().counters.failures, 0);
}

#[test]
fn drivers_that_replace_each_other_have_one_bound() {
    let (builder, _) = answering(|_| None);
    let source = builder.policy(|policy| {
        policy.timeouts.fetch = secs(8);
        policy.timeouts.attempt = secs(8);
        policy.retry.attempts = 1;
    });
    let source = source.build().unwrap();
    let still = impatient();
    still.block_on(async {
        assert!(at_once(&source).is_none());
        tokio::time::sleep(secs(5)).await;
    });
    let (error, took) = impatient().block_on(async {
        let started = Instant::now();
        (source.token().await.unwrap_err(), started.elapsed())
    });
    assert!(error.is_timeout());
    assert!(took <= secs(5), "{took:?}");
}

#[test]
fn a_fetch_whose_driver_is_replaced_before_its_first_attempt_is_counted_once() {
    let (builder, numbers) = answering(|call| Some(token(call)));
    let source = builder.policy(|policy| {
        policy.back_off.min_fetch_interval = secs(1);
        policy.rejection.suspended_wait = secs(10);
    });
    let source = source.build().unwrap();
    let still = runtime();
    still.block_on(async {
        source.invalidate(source.token().await.unwrap().generation());
        settle().await;
    });
    assert_eq!(ask_impatiently(&source).0, "token-2");
    assert_eq!(*numbers.lock().unwrap(), [1, 1]);
    let counters = source.status().counters;
    assert_eq!((counters.fetches, counters.attempts), (2, 2));
}

/// The first runtime goes away just when who waits has spawned another task, which has not run yet.
#[test]
fn a_fetch_that_another_task_can_begin_is_not_lost_with_the_first() {
    let (builder, numbers) = answering(|call| Some(token(call)));
    let source = builder.policy(|policy| policy.back_off.min_fetch_interval = secs(1));
    let source = source.build().unwrap();
    let still = runtime();
    {
        let _inside = still.enter();
        assert!(at_once(&source).is_none());
    }
    let took = impatient().block_on(async {
        let started = Instant::now();
        let goes_away = async {
            tokio::time::sleep(millis(100)).await;
            still.shutdown_background();
        };
        let (token, ()) = futures_util::future::join(text(&source), goes_away).await;
        assert_eq!(token, "token-1");
        started.elapsed()
    });
    assert!(took <= millis(200), "{took:?}");
    assert_eq!(*numbers.lock().unwrap(), [1]);
    assert_eq!(source.status().counters.fetches, 1);
}

#[test]
fn a_fetch_that_is_driven_now_and_then_is_not_taken_over() {
    let (builder, fetches) = hanging_at_first(1);
    let source = builder.policy(|policy| policy.retry.attempts = 1);
    let source = source.build().unwrap();
    let busy = impatient();
    let error = busy.block_on(source.token()).unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(fetches.load(Ordering::SeqCst), 1);
}

#[test]
fn a_refresh_without_traffic_takes_over_a_fetch_that_stands_still() {
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

/// What an attempt waits for with its thread.
#[derive(Clone)]
struct Barrier {
    entered: mpsc::Sender<()>,
    released: Arc<Mutex<mpsc::Receiver<()>>>,
}

impl Barrier {
    fn block(&self) {
        self.entered.send(()).unwrap();
        self.released.lock().unwrap().recv().unwrap();
    }
}

/// A runtime of its own that starts a source's fetch, and whose thread the first attempt blocks.
struct Blocked {
    thread: thread::JoinHandle<Runtime>,
    release: mpsc::Sender<()>,
}

impl Blocked {
    /// Starts the fetch of the source that is made of the barrier, and returns when the thread is blocked.
    fn start(source: impl FnOnce(Barrier) -> TokenSource) -> (Self, TokenSource) {
        let (entered, has_entered) = mpsc::channel();
        let (release, released) = mpsc::channel();
        let released = Arc::new(Mutex::new(released));
        let source = source(Barrier { entered, released });
        let asking = source.clone();
        let thread = thread::spawn(move || {
            let runtime = runtime();
            runtime.block_on(async {
                assert!(at_once(&asking).is_none());
                settle().await;
            });
            runtime
        });
        has_entered.recv().unwrap();
        (Self { thread, release }, source)
    }

    /// Lets the thread go on until there is nothing left for it to do.
    fn end(self) {
        self.release.send(()).unwrap();
        self.thread.join().unwrap().block_on(settle());
    }
}

fn token(number: u32) -> Result<Token, BoxError> {
    Ok(Token::new(format!("token-{number}")).with_lifetime(secs(3600)))
}

/// A source over a fetcher that answers its calls by their number, from 1, or hangs; and the attempt number of each
/// call.
fn answering(
    answer: impl Fn(u32) -> Option<Result<Token, BoxError>> + Send + 'static,
) -> (TokenSourceBuilder, Arc<Mutex<Vec<u32>>>) {
    let numbers = Arc::new(Mutex::new(Vec::new()));
    let noted = numbers.clone();
    let mut call = 0;
    let fetcher = service_fn(move |request: TokenRequest| {
        call += 1;
        noted.lock().unwrap().push(request.attempt());
        let answer = answer(call);
        async move {
            match answer {
                Some(answer) => answer,
                None => std::future::pending().await,
            }
        }
    });
    (TokenSource::builder(fetcher), numbers)
}

/// A source over a fetcher that gets the number of each call, and the barrier.
fn numbered<F>(
    barrier: Barrier,
    mut fetch: impl FnMut(u32, Barrier) -> F + Send + 'static,
) -> TokenSource
where
    F: Future<Output = Result<Token, BoxError>> + Send + 'static,
{
    let mut number = 0;
    let fetcher = service_fn(move |_: TokenRequest| {
        number += 1;
        fetch(number, barrier.clone())
    });
    let builder = TokenSource::builder(fetcher);
    let builder = builder.policy(|policy| {
        policy.back_off.min_fetch_interval = millis(1);
        policy.retry.first_wait = secs(0);
    });
    builder.build().unwrap()
}

fn blocking_in_the_future(barrier: Barrier) -> TokenSource {
    numbered(barrier, |number, barrier| async move {
        if number == 1 {
            barrier.block();
        }
        token(number)
    })
}

fn blocking_in_the_call(barrier: Barrier) -> TokenSource {
    numbered(barrier, |number, barrier| {
        if number == 1 {
            barrier.block();
        }
        async move { token(number) }
    })
}

/// As far as its driver knows, the first attempt is to be tried again in the same poll.
fn blocking_and_failing(barrier: Barrier) -> TokenSource {
    numbered(barrier, |number, barrier| async move {
        if number == 1 {
            barrier.block();
            return Err(FetchError::transient("busy").into());
        }
        token(number)
    })
}

#[test]
fn who_comes_back_after_its_fetch_was_taken_over_counts_for_nothing() {
    for source in [blocking_in_the_future, blocking_and_failing] {
        let (blocked, source) = Blocked::start(source);
        let (token, took) = ask_impatiently(&source);
        assert_eq!(token, "token-2");
        assert!(took <= secs(1), "{took:?}");
        blocked.end();
        assert_eq!(served(&source), "token-2");
        let status = source.status();
        assert_eq!((status.generation, status.fetching), (Some(1), false));
        let counters = status.counters;
        assert_eq!(
            (counters.attempts, counters.fetches, counters.failures),
            (2, 1, 0)
        );
    }
}

#[test]
fn a_fetcher_that_blocks_inside_its_call_costs_waiters_their_bound_and_recovers() {
    let (blocked, source) = Blocked::start(blocking_in_the_call);
    let error = impatient().block_on(source.token()).unwrap_err();
    assert!(error.is_timeout());
    assert_eq!(source.status().counters.attempts, 1);
    blocked.end();
    assert_eq!(source.status().generation, None, "its token came too late");
    source.retry_now();
    assert_eq!(ask_impatiently(&source).0, "token-2");
}

#[test]
fn a_worker_that_blocks_right_after_starting_a_fetch_delays_no_caller() {
    let (source, fetches) = quick();
    let runtime = threads(2);
    let (release, released) = mpsc::channel::<()>();
    let (sender, started) = mpsc::channel();
    let blocking = source.clone();
    runtime.spawn(async move {
        assert!(at_once(&blocking).is_none());
        sender.send(()).unwrap();
        // What it started is in this worker's own slot, which nobody else may take from.
        released.recv().unwrap();
    });
    started.recv().unwrap();
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
    let ended = runtime.block_on(all).expect("no caller is delayed");
    ended.into_iter().map(Result::unwrap).collect()
}

/// Lets what is ready run.
async fn settle() {
    for _ in 0..10 {
        tokio::task::yield_now().await;
    }
}

/// A token endpoint that keeps its connections open; `token-1` is its first.
fn keeping_connections() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/token", listener.local_addr().unwrap());
    let tokens = Arc::new(AtomicUsize::new(0));
    thread::spawn(move || {
        for connection in listener.incoming() {
            let (connection, tokens) = (connection.unwrap(), tokens.clone());
            thread::spawn(move || serve(connection, &tokens));
        }
    });
    url
}

fn serve(mut connection: TcpStream, tokens: &AtomicUsize) {
    let mut part = [0; 1024];
    let mut seen = Vec::new();
    while let Ok(length @ 1..) = connection.read(&mut part) {
        seen.extend_from_slice(&part[..length]);
        if seen.ends_with(b"grant_type=client_credentials") {
            seen.clear();
            let number = tokens.fetch_add(1, Ordering::SeqCst) + 1;
            let body = format!(r#"{{"access_token":"token-{number}","expires_in":3600}}"#);
            let head = "HTTP/1.1 200 OK\r\ncontent-length";
            write!(connection, "{head}: {}\r\n\r\n{body}", body.len()).unwrap();
        }
    }
}

#[test]
fn a_connection_that_lives_on_a_runtime_that_stands_still_is_not_used_again() {
    let dialect = Dialect::new("keeping", keeping_connections());
    let builder = ClientCredentialsBuilder::new(dialect, ClientId::new("id").unwrap())
        .secret(ClientSecret::new("secret"))
        .policy(|policy| policy.back_off.min_fetch_interval = millis(1));
    let source = builder.build_reqwest(reqwest::Client::builder()).unwrap();
    let with_sockets = || Builder::new_current_thread().enable_all().build().unwrap();
    let still = with_sockets();
    assert_eq!(still.block_on(text(&source)), "token-1");
    // Not driven any more, it has the connection's other half.
    let (token, took) = with_sockets().block_on(async {
        let started = Instant::now();
        source.invalidate(source.token().await.unwrap().generation());
        (text(&source).await, started.elapsed())
    });
    assert_eq!(token, "token-2");
    // And not only when the attempt that waited for it was given up, after 8 s.
    assert!(took < secs(6), "{took:?}");
}
