//! What is written for people. Text from elsewhere may hold what moves a terminal's cursor or turns its text
//! around: it is escaped, also where standard error is a file, since somebody will print the file.

use std::{
    fmt::{Display, Write as _},
    io::{self, Write as _},
};

/// Writes a text and a line break. A closed output is not a failure of the call.
pub(crate) fn say(text: impl Display) {
    let mut text = escaped(&text.to_string());
    text.push('\n');
    let _ = io::stderr().write_all(text.as_bytes());
}

/// The text with its line breaks and tabs, and everything else that is not visible escaped as JSON has it: what was
/// JSON still is.
pub(crate) fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\n' | '\t' => escaped.push(c),
            '\r' if chars.peek() == Some(&'\n') => {}
            _ if c.is_control() || turns_text(c) => {
                let _ = write!(escaped, "\\u{:04x}", u32::from(c));
            }
            _ => escaped.push(c),
        }
    }
    escaped
}

/// Marks of direction, and separators of lines.
fn turns_text(c: char) -> bool {
    matches!(
        c,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    )
}

/// A response's body on its way to standard error.
#[derive(Default)]
pub(crate) struct Body {
    /// The beginning of a character, or of a line break, whose end is in the next piece.
    rest: Vec<u8>,
}

impl Body {
    pub(crate) fn piece(&mut self, piece: &[u8]) {
        self.rest.extend_from_slice(piece);
        let bytes = std::mem::take(&mut self.rest);
        let (whole, rest) = bytes.split_at(bytes.len() - unfinished(&bytes));
        self.rest = rest.to_vec();
        write(whole);
    }

    pub(crate) fn end(self) {
        write(&self.rest);
        write(b"\n");
    }
}

fn write(bytes: &[u8]) {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        text.push_str(&escaped(chunk.valid()));
        for byte in chunk.invalid() {
            let _ = write!(text, "\\x{byte:02x}");
        }
    }
    let _ = io::stderr().write_all(text.as_bytes());
}

/// How many bytes at the end may be the beginning of something.
fn unfinished(bytes: &[u8]) -> usize {
    let last = bytes.utf8_chunks().last();
    let invalid = last.map_or(&[][..], |chunk| chunk.invalid());
    match std::str::from_utf8(invalid) {
        Err(error) if error.error_len().is_none() => invalid.len(),
        _ => usize::from(bytes.ends_with(b"\r")),
    }
}
