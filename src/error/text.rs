//! Decides what may be shown of texts that come from outside.

use std::error::Error;

use super::causes;
use crate::text::is_hidden;

/// The longest part of an error's causes that is shown, in characters.
const LONGEST_CAUSE: usize = 500;

/// One line without control and invisible characters, safe for a log or a terminal.
pub(crate) fn one_line(text: &str) -> String {
    let visible: String = text.chars().filter(|it| !is_invisible(*it)).collect();
    let words: Vec<_> = visible.split_whitespace().collect();
    words.join(" ")
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

pub(super) fn cut(text: &str, longest: usize) -> String {
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
