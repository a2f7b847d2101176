//! Strikes a client's secrets out of what a server says.

use std::cmp::Reverse;

use zeroize::Zeroizing;

use super::encode::form_urlencoded;

/// The longest part of a server's description that is kept, in characters.
const LONGEST: usize = 1024;

/// The secrets that a server might repeat, in every encoding in which it was told them.
pub(super) struct Scrubber(Vec<Zeroizing<String>>);

impl Scrubber {
    pub(super) fn new(secrets: impl IntoIterator<Item = Zeroizing<String>>) -> Self {
        let mut known: Vec<_> = secrets
            .into_iter()
            .flat_map(|secret| [form_urlencoded(&secret), secret])
            .filter(|secret| !secret.is_empty())
            .collect();
        // A secret that is part of another must not break the other before it is found.
        known.sort_by_key(|secret| Reverse(secret.len()));
        Self(known)
    }

    pub(super) fn scrub(&self, text: &str) -> String {
        let strike = |text: Zeroizing<String>, secret: &Zeroizing<String>| {
            Zeroizing::new(text.replace(&***secret, "[elided]"))
        };
        let scrubbed = self.0.iter().fold(text.to_owned().into(), strike);
        scrubbed.chars().take(LONGEST).collect()
    }

    /// What is visible of a code. Scrubbed once more at the end: with the invisible gone from between its parts, a
    /// secret may stand there whole.
    pub(super) fn scrub_code(&self, code: &str) -> String {
        let scrubbed = self.scrub(code);
        let visible = scrubbed.chars().filter(char::is_ascii_graphic);
        self.scrub(&visible.collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_struck_out_in_every_encoding() {
        let scrubber = Scrubber::new(["k&9".to_owned().into(), "x-k&9".to_owned().into()]);
        assert_eq!(
            scrubber.scrub("k&9 k%269 x-k&9 x-k%269 k9"),
            "[elided] [elided] [elided] [elided] k9"
        );
    }

    #[test]
    fn a_code_does_not_put_a_secret_together() {
        let scrubber = Scrubber::new(["k&9".to_owned().into(), "a b".to_owned().into()]);
        assert_eq!(
            scrubber.scrub_code("k\u{200b}&\n9 k%2\t69 a b"),
            "[elided][elided][elided]"
        );
    }

    #[test]
    fn no_secret_strikes_nothing_and_much_text_is_cut() {
        let scrubber = Scrubber::new([String::new().into()]);
        assert_eq!(scrubber.scrub("wrong secret"), "wrong secret");
        assert_eq!(scrubber.scrub(&"é".repeat(5000)).chars().count(), 1024);
    }
}
