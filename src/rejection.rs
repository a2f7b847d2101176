//! Which answers of an API mean that it rejects the token.

use std::{fmt, sync::Arc};

use http::{HeaderMap, HeaderName, StatusCode, header::WWW_AUTHENTICATE};

const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");

/// How certain it is that a response rejects the token.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Rejection {
    /// The token is bad. It is suspended, and further requests wait for a new one.
    Definite,
    /// The token may be bad, or the request may not be allowed (ANBIMA's 403). One new token is fetched while the
    /// current one stays in use.
    Ambiguous,
}

/// Decides which responses reject the token. Default: a `401`, definite.
///
/// A `403` with `WWW-Authenticate: Bearer error="insufficient_scope"` (RFC 6750 §3.1) never counts: a new token would
/// have the same scopes.
///
/// # Examples
///
/// ```
/// use http::StatusCode;
/// use tower_oauth::{Rejection, RejectionRule};
///
/// // By status alone.
/// let anbima = RejectionRule::statuses([StatusCode::UNAUTHORIZED], [StatusCode::FORBIDDEN]);
///
/// // By anything in the response's head.
/// let serpro = RejectionRule::by(|status, headers| match status.as_u16() {
///     401 => Some(Rejection::Definite),
///     403 if headers.contains_key("x-token-expired") => Some(Rejection::Definite),
///     _ => None,
/// });
/// ```
#[derive(Clone)]
pub struct RejectionRule(Rule);

type Predicate = dyn Fn(StatusCode, &HeaderMap) -> Option<Rejection> + Send + Sync;

#[derive(Clone)]
enum Rule {
    Statuses {
        definite: Arc<[StatusCode]>,
        ambiguous: Arc<[StatusCode]>,
    },
    Predicate(Arc<Predicate>),
}

impl RejectionRule {
    /// Creates a rule by status: the definite rejections, and the ambiguous ones.
    pub fn statuses(
        definite: impl IntoIterator<Item = StatusCode>,
        ambiguous: impl IntoIterator<Item = StatusCode>,
    ) -> Self {
        Self(Rule::Statuses {
            definite: definite.into_iter().collect(),
            ambiguous: ambiguous.into_iter().collect(),
        })
    }

    /// Creates a rule by a function of the response's head. It runs on every response: keep it short.
    pub fn by(
        predicate: impl Fn(StatusCode, &HeaderMap) -> Option<Rejection> + Send + Sync + 'static,
    ) -> Self {
        Self(Rule::Predicate(Arc::new(predicate)))
    }

    /// Creates the rule for gRPC. A definite rejection is the status `UNAUTHENTICATED` in the headers of the response, or a
    /// `401` of a proxy.
    ///
    /// A status that comes after messages, in the trailers, is not seen: [the guide](crate::guide::grpc) shows how to
    /// report it.
    ///
    /// # Examples
    ///
    /// ```
    /// # use tower::service_fn;
    /// # use tower_oauth::{BoxError, RejectionRule, Token, TokenRequest, TokenSource};
    /// # let fetcher = service_fn(async |_: TokenRequest| Ok::<_, BoxError>(Token::new("abc")));
    /// let source = TokenSource::builder(fetcher)
    ///     .origin("https://grpc.example")
    ///     .rejection(RejectionRule::grpc())
    ///     .build()?;
    /// # Ok::<(), BoxError>(())
    /// ```
    pub fn grpc() -> Self {
        Self::by(|status, headers| {
            let unauthenticated = headers.get(GRPC_STATUS).is_some_and(|code| code == "16");
            let rejects = status == StatusCode::UNAUTHORIZED || unauthenticated;
            rejects.then_some(Rejection::Definite)
        })
    }

    #[inline]
    pub(crate) fn judge(&self, status: StatusCode, headers: &HeaderMap) -> Option<Rejection> {
        let rejection = match &self.0 {
            // One comparison is enough for most responses.
            Rule::Statuses { .. } if status.is_success() => return None,
            Rule::Statuses { definite, .. } if definite.contains(&status) => Rejection::Definite,
            Rule::Statuses { ambiguous, .. } if ambiguous.contains(&status) => Rejection::Ambiguous,
            Rule::Statuses { .. } => return None,
            Rule::Predicate(predicate) => predicate(status, headers)?,
        };
        (!lacks_scope(headers)).then_some(rejection)
    }
}

impl Default for RejectionRule {
    fn default() -> Self {
        Self::statuses([StatusCode::UNAUTHORIZED], [])
    }
}

impl fmt::Debug for RejectionRule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Rule::Statuses {
                definite,
                ambiguous,
            } => f
                .debug_struct("RejectionRule")
                .field("definite", definite)
                .field("ambiguous", ambiguous)
                .finish(),
            Rule::Predicate(_) => f.write_str("RejectionRule(a predicate)"),
        }
    }
}

