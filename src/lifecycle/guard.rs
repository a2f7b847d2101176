//! Keeps a source alive while it is in use, and then shuts it down.

use std::{ops::Deref, sync::Arc};

use super::core::Core;
use crate::shard::{CachePadded, Shards};

/// Shuts the source down when it is dropped. A [`TokenSource`](crate::TokenSource) and a request under way share it; a
/// task has only the core, so it does not keep the source alive.
#[derive(Debug)]
pub struct ShutDownOnDrop(pub(super) Arc<Core>);

impl ShutDownOnDrop {
    /// The part of a source that a task holds.
    pub(super) fn core(&self) -> Arc<Core> {
        self.0.clone()
    }
}

impl Deref for ShutDownOnDrop {
    type Target = Arc<Core>;

    fn deref(&self) -> &Arc<Core> {
        &self.0
    }
}

impl Drop for ShutDownOnDrop {
    fn drop(&mut self) {
        self.0.shut_down();
    }
}

/// Keeps a source alive while a request is under way. Each shard has its own count, on its own cache line: otherwise
/// requests on different threads would wait for each other to count.
pub(crate) type Guard = Arc<CachePadded<Arc<ShutDownOnDrop>>>;

/// The guards of one source, one for each shard.
pub(super) struct Guards {
    pub(super) source: Arc<ShutDownOnDrop>,
    shards: Shards<Guard>,
}

impl Guards {
    pub(super) fn new(core: Core) -> Self {
        Self {
            source: Arc::new(ShutDownOnDrop(Arc::new(core))),
            shards: Shards::default(),
        }
    }

    /// Whether a request is under way.
    #[cfg(feature = "pool")]
    pub(super) fn are_in_use(&self) -> bool {
        let mut made = self.shards.made();
        made.any(|guard| Arc::strong_count(guard) > 1)
    }

    /// Returns the guard of this thread's shard.
    #[inline]
    pub(super) fn get(&self) -> Guard {
        let make = || Arc::new(CachePadded(self.source.clone()));
        self.shards.get_or_make(make).clone()
    }
}
