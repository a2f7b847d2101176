//! The encoding of a form. A token request is written in it, and secrets are looked for in it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use zeroize::Zeroizing;

/// The characters that `application/x-www-form-urlencoded` leaves unchanged. A space is written `%20`, not `+`, since
/// some decoders do not read `+` as a space.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'*')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_');

/// Writes a text in the encoding of a form. The buffer may hold a secret: it is allocated once, at its full size, and
/// zeroized.
pub(crate) fn form_urlencoded(text: &str) -> Zeroizing<String> {
    let mut encoded = Zeroizing::new(String::with_capacity(3 * text.len()));
    encoded.extend(utf8_percent_encode(text, ESCAPED));
    encoded
}
