//! Reads the members of one JSON object, and nothing inside them.
//!
//! `serde_json` rejects the whole text for one byte that is no UTF-8, one bare line break or one number too large,
//! wherever it stands. The crate needs a few members of a token endpoint's answer, and an error in another member must
//! not lose the token. So the scanner checks each value only as far as it needs to find the value's end.

use std::{borrow::Cow, collections::BTreeMap, ops::Range};

use zeroize::Zeroizing;

/// Where the values of an object's members lie in its text. Of two of the same name the last counts.
pub(super) type Members = BTreeMap<String, Range<usize>>;

/// Why a text is no object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::client_credentials) enum Broken {
    /// It ends before the object does.
    CutShort,
    Malformed,
}

/// A member's value.
#[derive(Debug, PartialEq)]
pub(super) enum Value<'a> {
    /// A string. What cannot be read in it, bytes or escapes, has become U+FFFD.
    Text(Zeroizing<String>),
    /// A number, `true`, `false` or `null`, as it is written, or another bare word.
    Bare(&'a str),
    List {
        is_empty: bool,
    },
    Object {
        is_empty: bool,
    },
}

pub(in crate::client_credentials) fn members(text: &[u8]) -> Result<Members, Broken> {
    let mut scanner = Scanner { text, at: 0 };
    let members = scanner.object()?;
    match scanner.peek() {
        Err(_) => Ok(members),
        Ok(_) => Err(Broken::Malformed),
    }
}

impl<'a> Value<'a> {
    /// Reads a value that [`members`] has found.
    pub(super) fn of(text: &'a [u8]) -> Self {
        let is_empty = |text: &[u8]| text[1..text.len() - 1].trim_ascii().is_empty();
        match text {
            [b'"', inside @ .., b'"'] => Self::Text(unescaped(inside)),
            [b'[', ..] => Self::List {
                is_empty: is_empty(text),
            },
            [b'{', ..] => Self::Object {
                is_empty: is_empty(text),
            },
            _ => Self::Bare(std::str::from_utf8(text).unwrap_or_default()),
        }
    }

    /// A number, also one that is quoted.
    pub(super) fn number(&self) -> Option<f64> {
        let number: f64 = match self {
            Self::Text(text) => text.trim().parse().ok()?,
            Self::Bare(text) => text.parse().ok()?,
            _ => return None,
        };
        (!number.is_nan()).then_some(number)
    }

    /// What it is, without what it says: it may be a secret.
    pub(super) fn shape(&self) -> Cow<'static, str> {
        match self {
            Self::Text(text) => match text.chars().count() {
                0 => "an empty text".into(),
                1 => "a text of 1 character".into(),
                length => format!("a text of {length} characters").into(),
            },
            Self::Bare(_) if self.number().is_some() => "a number".into(),
            Self::Bare(_) => "a bare word".into(),
            Self::List { .. } => "a list".into(),
            Self::Object { .. } => "an object".into(),
        }
    }
}

struct Scanner<'a> {
    text: &'a [u8],
    at: usize,
}

impl Scanner<'_> {
    fn object(&mut self) -> Result<Members, Broken> {
        let mut members = Members::new();
        self.expect(b'{')?;
        if self.peek()? == b'}' {
            self.at += 1;
            return Ok(members);
        }
        loop {
            let name = self.string()?;
            let name = unescaped(&self.text[name.start + 1..name.end - 1]);
            self.expect(b':')?;
            members.insert(name.as_str().to_owned(), self.value()?);
            match self.next()? {
                b',' => {}
                b'}' => return Ok(members),
                _ => return Err(Broken::Malformed),
            }
        }
    }

    fn value(&mut self) -> Result<Range<usize>, Broken> {
        match self.peek()? {
            b'"' => self.string(),
            b'[' | b'{' => self.nested(),
            _ => self.bare(),
        }
    }

    /// With its quotes.
    fn string(&mut self) -> Result<Range<usize>, Broken> {
        self.expect(b'"')?;
        let start = self.at - 1;
        loop {
            match self.text.get(self.at).ok_or(Broken::CutShort)? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        Ok(start..self.at)
    }

    /// A list or an object. Only its brackets and strings are checked.
    fn nested(&mut self) -> Result<Range<usize>, Broken> {
        let start = self.at;
        let mut open = Vec::new();
        loop {
            match self.peek()? {
                b'"' => {
                    self.string()?;
                    continue;
                }
                b'[' => open.push(b']'),
                b'{' => open.push(b'}'),
                close @ (b']' | b'}') if open.pop() != Some(close) => {
                    return Err(Broken::Malformed);
                }
                _ => {}
            }
            self.at += 1;
            if open.is_empty() {
                return Ok(start..self.at);
            }
        }
    }

    fn bare(&mut self) -> Result<Range<usize>, Broken> {
        let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
        let rest = &self.text[self.at..];
        let length = rest.iter().take_while(|byte| is_part(byte)).count();
        if length == 0 {
            return Err(Broken::Malformed);
        }
        let start = self.at;
        self.at += length;
        Ok(start..self.at)
    }

    fn expect(&mut self, byte: u8) -> Result<(), Broken> {
        match self.next()? == byte {
            true => Ok(()),
            false => Err(Broken::Malformed),
        }
    }

    fn next(&mut self) -> Result<u8, Broken> {
        let byte = self.peek()?;
        self.at += 1;
        Ok(byte)
    }

    /// The next byte that is not white space.
    fn peek(&mut self) -> Result<u8, Broken> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let blanks = rest.iter().take_while(|byte| b" \t\r\n".contains(byte));
        self.at += blanks.count();
        self.text.get(self.at).copied().ok_or(Broken::CutShort)
    }
}

