//! Invisible characters. In a pasted id or name they make it a different one, and in a log they can forge lines.

use std::fmt::{self, Write};

use crate::error::{ConfigError, ConfigErrorKind};

/// The longest part of a configured text that an error repeats, in characters.
const LONGEST: usize = 80;

/// A forbidden character and its position: counted in characters, from 1.
#[derive(Debug, PartialEq)]
pub(crate) struct Hidden {
    character: char,
    position: usize,
}

/// The first invisible character. A plain space between other characters is visible.
pub(crate) fn hidden(text: &str) -> Option<Hidden> {
    find(text, |character, _| is_hidden(character))
}

/// Checks the name of something that logs and errors show.
pub(crate) fn check_name(name: &str) -> Result<(), ConfigError> {
    if name.is_empty() {
        let missing = ConfigError::new("name", "must not be empty");
        return Err(missing.with_kind(ConfigErrorKind::Missing));
    }
    match hidden(name) {
        Some(hidden) => Err(ConfigError::new("name", hidden.rule(false)).given(name)),
        None => Ok(()),
    }
}

/// As [`hidden`], and a space at either end.
pub(crate) fn hidden_or_loose(text: &str) -> Option<Hidden> {
    let last = text.chars().count();
    find(text, |character, position| {
        is_hidden(character) || (character == ' ' && (position == 1 || position == last))
    })
}

fn find(text: &str, is_wrong: impl Fn(char, usize) -> bool) -> Option<Hidden> {
    text.chars()
        .zip(1..)
        .find(|(character, position)| is_wrong(*character, *position))
        .map(|(character, position)| Hidden {
            character,
            position,
        })
}

/// Control characters, white space other than the plain space, and what Unicode calls default ignorable.
pub(crate) fn is_hidden(character: char) -> bool {
    character.is_control()
        || (character.is_whitespace() && character != ' ')
        || matches!(character,
            '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
            | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
            | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
            | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

fn name(character: char) -> &'static str {
    match character {
        ' ' => "a space",
        '\n' => "a line break",
        '\r' => "a carriage return",
        '\t' => "a tab",
        '\u{a0}' | '\u{202f}' => "a no-break space",
        '\u{ad}' => "a soft hyphen",
        '\u{200b}' => "a zero-width space",
        '\u{200c}' => "a zero-width non-joiner",
        '\u{200d}' => "a zero-width joiner",
        '\u{2060}' => "a word joiner",
        '\u{feff}' => "a byte order mark",
        '\u{61c}' | '\u{200e}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
            "a text direction mark"
        }
        _ if character.is_control() => "a control character",
        _ if character.is_whitespace() => "a space",
        _ => "an invisible character",
    }
}

impl Hidden {
    /// The text of the broken rule. For a secret it names the character by its number only.
    pub(crate) fn rule(&self, is_secret: bool) -> String {
        let (code, position) = (u32::from(self.character), self.position);
        match is_secret {
            true => format!("holds U+{code:04X} at character {position}; remove it"),
            false => {
                let name = name(self.character);
                format!("holds {name} (U+{code:04X}) at character {position}; remove it")
            }
        }
    }
}

/// A text with its invisible characters escaped, safe for a log.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|it| match is_hidden(it) {
            true => write!(f, "{}", it.escape_unicode()),
            false => f.write_char(it),
        })
    }
}

/// A configured text for an error: in quotes, and cut.
pub(crate) fn quoted(text: &str) -> String {
    let shown: String = text.chars().take(LONGEST).collect();
    let rest = if shown.len() < text.len() { "…" } else { "" };
    format!("\"{shown}{rest}\"")
}

