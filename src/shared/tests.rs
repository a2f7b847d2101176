//! Replicas that share, on a paused clock over the in-memory store.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    time::Duration,
};

use tower::{Layer, service_fn};

use super::{
    SealingKeys, SharedLayer, SharedStore, WhenStoreIsDown,
    key::StoreKey,
    memory::MemoryStore,
    sealing::Label,
    store::{Holder, Lease, Operation, Snapshot, StoreError, TokenStore},
};
use crate::{Clock, FailureClass, FetchError, ObtainedFrom, Token, TokenRequest, TokenSource};

const HOUR: Duration = Duration::from_secs(3600);

fn keys() -> SealingKeys {
    SealingKeys::new(&[7; 32])
}

/// An endpoint that counts, and replicas that share its tokens.
#[derive(Clone)]
struct Fleet {
    clock: Clock,
    store: SharedStore,
    engine: Arc<Switch>,
    requests: Arc<AtomicU32>,
    takes: Duration,
    denied: Arc<AtomicBool>,
    when_down: WhenStoreIsDown,
}

/// A store that can be switched off, or made to hang.
struct Switch {
    store: MemoryStore,
    mode: Mutex<Mode>,
    operations: AtomicU32,
}

#[derive(Clone, Copy, PartialEq)]
enum Mode {
    On,
    Off,
    Hanging,
    AccessDenied,
    /// The permission to write is missing.
    ReadOnly,
    /// What is loaded is as old as if nobody had fetched yet.
    LoadsEarly,
}

impl Fleet {
    fn new() -> Self {
        let clock = Clock::tokio();
        let engine = Arc::new(Switch {
            store: MemoryStore::new(clock.clone()),
            mode: Mutex::new(Mode::On),
            operations: AtomicU32::new(0),
        });
        Self {
            store: SharedStore::over(engine.clone(), keys()),
            clock,
            engine,
            requests: Arc::default(),
            takes: Duration::from_millis(300),
            denied: Arc::default(),
            when_down: WhenStoreIsDown::FetchAlone,
        }
    }

    fn replica(&self) -> TokenSource {
        self.replica_with(None)
    }

    /// A replica that was built with this secret.
    fn replica_with(&self, secret: Option<&str>) -> TokenSource {
        let Self {
            requests,
            denied,
            takes,
            ..
        } = self.clone();
        let fetcher = service_fn(move |_: TokenRequest| {
            let number = requests.fetch_add(1, Ordering::Relaxed) + 1;
            let denied = denied.load(Ordering::Relaxed);
            async move {
                tokio::time::sleep(takes).await;
                match denied {
                    true => Err(FetchError::permanent("no").with_code("invalid_client")),
                    false => Ok(Token::new(format!("token-{number}")).with_lifetime(HOUR)),
                }
            }
        });
        let layer = SharedLayer::new(self.store.clone(), "bank")
            .clock(self.clock.clone())
            .credential(secret.map(StoreKey::new))
            .when_store_is_down(self.when_down);
        TokenSource::builder(layer.layer(fetcher))
            .sharing(layer.sharing())
            .clock(self.clock.clone())
            .build()
            .unwrap()
    }

    fn set(&self, mode: Mode) {
        *self.engine.mode.lock().unwrap() = mode;
    }

    fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }
}

impl Switch {
    fn pass<'a, T: Send + 'a>(
        &'a self,
        is_read: bool,
        operation: Operation<'a, T>,
    ) -> Operation<'a, T> {
        self.operations.fetch_add(1, Ordering::Relaxed);
        match *self.mode.lock().unwrap() {
            Mode::On | Mode::LoadsEarly => operation,
            Mode::ReadOnly if is_read => operation,
            Mode::Off => Box::pin(async { Err(StoreError::Failed("connection refused".into())) }),
            Mode::Hanging => Box::pin(std::future::pending()),
            Mode::AccessDenied | Mode::ReadOnly => {
                Box::pin(async { Err(StoreError::AccessDenied("WRONGPASS".into())) })
            }
        }
    }
}