/// A string's text, without its quotes, read. Neither buffer grows: that would leave a copy of a token behind.
fn unescaped(text: &[u8]) -> Zeroizing<String> {
    let text = lossy(text);
    let mut read = Zeroizing::new(String::with_capacity(2 * text.len()));
    let mut rest = text.as_str();
    while let Some(at) = rest.find('\\') {
        let (before, escaped) = rest.split_at(at);
        read.push_str(before);
        let (meant, length) = escape(escaped).unwrap_or((char::REPLACEMENT_CHARACTER, 1));
        read.push(meant);
        rest = &escaped[length..];
    }
    read.push_str(rest);
    read
}

fn lossy(text: &[u8]) -> Zeroizing<String> {
    let longest = char::REPLACEMENT_CHARACTER.len_utf8() * text.len();
    let mut read = Zeroizing::new(String::with_capacity(longest));
    for chunk in text.utf8_chunks() {
        read.push_str(chunk.valid());
        if !chunk.invalid().is_empty() {
            read.push(char::REPLACEMENT_CHARACTER);
        }
    }
    read
}

/// The character of an escape at the beginning of a text, and the length of the escape.
pub(super) fn escape(text: &str) -> Option<(char, usize)> {
    let meant = match text.strip_prefix('\\')?.chars().next()? {
        'u' => return unicode_escape(text),
        // The last is JavaScript's.
        same @ ('"' | '\\' | '/' | '\'') => same,
        'b' => '\u{8}',
        'f' => '\u{c}',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        _ => return None,
    };
    Some((meant, 2))
}

/// One unit of UTF-16, or a surrogate pair. A lone surrogate is no character.
fn unicode_escape(text: &str) -> Option<(char, usize)> {
    let unit = |text: &str| {
        let digits = text.strip_prefix("\\u")?.get(..4)?;
        let are_hex = digits.bytes().all(|byte| byte.is_ascii_hexdigit());
        are_hex.then(|| u16::from_str_radix(digits, 16).ok())?
    };
    let first = unit(text)?;
    let second = text.get(6..).and_then(unit);
    let units = [first].into_iter().chain(second);
    let meant = char::decode_utf16(units).next()?;
    let meant = meant.unwrap_or(char::REPLACEMENT_CHARACTER);
    Some((meant, 6 * meant.len_utf16()))
}

#[cfg(test)]
mod tests {
    use proptest::{prelude::*, test_runner::RngSeed};

    use super::*;