/// A URL without its user information and its query, which may contain secrets. The URL may be invalid, so everything
/// that could be either is left out.
pub(crate) fn url_without_secrets(url: &str) -> String {
    let (scheme, rest) = ["https://", "http://"]
        .into_iter()
        .find_map(|scheme| Some((scheme, url.strip_prefix(scheme)?)))
        .unwrap_or(("", url));
    let without_query = |text: &str| match text.find(['?', '#']) {
        Some(at) => format!("{}?[elided]", &text[..at]),
        None => text.to_owned(),
    };
    let shown = match rest.rsplit_once('@') {
        Some((before, _)) if before.contains(['?', '#']) => "[elided]".to_owned(),
        Some((_, after)) => format!("[elided]@{}", without_query(after)),
        None => without_query(rest),
    };
    format!("{scheme}{shown}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invisible_characters_are_found_and_named() {
        for (text, position, name) in [
            ("id\n", 3, "line break (U+000A)"),
            ("i\td", 2, "tab (U+0009)"),
            ("id\u{1b}", 3, "control character (U+001B)"),
            ("id\u{85}", 3, "control character (U+0085)"),
            ("i\u{200b}d", 2, "zero-width space (U+200B)"),
            ("i\u{200c}d", 2, "zero-width non-joiner (U+200C)"),
            ("i\u{200d}d", 2, "zero-width joiner (U+200D)"),
            ("\u{feff}id", 1, "byte order mark (U+FEFF)"),
            ("id\u{2060}", 3, "word joiner (U+2060)"),
            ("ü\u{a0}d", 2, "no-break space (U+00A0)"),
            ("i\u{202f}d", 2, "no-break space (U+202F)"),
            ("i\u{ad}d", 2, "soft hyphen (U+00AD)"),
            ("i\u{202e}d", 2, "text direction mark (U+202E)"),
            ("i\u{2066}d", 2, "text direction mark (U+2066)"),
            ("i\u{3000}d", 2, "space (U+3000)"),
            ("i\u{2003}d", 2, "space (U+2003)"),
            ("i\u{2028}d", 2, "space (U+2028)"),
            ("i\u{fe0f}d", 2, "invisible character (U+FE0F)"),
            ("i\u{3164}d", 2, "invisible character (U+3164)"),
            ("i\u{e0041}d", 2, "invisible character (U+E0041)"),
        ] {
            let rule = hidden(text).unwrap().rule(false);
            let expected = format!("{name} at character {position};");
            assert!(rule.contains(&expected), "{text:?}: {rule}");
            let secret = hidden_or_loose(text).unwrap().rule(true);
            assert!(!secret.contains(name), "{secret}");
        }
        for good in [
            "",
            "id",
            "an id",
            "ü",
            "日本",
            "💩",
            "e\u{301}",
            "a:b%+&\"'\\",
        ] {
            assert_eq!(hidden_or_loose(good), None, "{good:?}");
        }
    }

    #[test]
    fn white_space_at_the_ends_is_loose() {
        for (text, position) in [(" id", 1), ("id ", 3), ("a b ", 4), (" ", 1)] {
            assert_eq!(hidden(text), None);
            let found = hidden_or_loose(text).unwrap();
            assert_eq!((found.character, found.position), (' ', position));
        }
    }

    #[test]
    fn a_text_is_repeated_without_invisible_characters_and_cut() {
        assert_eq!(Escaped("x\u{1b}[2J ü").to_string(), "x\\u{1b}[2J ü");
        assert_eq!(quoted("bank"), "\"bank\"");
        let long = quoted(&"ü".repeat(1000));
        assert_eq!(long.chars().count(), LONGEST + 3);
    }

    #[test]
    fn a_url_is_shown_without_what_may_be_secret() {
        for (url, shown) in [
            ("https://login.example/token", "https://login.example/token"),
            ("login.example", "login.example"),
            (
                "https://login.example/token?key=c4n4ry",
                "https://login.example/token?[elided]",
            ),
            (
                "https://login.example/#c4n4ry",
                "https://login.example/?[elided]",
            ),
            (
                "https://me:c4n4ry@login.example/token?c4n4ry",
                "https://[elided]@login.example/token?[elided]",
            ),
            ("me:c4n4ry@login.example", "[elided]@login.example"),
            // Not URLs, or not distinguishable from a password.
            (
                "https://me:c4n/4ry@login.example",
                "https://[elided]@login.example",
            ),
            ("https://me:c4n?4ry@login.example", "https://[elided]"),
            (
                "https://login.example/token?key=c4n@4ry",
                "https://[elided]",
            ),
            ("c4n4ry://x@login.example", "[elided]@login.example"),
        ] {
            assert_eq!(url_without_secrets(url), shown);
        }
    }
}