impl TokenStore for Arc<Switch> {
    fn load<'a>(&'a self, name: &'a str) -> Operation<'a, Snapshot> {
        let early = *self.mode.lock().unwrap() == Mode::LoadsEarly;
        let seen = self.pass(true, self.store.load(name));
        Box::pin(async move {
            let seen = seen.await?;
            Ok(match early {
                true => Snapshot {
                    now: seen.now,
                    ..Snapshot::default()
                },
                false => seen,
            })
        })
    }
    fn try_lease<'a>(
        &'a self,
        name: &'a str,
        owner: &'a str,
        ttl: Duration,
    ) -> Operation<'a, Lease> {
        self.pass(false, self.store.try_lease(name, owner, ttl))
    }
    fn store_if_newer<'a>(
        &'a self,
        name: &'a str,
        holder: Holder<'a>,
        sealed: Vec<u8>,
        expires_at: Duration,
    ) -> Operation<'a, bool> {
        self.pass(
            false,
            self.store.store_if_newer(name, holder, sealed, expires_at),
        )
    }
    fn pause<'a>(
        &'a self,
        name: &'a str,
        holder: Holder<'a>,
        sealed: Vec<u8>,
        ttl: Duration,
    ) -> Operation<'a, bool> {
        self.pass(false, self.store.pause(name, holder, sealed, ttl))
    }
    fn end_pause<'a>(&'a self, name: &'a str) -> Operation<'a, ()> {
        self.pass(false, self.store.end_pause(name))
    }
    fn release<'a>(&'a self, name: &'a str, owner: &'a str) -> Operation<'a, ()> {
        self.pass(false, self.store.release(name, owner))
    }
}

#[tokio::test(start_paused = true)]
async fn fifty_cold_replicas_make_one_token_request() {
    let fleet = Fleet::new();
    let replicas: Vec<_> = (0..50).map(|_| fleet.replica()).collect();
    let asked = replicas
        .iter()
        .map(|it| async { it.token().await.unwrap().expose_token().to_owned() });
    let tokens = futures_util::future::join_all(asked).await;
    assert!(tokens.iter().all(|it| it == "token-1"), "{tokens:?}");
    assert_eq!(fleet.requests(), 1);
    let from_store = |it: &&TokenSource| it.status().obtained_from == Some(ObtainedFrom::Store);
    assert_eq!(replicas.iter().filter(from_store).count(), 49);
    let counted: u64 = replicas
        .iter()
        .map(|it| it.status().counters.from_store)
        .sum();
    assert_eq!(counted, 49);
}

