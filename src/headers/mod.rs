//! Which headers carry the token, as templates over the values of a token.

mod name;
mod rendered;
mod template;

use std::{
    borrow::Cow,
    collections::BTreeMap,
    str::FromStr,
    sync::{Arc, LazyLock},
};

use http::{HeaderName, header::AUTHORIZATION};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::{
    error::{ConfigError, FetchError},
    table::Table,
    token::Token,
};
use name::Name;
pub(crate) use name::is_the_clients_own;
pub(crate) use rendered::Rendered;
pub(crate) use template::fits_a_header;
use template::{Placeholder, Template};

/// The headers that carry the token to an API.
///
/// A template is literal text with `{token}`, `{client_id}` or the name of an extra value, such as `{jwt_token}`,
/// in braces. A header of the same name that the request already has is replaced.
///
/// In configuration it is a table from header name to template:
///
/// ```toml
/// [headers]
/// client_id = "{client_id}"
/// access_token = "{token}"
/// ```
///
/// # Examples
///
/// ```
/// use tower_oauth::TokenHeaders;
///
/// let bearer = TokenHeaders::bearer();
/// let anbima = TokenHeaders::none()
///     .with("client_id", "{client_id}")?
///     .with("access_token", "{token}")?;
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenHeaders(Arc<Vec<(Name, Template)>>);

impl TokenHeaders {
    /// Returns `Authorization: Bearer {token}` (RFC 6750 §2.1), the default.
    pub fn bearer() -> Self {
        static BEARER: LazyLock<TokenHeaders> = LazyLock::new(|| {
            let bearer = (Name::Static(AUTHORIZATION), Template::bearer());
            TokenHeaders(Arc::new(vec![bearer]))
        });
        BEARER.clone()
    }

    /// Returns an empty list. Add headers with [`with`](Self::with).
    pub fn none() -> Self {
        Self(Arc::default())
    }

    /// Adds a header.
    ///
    /// If you know the name at compile time, pass a literal in lower case: a request then copies it without counting
    /// references.
    ///
    /// # Errors
    ///
    /// Fails if the name is no header name, is already in the list or is set by the HTTP client itself (`host`,
    /// `content-length`, `connection` and the like), or if the template's braces do not match.
    pub fn with(
        mut self,
        name: impl Into<Cow<'static, str>>,
        template: &str,
    ) -> Result<Self, ConfigError> {
        let name = name.into();
        let broken = |rule| ConfigError::new("headers", rule).given(&name);
        let header = HeaderName::from_str(&name).map_err(|_| broken("is not a header name"))?;
        if is_the_clients_own(&header) {
            return Err(broken("is set by the HTTP client itself"));
        }
        if self.0.iter().any(|(known, _)| *known.header() == header) {
            return Err(broken("is named twice"));
        }
        // The error leaves out the template, since its literal text may be a secret.
        let template: Template = template.parse().map_err(broken)?;
        template.check_names()?;
        Arc::make_mut(&mut self.0).push((Name::new(header, name), template));
        Ok(self)
    }

    /// Puts a client id in the place of `{client_id}`. Without that place, all clients share the headers.
    #[cfg(feature = "client-credentials")]
    pub(crate) fn bind(mut self, id: &crate::ClientId) -> Self {
        if self.needs_client_id() {
            for (_, template) in Arc::make_mut(&mut self.0) {
                template.bind(id);
            }
        }
        self
    }

    fn needs_client_id(&self) -> bool {
        self.values().any(|it| *it == Placeholder::ClientId)
    }

    /// A header must carry the token, a token must fill every placeholder, and literal text must be valid in a header.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if self.needs_client_id() {
            return Err(ConfigError::new(
                "headers",
                "`{client_id}` needs a client id; with a fetcher of your own, write the id itself",
            ));
        }
        self.check_texts()
    }

    /// The same check before a client id is known, for tokens with exactly these extras.
    #[cfg(feature = "client-credentials")]
    pub(crate) fn check_for(&self, extras: &[String]) -> Result<(), ConfigError> {
        let is_unknown = |it: &&Placeholder| match it {
            Placeholder::Extra(name) => !extras.iter().any(|known| **known == **name),
            Placeholder::Token | Placeholder::ClientId => false,
        };
        if let Some(unknown) = self.values().find(is_unknown) {
            let extras = extras.iter().map(|name| format!(", `{{{name}}}`"));
            let known = extras.collect::<String>();
            let rule = format!(
                "no token brings this; write `{{token}}`, `{{client_id}}`{known}, or name it in `response.extras` or `header_values`"
            );
            return Err(ConfigError::new("headers", rule).given(&unknown.to_string()));
        }
        self.check_texts()
    }

    fn check_texts(&self) -> Result<(), ConfigError> {
        let broken = |(_, template): &&(Name, Template)| !template.literals().all(fits_a_header);
        if let Some((name, _)) = self.0.iter().find(broken) {
            let error = ConfigError::new("headers", "must be visible ASCII");
            return Err(error.given(name.header().as_str()));
        }
        if !self.values().any(|it| *it == Placeholder::Token) {
            let error = ConfigError::new("headers", "must hold `{token}` somewhere");
            return Err(match self.values().next() {
                Some(other) => error.given(&other.to_string()),
                None => error,
            });
        }
        Ok(())
    }

    fn values(&self) -> impl Iterator<Item = &Placeholder> {
        self.0.iter().flat_map(|(_, template)| template.values())
    }

    /// The finished headers of one token.
    pub(crate) fn render(&self, token: &Token) -> Result<Rendered, FetchError> {
        let headers = self.0.iter();
        let filled = headers.map(|(name, template)| Ok((name.clone(), template.fill(token)?)));
        Rendered::new(filled.collect::<Result<_, FetchError>>()?)
    }
}