/// Whether a Bearer challenge says that the token is good and its scopes are not enough.
fn lacks_scope(headers: &HeaderMap) -> bool {
    headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        // Lossy: a description in Portuguese must not hide the parameter beside it.
        .any(|value| challenge_lacks_scope(&String::from_utf8_lossy(value.as_bytes())))
}

/// A scheme stands before the first of its own parameters, and one line may hold several (RFC 9110 §11.6.1). What is
/// not to the letter is read as well: an address without quotes must not hide the parameter beside it.
fn challenge_lacks_scope(line: &str) -> bool {
    let mut scheme = "";
    parameters(line).any(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        let name = match name.trim().split_once(' ') {
            Some((begun, name)) => {
                scheme = begun;
                name.trim_start()
            }
            None if value.is_empty() => {
                scheme = name.trim();
                return false;
            }
            None => name.trim(),
        };
        let value = value.trim().trim_matches('"');
        scheme.eq_ignore_ascii_case("bearer")
            && name.eq_ignore_ascii_case("error")
            && value.eq_ignore_ascii_case("insufficient_scope")
    })
}

/// The parameters of a line: split at commas, but for those inside quotes, where a backslash escapes a quote.
fn parameters(line: &str) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    line.split(move |it| {
        let literal = std::mem::take(&mut escaped);
        match it {
            '\\' if quoted => escaped = !literal,
            '"' if !literal => quoted = !quoted,
            _ => {}
        }
        it == ',' && !quoted
    })
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn judge(
        rule: &RejectionRule,
        status: u16,
        challenge: Option<&'static str>,
    ) -> Option<Rejection> {
        let mut headers = HeaderMap::new();
        if let Some(challenge) = challenge {
            let challenge = HeaderValue::from_bytes(challenge.as_bytes()).unwrap();
            headers.insert(WWW_AUTHENTICATE, challenge);
        }
        rule.judge(StatusCode::from_u16(status).unwrap(), &headers)
    }

    #[test]
    fn by_default_only_a_401_counts() {
        let rule = RejectionRule::default();
        assert_eq!(judge(&rule, 401, None), Some(Rejection::Definite));
        for status in [200, 204, 302, 400, 403, 407, 500] {
            assert_eq!(judge(&rule, status, None), None, "{status}");
        }
    }

    /// The names and numbers are gRPC's: OK, PERMISSION_DENIED, UNAVAILABLE, UNAUTHENTICATED.
    #[test]
    fn for_grpc_unauthenticated_counts_and_no_other_status() {
        let rule = RejectionRule::grpc();
        let definite = Some(Rejection::Definite);
        for (http, grpc, expected) in [
            (200, Some("16"), definite),
            (200, Some("0"), None),
            (200, Some("7"), None),
            (200, Some("14"), None),
            (200, Some("161"), None),
            (200, None, None),
            (401, None, definite),
            (403, None, None),
            (503, None, None),
        ] {
            let status = StatusCode::from_u16(http).unwrap();
            let grpc_status = grpc.map(|it| (GRPC_STATUS, HeaderValue::from_static(it)));
            let headers = HeaderMap::from_iter(grpc_status);
            assert_eq!(rule.judge(status, &headers), expected, "{http} {grpc:?}");
        }
    }

    #[test]
    fn insufficient_scope_never_counts() {
        let rule = RejectionRule::statuses([StatusCode::UNAUTHORIZED], [StatusCode::FORBIDDEN]);
        for challenge in [
            r#"Bearer realm="x", error="insufficient_scope""#,
            r#"Bearer error="insufficient_scope", scope="a b""#,
            r#"bearer error=insufficient_scope"#,
            r#"Bearer error="insufficient_scope", error_description="permissão negada""#,
            r#"Basic realm="x", Bearer  error = "insufficient_scope""#,
            r#"Bearer error_description="say \"pix\", or \"cob", error="insufficient_scope""#,
            r#"Bearer realm="C:\\", error="insufficient_scope""#,
            r#"Negotiate YII==, Bearer error="insufficient_scope""#,
            r#"Negotiate YII, Bearer error="insufficient_scope""#,
            r#"Bearer error_uri=https://api.example/scopes, error="insufficient_scope""#,
            r#"Bearer realm=, error="insufficient_scope""#,
            r#", Bearer error="insufficient_scope","#,
        ] {
            assert_eq!(judge(&rule, 403, Some(challenge)), None, "{challenge}");
            assert_eq!(judge(&rule, 401, Some(challenge)), None, "{challenge}");
        }
        for challenge in [
            r#"Bearer error="invalid_token""#,
            r#"Bearer realm="insufficient_scope""#,
            r#"Bearer realm="a, error=insufficient_scope""#,
            r#"Bearer realm="a\", error=insufficient_scope""#,
            r#"Basic realm="bearer", error="insufficient_scope""#,
            r#"Bearer realm="x", Digest error="insufficient_scope""#,
            "Basic",
        ] {
            let rejection = judge(&rule, 403, Some(challenge));
            assert_eq!(rejection, Some(Rejection::Ambiguous), "{challenge}");
        }
    }
}
