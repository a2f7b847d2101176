//! What an error says of an answer from a token endpoint.

use std::borrow::Cow;

use http::StatusCode;

use super::{FailureClass, FetchError, FetchErrorKind};
use crate::error::text::{cut, one_line};

/// The longest part of an RFC 6749 `error` code that is ever shown.
const LONGEST_CODE: usize = 64;

/// The longest part of a server's description that is shown, in characters.
const LONGEST_DESCRIPTION: usize = 200;

/// A word of at least this many characters may be a token.
const SHORTEST_TOKEN: usize = 20;

impl FetchError {
    /// The answer ended before it held a token. This seldom happens twice, so it is tried again within the fetch.
    pub(crate) fn cut_short(what: impl Into<Cow<'static, str>>) -> Self {
        Self::new(FailureClass::Transient, FetchErrorKind::Malformed, what)
    }

    /// Adds a remark in brackets to what happened.
    pub(crate) fn with_remark(mut self, remark: &str) -> Self {
        self.message = format!("{} ({remark})", self.message).into();
        self
    }

    pub(crate) fn message(&self) -> &str {
        &self.message
    }

    pub(crate) fn with_status(mut self, status: StatusCode) -> Self {
        self.status = Some(status);
        self
    }

    /// Takes a scrubbed code, and cuts it to the longest allowed length.
    pub(crate) fn with_code(mut self, code: &str) -> Self {
        let shown: String = code.chars().take(LONGEST_CODE).collect();
        self.code = (!shown.is_empty()).then(|| shown.into());
        self
    }

    /// Takes a description without the client's own secrets.
    pub(crate) fn with_description(mut self, description: &str) -> Self {
        let shown = visible(description);
        self.description = (!shown.is_empty()).then(|| shown.into());
        self
    }

    pub(crate) fn for_certificate(mut self) -> Self {
        self.certificate_rejected = true;
        self
    }

    /// Ends the fetch whatever the class. Used for a 429 that does not say how long to wait.
    pub(crate) fn not_within_fetch(mut self) -> Self {
        self.retry_within_fetch = false;
        self
    }
}

/// The shown part of a server's description: one line, without anything that could be a token.
fn visible(text: &str) -> String {
    let text = without_tokens(&one_line(text)).replace('"', "'");
    cut(&text, LONGEST_DESCRIPTION)
}

fn without_tokens(text: &str) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let is_token = is_of_a_token(first);
        let end = rest.find(|it| is_of_a_token(it) != is_token);
        let (run, after) = rest.split_at(end.unwrap_or(rest.len()));
        let may_be_one = is_token && run.len() >= SHORTEST_TOKEN;
        shown.push_str(if may_be_one { "[elided]" } else { run });
        rest = after;
    }
    shown
}

fn is_of_a_token(character: char) -> bool {
    character.is_ascii_alphanumeric() || "+/_=.-~%".contains(character)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_description_is_one_visible_line() {
        for (said, shown) in [
            ("the secret is expired", "the secret is expired"),
            ("  two\r\nlines\t ", "two lines"),
            ("\u{1b}[2Jgone\u{7f}\u{9b}", "[2Jgone"),
            ("\u{202e}turned\u{200b} \u{feff}", "turned"),
            ("s\u{fe0f}e\u{34f}c\u{2800}r\u{3164}et", "secret"),
            ("say \"no\"", "say 'no'"),
            ("Credencial inválida", "Credencial inválida"),
            ("\u{0}", ""),
        ] {
            assert_eq!(visible(said), shown, "{said:?}");
        }
        let long = visible(&"é ".repeat(500));
        assert_eq!(long.chars().count(), 201, "{long}");
        assert!(long.ends_with('…'));
    }

    #[test]
    fn a_description_shows_nothing_that_could_be_a_token() {
        let token = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln-_";
        for (said, shown) in [
            (
                format!("bad token {token}, sorry"),
                "bad token [elided], sorry",
            ),
            (format!("t={token}"), "[elided]"),
            // Invisible characters do not hide a token.
            ("abcdefghij\u{200b}klmnopqrstuv\u{0}wxyz".into(), "[elided]"),
            ("a".repeat(19), &"a".repeat(19)),
            ("a".repeat(20), "[elided]"),
            ("AAA%2BBBBBBBBBBBBBBBBB/==".into(), "[elided]"),
        ] {
            assert_eq!(visible(&said), shown, "{said:?}");
        }
    }
}
