//! Decides what a record shows, and replaces everything else by `[elided]`.

use crate::client_credentials::response::Scrubber;

pub(super) const ELIDED: &str = "[elided]";

/// The most characters that are shown of a value.
pub(super) const LONGEST_VALUE: usize = 256;

/// From here on a text without a blank could be a token.
const SHORTEST_TOKEN: usize = 20;

/// The longest text without a blank in a header that is taken for an identifier. A UUID has 36.
const LONGEST_IDENTIFIER: usize = 40;

/// Parts of the names of values that are secret, or could be. Portuguese ones are among them: the banks' are.
const SECRET_NAMES: [&str; 20] = [
    "assertion",
    "assinatura",
    "auth",
    "bearer",
    "chave",
    "cookie",
    "credenc",
    "credential",
    "hash",
    "jwt",
    "key",
    "pass",
    "pwd",
    "secret",
    "segredo",
    "senha",
    "session",
    "signature",
    "ticket",
    "token",
];

/// Names that look like a secret's, and whose values say how to ask.
const PLAIN_NAMES: [&str; 3] = ["tokentype", "wwwauthenticate", "proxyauthenticate"];

/// Parts of the names of values that say when a token ends.
const EXPIRY_NAMES: [&str; 5] = ["expir", "lifetime", "validuntil", "validfor", "validto"];

/// Whether the name says that the value is a secret or a token.
pub(super) fn names_a_secret(name: &str) -> bool {
    let name: String = name.chars().filter(char::is_ascii_alphanumeric).collect();
    let name = name.to_ascii_lowercase();
    let has_any = |parts: &[&str]| parts.iter().any(|part| name.contains(part));
    let is_of_expiry = has_any(&EXPIRY_NAMES) || name.ends_with("ttl");
    has_any(&SECRET_NAMES) && !is_of_expiry && !PLAIN_NAMES.contains(&name.as_str())
}

/// How long a text without a blank may be.
#[derive(Clone, Copy)]
pub(super) enum Runs {
    /// Any length: the value is known to be no token.
    Any,
    /// Long ones may stay where they read as words, such as `unsupported_grant_type`.
    Words,
    /// No long ones, whatever their characters, but for moments: the answer brings a token.
    Short,
    /// Up to the length of an identifier.
    Identifiers,
}

/// Replaces secrets in texts by `[elided]`: those that the client sent, and the tokens of one answer.
pub(super) struct Redactor<'a> {
    scrubber: &'a Scrubber,
    tokens: Scrubber,
}

impl<'a> Redactor<'a> {
    pub(super) fn new<'t>(
        scrubber: &'a Scrubber,
        tokens: impl IntoIterator<Item = &'t str>,
    ) -> Self {
        let tokens = tokens.into_iter().map(|token| token.to_owned().into());
        Self {
            scrubber,
            tokens: Scrubber::new(tokens),
        }
    }

    /// What may be shown of a text, before it is cut to a length.
    pub(super) fn redact(&self, text: &str, runs: Runs) -> String {
        let text = self.tokens.scrub(&self.scrubber.scrub(text));
        redact_runs(&text, runs)
    }

    pub(super) fn value(&self, text: &str, runs: Runs) -> String {
        cut(&self.redact(text, runs), LONGEST_VALUE)
    }
}

pub(super) fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn redact_runs(text: &str, runs: Runs) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(start) = rest.find(|c| runs.hold(c)) {
        shown.push_str(&rest[..start]);
        rest = &rest[start..];
        let end = rest.find(|c| !runs.hold(c)).unwrap_or(rest.len());
        shown.push_str(match runs.allow(&rest[..end]) {
            true => &rest[..end],
            false => ELIDED,
        });
        rest = &rest[end..];
    }
    shown + rest
}

impl Runs {
    /// Whether the character belongs to a run. Else it is RFC 6750's characters of a token.
    fn hold(self, c: char) -> bool {
        match self {
            Self::Short => !c.is_whitespace(),
            _ => c.is_ascii_alphanumeric() || "-._~+/=".contains(c),
        }
    }

    fn allow(self, run: &str) -> bool {
        let length = run.chars().count();
        match self {
            Self::Any => true,
            Self::Words => length < SHORTEST_TOKEN || reads_as_words(run),
            Self::Short => length < SHORTEST_TOKEN || reads_as_moment(run),
            Self::Identifiers => length <= LONGEST_IDENTIFIER,
        }
    }
}

fn reads_as_moment(run: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_digit() || b"-:.+TZ".contains(&byte);
    run.len() <= 35 && run.contains(':') && run.bytes().all(is_part)
}

fn reads_as_words(run: &str) -> bool {
    let has = |kind: fn(&u8) -> bool| run.as_bytes().iter().any(kind);
    let is_mixed = has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
    !is_mixed && !has(u8::is_ascii_digit)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_whether_it_is_a_secret() {
        for name in [
            "access_token",
            "accessToken",
            "Set-Cookie",
            "x-api-key",
            "id_token",
            "jwt",
            "senha",
            "Authorization",
            "settlement_key",
            "validation_key",
        ] {
            assert!(names_a_secret(name), "{name}");
        }
        for name in [
            "token_type",
            "tokenType",
            "expires_in",
            "accessTokenExpiresIn",
            "token_ttl",
            "token_valid_until",
            "scope",
            "error",
            "WWW-Authenticate",
        ] {
            assert!(!names_a_secret(name), "{name}");
        }
    }

    #[test]
    fn long_texts_without_a_blank_are_elided() {
        let long = "eyJhbGciOiJIUzI1NiJ9.e30";
        let text = format!("token {long}, code unsupported_grant_type.");
        assert_eq!(
            redact_runs(&text, Runs::Words),
            "token [elided], code unsupported_grant_type."
        );
        assert_eq!(
            redact_runs(&text, Runs::Short),
            "token [elided] code [elided]"
        );
        assert_eq!(
            redact_runs(
                "2030-01-31T11:29:32-03:00 ü:%ü:%ü:%ü:%ü:%ü:%ü:%",
                Runs::Short
            ),
            "2030-01-31T11:29:32-03:00 [elided]"
        );
        assert_eq!(redact_runs(&text, Runs::Any), text);
        assert_eq!(
            redact_runs("1b4e28ba-2fa1-11d2-883f-0016d3cca427", Runs::Identifiers),
            "1b4e28ba-2fa1-11d2-883f-0016d3cca427"
        );
        assert_eq!(
            redact_runs(&"é".repeat(30), Runs::Words).chars().count(),
            30
        );
    }

    #[test]
    fn secrets_and_tokens_are_elided_wherever_they_stand() {
        let scrubber = Scrubber::new(["s3cret".to_owned().into()]);
        let redactor = Redactor::new(&scrubber, ["tok", "tok-1"]);
        assert_eq!(
            redactor.value(r"s3cret and tok-1 and tok%2D1, tok\u002d1, tok", Runs::Any),
            "[elided] and [elided] and [elided], [elided], [elided]"
        );
        assert_eq!(
            redactor.value(&"é".repeat(300), Runs::Any).chars().count(),
            257
        );
    }
}