#[tokio::test(start_paused = true)]
async fn a_rejected_token_is_replaced_once_for_all() {
    let fleet = Fleet::new();
    let (first, second) = (fleet.replica(), fleet.replica());
    for replica in [&first, &second] {
        let token = replica.token().await.unwrap();
        replica.invalidate(token.generation());
    }
    for replica in [&first, &second] {
        assert_eq!(replica.token().await.unwrap().expose_token(), "token-2");
    }
    assert_eq!(fleet.requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_denial_is_met_once_and_ended_for_all() {
    let fleet = Fleet::new();
    fleet.denied.store(true, Ordering::Relaxed);
    let (first, second) = (fleet.replica(), fleet.replica());
    first.token().await.unwrap_err();
    let error = second.token().await.unwrap_err();
    assert_eq!(error.class(), Some(FailureClass::Permanent));
    assert!(error.to_string().contains("invalid_client"), "{error}");
    assert_eq!(fleet.requests(), 1);
    fleet.denied.store(false, Ordering::Relaxed);
    first.retry_now();
    assert_eq!(first.token().await.unwrap().expose_token(), "token-2");
    tokio::time::sleep(Duration::from_secs(6)).await;
    assert_eq!(second.token().await.unwrap().expose_token(), "token-2");
    assert_eq!(fleet.requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_restart_with_another_secret_does_not_wait_for_the_denial_of_the_old_one() {
    let fleet = Fleet::new();
    fleet.denied.store(true, Ordering::Relaxed);
    let old = fleet.replica_with(Some("old"));
    old.token().await.unwrap_err();
    drop(old);
    fleet.denied.store(false, Ordering::Relaxed);
    fleet.replica_with(Some("old")).token().await.unwrap_err();
    assert_eq!(fleet.requests(), 1);
    let new = fleet.replica_with(Some("new"));
    assert_eq!(new.token().await.unwrap().expose_token(), "token-2");
    let healed = fleet.replica_with(Some("old"));
    assert_eq!(healed.token().await.unwrap().expose_token(), "token-2");
}

#[tokio::test(start_paused = true)]
async fn a_stored_token_that_was_replaced_without_the_store_is_not_taken_again() {
    let fleet = Fleet::new();
    let replica = fleet.replica();
    let first = replica.token().await.unwrap();
    fleet.set(Mode::Off);
    replica.invalidate(first.generation());
    let second = replica.token().await.unwrap();
    assert_eq!(second.expose_token(), "token-2");
    tokio::time::sleep(Duration::from_secs(30)).await;
    fleet.set(Mode::On);
    replica.invalidate(second.generation());
    let third = replica.token().await.unwrap();
    assert_eq!(third.expose_token(), "token-3", "the first was rejected");
    assert_eq!(
        fleet.replica().token().await.unwrap().expose_token(),
        "token-3"
    );
}

#[test]
fn the_name_of_a_credential_is_not_shown() {
    let key = StoreKey::new("c4n4ry");
    let name = StoreKey::new("c4n4ry").finish();
    let layer = SharedLayer::new(Fleet::new().store, "bank").credential(Some(key));
    assert!(!format!("{layer:?}").contains(&name));
}

#[tokio::test(start_paused = true)]
async fn a_dead_holder_costs_one_lease() {
    let fleet = Fleet::new();
    let layer = SharedLayer::new(fleet.store.clone(), "bank");
    let lease = fleet
        .engine
        .try_lease(&layer.parts.name, "dead", Duration::from_secs(5));
    lease.await.unwrap();
    let started = tokio::time::Instant::now();
    assert_eq!(
        fleet.replica().token().await.unwrap().expose_token(),
        "token-1"
    );
    let took = started.elapsed();
    assert!(
        took >= Duration::from_secs(5) && took < Duration::from_secs(6),
        "{took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_token_that_came_between_the_look_and_the_lease_is_taken() {
    let fleet = Fleet::new();
    fleet.replica().token().await.unwrap();
    fleet.set(Mode::LoadsEarly);
    let token = fleet.replica().token().await.unwrap();
    assert_eq!(token.expose_token(), "token-1");
    fleet.set(Mode::On);
    let name = SharedLayer::new(fleet.store.clone(), "bank").parts.name;
    let holder = fleet.engine.load(&name).await.unwrap().holder;
    assert_eq!((holder, fleet.requests()), (None, 1));
}

#[tokio::test(start_paused = true)]
async fn a_stored_token_keeps_its_age() {
    let fleet = Fleet::new();
    fleet.replica().token().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1800)).await;
    let late = fleet.replica();
    late.token().await.unwrap();
    let status = late.status();
    assert_eq!(status.lifetime, Some(HOUR));
    let left = status.expires_in.unwrap();
    assert!(left <= Duration::from_secs(1800), "{left:?}");
    assert!(left > Duration::from_secs(1798), "{left:?}");
}

#[tokio::test(start_paused = true)]
async fn clocks_five_minutes_apart_change_no_tokens_life() {
    let fleet = Fleet::new();
    fleet.replica().token().await.unwrap();
    tokio::time::sleep(Duration::from_secs(1800)).await;
    let (mut ahead, mut behind) = (fleet.clone(), fleet.clone());
    ahead.clock = Clock::tokio();
    ahead.clock.step_wall_forward(Duration::from_secs(300));
    behind.clock = Clock::tokio();
    behind.clock.step_wall_back(Duration::from_secs(300));
    for fleet in [ahead, behind] {
        let replica = fleet.replica();
        replica.token().await.unwrap();
        let left = replica.status().expires_in.unwrap().as_secs();
        assert!((1798..=1800).contains(&left), "{left}");
    }
    assert_eq!(fleet.requests(), 1);
}

#[tokio::test(start_paused = true)]
async fn without_its_store_a_replica_fetches_by_itself_and_says_so() {
    let fleet = Fleet::new();
    fleet.set(Mode::Hanging);
    let replica = fleet.replica();
    let started = tokio::time::Instant::now();
    replica.token().await.unwrap();
    // Its own bound once, and what the endpoint takes.
    assert!(
        started.elapsed() <= Duration::from_millis(560),
        "{:?}",
        started.elapsed()
    );
    let sharing = replica.status().sharing.unwrap();
    assert!(sharing.bypassed);
    assert_eq!((sharing.bypasses, sharing.store_failures), (1, 1));
    assert_eq!(replica.status().obtained_from, Some(ObtainedFrom::Endpoint));
}

#[tokio::test(start_paused = true)]
async fn without_its_store_a_replica_fails_if_so_chosen() {
    let mut fleet = Fleet::new();
    fleet.when_down = WhenStoreIsDown::Fail;
    fleet.set(Mode::Off);
    let error = fleet.replica().token().await.unwrap_err();
    assert_eq!(error.class(), Some(FailureClass::Transient));
    assert!(
        error.to_string().contains("the shared store is down"),
        "{error}"
    );
    assert_eq!(fleet.requests(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_password_is_an_error_at_first_and_an_outage_later() {
    let fleet = Fleet::new();
    fleet.set(Mode::AccessDenied);
    let error = fleet.replica().ready().await.unwrap_err();
    assert_eq!(error.class(), Some(FailureClass::Permanent));
    assert!(
        error.to_string().contains("check its user, password"),
        "{error}"
    );
    fleet.set(Mode::ReadOnly);
    let error = fleet.replica().ready().await.unwrap_err();
    assert_eq!(error.class(), Some(FailureClass::Permanent));
    fleet.set(Mode::On);
    let replica = fleet.replica();
    let token = replica.token().await.unwrap();
    fleet.set(Mode::AccessDenied);
    replica.invalidate(token.generation());
    assert_eq!(replica.token().await.unwrap().expose_token(), "token-2");
}

#[tokio::test(start_paused = true)]
async fn requests_that_have_a_token_never_ask_the_store() {
    let fleet = Fleet::new();
    let replica = fleet.replica();
    replica.token().await.unwrap();
    let before = fleet.engine.operations.load(Ordering::Relaxed);
    for _ in 0..100 {
        replica.token().await.unwrap();
    }
    assert_eq!(fleet.engine.operations.load(Ordering::Relaxed), before);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_opened_is_a_miss() {
    let fleet = Fleet::new();
    fleet.replica().token().await.unwrap();
    let mut other = fleet.clone();
    other.store = SharedStore::over(fleet.engine.clone(), SealingKeys::new(&[9; 32]));
    assert_eq!(
        other.replica().token().await.unwrap().expose_token(),
        "token-2"
    );
    let mut rotated = fleet.clone();
    let keys = SealingKeys::new(&[8; 32]).also_open_with(&[9; 32]);
    rotated.store = SharedStore::over(fleet.engine.clone(), keys);
    assert_eq!(
        rotated.replica().token().await.unwrap().expose_token(),
        "token-2"
    );
    assert_eq!(fleet.requests(), 2);
}

#[tokio::test(start_paused = true)]
async fn unreadable_and_old_entries_are_misses() {
    let fleet = Fleet::new();
    let name = SharedLayer::new(fleet.store.clone(), "bank").parts.name;
    fleet.replica().token().await.unwrap();
    let mut requests = 1;
    let store = &fleet.engine.store;
    let old = store.load(&name).await.unwrap().token.unwrap();
    tokio::time::sleep(HOUR).await;
    let label = Label {
        name: &name,
        kind: "token",
        fence: 1,
        ends_at: u64::MAX,
    };
    let unreadable = keys().seal(label, b"no entry").unwrap();
    let mut later_version = old.clone();
    later_version[0] += 1;
    let foreign = b"some other service's entry, which is as long as one of ours".to_vec();
    for entry in [old, unreadable, later_version, foreign, vec![]] {
        let lease = store.try_lease(&name, "writer", HOUR).await.unwrap();
        let Lease::Granted { fence, seen } = lease else {
            panic!("{lease:?}")
        };
        let holder = Holder {
            owner: "writer",
            fence,
        };
        let put = store.store_if_newer(&name, holder, entry, seen.now + HOUR);
        assert!(put.await.unwrap());
        requests += 1;
        let token = fleet.replica().token().await.unwrap();
        assert_eq!(token.expose_token(), format!("token-{requests}"));
    }
    assert_eq!(fleet.requests(), requests);
}

#[test]
fn a_sealed_entry_opens_only_where_and_as_it_was_sealed() {
    let label = Label {
        name: "a",
        kind: "token",
        fence: 3,
        ends_at: 1000,
    };
    let sealed = keys().seal(label, b"c4n4ry").unwrap();
    assert!(!sealed.windows(6).any(|it| it == b"c4n4ry"));
    let opened = keys().open("a", "token", &sealed).unwrap();
    assert_eq!(
        (&opened.content[..], opened.ends_at),
        (&b"c4n4ry"[..], 1000)
    );
    assert!(keys().open("b", "token", &sealed).is_none());
    assert!(keys().open("a", "pause", &sealed).is_none());
    for at in 0..sealed.len() {
        let mut tampered = sealed.clone();
        tampered[at] ^= 1;
        assert!(keys().open("a", "token", &tampered).is_none(), "byte {at}");
        assert!(
            keys().open("a", "token", &sealed[..at]).is_none(),
            "{at} bytes"
        );
    }
    let largest = vec![b'x'; 256 * 1024 - 53];
    let sealed_largest = keys().seal(label, &largest).unwrap();
    assert!(keys().open("a", "token", &sealed_largest).is_some());
    let oversized = keys().seal(label, &[&largest[..], b"x"].concat()).unwrap();
    assert!(keys().open("a", "token", &oversized).is_none());
    let again = keys().seal(label, b"c4n4ry").unwrap();
    assert_ne!(sealed, again, "a nonce is used once");
}

#[test]
fn a_wrong_url_or_key_is_an_error_that_shows_neither() {
    for url in ["http://c4n4ry@x", "redis://:c4n4ry@h:port", "c4n4ry", ""] {
        let error = SharedStore::redis(url, keys()).unwrap_err();
        assert!(!format!("{error:?}").contains("c4n4ry"), "{error:?}");
    }
    for key in ["", "c4n4ry!", "YzRuNHJ5", "YzRuNHJ5,"] {
        let error = SealingKeys::from_base64(key).unwrap_err();
        assert!(
            !format!("{error:?}").contains(key) || key.is_empty(),
            "{error:?}"
        );
    }
}
