use std::{borrow::Cow, error::Error, fmt, sync::Arc};

use super::{ConfigErrorKind, causes};
use crate::text::{Escaped, quoted};

/// A wrong setting. It is returned when something is built, never by a request.
///
/// `Display` names the source if it is known, the field, its value unless that may be a secret, and the broken rule.
/// `Debug`, which Rust prints if `main` returns the error, adds the causes. Invisible characters are escaped.
///
/// # Examples
///
/// ```
/// use tower_oauth::{ClientId, ConfigErrorKind, client_credentials::Dialect};
///
/// let error = ClientId::new("").unwrap_err();
/// assert_eq!(error.kind(), ConfigErrorKind::Missing);
/// assert_eq!(error.field(), "client_id");
/// assert_eq!(error.to_string(), "invalid `client_id`: must not be empty");
///
/// let error = Dialect::new("my-bank", "ftp://login.example").check().unwrap_err();
/// assert_eq!(error.source_name(), Some("my-bank"));
/// assert_eq!(
///     error.to_string(),
///     "my-bank: invalid `token_url` \"ftp://login.example\": the scheme is neither http nor https",
/// );
/// ```
#[derive(Clone)]
pub struct ConfigError {
    inner: Box<Inner>,
}

#[derive(Clone)]
struct Inner {
    kind: ConfigErrorKind,
    source_name: Option<Box<str>>,
    field: Cow<'static, str>,
    rule: Cow<'static, str>,
    given: Option<String>,
    cause: Option<Arc<dyn Error + Send + Sync>>,
}

impl ConfigError {
    /// The given value breaks a rule.
    pub(crate) fn new(
        field: impl Into<Cow<'static, str>>,
        rule: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self {
            inner: Box::new(Inner {
                kind: ConfigErrorKind::Invalid,
                source_name: None,
                field: field.into(),
                rule: rule.into(),
                given: None,
                cause: None,
            }),
        }
    }

    pub(crate) fn with_kind(mut self, kind: ConfigErrorKind) -> Self {
        self.inner.kind = kind;
        self
    }

    /// Adds the given text. Do not use it for a secret, or for a text that may contain one.
    pub(crate) fn given(self, text: &str) -> Self {
        self.given_value(&quoted(text))
    }

    /// Adds the given value, if it is not a text.
    pub(crate) fn given_value(mut self, value: &dyn fmt::Display) -> Self {
        self.inner.given = Some(value.to_string());
        self
    }

    /// Leaves out what was given if it holds this secret, which somebody may have put into two places.
    #[cfg(feature = "client-credentials")]
    pub(crate) fn without(mut self, secret: &str) -> Self {
        // By its beginning: a long text is cut when it is quoted, and the secret with it. A secret of less than four
        // bytes is part of many texts by chance.
        let begins: String = secret.chars().take(8).collect();
        if begins.len() >= 4 {
            self.inner.given.take_if(|given| given.contains(&begins));
        }
        self
    }

    /// Adds the cause. Do not use it with an error that may quote a secret.
    pub(crate) fn because(mut self, cause: impl Error + Send + Sync + 'static) -> Self {
        self.inner.cause = Some(Arc::new(cause));
        self
    }

    /// Puts the field into the table of that name.
    #[cfg(feature = "client-credentials")]
    pub(crate) fn within(mut self, table: &str) -> Self {
        self.inner.field = format!("{table}.{}", self.inner.field).into();
        self
    }

    /// Adds the name of the source, unless it has one.
    pub(crate) fn of(mut self, source_name: &str) -> Self {
        if !source_name.is_empty() {
            let known = &mut self.inner.source_name;
            known.get_or_insert_with(|| source_name.into());
        }
        self
    }

    /// Returns what is wrong, in one word.
    pub fn kind(&self) -> ConfigErrorKind {
        self.inner.kind
    }

    /// Returns the name of the source or provider, such as `bankly`, if it is known.
    pub fn source_name(&self) -> Option<&str> {
        self.inner.source_name.as_deref()
    }

    /// Returns the name of the setting.
    pub fn field(&self) -> &str {
        &self.inner.field
    }