    fn value(text: &str) -> Value<'_> {
        Value::of(text.as_bytes())
    }

    fn text(read: &str) -> Value<'static> {
        Value::Text(read.to_owned().into())
    }

    /// What a member named `a` holds.
    fn a(object: &[u8]) -> Result<Value<'_>, Broken> {
        let members = members(object)?;
        let span = members.get("a").cloned().expect("a member `a`");
        Ok(Value::of(&object[span]))
    }

    #[test]
    fn one_member_is_read_whatever_the_others_hold() {
        for other in [
            &b"\"\xe9\xff\""[..],
            b"\"\n\t\0\"",
            br#""\ud800 \x41 \' \u12""#,
            b"1e400",
            b"NaN",
            b"-Infinity",
            b"0x1F",
            &[b"1".repeat(400), b".5".to_vec()].concat(),
            &[b"[".repeat(10_000), b"]".repeat(10_000)].concat(),
            br#"{"a":"]}","b":[{"a":"\"}"},[]]}"#,
            br#""}""#,
        ] {
            for object in [
                [br#"{"a":"x","b":"#, other, b"}"].concat(),
                [br#" { "b" : "#, other, b" , \"a\"\n:\t\"x\" } \r\n"].concat(),
                [
                    br#"{"\xe9\n\ud800":1,"a":"y","b":"#,
                    other,
                    br#","\u0061":"x"}"#,
                ]
                .concat(),
            ] {
                let shown = String::from_utf8_lossy(&object);
                assert_eq!(a(&object), Ok(text("x")), "{shown:.100}");
            }
        }
    }

    #[test]
    fn what_is_no_object_is_cut_short_or_malformed() {
        let whole = r#"{"a": {"b": ["c", "\""]}, "d": 1.5, "e": null}"#;
        assert!(members(whole.as_bytes()).is_ok());
        for end in 0..whole.len() {
            let cut = &whole.as_bytes()[..end];
            assert_eq!(members(cut), Err(Broken::CutShort), "{}", &whole[..end]);
        }
        for malformed in [
            "[]",
            r#"{"a":1}x"#,
            r#"{"a":1}{}"#,
            r#"{"a":1,}"#,
            r#"{"a" 1}"#,
            r#"{"a":}"#,
            r#"{"a":1 2}"#,
            r#"{"a":[}}"#,
            r#"{"a":{"b":]}"#,
            "{a:1}",
            "{'a':1}",
        ] {
            let broken = members(malformed.as_bytes());
            assert_eq!(broken, Err(Broken::Malformed), "{malformed}");
        }
    }

    #[test]
    fn values_of_every_kind() {
        assert_eq!(value("-1.5e3"), Value::Bare("-1.5e3"));
        assert_eq!(value("null"), Value::Bare("null"));
        assert_eq!(value("[ ]"), Value::List { is_empty: true });
        assert_eq!(value("[0]"), Value::List { is_empty: false });
        assert_eq!(value("{\n}"), Value::Object { is_empty: true });
        assert_eq!(value("{\"\":0}"), Value::Object { is_empty: false });
    }

    #[test]
    fn what_cannot_be_read_in_a_string_is_replaced() {
        let read = |inside: &[u8]| unescaped(inside).to_string();
        assert_eq!(read(br#"\"\\\/\b\f\n\r\t"#), "\"\\/\u{8}\u{c}\n\r\t");
        assert_eq!(read(br"\ud83d\udca9 \u00E9\u00e9"), "\u{1f4a9} éé");
        assert_eq!(read(br"\ud83d \udca9\u0041"), "\u{fffd} \u{fffd}A");
        assert_eq!(
            read(br"\' \x41 \u12 \u+123"),
            "' \u{fffd}x41 \u{fffd}u12 \u{fffd}u+123"
        );
        assert_eq!(read(b"inv\xe1lida\n"), "inv\u{fffd}lida\n");
    }

    fn json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            any::<Option<bool>>().prop_map(serde_json::Value::from),
            any::<i64>().prop_map(serde_json::Value::from),
            any::<String>().prop_map(serde_json::Value::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(serde_json::Value::from),
                prop::collection::btree_map(any::<String>(), inner, 0..4)
                    .prop_map(|members| members.into_iter().collect()),
            ]
        })
    }

    /// The same cases every time.
    fn config() -> ProptestConfig {
        ProptestConfig {
            rng_seed: RngSeed::Fixed(7),
            failure_persistence: None,
            ..ProptestConfig::default()
        }
    }

    proptest! {
        #![proptest_config(config())]

        #[test]
        fn whatever_serde_json_writes_is_read(
            object in prop::collection::btree_map(any::<String>(), json(), 0..6), pretty in any::<bool>()
        ) {
            let written = match pretty {
                true => serde_json::to_string_pretty(&object),
                false => serde_json::to_string(&object),
            }
            .unwrap();
            let members = members(written.as_bytes()).unwrap();
            assert_eq!(members.len(), object.len());
            for (name, value) in &object {
                let span = &written[members[name].clone()];
                assert_eq!(&serde_json::from_str::<serde_json::Value>(span).unwrap(), value);
                if let Some(string) = value.as_str() {
                    assert_eq!(Value::of(span.as_bytes()), text(string));
                }
            }
        }

        #[test]
        fn nothing_makes_it_panic(bytes in prop::collection::vec(prop::sample::select(br#"{}[]":,\u0d8a- \xe9"#.to_vec()), 0..40)) {
            for span in members(&bytes).into_iter().flatten().map(|(_, span)| span) {
                Value::of(&bytes[span]);
            }
        }
    }
}
