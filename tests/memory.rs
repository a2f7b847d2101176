//! How much memory a source and a token take, and how little another thread adds.
//!
//! The allocator counts what all threads of the process do. So this is a binary of its own, without the test harness
//! and its thread.

use std::{
    alloc::System,
    borrow::Cow,
    sync::{Arc, Barrier, mpsc},
    thread::{self, available_parallelism},
};

use bytes::Bytes;
use futures_util::FutureExt;
use http::{Request, Response};
use http_body_util::Full;
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};
use tower::{Layer, Service, service_fn};
use tower_oauth::{
    BoxError, ClientId, ClientSecret, OAuthLayer, Token, TokenHeaders, TokenRequest, TokenSource,
    client_credentials::{ClientCredentialsBuilder, Dialect},
};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

const TOKEN_LENGTH: usize = 1200;
const KIB: usize = 1024;
/// The most shards that the crate makes on any machine.
const MOST_SHARDS: usize = 8;

#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() {
    let cores = available_parallelism().unwrap().get();
    let shards = cores.min(MOST_SHARDS);
    let other = source(TokenHeaders::bearer());
    // The cores were counted when the first source was built: a thread that is pinned sees only its own.
    pin_to_one_core();
    other.ready().await.unwrap();
    let other = OAuthLayer::new(other).layer(service_fn(answer));

    clients_of_one_bank();

    let names = ["client_id", "access_token"];
    for (headers, most) in [
        (TokenHeaders::bearer(), 4 * KIB),
        (anbima(names.map(Cow::Borrowed)), 4 * KIB),
        // Names from a file are copied.
        (
            anbima(names.map(|it| Cow::Owned(it.to_owned()))),
            4 * KIB + 128,
        ),
    ] {
        let source = source(headers);
        let service = OAuthLayer::new(source.clone()).layer(service_fn(answer));

        let region = Region::new(ALLOCATOR);
        source.ready().await.unwrap();
        send(service.clone());
        let token = kept(&region);
        assert!(token < most, "a token takes {token} bytes");
        assert_eq!(kept_by(|| send(service.clone())), 0, "by a second request");

        // Each thread of a shard that is new adds counts and no copy of the token. The others add nothing.
        let by_thread = kept_by_threads(shards + 2, || {
            // What a thread keeps for all sources does not count.
            send(other.clone());
            kept_by(|| send(service.clone()))
        });
        let (new, old) = by_thread.split_at(shards - 1);
        assert!(
            new.iter().all(|kept| (1..KIB).contains(kept)) && old.iter().all(|kept| *kept == 0),
            "on {cores} cores, further threads take {by_thread:?} bytes"
        );
    }
}

/// They share the bank's dialect, and what follows from it.
fn clients_of_one_bank() {
    let dialect = Arc::new(Dialect::new("bank", "https://login.example/token"));
    let client = || {
        let transport = service_fn(async |_: Request<Full<Bytes>>| {
            Ok::<_, BoxError>(Response::new(Full::<Bytes>::default()))
        });
        ClientCredentialsBuilder::new(Arc::clone(&dialect), ClientId::new("0123456789").unwrap())
            .name("bank/customer-017")
            .secret(ClientSecret::new("0123456789abcdef0123456789abcdef"))
            .build(transport)
            .unwrap()
    };
    let first = client();
    let region = Region::new(ALLOCATOR);
    let second = client();
    let idle = kept(&region);
    assert!(idle <= 1120, "a client without a token takes {idle} bytes");
    drop((first, second));
}

/// This thread, and those that it starts.
#[cfg(target_os = "linux")]
fn pin_to_one_core() {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

    let allowed = sched_getaffinity(None).unwrap();
    let first = (0..CpuSet::MAX_CPU).find(|core| allowed.is_set(*core));
    let mut one = CpuSet::new();
    one.set(first.unwrap());
    sched_setaffinity(None, &one).unwrap();
    assert_eq!(available_parallelism().unwrap().get(), 1);
}

#[cfg(not(target_os = "linux"))]
fn pin_to_one_core() {}

fn anbima([id, token]: [Cow<'static, str>; 2]) -> TokenHeaders {
    TokenHeaders::none()
        .with(id, "0123456789abcdef")
        .and_then(|headers| headers.with(token, "{token}"))
        .unwrap()
}

fn source(headers: TokenHeaders) -> TokenSource {
    let fetcher = service_fn(|_: TokenRequest| async {
        Ok::<_, BoxError>(Token::new("t".repeat(TOKEN_LENGTH)))
    });
    TokenSource::builder(fetcher)
        .headers(headers)
        .build()
        .unwrap()
}

async fn answer(_: Request<()>) -> Result<Response<()>, BoxError> {
    Ok(Response::new(()))
}

fn send<S>(mut service: S)
where
    S: Service<Request<()>, Response = Response<()>, Error = BoxError>,
{
    let request = Request::get("https://api.example/").body(()).unwrap();
    let response = service.call(request).now_or_never();
    response.expect("there is a token").unwrap();
}

/// What each of so many threads keeps, one thread after the other, while all of them live.
fn kept_by_threads(threads: usize, work: impl Fn() -> usize + Sync) -> Vec<usize> {
    let end = Barrier::new(threads + 1);
    thread::scope(|scope| {
        let start = |_| {
            let (sender, receiver) = mpsc::channel();
            let (work, end) = (&work, &end);
            let thread = scope.spawn(move || {
                sender.send(work()).unwrap();
                end.wait();
            });
            (receiver.recv().unwrap(), thread)
        };
        let (kept, started): (Vec<_>, Vec<_>) = (0..threads).map(start).unzip();
        end.wait();
        // The scope alone would not wait until they have given back their shards.
        started.into_iter().for_each(|it| it.join().unwrap());
        kept
    })
}

fn kept_by(work: impl FnOnce()) -> usize {
    let region = Region::new(ALLOCATOR);
    work();
    kept(&region)
}

/// The bytes on the heap that were not there before.
fn kept(region: &Region<'_, System>) -> usize {
    let change = region.change();
    change
        .bytes_allocated
        .checked_sub(change.bytes_deallocated)
        .expect("no more freed than allocated")
}
