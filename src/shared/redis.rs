//! The store over Redis. Each operation is one script, and so one round trip and one step for all who look.

use std::{sync::OnceLock, time::Duration};

use ::redis::{
    Client, ErrorKind, FromRedisValue, RedisError, Script, ScriptInvocation, ServerErrorKind,
    aio::{ConnectionLike, ConnectionManager, ConnectionManagerConfig},
};

use super::store::{BOUND, Holder, Lease, Operation, Snapshot, StoreError, TokenStore};
use crate::{ConfigError, duration::millis};

/// The keys are in this order in every script: token, pause, lease, fence.
const LOAD: &str = "
    local t = redis.call('TIME')
    return {t[1], t[2], redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2]), redis.call('GET', KEYS[3])}";

/// The fence outlives every lease by far. It begins at the store's time, so that it also grows over a loss of the
/// store's data. An owner that asks again has lost its attempt, and may go on. It is drawn before the lease is written:
/// a fence that cannot be counted, since somebody else has written it, must leave no lease that the other replicas wait
/// for.
const TRY_LEASE: &str = "
    local holder = redis.call('GET', KEYS[3])
    if holder and holder ~= ARGV[1] then return {0, holder} end
    local t = redis.call('TIME')
    redis.call('SET', KEYS[4], t[1] .. string.format('%06d', t[2]), 'NX')
    local fence = redis.call('INCR', KEYS[4])
    redis.call('PEXPIRE', KEYS[4], 2592000000)
    redis.call('SET', KEYS[3], ARGV[1], 'PX', ARGV[2])
    return {fence, t[1], t[2], redis.call('GET', KEYS[1]), redis.call('GET', KEYS[2])}";

/// A fence that is gone (the store was flushed) means that nobody has drawn a newer one.
const STORE_IF_NEWER: &str = "
    local fence = redis.call('GET', KEYS[4])
    if fence and fence ~= ARGV[2] then return 0 end
    local t = redis.call('TIME')
    local left = ARGV[4] - (t[1] * 1000 + math.floor(t[2] / 1000))
    if left > 0 then redis.call('SET', KEYS[1], ARGV[3], 'PX', left) end
    redis.call('DEL', KEYS[2])
    if redis.call('GET', KEYS[3]) == ARGV[1] then redis.call('DEL', KEYS[3]) end
    return 1";

const PAUSE: &str = "
    local fence = redis.call('GET', KEYS[4])
    if fence and fence ~= ARGV[2] then return 0 end
    redis.call('SET', KEYS[2], ARGV[3], 'PX', ARGV[4])
    if redis.call('GET', KEYS[3]) == ARGV[1] then redis.call('DEL', KEYS[3]) end
    return 1";

const END_PAUSE: &str = "return redis.call('DEL', KEYS[2])";

const RELEASE: &str =
    "if redis.call('GET', KEYS[3]) == ARGV[1] then return redis.call('DEL', KEYS[3]) end return 0";

pub(super) struct RedisStore<C> {
    connection: OnceLock<C>,
    /// Makes the connection at first use, within a runtime.
    connect: Option<Box<dyn Fn() -> Result<C, RedisError> + Send + Sync>>,
    scripts: Scripts,
}

struct Scripts {
    load: Script,
    try_lease: Script,
    store_if_newer: Script,
    pause: Script,
    end_pause: Script,
    release: Script,
}

impl RedisStore<ConnectionManager> {
    pub(super) fn at(url: &str) -> Result<Self, ConfigError> {
        let wrong = |rule: &'static str| ConfigError::new("store", rule);
        let is_known = |scheme: &&str| url.starts_with(*scheme);
        if !["redis://", "rediss://"].iter().any(is_known) {
            return Err(wrong("the URL must begin with redis:// or rediss://"));
        }
        let client = Client::open(url);
        let client = client.map_err(|_| wrong("is not the URL of a Redis server"))?;
        let connect = move || {
            // Its own default is longer than ours.
            let config = ConnectionManagerConfig::new()
                .set_connection_timeout(Some(BOUND))
                .set_response_timeout(Some(BOUND))
                .set_number_of_retries(1);
            ConnectionManager::new_lazy_with_config(client.clone(), config)
        };
        Ok(Self::new(OnceLock::new(), Some(Box::new(connect))))
    }
}

impl<C: ConnectionLike + Clone + Send + Sync + 'static> RedisStore<C> {
    pub(super) fn over(connection: C) -> Self {
        Self::new(OnceLock::from(connection), None)
    }
}

impl<C> RedisStore<C> {
    fn new(
        connection: OnceLock<C>,
        connect: Option<Box<dyn Fn() -> Result<C, RedisError> + Send + Sync>>,
    ) -> Self {
        Self {
            connection,
            connect,
            scripts: Scripts {
                load: Script::new(LOAD),
                try_lease: Script::new(TRY_LEASE),
                store_if_newer: Script::new(STORE_IF_NEWER),
                pause: Script::new(PAUSE),
                end_pause: Script::new(END_PAUSE),
                release: Script::new(RELEASE),
            },
        }
    }
}

impl<C: ConnectionLike + Clone + Send + Sync + 'static> RedisStore<C> {
    fn connection(&self) -> Result<C, RedisError> {
        if let (None, Some(connect)) = (self.connection.get(), &self.connect) {
            let _ = self.connection.set(connect()?);
        }
        Ok(self.connection.get().expect("set above").clone())
    }

    async fn run<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, StoreError> {
        let result = async { script.invoke_async(&mut self.connection()?).await };
        result.await.map_err(read_error)
    }
}