    /// Returns the broken rule, as a sentence without its subject.
    pub fn rule(&self) -> &str {
        &self.inner.rule
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let inner = &self.inner;
        if let Some(name) = &inner.source_name {
            write!(f, "{}: ", Escaped(name))?;
        }
        write!(f, "invalid `{}`", Escaped(&inner.field))?;
        if let Some(given) = &inner.given {
            write!(f, " {}", Escaped(given))?;
        }
        write!(f, ": {}", Escaped(&inner.rule))
    }
}

/// The output of a `main` that returns the error: the `Display`, and each cause.
impl fmt::Debug for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")?;
        causes(self)
            .skip(1)
            .try_for_each(|cause| write!(f, "; because: {}", Escaped(&cause.to_string())))
    }
}

/// Two errors are equal if their texts are.
impl PartialEq for ConfigError {
    fn eq(&self, other: &Self) -> bool {
        self.to_string() == other.to_string()
    }
}

impl Eq for ConfigError {}

impl Error for ConfigError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.inner.cause.as_deref().map(|cause| cause as _)
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;
    use crate::{ClientId, SecretRef};

    #[test]
    fn it_says_whose_what_and_why() {
        let error = ConfigError::new("scopes", "at least one must be asked for").of("bankly");
        assert_eq!(
            error.to_string(),
            "bankly: invalid `scopes`: at least one must be asked for"
        );
        let error = ConfigError::new("attempts", "must be at least 1").given_value(&0);
        assert_eq!(
            error.to_string(),
            "invalid `attempts` 0: must be at least 1"
        );
        let error = error.of("bankly").of("oauth").of("");
        assert_eq!(error.source_name(), Some("bankly"));
        assert_eq!(ConfigError::new("a", "b").of("").source_name(), None);
    }

    #[test]
    fn its_kind_says_whether_something_is_missing_unreadable_insecure_or_wrong() {
        use ConfigErrorKind::{Insecure, Invalid, Missing, Unreadable};

        let origin = |origin: &str| {
            let mut origins = crate::origin::AllowedOrigins::default();
            origins.allow(origin.parse().unwrap());
            origins.check().unwrap_err()
        };
        let errors = [
            (ClientId::new("").unwrap_err(), Missing),
            (ClientId::new(" id").unwrap_err(), Invalid),
            (resolve(SecretRef::Env("NO_SUCH_VARIABLE".into())), Missing),
            (resolve(SecretRef::File("/no/such/file".into())), Unreadable),
            (origin("http://api.example"), Insecure),
        ];
        for (error, kind) in errors {
            assert_eq!(error.of("bankly").kind(), kind);
        }
    }

    fn resolve(place: SecretRef) -> ConfigError {
        place.resolve().unwrap_err()
    }

    #[test]
    fn main_prints_its_causes() {
        let error = ConfigError::new("file", "cannot be read");
        assert_eq!(format!("{error:?}"), error.to_string());
        let error = error.because(io::Error::from(io::ErrorKind::NotFound));
        assert_eq!(
            format!("{error:?}"),
            "invalid `file`: cannot be read; because: entity not found"
        );
        assert_eq!(error.to_string(), "invalid `file`: cannot be read");
        assert_eq!(error.source().unwrap().to_string(), "entity not found");
    }

    #[test]
    fn it_leaves_out_what_holds_the_secret() {
        let error = |given: &str| ConfigError::new("scopes", "rule").given(given);
        let with_secret = error("read s3cr3t/c4n4ry").without("s3cr3t/c4n4ry");
        assert_eq!(with_secret.to_string(), "invalid `scopes`: rule");
        let cut = format!("{}s3cr3t/c4n4ry", "x".repeat(90));
        let cut = error(&cut).without("s3cr3t/c4n4ry").to_string();
        assert!(!cut.contains("s3cr3t/c"), "{cut}");
        let without = error("read").without("s3cr3t/c4n4ry");
        assert_eq!(without, error("read"));
    }

    #[test]
    fn nothing_in_it_forges_a_line() {
        let forged = "x\u{1b}[2J\r\nINFO \u{202e}";
        let error = ConfigError::new(forged.to_owned(), forged)
            .given(forged)
            .because(io::Error::other(forged))
            .of(forged);
        for text in [error.to_string(), format!("{error:?}")] {
            assert_eq!(crate::text::hidden(&text), None, "{text}");
        }
    }
}
