//! What every store must do, over the one in memory and over a real Redis.

use std::{
    future::ready,
    net::TcpListener,
    process::{Child, Command, Stdio},
    time::Duration,
};

use super::{
    memory::MemoryStore,
    redis::RedisStore,
    store::{Holder, Lease, Snapshot, StoreError, TokenStore},
};
use crate::Clock;

use ::redis::{Cmd, Pipeline, RedisFuture, Value, aio::ConnectionLike};

const TTL: Duration = Duration::from_millis(400);
const HOUR: Duration = Duration::from_secs(3600);

/// A name of a store.
struct Name<'a, S>(&'a S, &'a str);

impl<S: TokenStore> Name<'_, S> {
    async fn seen(&self) -> Snapshot {
        self.0.load(self.1).await.unwrap()
    }

    async fn lease(&self, owner: &str, ttl: Duration) -> Option<u64> {
        match self.0.try_lease(self.1, owner, ttl).await.unwrap() {
            Lease::Granted { fence, seen } => {
                assert_eq!(seen.holder.as_deref(), Some(owner));
                Some(fence)
            }
            Lease::Held(holder) => {
                assert_ne!(holder.as_deref(), Some(owner));
                None
            }
        }
    }

    async fn put(&self, owner: &str, fence: u64, life: Duration) -> bool {
        let end = self.seen().await.now + life;
        let holder = Holder { owner, fence };
        let put = self.0.store_if_newer(self.1, holder, owner.into(), end);
        put.await.unwrap()
    }

    async fn pause(&self, owner: &str, fence: u64, ttl: Duration) -> bool {
        let holder = Holder { owner, fence };
        let pause = self.0.pause(self.1, holder, owner.into(), ttl);
        pause.await.unwrap()
    }
}

async fn one_owner_holds_the_lease(store: &impl TokenStore) {
    let name = Name(store, "{lease}");
    let first = name.lease("old", HOUR).await.unwrap();
    assert_eq!(name.lease("new", HOUR).await, None);
    store.release("{lease}", "new").await.unwrap();
    assert_eq!(name.seen().await.holder.as_deref(), Some("old"));
    let again = name.lease("old", TTL).await.unwrap();
    assert!(again > first);
    tokio::time::sleep(TTL * 2).await;
    assert_eq!(name.seen().await.holder, None);
    assert!(name.lease("new", HOUR).await.unwrap() > again);
    store.release("{lease}", "new").await.unwrap();
    assert!(name.lease("old", HOUR).await.is_some());
}

async fn an_old_holder_writes_nothing_and_releases_nothing(store: &impl TokenStore) {
    let name = Name(store, "{fence}");
    let old = name.lease("old", TTL).await.unwrap();
    tokio::time::sleep(TTL * 2).await;
    let new = name.lease("new", HOUR).await.unwrap();
    assert!(!name.put("old", old, HOUR).await);
    assert!(!name.pause("old", old, HOUR).await);
    store.release("{fence}", "old").await.unwrap();
    let seen = name.seen().await;
    assert_eq!((seen.token, seen.pause), (None, None));
    assert_eq!(seen.holder.as_deref(), Some("new"));
    assert!(name.put("new", new, HOUR).await);
    assert!(!name.put("old", old, HOUR).await);
    let seen = name.seen().await;
    assert_eq!((seen.token, seen.holder), (Some(b"new".to_vec()), None));
}

async fn entries_end_by_themselves(store: &impl TokenStore) {
    let name = Name(store, "{ends}");
    let lease = async || name.lease("a", HOUR).await.unwrap();
    assert!(name.pause("a", lease().await, HOUR).await);
    let seen = name.seen().await;
    assert_eq!((seen.pause, seen.holder), (Some(b"a".to_vec()), None));
    assert!(name.put("a", lease().await, HOUR).await);
    let seen = name.seen().await;
    assert_eq!((seen.token, seen.pause), (Some(b"a".to_vec()), None));
    assert!(name.put("a", lease().await, TTL).await);
    assert!(name.pause("a", lease().await, TTL).await);
    tokio::time::sleep(TTL * 2).await;
    let seen = name.seen().await;
    assert_eq!((seen.token, seen.pause), (None, None));
    assert!(name.pause("a", lease().await, HOUR).await);
    store.end_pause("{ends}").await.unwrap();
    assert_eq!(name.seen().await.pause, None);
}

#[tokio::test(start_paused = true)]
async fn the_store_in_memory_keeps_the_contract() {
    let store = MemoryStore::new(Clock::tokio());
    one_owner_holds_the_lease(&store).await;
    an_old_holder_writes_nothing_and_releases_nothing(&store).await;
    entries_end_by_themselves(&store).await;
}

/// A server that gives one answer to everything.
#[derive(Clone)]
struct Hostile(Value);

