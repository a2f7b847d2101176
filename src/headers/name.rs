//! A header's name, stored so that a clone costs as little as possible.

use std::{borrow::Cow, fmt};

use http::HeaderName;

/// The name of a header that carries the token.
#[derive(Clone)]
pub(super) enum Name {
    /// Its clones count no references.
    Static(HeaderName),
    /// Its clones count references, unless it is one of the names that the `http` crate knows.
    Counted(HeaderName),
}

impl Name {
    /// `text` is what `header` was read from.
    pub(super) fn new(header: HeaderName, text: Cow<'static, str>) -> Self {
        match text {
            // `from_static` panics at upper case.
            Cow::Borrowed(text) if text == header.as_str() => {
                Self::Static(HeaderName::from_static(text))
            }
            _ => Self::Counted(header),
        }
    }

    pub(super) fn header(&self) -> &HeaderName {
        let (Self::Static(header) | Self::Counted(header)) = self;
        header
    }

    /// The same name with its own reference count.
    pub(super) fn recount(&self) -> HeaderName {
        match self {
            Self::Static(header) => header.clone(),
            // This cannot fail: the text already is a header name.
            Self::Counted(header) => {
                HeaderName::from_bytes(header.as_str().as_bytes()).unwrap_or(header.clone())
            }
        }
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.header() == other.header()
    }
}

impl Eq for Name {}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.header().fmt(f)
    }
}

/// Headers that frame a message or belong to one connection (RFC 9110 §6.6, §7.2, §7.6.1). The HTTP client sets them;
/// another value makes the server read another request.
const OF_THE_CLIENT: [&str; 9] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

pub(crate) fn is_the_clients_own(name: &HeaderName) -> bool {
    OF_THE_CLIENT.contains(&name.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: impl Into<Cow<'static, str>>) -> Name {
        let text = text.into();
        Name::new(text.parse().unwrap(), text)
    }

    #[test]
    fn a_static_name_is_not_copied() {
        let text = "access_token";
        let shared = name(text).recount();
        assert_eq!(shared.as_str().as_ptr(), text.as_ptr());
    }

    #[test]
    fn any_other_name_is_copied_for_each_shard() {
        for name in [name("X-Token"), name("x-token".to_owned())] {
            let copies = [0, 1].map(|_| name.recount());
            assert_eq!(copies, ["x-token", "x-token"]);
            assert_ne!(copies[0].as_str().as_ptr(), copies[1].as_str().as_ptr());
        }
    }

    #[test]
    fn names_are_equal_however_they_are_kept() {
        assert_eq!(name("x-token"), name("X-Token".to_owned()));
        assert_ne!(name("x-token"), name("x-other"));
    }
}
