//! A token endpoint on loopback that does with every connection what its script says.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use tokio::{
    net::TcpListener,
    sync::watch,
    task::{JoinHandle, JoinSet},
};

use crate::script::{Script, play};

/// A script for each connection, by its number; `None` while none is accepted.
type Scripts = Option<Arc<dyn Fn(u64) -> Script + Send + Sync>>;

pub(crate) struct Peer {
    pub(crate) address: SocketAddr,
    scripts: watch::Sender<Scripts>,
    seen: Arc<Seen>,
    accepting: JoinHandle<()>,
}

#[derive(Default)]
struct Seen {
    connections: AtomicU64,
    /// Bytes of floods that went out.
    written: AtomicU64,
    /// Connections that have not ended.
    open: watch::Sender<u64>,
}

impl Peer {
    /// One that listens and accepts no connection.
    pub(crate) async fn deaf() -> Self {
        Self::at(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    /// The same, at a port of the test's choosing.
    pub(crate) fn at(listener: TcpListener) -> Self {
        let (scripts, script) = watch::channel(None);
        let seen = Arc::new(Seen::default());
        Self {
            address: listener.local_addr().unwrap(),
            scripts,
            accepting: tokio::spawn(accept(listener, script, seen.clone())),
            seen,
        }
    }

    pub(crate) async fn playing(script: Script) -> Self {
        let peer = Self::deaf().await;
        peer.plays(script);
        peer
    }

    /// From the next connection on.
    pub(crate) fn plays(&self, script: Script) {
        self.plays_by_number(move |_| script.clone());
    }

    /// Connections are numbered from 0.
    pub(crate) fn plays_by_number(&self, script: impl Fn(u64) -> Script + Send + Sync + 'static) {
        self.scripts.send_replace(Some(Arc::new(script)));
    }

    pub(crate) fn connections(&self) -> u64 {
        self.seen.connections.load(Ordering::Relaxed)
    }

    pub(crate) fn written(&self) -> u64 {
        self.seen.written.load(Ordering::Relaxed)
    }

    /// Returns when no connection is open: a client that gave up has hung up.
    pub(crate) async fn abandoned(&self) {
        let mut open = self.seen.open.subscribe();
        open.wait_for(|open| *open == 0).await.unwrap();
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

async fn accept(listener: TcpListener, mut scripts: watch::Receiver<Scripts>, seen: Arc<Seen>) {
    let mut connections = JoinSet::new();
    while scripts.wait_for(Option::is_some).await.is_ok() {
        let (stream, _) = listener.accept().await.unwrap();
        let number = seen.connections.fetch_add(1, Ordering::Relaxed);
        let Some(script) = scripts.borrow().as_ref().map(|script| script(number)) else {
            continue;
        };
        seen.open.send_modify(|open| *open += 1);
        let seen = seen.clone();
        connections.spawn(async move {
            play(stream, script, &seen.written).await;
            seen.open.send_modify(|open| *open -= 1);
        });
    }
}
