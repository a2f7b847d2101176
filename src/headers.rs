//! Which headers carry the token, as templates over what a token brings.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    str::FromStr,
    sync::{Mutex, PoisonError},
};

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header::AUTHORIZATION};
use serde::{Deserialize, Deserializer, Serialize, de};
use zeroize::Zeroizing;

use crate::{
    error::{ConfigError, FetchError},
    lane::{self, Alone, LANES},
    secret::ClientId,
    table::Table,
    token::Token,
};

/// The headers that an API wants to see the token in.
///
/// A template is literal text with `{token}`, `{client_id}` or the name of a secondary value, such as `{jwt_token}`,
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
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(into = "BTreeMap<String, String>")]
pub struct TokenHeaders(Vec<(HeaderName, Template)>);

impl TokenHeaders {
    /// `Authorization: Bearer {token}` (RFC 6750 §2.1), the default.
    pub fn bearer() -> Self {
        let bearer = [
            Part::Literal("Bearer ".into()),
            Part::Value(Placeholder::Token),
        ];
        Self(vec![(AUTHORIZATION, Template(bearer.into()))])
    }

    /// No header yet: the start of a list that [`with`](Self::with) makes.
    pub fn none() -> Self {
        Self(Vec::new())
    }

    /// Adds a header.
    ///
    /// # Errors
    ///
    /// When the name is no header name, is there already or is set by the HTTP client itself (`host`, `content-length`,
    /// `connection` and the like), or the template's braces do not match.
    pub fn with(mut self, name: &str, template: &str) -> Result<Self, ConfigError> {
        let broken = |rule| ConfigError::new("headers", rule).given(name);
        let header = HeaderName::from_str(name).map_err(|_| broken("is not a header name"))?;
        if is_the_clients_own(&header) {
            return Err(broken("is set by the HTTP client itself"));
        }
        if self.0.iter().any(|(known, _)| *known == header) {
            return Err(broken("is named twice"));
        }
        // Without the template, whose literal text may be a secret.
        let template = template.parse();
        self.0.push((header, template.map_err(broken)?));
        Ok(self)
    }

    /// Puts a client id in the place of `{client_id}`.
    pub(crate) fn bind(mut self, id: &ClientId) -> Self {
        for (_, template) in &mut self.0 {
            template.bind(id);
        }
        self
    }

    /// Some header must carry the token, no placeholder may be left that a token cannot fill, and what is written out
    /// must fit into a header.
    pub(crate) fn check(&self) -> Result<(), ConfigError> {
        if self.values().any(|it| *it == Placeholder::ClientId) {
            return Err(ConfigError::new(
                "headers",
                "`{client_id}` needs a client id; with a fetcher of your own, write the id itself",
            ));
        }
        self.check_texts()
    }

    /// The same before a client id is known, where a token is known to bring these values and no others.
    pub(crate) fn check_for(&self, secondaries: &[String]) -> Result<(), ConfigError> {
        let is_unknown = |it: &&Placeholder| match it {
            Placeholder::Secondary(name) => !secondaries.iter().any(|known| **known == **name),
            Placeholder::Token | Placeholder::ClientId => false,
        };
        if let Some(unknown) = self.values().find(is_unknown) {
            let secondaries = secondaries.iter().map(|name| format!(", `{{{name}}}`"));
            let known = secondaries.collect::<String>();
            let rule = format!(
                "no token brings this; write `{{token}}`, `{{client_id}}`{known}, or name it in `response.secondaries`"
            );
            return Err(ConfigError::new("headers", rule).given(&unknown.to_string()));
        }
        self.check_texts()
    }

    fn check_texts(&self) -> Result<(), ConfigError> {
        let broken =
            |(_, template): &&(HeaderName, Template)| !template.literals().all(fits_a_header);
        if let Some((name, _)) = self.0.iter().find(broken) {
            let error = ConfigError::new("headers", "must be visible ASCII");
            return Err(error.given(name.as_str()));
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
        let lanes: Result<Vec<_>, _> = (0..LANES).map(|_| self.render_lane(token)).collect();
        Ok(Rendered(lanes?.into()))
    }

    fn render_lane(&self, token: &Token) -> Result<Lane, FetchError> {
        let pairs = self
            .0
            .iter()
            .map(|(name, template)| Ok((uncounted(name), template.render(token)?)));
        Ok(Alone(pairs.collect::<Result<_, FetchError>>()?))
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
        map.try_into().map_err(de::Error::custom)
    }
}

impl TryFrom<BTreeMap<String, String>> for TokenHeaders {
    type Error = ConfigError;

    fn try_from(map: BTreeMap<String, String>) -> Result<Self, ConfigError> {
        map.iter()
            .try_fold(Self::none(), |headers, (name, template)| {
                headers.with(name, template)
            })
    }
}

impl From<TokenHeaders> for BTreeMap<String, String> {
    fn from(headers: TokenHeaders) -> Self {
        let pair =
            |(name, template): (HeaderName, Template)| (name.to_string(), template.to_string());
        headers.0.into_iter().map(pair).collect()
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Template(Vec<Part>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Part {
    Literal(Box<str>),
    Value(Placeholder),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Placeholder {
    Token,
    ClientId,
    Secondary(Box<str>),
}

impl Placeholder {
    fn named(name: &str) -> Result<Self, &'static str> {
        match name {
            "token" => Ok(Self::Token),
            "client_id" => Ok(Self::ClientId),
            "" => Err(UNMATCHED),
            name => Ok(Self::Secondary(name.into())),
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Token => "token",
            Self::ClientId => "client_id",
            Self::Secondary(name) => name,
        }
    }

    fn fill<'a>(&self, token: &'a Token) -> Result<&'a str, FetchError> {
        match self {
            Self::Token => Ok(token.expose()),
            Self::ClientId => Err(FetchError::malformed("no client id to put into a header")),
            Self::Secondary(name) => token.expose_secondary(name).ok_or_else(|| {
                FetchError::malformed(format!(
                    "the answer holds no `{name}`, which a header needs"
                ))
            }),
        }
    }
}

impl fmt::Display for Placeholder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{{{}}}", self.name())
    }
}

