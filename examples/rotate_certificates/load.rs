//! 1,000 requests a second, each started when it is due, whether or not those before have ended. A machine that is too
//! slow for it has at most [`AT_ONCE`] under way, and starts the rest later.

use std::time::Duration;

use bytes::Bytes;
use http::Request;
use http_body_util::Full;
use tokio::{
    sync::oneshot,
    task::{JoinHandle, JoinSet},
    time::{self, MissedTickBehavior},
};
use tower::ServiceExt;

use crate::stack::Api;

/// 1,000 a second.
const APART: Duration = Duration::from_millis(1);

/// Each may open a connection, and a process may have some 1,000 files open.
const AT_ONCE: usize = 64;

#[derive(Default)]
pub(crate) struct Tally {
    pub(crate) requests: u64,
    pub(crate) failed: u64,
}

pub(crate) struct Load {
    stop: oneshot::Sender<()>,
    running: JoinHandle<Tally>,
}

impl Load {
    pub(crate) fn start(api: Api, url: String) -> Self {
        let (stop, stopped) = oneshot::channel();
        Self {
            stop,
            running: tokio::spawn(run(api, url, stopped)),
        }
    }

    /// Waits for the requests under way.
    pub(crate) async fn end(self) -> Tally {
        let _ = self.stop.send(());
        self.running.await.expect("the load does not panic")
    }
}

async fn run(api: Api, url: String, mut stopped: oneshot::Receiver<()>) -> Tally {
    let mut ticks = time::interval(APART);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut requests, mut tally) = (JoinSet::new(), Tally::default());
    while stopped.try_recv().is_err() {
        ticks.tick().await;
        if requests.len() >= AT_ONCE {
            let ended = requests.join_next().await;
            tally.count(ended.is_some_and(|it| it.unwrap_or(false)));
        }
        requests.spawn(succeeds(api.clone(), url.clone()));
        while let Some(ended) = requests.try_join_next() {
            tally.count(ended.unwrap_or(false));
        }
    }
    while let Some(ended) = requests.join_next().await {
        tally.count(ended.unwrap_or(false));
    }
    tally
}

impl Tally {
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            requests: self.requests + other.requests,
            failed: self.failed + other.failed,
        }
    }

    fn count(&mut self, succeeded: bool) {
        self.requests += 1;
        self.failed += u64::from(!succeeded);
    }
}

async fn succeeds(api: Api, url: String) -> bool {
    let request = Request::get(url).body(Full::<Bytes>::default());
    match api.oneshot(request.expect("a good address")).await {
        Ok(response) if response.status().is_success() => true,
        Ok(response) => {
            eprintln!("failed: HTTP {}", response.status());
            false
        }
        Err(error) => {
            eprintln!("failed: {error}");
            false
        }
    }
}
