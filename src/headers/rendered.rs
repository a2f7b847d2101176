//! A token's finished headers, ready for a request.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use zeroize::Zeroizing;

use super::{name::Name, template::fits_a_header};
use crate::{
    error::FetchError,
    shard::{CachePadded, Shards},
};

type Pair = (HeaderName, HeaderValue);

/// A token's headers, marked sensitive. Their bytes are in memory once. Each shard has its own reference counts.
pub(crate) struct Rendered {
    shared: Box<[(Name, HeaderValue)]>,
    shards: Shards<Box<[Pair]>>,
}

impl Rendered {
    /// Joins the parts of each header's value.
    pub(super) fn new(headers: Vec<(Name, Vec<&str>)>) -> Result<Self, FetchError> {
        let parts = || headers.iter().flat_map(|(_, parts)| parts).copied();
        // Joined at once: a string that grows leaves copies of the token behind.
        let text = Zeroizing::new(parts().collect::<Vec<_>>().concat());
        if !fits_a_header(&text) {
            return Err(FetchError::malformed(
                match parts().all(|part| fits_a_header(part.trim())) {
                    true => {
                        "the token begins or ends with a line break or a tab: let the fetcher cut it off"
                    }
                    false => "the token holds bytes that no header may hold",
                },
            ));
        }
        let mut rest = Bytes::from_owner(Text(text));
        let pairs = headers.into_iter().map(|(name, parts)| {
            let length = parts.iter().map(|part| part.len()).sum();
            Ok((name, value(rest.split_to(length))?))
        });
        Ok(Self {
            shared: pairs.collect::<Result<_, FetchError>>()?,
            shards: Shards::default(),
        })
    }

    /// The same headers, with counts of their own.
    pub(crate) fn copied(&self) -> Self {
        Self {
            shared: self.shared.clone(),
            shards: Shards::default(),
        }
    }

    /// The headers of this thread's shard.
    #[inline]
    pub(crate) fn pairs(&self) -> &[Pair] {
        self.shards.get_or_make(|| self.make_shard())
    }

    fn make_shard(&self) -> Box<[Pair]> {
        let pair = |(name, value): &(Name, HeaderValue)| (name.recount(), recount(value));
        self.shared.iter().map(pair).collect()
    }

    /// Puts them on a request; the values are shared, not copied.
    #[inline]
    pub(crate) fn attach(&self, headers: &mut HeaderMap) {
        for (name, value) in self.pairs() {
            headers.insert(name.clone(), value.clone());
        }
    }
}

fn value(bytes: Bytes) -> Result<HeaderValue, FetchError> {
    let mut value = HeaderValue::from_maybe_shared(bytes)
        .map_err(|_| FetchError::malformed("the token does not fit into a header"))?;
    value.set_sensitive(true);
    Ok(value)
}

/// The same bytes with a separate reference count. All its clones together are one reference to the shared value.
fn recount(shared: &HeaderValue) -> HeaderValue {
    let bytes = Bytes::from_owner(CachePadded(shared.clone()));
    // This cannot fail: the bytes already are a header value.
    value(bytes).unwrap_or_else(|_| shared.clone())
}

/// The bytes of all headers of a token. They are zeroized when the last request that carries them ends.
struct Text(Zeroizing<String>);

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn a_line_break_around_a_token_is_named() {
        let header = |token| {
            let name = HeaderName::from_static("x-token");
            vec![(Name::new(name, "x-token".into()), vec!["Bearer ", token])]
        };
        for (token, says) in [
            ("abc\n", "begins or ends with a line break"),
            ("\r\nabc", "begins or ends with a line break"),
            ("a\nbc", "holds bytes"),
            ("ab\u{e9}", "holds bytes"),
        ] {
            let error = Rendered::new(header(token)).err().unwrap();
            assert!(error.to_string().contains(says), "{token:?}: {error}");
        }
    }

    #[test]
    fn all_threads_share_the_bytes() {
        let name = HeaderName::from_static("x-token");
        let name = Name::new(name, "x-token".into());
        let rendered = Rendered::new(vec![(name, vec!["Bearer ", "abc"])]).unwrap();
        let bytes = || {
            let [(name, value)] = rendered.pairs() else {
                panic!("one header");
            };
            assert_eq!(
                (name.as_str(), value.as_bytes()),
                ("x-token", &b"Bearer abc"[..])
            );
            assert!(value.is_sensitive());
            value.as_bytes().as_ptr().addr()
        };
        let here = bytes();
        thread::scope(|scope| {
            for _ in 0..9 {
                assert_eq!(scope.spawn(bytes).join().unwrap(), here);
            }
        });
    }
}