impl Template {
    fn values(&self) -> impl Iterator<Item = &Placeholder> {
        self.0.iter().filter_map(|part| match part {
            Part::Value(placeholder) => Some(placeholder),
            Part::Literal(_) => None,
        })
    }

    fn literals(&self) -> impl Iterator<Item = &str> {
        self.0.iter().filter_map(|part| match part {
            Part::Literal(literal) => Some(&**literal),
            Part::Value(_) => None,
        })
    }

    fn bind(&mut self, id: &ClientId) {
        for part in &mut self.0 {
            if *part == Part::Value(Placeholder::ClientId) {
                *part = Part::Literal(id.as_str().into());
            }
        }
    }

    fn render(&self, token: &Token) -> Result<HeaderValue, FetchError> {
        let parts = self.0.iter().map(|part| match part {
            Part::Literal(literal) => Ok(&**literal),
            Part::Value(placeholder) => placeholder.fill(token),
        });
        // In one go: a string that grows leaves copies behind.
        let text = Zeroizing::new(parts.collect::<Result<Vec<_>, _>>()?.concat());
        if !fits_a_header(&text) {
            return Err(FetchError::malformed(
                "the token holds bytes that no header may hold",
            ));
        }
        let mut value = HeaderValue::from_maybe_shared(Bytes::from_owner(Alone(Text(text))))
            .map_err(|_| FetchError::malformed("the token does not fit into a header"))?;
        value.set_sensitive(true);
        Ok(value)
    }
}

impl FromStr for Template {
    type Err = &'static str;

    fn from_str(mut text: &str) -> Result<Self, &'static str> {
        let mut parts = Vec::new();
        while let Some(open) = text.find(['{', '}']) {
            let (literal, rest) = text.split_at(open);
            let (name, after) = rest
                .strip_prefix('{')
                .and_then(|rest| rest.split_once('}'))
                .ok_or(UNMATCHED)?;
            push_literal(&mut parts, literal);
            parts.push(Part::Value(Placeholder::named(name)?));
            text = after;
        }
        push_literal(&mut parts, text);
        Ok(Self(parts))
    }
}

impl fmt::Display for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|part| match part {
            Part::Literal(literal) => f.write_str(literal),
            Part::Value(placeholder) => placeholder.fmt(f),
        })
    }
}

/// What frames a message or belongs to one connection (RFC 9110 §6.6, §7.2, §7.6.1): the HTTP client sets it, and another
/// value makes the server see another request.
const OF_THE_CLIENT: [&str; 9] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

pub(crate) fn is_the_clients_own(name: &HeaderName) -> bool {
    OF_THE_CLIENT.contains(&name.as_str())
}

/// `HeaderValue` lets bytes from 0x80 on pass; no token and no proxy on the way is known to want them.
pub(crate) fn fits_a_header(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

fn push_literal(parts: &mut Vec<Part>, literal: &str) {
    if !literal.is_empty() {
        parts.push(Part::Literal(literal.into()));
    }
}

const UNMATCHED: &str = "braces must come in pairs around a name, such as `{token}`";

/// The same name, in a form whose clones count no references: a static one. Its text is kept for good, which is little,
/// since names come from configuration; past 64 of them the further ones are counted, lane by lane.
fn uncounted(name: &HeaderName) -> HeaderName {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    const MOST_NAMES: usize = 64;

    let text = name.as_str();
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(text) {
        return HeaderName::from_static(known);
    }
    if names.len() >= MOST_NAMES {
        return HeaderName::from_bytes(text.as_bytes()).unwrap_or(name.clone());
    }
    let kept: &'static str = Box::leak(text.into());
    names.insert(kept);
    HeaderName::from_static(kept)
}

/// The bytes of a header's value: zeroized when the last request that carries them is done.
struct Text(Zeroizing<String>);

impl AsRef<[u8]> for Text {
    fn as_ref(&self) -> &[u8] {
        self.0.as_bytes()
    }
}

type Lane = Alone<Vec<(HeaderName, HeaderValue)>>;

/// A token's headers, marked sensitive, once for each lane.
pub(crate) struct Rendered(Box<[Lane]>);

impl Rendered {
    /// Those of the thread's own lane.
    #[inline]
    pub(crate) fn pairs(&self) -> &[(HeaderName, HeaderValue)] {
        &self.0[lane::of_this_thread()]
    }

    /// Puts them on a request; the values are shared, not copied.
    #[inline]
    pub(crate) fn attach(&self, headers: &mut HeaderMap) {
        for (name, value) in self.pairs() {
            headers.insert(name.clone(), value.clone());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_secondary_is_filled_or_missed() {
        let headers = TokenHeaders::bearer()
            .with("jwt_token", "{jwt_token}")
            .unwrap();
        let whole = Token::new("abc").secondary("jwt_token", "xyz");
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
