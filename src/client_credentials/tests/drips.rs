//! An answer that comes in drips: a transport cuts each piece out of a read buffer, which lives as long as the piece.

use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use futures_util::stream;
use http_body::Frame;
use http_body_util::StreamBody;

use super::*;

/// A read buffer that counts itself among the living.
struct Buffer(Vec<u8>, Arc<AtomicUsize>);

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        self.1.fetch_sub(1, Relaxed);
    }
}

/// One byte of a buffer of its own.
fn drip(byte: u8, alive: &Arc<AtomicUsize>, most: &AtomicUsize) -> Bytes {
    most.fetch_max(alive.fetch_add(1, Relaxed) + 1, Relaxed);
    let mut buffer = vec![0; 8192];
    buffer[0] = byte;
    Bytes::from_owner(Buffer(buffer, Arc::clone(alive))).slice(..1)
}

#[tokio::test]
async fn dripped_bytes_keep_no_buffers() {
    let (alive, most) = <(Arc<AtomicUsize>, Arc<AtomicUsize>)>::default();
    let transport = {
        let (alive, most) = (Arc::clone(&alive), Arc::clone(&most));
        service_fn(move |_: Request<Full<Bytes>>| {
            let (alive, most) = (Arc::clone(&alive), Arc::clone(&most));
            let bytes = br#"{"access_token":"abc","expires_in":3600}"#.iter();
            let drips =
                bytes.map(move |&byte| Ok::<_, Infallible>(Frame::data(drip(byte, &alive, &most))));
            async { Ok::<_, Infallible>(Response::new(StreamBody::new(stream::iter(drips)))) }
        })
    };
    let fetcher = plain().fetcher(transport).unwrap();
    fetcher.oneshot(TokenRequest::first(now())).await.unwrap();
    assert_eq!(most.load(Relaxed), 1, "buffers at once");
    assert_eq!(alive.load(Relaxed), 0, "buffers in the end");
}
