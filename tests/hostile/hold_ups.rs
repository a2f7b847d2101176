//! A peer that never lets go of the thread: the bounds hold, and what else runs on that thread goes on.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::Duration,
};

use tokio::{
    sync::oneshot::{self, error::TryRecvError},
    time::{Instant, sleep},
};

use crate::client::{CLIENTS, SHORT, failure};

/// The least that a peer can say before its answer.
const INTERIM: &[u8] = b"HTTP/1.1 100\r\n\r\n";

const TICK: Duration = Duration::from_millis(1);

/// How long another task may be held up in a test, however slow the build and busy the machine.
const HOLD_UP: Duration = Duration::from_secs(2);

/// On threads of its own, so that it does not take part in what it does to the client's.
fn chatterer() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            thread::spawn(move || chatter(stream));
        }
    });
    address
}

/// Until the client hangs up.
fn chatter(mut stream: TcpStream) {
    let _ = stream.read(&mut [0; 4096]);
    let text = INTERIM.repeat(4096);
    while stream.write_all(&text).is_ok() {}
}

/// Watches how long another task of this runtime waits for its turn while something goes on.
async fn longest_hold_up(meanwhile: impl Future) -> Duration {
    let (over, mut until) = oneshot::channel::<()>();
    let watch = tokio::spawn(async move {
        let mut longest = Duration::ZERO;
        while until.try_recv() == Err(TryRecvError::Empty) {
            let asked = Instant::now();
            sleep(TICK).await;
            longest = longest.max(asked.elapsed().saturating_sub(TICK));
        }
        longest
    });
    sleep(TICK).await;
    meanwhile.await;
    drop(over);
    watch.await.unwrap()
}

#[tokio::test]
async fn interim_answers_without_end_block_no_other_task() {
    for client in CLIENTS {
        let source = client.source(format!("http://{}", chatterer()), SHORT);
        let asked = Instant::now();
        let held_up = longest_hold_up(async {
            let error = failure(&source, SHORT, "interim answers").await;
            assert!(error.is_timeout(), "{client:?}: {error}");
        });
        let held_up = held_up.await;
        println!(
            "hostile: interim answers without end: {client:?} held another task up for {held_up:?}"
        );
        assert!(held_up < HOLD_UP, "{client:?}: {held_up:?}");
        assert!(
            asked.elapsed() < SHORT + HOLD_UP,
            "{client:?}: {:?}",
            asked.elapsed()
        );
    }
}
