//! Removes a client's secrets from a server's text.

use zeroize::Zeroizing;

use super::json;
use crate::{error::text, form::form_urlencoded, text::is_hidden};

/// The longest part of a server's description that is kept, in characters.
const LONGEST: usize = 1024;

/// Longer than any name of HTML's, and than any number with zeros before it that a server is known to write.
const LONGEST_ENTITY: usize = 40;

const ELIDED: &str = "[elided]";

/// Reads one character at the beginning of a text, and returns it with the length of its encoding.
type Reading = fn(&str) -> Option<(char, usize)>;

/// The ways to write a character.
const READINGS: [Reading; 8] = [
    plain,
    plus,
    percent_escape,
    json::escape,
    code_escape,
    entity,
    misread,
    escaped_again,
];

/// The secrets that a server might repeat, as they were sent. Whatever else a server or a gateway does to them on the
/// way back, it does to single characters: each may be written in any of the [`READINGS`].
pub(in crate::client_credentials) struct Scrubber(Vec<Zeroizing<String>>);

impl Scrubber {
    pub(in crate::client_credentials) fn new(
        secrets: impl IntoIterator<Item = Zeroizing<String>>,
    ) -> Self {
        let encodings =
            |secret: Zeroizing<String>| [form_urlencoded(&secret), in_json(&secret), secret];
        let known = secrets.into_iter().flat_map(encodings);
        Self(known.filter(|secret| !secret.is_empty()).collect())
    }

    /// Looks for this secret too.
    pub(in crate::client_credentials) fn with(&self, secret: Option<Zeroizing<String>>) -> Self {
        let mut all = Self::new(secret);
        all.0.extend(self.0.iter().cloned());
        all
    }

    /// Secrets are looked for no further than the text is shown: a character has at most four bytes.
    pub(in crate::client_credentials) fn scrub(&self, text: &str) -> String {
        let mut shown = String::new();
        let mut elided_until = 0;
        for (at, character) in text.char_indices() {
            if shown.len() >= 4 * LONGEST {
                break;
            }
            if let Some(end) = self.secret_at(&text[at..]).map(|length| at + length) {
                if at >= elided_until {
                    shown.push_str(ELIDED);
                }
                elided_until = elided_until.max(end);
            }
            if at >= elided_until {
                shown.push(character);
            }
        }
        shown.chars().take(LONGEST).collect()
    }

    /// A text as one line. Scrubbed twice: without its invisible characters, the line may hold a whole secret.
    pub(in crate::client_credentials) fn scrub_line(&self, text: &str) -> String {
        let line = text::one_line(&self.scrub(text));
        self.scrub(&line)
    }

    /// What is visible of a code. Scrubbed once more after each step: with the invisible gone from between its parts, a
    /// secret may stand there whole.
    pub(in crate::client_credentials) fn scrub_code(&self, code: &str) -> String {
        let without = |text: String, is_kept: fn(&char) -> bool| {
            self.scrub(&text.chars().filter(is_kept).collect::<String>())
        };
        let visible = without(self.scrub(code), |it| *it == ' ' || !is_hidden(*it));
        without(visible, char::is_ascii_graphic)
    }

    /// The length of the longest secret at the beginning of a text.
    fn secret_at(&self, text: &str) -> Option<usize> {
        let lengths = self.0.iter().filter_map(|secret| length_of(secret, text));
        lengths.max()
    }
}

/// The length of a secret at the beginning of a text, however it is written. Of several readings all are followed: with
/// `%` in a secret, `%25` may stand for the one character or for three.
fn length_of(secret: &str, text: &str) -> Option<usize> {
    let mut ends = vec![0];
    for character in secret.chars() {
        let mut further = Vec::new();
        for end in ends {
            let read = READINGS.iter().filter_map(|reading| reading(&text[end..]));
            let meant = read.filter(|(meant, _)| is_same(*meant, character));
            further.extend(meant.map(|(_, length)| end + length));
        }
        further.sort_unstable();
        further.dedup();
        if further.is_empty() {
            return None;
        }
        ends = further;
    }
    ends.pop()
}