/// The braces keep the keys of one source in one slot of a cluster.
fn on<'a>(script: &'a Script, name: &str) -> ScriptInvocation<'a> {
    let mut script = script.prepare_invoke();
    for key in ["token", "pause", "lease", "fence"] {
        script.key(format!("{name}:{key}"));
    }
    script
}

fn read_error(error: RedisError) -> StoreError {
    let denied = matches!(
        error.kind(),
        ErrorKind::AuthenticationFailed | ErrorKind::Server(ServerErrorKind::NoPerm)
    );
    let denied = denied || matches!(error.code(), Some("NOAUTH" | "WRONGPASS"));
    // A command that a script may not call is an error of the script: the texts of Redis 7.2, and of those before.
    let of_script = |text: &str| text.contains("ACL failure") || text.contains("can't run this");
    // So is a database that the URL names and the server does not have.
    let of_database = |text: &str| text.contains("refused to switch database");
    let text = error.to_string();
    let denied = denied || of_script(&text) || of_database(&text);
    // The client quotes an answer that it cannot read: it may be anything, and 512 MiB long.
    if matches!(
        error.kind(),
        ErrorKind::Parse | ErrorKind::UnexpectedReturnType
    ) {
        return unread();
    }
    match (denied, error.is_timeout()) {
        (true, _) => StoreError::AccessDenied(error.into()),
        (_, true) => StoreError::TimedOut,
        _ => StoreError::Failed(error.into()),
    }
}

fn unread() -> StoreError {
    StoreError::Failed("the store's answer has another form than its script gives it".into())
}

/// The year 10000. What is later is no time, and would overflow.
const FIRST_FAR_SECOND: u64 = 253_402_300_800;

fn time(seconds: u64, micros: u32) -> Result<Duration, StoreError> {
    match seconds < FIRST_FAR_SECOND {
        true => Ok(Duration::from_secs(seconds) + Duration::from_micros(micros.into())),
        false => Err(unread()),
    }
}

fn read<T: FromRedisValue>(answer: Vec<::redis::Value>) -> Result<T, StoreError> {
    let answer = ::redis::Value::Array(answer);
    ::redis::from_redis_value(answer).map_err(|_| unread())
}

type Bytes = Option<Vec<u8>>;

impl<C: ConnectionLike + Clone + Send + Sync + 'static> TokenStore for RedisStore<C> {
    fn load<'a>(&'a self, name: &'a str) -> Operation<'a, Snapshot> {
        Box::pin(async move {
            type Answer = (u64, u32, Bytes, Bytes, Option<String>);
            let answer: Answer = self.run(&on(&self.scripts.load, name)).await?;
            let (seconds, micros, token, pause, holder) = answer;
            Ok(Snapshot {
                now: time(seconds, micros)?,
                token,
                pause,
                holder,
            })
        })
    }

    fn try_lease<'a>(
        &'a self,
        name: &'a str,
        owner: &'a str,
        ttl: Duration,
    ) -> Operation<'a, Lease> {
        Box::pin(async move {
            let mut script = on(&self.scripts.try_lease, name);
            script.arg(owner).arg(millis(ttl));
            let answer: Vec<::redis::Value> = self.run(&script).await?;
            if answer.len() == 2 {
                let (_, holder): (u64, Option<String>) = read(answer)?;
                return Ok(Lease::Held(holder));
            }
            let (fence, seconds, micros, token, pause): (u64, u64, u32, Bytes, Bytes) =
                read(answer)?;
            let seen = Snapshot {
                now: time(seconds, micros)?,
                token,
                pause,
                holder: Some(owner.to_owned()),
            };
            Ok(Lease::Granted { fence, seen })
        })
    }

    fn store_if_newer<'a>(
        &'a self,
        name: &'a str,
        holder: Holder<'a>,
        sealed: Vec<u8>,
        expires_at: Duration,
    ) -> Operation<'a, bool> {
        Box::pin(async move {
            let mut script = on(&self.scripts.store_if_newer, name);
            script.arg(holder.owner).arg(holder.fence);
            script.arg(sealed).arg(millis(expires_at));
            self.run(&script).await
        })
    }

    fn pause<'a>(
        &'a self,
        name: &'a str,
        holder: Holder<'a>,
        sealed: Vec<u8>,
        ttl: Duration,
    ) -> Operation<'a, bool> {
        Box::pin(async move {
            let mut script = on(&self.scripts.pause, name);
            script.arg(holder.owner).arg(holder.fence);
            script.arg(sealed).arg(millis(ttl));
            self.run(&script).await
        })
    }

    fn end_pause<'a>(&'a self, name: &'a str) -> Operation<'a, ()> {
        Box::pin(async move {
            let script = on(&self.scripts.end_pause, name);
            self.run::<u32>(&script).await.map(|_| ())
        })
    }

    fn release<'a>(&'a self, name: &'a str, owner: &'a str) -> Operation<'a, ()> {
        Box::pin(async move {
            let mut script = on(&self.scripts.release, name);
            self.run::<u32>(script.arg(owner)).await.map(|_| ())
        })
    }
}
