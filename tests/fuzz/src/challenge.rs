//! `WWW-Authenticate` to the letter of RFC 9110 §11.6.1, for comparison: what is not to the letter is not read at all.

/// A scheme, and its parameters by name.
pub type Challenge = (String, Vec<(String, String)>);

/// The challenges of one header line.
pub fn challenges(line: &str) -> Option<Vec<Challenge>> {
    let mut rest = Rest(line);
    let mut challenges: Vec<Challenge> = Vec::new();
    loop {
        match rest.parameter() {
            Some(parameter) => challenges.last_mut()?.1.push(parameter),
            None => challenges.push(rest.challenge()?),
        }
        rest.spaces();
        if rest.0.is_empty() {
            return Some(challenges);
        }
        rest.char(',')?;
        rest.spaces();
    }
}

struct Rest<'a>(&'a str);

impl Rest<'_> {
    /// A scheme with nothing, one opaque word, or its first parameter.
    fn challenge(&mut self) -> Option<Challenge> {
        let scheme = self.token()?;
        if !self.0.starts_with(' ') {
            return Some((scheme, Vec::new()));
        }
        self.spaces();
        if let Some(parameter) = self.parameter() {
            return Some((scheme, vec![parameter]));
        }
        self.take(|it| it.is_ascii_alphanumeric() || "-._~+/".contains(it));
        self.take(|it| it == '=');
        Some((scheme, Vec::new()))
    }

    /// Nothing is read where no whole parameter stands.
    fn parameter(&mut self) -> Option<(String, String)> {
        let before = self.0;
        let parameter = self.try_parameter();
        if parameter.is_none() {
            self.0 = before;
        }
        parameter
    }

    fn try_parameter(&mut self) -> Option<(String, String)> {
        let name = self.token()?;
        self.spaces();
        self.char('=')?;
        self.spaces();
        let value = match self.char('"') {
            Some(()) => self.quoted()?,
            None => self.token()?,
        };
        Some((name, value))
    }

    fn quoted(&mut self) -> Option<String> {
        let mut text = String::new();
        loop {
            let next = self.next()?;
            match next {
                '"' => return Some(text),
                '\\' => text.push(self.next()?),
                other => text.push(other),
            }
        }
    }

    fn token(&mut self) -> Option<String> {
        let token = self.take(|it| it.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(it));
        (!token.is_empty()).then(|| token.to_owned())
    }

    fn spaces(&mut self) {
        self.take(|it| it == ' ');
    }

    fn char(&mut self, wanted: char) -> Option<()> {
        self.0 = self.0.strip_prefix(wanted)?;
        Some(())
    }

    fn next(&mut self) -> Option<char> {
        let next = self.0.chars().next()?;
        self.0 = &self.0[next.len_utf8()..];
        Some(next)
    }

    fn take(&mut self, belongs: impl Fn(char) -> bool) -> &str {
        let end = self.0.find(|it| !belongs(it)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }
}