/// A character that could not be read may have been any but the letters and digits of ASCII.
fn is_same(read: char, character: char) -> bool {
    read == character || read == char::REPLACEMENT_CHARACTER && !character.is_ascii_alphanumeric()
}

fn plain(text: &str) -> Option<(char, usize)> {
    let character = text.chars().next()?;
    Some((character, character.len_utf8()))
}

fn plus(text: &str) -> Option<(char, usize)> {
    text.starts_with('+').then_some((' ', 1))
}

/// One character of UTF-8, or of Latin-1 where the bytes are no UTF-8; each byte as `%2f` or `%2F`.
fn percent_escape(text: &str) -> Option<(char, usize)> {
    let byte = |at: usize| {
        let digits = text.get(at..)?.strip_prefix('%')?.get(..2)?;
        let are_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        are_hex.then(|| u8::from_str_radix(digits, 16).ok())?
    };
    let bytes: Vec<u8> = (0..4).map_while(|index| byte(3 * index)).collect();
    let first = *bytes.first()?;
    let utf8 = bytes.utf8_chunks().next()?.valid().chars().next();
    let meant = utf8.unwrap_or(char::from(first));
    let length = utf8.map_or(1, char::len_utf8);
    Some((meant, 3 * length))
}

/// A character as source code writes it: `\x2f`, `\u{2f}`, `\U0000002f`; or `%u002f`, as old JavaScript does.
fn code_escape(text: &str) -> Option<(char, usize)> {
    let hex = |text: &str| {
        let are_hex = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        let number = are_hex.then(|| u32::from_str_radix(text, 16).ok())?;
        char::from_u32(number?)
    };
    if let Some(rest) = text.strip_prefix("\\u{") {
        let length = rest.bytes().take(9).position(|byte| byte == b'}')?;
        return Some((hex(&rest[..length])?, length + 4));
    }
    let (mark, length) = [("\\x", 2), ("\\U", 8), ("%u", 4)]
        .into_iter()
        .find(|(mark, _)| text.starts_with(mark))?;
    let end = mark.len() + length;
    Some((hex(text.get(mark.len()..end)?)?, end))
}

/// A character of UTF-8 whose bytes were read as Latin-1, one by one.
fn misread(text: &str) -> Option<(char, usize)> {
    let bytes = text.chars().take(4).map_while(|it| u8::try_from(it).ok());
    let bytes: Vec<u8> = bytes.collect();
    let meant = bytes.utf8_chunks().next()?.valid().chars().next()?;
    let length = text.chars().take(meant.len_utf8()).map(char::len_utf8);
    Some((meant, length.sum()))
}

/// An escape whose own backslash was escaped, several times over.
fn escaped_again(text: &str) -> Option<(char, usize)> {
    let backslashes = text.bytes().take(16).take_while(|it| *it == b'\\').count();
    let before = backslashes.checked_sub(1).filter(|before| *before > 0)?;
    let last = &text[before..];
    let escape = json::escape(last).or_else(|| code_escape(last));
    let (meant, length) = escape.unwrap_or(('\\', 1));
    Some((meant, before + length))
}

/// A character as HTML and XML write it: by name where the name is one of XML's, or by number. Any other name may be
/// any character but a letter or digit of ASCII.
fn entity(text: &str) -> Option<(char, usize)> {
    let end = text
        .bytes()
        .take(LONGEST_ENTITY)
        .position(|byte| byte == b';')?;
    let name = text.get(..end)?.strip_prefix('&')?;
    let meant = match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ if name.starts_with(|it: char| it.is_ascii_alphabetic()) => char::REPLACEMENT_CHARACTER,
        _ => {
            let number = name.strip_prefix('#')?;
            let number = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16),
                None => number.parse(),
            };
            char::from_u32(number.ok()?)?
        }
    };
    Some((meant, end + 1))
}

