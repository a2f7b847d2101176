//! What a peer does with a connection, step by step.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy, sink},
    net::TcpStream,
    sync::Semaphore,
    time::sleep,
};

pub(crate) const CLOSE: &str = "connection: close\r\n";

/// How long the drips are apart.
const DRIP: Duration = Duration::from_millis(10);

#[derive(Clone, Debug)]
pub(crate) enum Step {
    /// Reads the request.
    Hear,
    Say(String),
    /// The same text again and again, to so many bytes.
    Flood(&'static str, usize),
    /// The same text again and again, a byte at a time.
    Drip(&'static str),
    /// Nothing, until the client hangs up.
    Stall,
    /// Nothing, until the test gives a permit.
    Wait(Arc<Semaphore>),
    /// Ends its own half of the connection.
    HalfClose,
    /// A TCP RST.
    Reset,
}

pub(crate) type Script = Vec<Step>;

/// What a well-behaved endpoint does.
pub(crate) fn good(token: &str) -> Script {
    vec![Step::Hear, Step::Say(answer(&token_json(token)))]
}

pub(crate) fn token_json(token: &str) -> String {
    format!(r#"{{"access_token":"{token}","expires_in":3600}}"#)
}

/// A whole answer, and the last one on its connection.
pub(crate) fn answer(body: &str) -> String {
    format!(
        "HTTP/1.1 200 OK\r\n{CLOSE}content-length: {}\r\n\r\n{body}",
        body.len()
    )
}

/// Plays a script to its end, and then closes the connection in peace, unless a step has ended it otherwise.
pub(crate) async fn play(mut stream: TcpStream, script: Script, written: &AtomicU64) {
    for step in &script {
        if step.play(&mut stream, written).await.is_err() {
            return;
        }
    }
    // Closing with something unread would reset the connection, and the answer with it. What ends it is no matter.
    if stream.shutdown().await.is_ok() {
        let _ = copy(&mut stream, &mut sink()).await;
    }
}

impl Step {
    /// # Errors
    ///
    /// When the connection has ended, by whomever.
    async fn play(&self, stream: &mut TcpStream, written: &AtomicU64) -> io::Result<()> {
        match self {
            Self::Hear => stream.read(&mut [0; 4096]).await.map(drop),
            Self::Say(text) => stream.write_all(text.as_bytes()).await,
            Self::Flood(text, bytes) => flood(stream, text, *bytes, written).await,
            Self::Drip(text) => drip(stream, text).await,
            Self::Stall => copy(stream, &mut sink()).await.map(drop),
            Self::Wait(permits) => permits.acquire().await.map(drop).map_err(io::Error::other),
            Self::HalfClose => stream.shutdown().await,
            Self::Reset => stream
                .set_zero_linger()
                .and(Err(io::ErrorKind::ConnectionReset.into())),
        }
    }
}

async fn flood(
    stream: &mut TcpStream,
    text: &str,
    bytes: usize,
    written: &AtomicU64,
) -> io::Result<()> {
    let chunk = text.repeat(16 * 1024 / text.len());
    for _ in 0..bytes.div_ceil(chunk.len()) {
        stream.write_all(chunk.as_bytes()).await?;
        written.fetch_add(chunk.len() as u64, Ordering::Relaxed);
    }
    Ok(())
}

async fn drip(stream: &mut TcpStream, text: &str) -> io::Result<()> {
    for byte in text.bytes().cycle() {
        stream.write_all(&[byte]).await?;
        sleep(DRIP).await;
    }
    Ok(())
}
