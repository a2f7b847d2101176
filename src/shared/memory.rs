//! A store within the process, with the semantics of the one over Redis.

use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, UNIX_EPOCH},
};

use super::store::{Holder, Lease, Operation, Snapshot, TokenStore};
use crate::Clock;

pub(super) struct MemoryStore {
    clock: Clock,
    names: Mutex<HashMap<String, Entries>>,
}

/// What one name has, each with the end of its life.
#[derive(Default)]
struct Entries {
    token: Option<(Vec<u8>, Duration)>,
    pause: Option<(Vec<u8>, Duration)>,
    lease: Option<(String, Duration)>,
    fence: u64,
}

impl MemoryStore {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            names: Mutex::default(),
        }
    }

    fn with<'a, T: Send + 'a>(
        &self,
        name: &str,
        step: impl FnOnce(&mut Entries, Duration) -> T,
    ) -> Operation<'a, T> {
        let now = self.clock.wall().duration_since(UNIX_EPOCH);
        let now = now.unwrap_or_default();
        let mut names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let entries = names.entry(name.to_owned()).or_default();
        entries.drop_ended(now);
        let result = step(entries, now);
        Box::pin(async { Ok(result) })
    }
}

impl Entries {
    fn drop_ended(&mut self, now: Duration) {
        self.token.take_if(|(_, end)| *end <= now);
        self.pause.take_if(|(_, end)| *end <= now);
        self.lease.take_if(|(_, end)| *end <= now);
    }

    fn seen(&self, now: Duration) -> Snapshot {
        Snapshot {
            now,
            token: self.token.as_ref().map(|(blob, _)| blob.clone()),
            pause: self.pause.as_ref().map(|(blob, _)| blob.clone()),
            holder: self.lease.as_ref().map(|(owner, _)| owner.clone()),
        }
    }

    fn release(&mut self, owner: &str) {
        self.lease.take_if(|(holder, _)| holder == owner);
    }
}

impl TokenStore for MemoryStore {
    fn load<'a>(&'a self, name: &'a str) -> Operation<'a, Snapshot> {
        self.with(name, |entries, now| entries.seen(now))
    }

    fn try_lease<'a>(
        &'a self,
        name: &'a str,
        owner: &'a str,
        ttl: Duration,
    ) -> Operation<'a, Lease> {
        self.with(name, |entries, now| {
            if let Some((holder, _)) = &entries.lease
                && holder != owner
            {
                return Lease::Held(Some(holder.clone()));
            }
            entries.fence += 1;
            entries.lease = Some((owner.to_owned(), now + ttl));
            Lease::Granted {
                fence: entries.fence,
                seen: entries.seen(now),
            }
        })
    }

    fn store_if_newer<'a>(
        &'a self,
        name: &'a str,
        holder: Holder<'a>,
        sealed: Vec<u8>,
        expires_at: Duration,
    ) -> Operation<'a, bool> {
        self.with(name, |entries, _| {
            if entries.fence != holder.fence {
                return false;
            }
            entries.token = Some((sealed, expires_at));
            entries.pause = None;
            entries.release(holder.owner);
            true
        })
    }

    fn pause<'a>(
        &'a self,
        name: &'a str,
        holder: Holder<'a>,
        sealed: Vec<u8>,
        ttl: Duration,
    ) -> Operation<'a, bool> {
        self.with(name, |entries, now| {
            if entries.fence != holder.fence {
                return false;
            }
            entries.pause = Some((sealed, now + ttl));
            entries.release(holder.owner);
            true
        })
    }

    fn end_pause<'a>(&'a self, name: &'a str) -> Operation<'a, ()> {
        self.with(name, |entries, _| entries.pause = None)
    }

    fn release<'a>(&'a self, name: &'a str, owner: &'a str) -> Operation<'a, ()> {
        self.with(name, |entries, _| entries.release(owner))
    }
}