impl Default for TokenHeaders {
    fn default() -> Self {
        Self::bearer()
    }
}

impl<'de> Deserialize<'de> for TokenHeaders {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let map = BTreeMap::<String, String>::deserialize(Table {
            deserializer,
            shape: r#"`headers = { Authorization = "Bearer {token}" }`"#,
        })?;
        map.into_iter()
            .try_fold(Self::none(), |headers, (name, template)| {
                headers.with(name, &template)
            })
            .map_err(de::Error::custom)
    }
}

impl Serialize for TokenHeaders {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let pair =
            |(name, template): &(Name, Template)| (name.header().to_string(), template.to_string());
        // Sorted, like the table that they are read from.
        let pairs: BTreeMap<_, _> = self.0.iter().map(pair).collect();
        pairs.serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};

    use super::*;
    use crate::ClientId;

    fn rendered(headers: &TokenHeaders, token: &Token) -> Vec<(String, String)> {
        let rendered = headers.render(token).unwrap();
        let pairs = rendered.pairs();
        assert!(pairs.iter().all(|(_, value)| value.is_sensitive()));
        let text = |(name, value): &(HeaderName, HeaderValue)| {
            (name.to_string(), value.to_str().unwrap().to_owned())
        };
        pairs.iter().map(text).collect()
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn bearer_raw_and_anbimas_pair() {
        let token = Token::new("abc");
        let raw = TokenHeaders::none()
            .with("Authorization", "{token}")
            .unwrap();
        let anbima = TokenHeaders::none()
            .with("client_id", "{client_id}")
            .and_then(|headers| headers.with("access_token", "{token}"))
            .unwrap()
            .bind(&ClientId::new("me").unwrap());

        assert_eq!(
            rendered(&TokenHeaders::bearer(), &token),
            [pair("authorization", "Bearer abc")]
        );
        assert_eq!(rendered(&raw, &token), [pair("authorization", "abc")]);
        assert_eq!(
            rendered(&anbima, &token),
            [pair("client_id", "me"), pair("access_token", "abc")]
        );
    }

    #[test]
    fn an_extra_is_filled_or_missed() {
        let headers = TokenHeaders::bearer()
            .with("jwt_token", "{jwt_token}")
            .unwrap();
        let whole = Token::new("abc").with_extra("jwt_token", "xyz");
        assert_eq!(rendered(&headers, &whole)[1], pair("jwt_token", "xyz"));
        assert!(headers.render(&Token::new("abc")).is_err());
    }

    #[test]
    fn bytes_that_no_header_may_hold_are_a_typed_error() {
        for bad in ["a\r\nb", "a\nb", "a\tb", "ü", "a\0", "a\u{7f}"] {
            assert!(
                TokenHeaders::bearer().render(&Token::new(bad)).is_err(),
                "{bad:?}"
            );
        }
    }

    #[test]
    fn an_existing_header_is_replaced() {
        let mut headers = HeaderMap::new();
        headers.append(AUTHORIZATION, HeaderValue::from_static("one"));
        headers.append(AUTHORIZATION, HeaderValue::from_static("two"));
        let rendered = TokenHeaders::bearer().render(&Token::new("abc")).unwrap();
        rendered.attach(&mut headers);
        let all: Vec<_> = headers.get_all(AUTHORIZATION).iter().collect();
        assert_eq!(all, ["Bearer abc"]);
    }

    #[test]
    fn mistakes_in_templates_are_named() {
        for template in ["{token", "token}", "{}", "{token}}"] {
            let error = TokenHeaders::none().with("x", template).unwrap_err();
            assert_eq!(error.field(), "headers", "{template}");
            assert!(error.to_string().contains("`{token}`"), "{error}");
        }
        for hidden in [
            "{jwt\u{1b}[2J}",
            "{jwt\n}",
            "{j\u{200b}wt}",
            "{token\u{202e}}",
        ] {
            let error = TokenHeaders::none().with("x", hidden).unwrap_err();
            assert!(error.rule().contains("U+"), "{error}");
            assert!(!error.to_string().contains(char::is_control), "{error}");
        }
        assert!(TokenHeaders::none().with("bad name", "{token}").is_err());
        assert!(
            TokenHeaders::bearer()
                .with("Authorization", "{token}")
                .is_err()
        );
        assert!(TokenHeaders::none().check().is_err());
        assert!(
            TokenHeaders::bearer()
                .with("id", "{client_id}")
                .unwrap()
                .check()
                .is_err()
        );
    }
}
