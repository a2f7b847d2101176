//! A record as `curl -v` would print it, safe on a terminal.

use std::fmt::{self, Write};

use super::{AnswerBody, AnswerRecord, AttemptRecord, RecordedValue, redact::ELIDED};
use crate::text::is_hidden;

impl fmt::Display for AttemptRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let request = &self.request;
        writeln!(f, "* attempt {}", self.attempt)?;
        writeln!(f, "> {} {}", request.method, Printable(&request.url))?;
        headers(f, '>', &request.headers)?;
        match request.encoding {
            "empty" => writeln!(f, "> no body")?,
            encoding => {
                let plural = if request.fields.len() == 1 { "" } else { "s" };
                writeln!(
                    f,
                    "> body: {encoding}, {} field{plural}",
                    request.fields.len()
                )?;
            }
        }
        values(f, '>', &request.fields)?;
        match &self.answer {
            Ok(answer) => answer.fmt(f),
            Err(why) => writeln!(f, "* no answer: {}", Printable(why)),
        }
    }
}

impl fmt::Display for AnswerRecord {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "< HTTP {}", self.status)?;
        headers(f, '<', &self.headers)?;
        match &self.body {
            AnswerBody::Empty => writeln!(f, "< no body"),
            AnswerBody::Members(members) => {
                writeln!(f, "< body: JSON object")?;
                values(f, '<', members)
            }
            AnswerBody::Text(text) => {
                writeln!(f, "< body: not a JSON object")?;
                text.lines()
                    .try_for_each(|line| writeln!(f, "<   {}", Printable(line)))
            }
            AnswerBody::Hidden { bytes, why } => writeln!(
                f,
                "< body: not a JSON object, {bytes} bytes, not shown: {why}"
            ),
            AnswerBody::Unreadable(why) => {
                writeln!(f, "* the body could not be read: {}", Printable(why))
            }
        }
    }
}

fn headers(f: &mut fmt::Formatter<'_>, mark: char, headers: &[RecordedValue]) -> fmt::Result {
    headers.iter().try_for_each(|header| {
        let text = header.text.as_deref().unwrap_or(ELIDED);
        writeln!(f, "{mark} {}: {}", Printable(&header.name), Printable(text))
    })
}

fn values(f: &mut fmt::Formatter<'_>, mark: char, values: &[RecordedValue]) -> fmt::Result {
    values
        .iter()
        .try_for_each(|value| writeln!(f, "{mark}   {value}"))
}

/// Such as `error: text "invalid_client"`.
impl fmt::Display for RecordedValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", Printable(&self.name), self.kind)?;
        match (self.text.as_deref(), self.length) {
            (None, Some(length)) => write!(f, " {ELIDED}, {length} characters"),
            (None, None) => write!(f, " {ELIDED}"),
            (Some(""), _) if self.kind != "text" => Ok(()),
            (Some(text), _) if self.kind == "text" => write!(f, " \"{}\"", Printable(text)),
            (Some(text), _) => write!(f, " {}", Printable(text)),
        }
    }
}

/// Text from elsewhere, on one line: what could move a terminal's cursor or turn its text around is escaped.
struct Printable<'a>(&'a str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| match c {
            _ if is_hidden(c) => write!(f, "{}", c.escape_default()),
            _ => f.write_char(c),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_a_terminal_raw() {
        let text = "a\x1b[2J\r\n\u{9b}31m\u{202e}é";
        assert_eq!(
            Printable(text).to_string(),
            "a\\u{1b}[2J\\r\\n\\u{9b}31m\\u{202e}é"
        );
    }
}
