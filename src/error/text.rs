//! Decides what may be shown of texts that come from outside.

use std::error::Error;

use super::causes;
use crate::text::is_hidden;

/// The longest part of a server's description that is shown, in characters.
const LONGEST_DESCRIPTION: usize = 200;

/// The longest part of an error's causes that is shown, in characters.
const LONGEST_CAUSE: usize = 500;

/// A word of at least this many characters may be a token.
const SHORTEST_TOKEN: usize = 20;

/// One line without control and invisible characters, safe for a log or a terminal.
pub(crate) fn one_line(text: &str) -> String {
    let visible: String = text.chars().filter(|it| !is_invisible(*it)).collect();
    let words: Vec<_> = visible.split_whitespace().collect();
    words.join(" ")
}

/// The shown part of a server's description: one line, without anything that could be a token.
pub(crate) fn description(text: &str) -> String {
    let text = without_tokens(&one_line(text)).replace('"', "'");
    cut(&text, LONGEST_DESCRIPTION)
}

/// An error and its causes in one line. A cause whose text the error before it repeats is left out.
pub(crate) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    for cause in causes(error) {
        let text = one_line(&cause.to_string());
        if !texts.last().is_some_and(|before| before.contains(&text)) {
            texts.push(text);
        }
    }
    cut(&texts.join(": "), LONGEST_CAUSE)
}

/// The innermost cause: the errors of HTTP and TLS clients around it name only the step.
pub(crate) fn root(error: &(dyn Error + 'static)) -> String {
    let root = causes(error).last().unwrap_or(error);
    cut(&one_line(&root.to_string()), LONGEST_CAUSE)
}

fn is_invisible(character: char) -> bool {
    let separates = matches!(character, '\t' | '\n' | '\r');
    let is_format = is_hidden(character) && !character.is_whitespace();
    is_format || (character.is_control() && !separates)
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

fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::io;

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
            assert_eq!(description(said), shown, "{said:?}");
        }
        let long = description(&"é ".repeat(500));
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
            assert_eq!(description(&said), shown, "{said:?}");
        }
    }

    #[test]
    fn a_chain_repeats_nothing_and_its_root_is_its_last() {
        let inner = io::Error::other("rejected\n(os error 111)");
        let outer = io::Error::other(io::Error::other(inner));
        assert_eq!(chain(&outer), "rejected (os error 111)");
        assert_eq!(root(&outer), "rejected (os error 111)");
        assert_eq!(
            chain(&io::Error::other("x".repeat(600))).chars().count(),
            501
        );
    }
}