/// The text as a JSON string, without the quotes. An answer may escape it once more.
fn in_json(secret: &str) -> Zeroizing<String> {
    let mut written = Zeroizing::new(Vec::with_capacity(6 * secret.len() + 2));
    // A string can always be written, and into memory.
    let _ = serde_json::to_writer(&mut *written, secret);
    let quoted = std::str::from_utf8(&written).unwrap_or_default();
    let inside = quoted.strip_prefix('"').and_then(|it| it.strip_suffix('"'));
    Zeroizing::new(inside.unwrap_or_default().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_elided_in_every_encoding() {
        let scrubber = Scrubber::new(["k&9".to_owned().into(), "x-k&9".to_owned().into()]);
        assert_eq!(
            scrubber.scrub("k&9 k%269 x-k&9 x-k%269 k9"),
            "[elided] [elided] [elided] [elided] k9"
        );
    }

    #[test]
    fn a_secret_is_elided_however_it_is_written() {
        let scrubber = Scrubber::new(["s3 \"\\/é<%25+".to_owned().into()]);
        for written in [
            "s3 \"\\/é<%25+",
            // As it was sent in a form and in JSON, and with that escaped once more.
            "s3%20%22%5C%2F%C3%A9%3C%2525%2B",
            "s3%20%22%5c%2f%c3%a9%3c%2525%2b",
            "s3+%22%5C/%C3%A9<%2525%2B",
            "s3%20%22%5C%2F%E9%3C%2525%2B",
            r#"s3 \"\\/é<%25+"#,
            r#"s3\u0020\u0022\u005C\/\u00E9\u003c\u002525\u002b"#,
            r#"s3 \\\"\\\\\/é<%25+"#,
            "s3%20%5C%22%5C%5C%2F%C3%A9%3C%2525%2B",
            // In a page, in Latin-1, and a little of everything.
            "s3&#32;&quot;&#x5C;/&#233;&lt;%25+",
            "s3 \"\\/\u{fffd}<%25+",
            r#"s3+\"%5c\/&#xe9;\u003C&#37;25+"#,
            // As source code, as a form of old JavaScript, escaped again and again, and misread as Latin-1.
            r#"s3\x20\x22\x5c\x2F\xE9\x3c\x2525\x2b"#,
            r#"s3\u{20}\"\\/\u{e9}\U0000003c%25\u{2b}"#,
            r#"s3%u0020%u0022%u005C%u002F%u00E9%u003C%u002525%u002B"#,
            r#"s3 \\\\\\\"\\\\\\\\\\/\\\\u00e9<%25+"#,
            "s3 \"\\/Ã©<%25+",
            "s3&nbsp;&quot;&bsol;&sol;&eacute;&#x0000003c;&percnt;25&plus;",
        ] {
            let shown = scrubber.scrub(&format!("<{written}>"));
            assert_eq!(shown, "<[elided]>", "{written}");
        }
    }

    #[test]
    fn secrets_that_overlap_leave_nothing_of_either() {
        let scrubber = Scrubber::new(["abcd".to_owned().into(), "cdefg".to_owned().into()]);
        assert_eq!(scrubber.scrub("xabcdefgx abcdx"), "x[elided]x [elided]x");
    }

    #[test]
    fn much_that_looks_like_a_secret_takes_no_time() {
        let scrubber = Scrubber::new(["%%%%%%%%%%%%%%%%%%%%%%%%%%%%%%x".to_owned().into()]);
        let text = "%25".repeat(20_000);
        assert_eq!(scrubber.scrub(&text).len(), 1024);
    }

    #[test]
    fn a_code_does_not_put_a_secret_together() {
        let scrubber = Scrubber::new(["k&9".to_owned().into(), "a b".to_owned().into()]);
        assert_eq!(
            scrubber.scrub_code("k\u{200b}&\n9 k%2\t69 a b"),
            "[elided][elided][elided]"
        );
        let scrubber = Scrubber::new(["s3é/cret".to_owned().into()]);
        assert_eq!(
            scrubber.scrub_code("s\u{200b}3é\n/\u{fe0f}cret"),
            "[elided]"
        );
    }

    #[test]
    fn without_a_secret_nothing_is_elided_and_much_text_is_cut() {
        let scrubber = Scrubber::new([String::new().into()]);
        assert_eq!(scrubber.scrub("wrong secret"), "wrong secret");
        assert_eq!(scrubber.scrub(&"é".repeat(5000)).chars().count(), 1024);
    }
}
