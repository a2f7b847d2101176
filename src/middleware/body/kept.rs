//! What is kept of a body, in bounded memory.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use http_body::Frame;

/// What a trailer counts beside its name and its value: about what it takes in the map.
const TRAILER_OVERHEAD: usize = 128;

/// The beginning of a body: everything that was read of it so far.
pub(super) struct Kept {
    data: Vec<u8>,
    trailers: Option<HeaderMap>,
    limit: usize,
}

impl Kept {
    pub(super) fn new(limit: usize) -> Self {
        Self {
            data: Vec::new(),
            trailers: None,
            limit,
        }
    }

    /// Adds a copy of a frame, or says that it does not fit. `more` is how much is certain to follow it.
    pub(super) fn add(&mut self, frame: &Frame<Bytes>, more: u64) -> bool {
        let room = self.limit - self.data.len();
        let more = usize::try_from(more).unwrap_or(usize::MAX);
        match (frame.data_ref(), frame.trailers_ref()) {
            // Nothing follows trailers.
            _ if self.trailers.is_some() => false,
            (Some(data), _) if data.len().saturating_add(more) <= room => {
                self.append(data);
                true
            }
            (None, Some(trailers)) if size(trailers) <= room => {
                self.trailers = Some(copy(trailers));
                true
            }
            // Too long, or a kind of frame that is not known here.
            _ => false,
        }
    }

    /// Grows as a `Vec` does, but never beyond the limit.
    fn append(&mut self, data: &[u8]) {
        let needed = self.data.len() + data.len();
        let capacity = self.data.capacity();
        if needed > capacity {
            let capacity = capacity.saturating_mul(2).clamp(needed, self.limit);
            self.data.reserve_exact(capacity - self.data.len());
        }
        self.data.extend_from_slice(data);
    }

    pub(super) fn data(&self) -> &[u8] {
        &self.data
    }

    pub(super) fn trailers(&self) -> Option<&HeaderMap> {
        self.trailers.as_ref()
    }

    /// What it takes of the heap, without its trailers.
    #[cfg(test)]
    pub(super) fn capacity(&self) -> usize {
        self.data.capacity()
    }
}

fn size(trailers: &HeaderMap) -> usize {
    let sizes = trailers
        .iter()
        .map(|(name, value)| name.as_str().len() + value.len());
    sizes.map(|size| size + TRAILER_OVERHEAD).sum()
}

/// In memory of its own, as the data: a name or a value may be a slice of the connection's buffer.
fn copy(trailers: &HeaderMap) -> HeaderMap {
    let copied = trailers.iter().map(|(name, value)| {
        let copy = HeaderName::from_bytes(name.as_str().as_bytes());
        let name = copy.unwrap_or_else(|_| name.clone());
        let copy = HeaderValue::from_bytes(value.as_bytes());
        let mut copy = copy.unwrap_or_else(|_| value.clone());
        copy.set_sensitive(value.is_sensitive());
        (name, copy)
    });
    copied.collect()
}