impl ConnectionLike for Hostile {
    fn req_packed_command<'a>(&'a mut self, _: &'a Cmd) -> RedisFuture<'a, Value> {
        Box::pin(ready(Ok(self.0.clone())))
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        _: &'a Pipeline,
        _: usize,
        _: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        Box::pin(ready(Ok(vec![self.0.clone()])))
    }

    fn get_db(&self) -> i64 {
        0
    }
}

#[tokio::test]
async fn an_answer_of_another_form_is_a_failure_that_quotes_nothing() {
    let text = |text: &str| Value::BulkString(text.into());
    let far = || text("18446744073709551615");
    let (blob, number) = (|| text("c4n4ry"), Value::Int);
    let bytes = Value::BulkString(vec![b'c', b'4', b'n', b'4', b'r', b'y', 0xff]);
    let answers = [
        Value::Nil,
        Value::SimpleString("c4n4ry".into()),
        Value::Array(vec![]),
        Value::Array(vec![blob(), blob(), blob(), blob(), blob()]),
        Value::Array(vec![far(), number(999_999), Value::Nil, Value::Nil, bytes]),
        Value::Array(vec![far(), text("4294967295"), blob(), blob(), blob()]),
        Value::Array(vec![number(1), far(), number(0), blob(), blob()]),
        Value::Array(vec![number(-1), number(-1), number(-1), blob(), blob()]),
        Value::Array(vec![number(0), Value::Array(vec![blob()])]),
    ];
    for answer in answers {
        let store = RedisStore::over(Hostile(answer.clone()));
        let load = store.load("a").await.map(drop);
        let lease = store.try_lease("a", "me", HOUR).await.map(drop);
        for result in [load, lease] {
            let Err(StoreError::Failed(error)) = result else {
                panic!("{answer:?}: {result:?}")
            };
            let shown = format!("{error} {error:?}");
            assert!(!shown.contains("c4n4ry"), "{shown}");
        }
    }
}

struct Server(Child);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn server() -> (Server, ::redis::aio::MultiplexedConnection) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let server = Command::new("redis-server")
        .args([
            "--port",
            &port.to_string(),
            "--bind",
            "127.0.0.1",
            "--save",
            "",
        ])
        .stdout(Stdio::null())
        .spawn();
    let server = Server(server.expect("redis-server is on the path: run .ci/fleet"));
    let client = ::redis::Client::open(format!("redis://127.0.0.1:{port}")).unwrap();
    for _ in 0..100 {
        if let Ok(connection) = client.get_multiplexed_async_connection().await {
            return (server, connection);
        }
        // A real process: nothing but a connection says that it has started.
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("redis-server does not answer");
}

#[tokio::test]
#[ignore = "needs redis-server: run .ci/fleet"]
async fn over_redis_one_owner_holds_the_lease() {
    let (_server, connection) = server().await;
    one_owner_holds_the_lease(&RedisStore::over(connection)).await;
}

#[tokio::test]
#[ignore = "needs redis-server: run .ci/fleet"]
async fn over_redis_an_old_holder_writes_nothing_and_releases_nothing() {
    let (_server, connection) = server().await;
    an_old_holder_writes_nothing_and_releases_nothing(&RedisStore::over(connection)).await;
}

#[tokio::test]
#[ignore = "needs redis-server: run .ci/fleet"]
async fn over_redis_entries_end_by_themselves() {
    let (_server, connection) = server().await;
    entries_end_by_themselves(&RedisStore::over(connection)).await;
}

#[tokio::test]
#[ignore = "needs redis-server: run .ci/fleet"]
async fn over_redis_fences_grow_over_a_loss_of_data() {
    let (_server, mut connection) = server().await;
    let store = RedisStore::over(connection.clone());
    let name = Name(&store, "{flush}");
    let old = name.lease("old", HOUR).await.unwrap();
    let flush = ::redis::cmd("FLUSHALL");
    let _: () = flush.query_async(&mut connection).await.unwrap();
    let new = name.lease("new", HOUR).await.unwrap();
    assert!(new > old);
    assert!(!name.put("old", old, HOUR).await);
    assert!(name.put("new", new, HOUR).await);
}

#[tokio::test]
#[ignore = "needs redis-server: run .ci/fleet"]
async fn over_redis_a_foreign_fence_leaves_no_lease() {
    let (_server, mut connection) = server().await;
    let store = RedisStore::over(connection.clone());
    for fence in ["9223372036854775807", "c4n4ry"] {
        let set = ::redis::Cmd::set("{foreign}:fence", fence);
        let _: () = set.query_async(&mut connection).await.unwrap();
        let lease = store.try_lease("{foreign}", "a", HOUR).await;
        assert!(lease.is_err(), "{lease:?}");
        assert_eq!(store.load("{foreign}").await.unwrap().holder, None);
    }
}
