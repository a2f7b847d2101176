//! Every bad answer of a token endpoint, and what is to be made of each.

use http::StatusCode;
use tower_oauth::{
    FailureClass::{self, Permanent, Transient, Unclear},
    OAuthError,
    testing::Fault,
};

/// In every body here, and in nothing that may be shown.
pub(crate) const CANARY: &str = "c4n4ry";

/// How every token of the banks begins.
pub(crate) const TOKEN: &str = "eyJhbGci";

/// An answer, and what is to be made of it.
pub(crate) struct Bad {
    pub(crate) fault: Fault,
    kind: &'static str,
    class: FailureClass,
    status: Option<u16>,
    code: Option<&'static str>,
    pub(crate) says: &'static str,
}

impl Bad {
    /// An answer that claims success and holds no usable token.
    fn malformed(fault: Fault, says: &'static str) -> Self {
        Self {
            fault,
            kind: "malformed",
            class: Unclear,
            status: Some(200),
            code: None,
            says,
        }
    }

    /// An answer that ends before it holds a token.
    fn cut_short(fault: Fault, says: &'static str) -> Self {
        Self {
            class: Transient,
            ..Self::malformed(fault, says)
        }
    }

    fn denied(status: u16, code: Option<&'static str>, class: FailureClass) -> Self {
        let token = format!("{TOKEN}.{CANARY}.{CANARY}");
        let json = code
            .map(|code| format!(r#"{{"error":"{code}","error_description":"no good: {token}"}}"#));
        let page = || format!("<html>{CANARY}</html>");
        let answer = StatusCode::from_u16(status).unwrap();
        let (kind, says) = match status {
            500.. => ("unavailable", "the token endpoint is out of order"),
            _ if code == Some("server_error") => {
                ("unavailable", "the token endpoint is out of order")
            }
            429 => ("denied", "token request denied: too many requests"),
            404 | 405 => (
                "denied",
                "token request denied: there is no token endpoint at this path",
            ),
            _ => ("denied", "token request denied"),
        };
        Self {
            fault: Fault::answer(answer, json.unwrap_or_else(page)),
            kind,
            class,
            status: Some(status),
            code,
            says,
        }
    }

    fn broken_off(fault: Fault, status: Option<u16>) -> Self {
        Self {
            fault,
            kind: "unavailable",
            class: Transient,
            status,
            code: None,
            says: "the connection to the token endpoint broke",
        }
    }

    /// Only what may pass is tried again at once, and a 429 that names no wait is not. A token without life is asked
    /// for again whatever its class: there may be another in a moment.
    pub(crate) fn attempts(&self) -> u64 {
        let is_without_life = ["not above zero", "already passed"];
        match self.class {
            _ if is_without_life.iter().any(|it| self.says.contains(it)) => 4,
            Transient if self.status != Some(429) => 3,
            _ => 1,
        }
    }

    #[track_caller]
    pub(crate) fn assert_is(&self, error: &OAuthError, case: &str) {
        let fetch = error.fetch_error().unwrap();
        assert_eq!(error.kind().as_str(), self.kind, "{case}");
        assert_eq!(error.class(), Some(self.class), "{case}");
        assert_eq!(fetch.code(), self.code, "{case}");
        let status = fetch.status().map(|status| match status.as_u16() {
            201 => 200, // ANBIMA's word for success
            status => status,
        });
        assert_eq!(status, self.status, "{case}");
        assert!(error.retry_at().is_some(), "{case}");
    }
}

fn denials() -> Vec<Bad> {
    vec![
        Bad::denied(200, Some("invalid_client"), Permanent),
        Bad::denied(200, Some("try_later"), Unclear),
        Bad::denied(400, Some("invalid_client"), Permanent),
        Bad::denied(401, Some("invalid_client"), Permanent),
        Bad::denied(400, Some("invalid_scope"), Permanent),
        Bad::denied(400, None, Unclear),
        Bad::denied(401, None, Unclear),
        Bad::denied(403, None, Unclear),
        Bad::denied(404, None, Permanent),
        Bad::denied(405, None, Permanent),
        Bad::denied(400, Some("server_error"), Transient),
        Bad::denied(429, None, Transient),
        Bad::denied(500, None, Transient),
        Bad::denied(503, Some("temporarily_unavailable"), Transient),
        Bad {
            fault: Fault::error_in_good_answer("invalid_client"),
            ..Bad::denied(200, Some("invalid_client"), Permanent)
        },
    ]
}

fn broken_connections() -> Vec<Bad> {
    vec![
        Bad::broken_off(Fault::Reset, None),
        Bad::broken_off(Fault::CutOff, Some(200)),
    ]
}

fn bodies_that_are_no_token() -> Vec<Bad> {
    let ok = |body: String| Fault::answer(StatusCode::OK, body);
    vec![
        Bad::malformed(
            Fault::html(),
            "the answer is HTML or XML; check the token URL",
        ),
        Bad::cut_short(Fault::status(StatusCode::OK), "the answer is empty"),
        Bad::cut_short(Fault::Truncated, "the answer breaks off"),
        Bad::malformed(Fault::oversized(), "the answer is longer than 64 KiB"),
        Bad::malformed(ok(format!("token={CANARY}")), "the answer is not JSON"),
        Bad::malformed(
            ok(format!("[\"{CANARY}\"]")),
            "the answer is JSON, but no object",
        ),
        Bad::malformed(ok("{}".into()), "the answer's `access_token` is missing"),
    ]
}

fn odd_tokens() -> Vec<Bad> {
    let odd = |json, says| Bad::malformed(Fault::access_token(json), says);
    vec![
        odd("\"\"", "the answer's `access_token` is empty"),
        odd("null", "the answer's `access_token` is not a string"),
        odd("42", "the answer's `access_token` is not a string"),
        odd(
            "[\"c4n4ry\"]",
            "the answer's `access_token` is not a string",
        ),
        odd(
            "\"c4n4ry\\r\\nx: y\"",
            "the answer's `access_token` holds bytes that no header may hold",
        ),
        odd(
            "\"c4n4ry\\u00fc\"",
            "the answer's `access_token` holds bytes that no header may hold",
        ),
        odd(
            "\"c4n4ry\\u0000\"",
            "the answer's `access_token` holds bytes that no header may hold",
        ),
    ]
}

fn odd_expiries() -> Vec<Bad> {
    let odd = |json, says| Bad::malformed(Fault::expires_in(json), says);
    vec![
        odd("0", "the answer's `expires_in` is not above zero"),
        odd("-3600", "the answer's `expires_in` is not above zero"),
        odd("\"-1\"", "the answer's `expires_in` is not above zero"),
        odd("1600000000", "the answer's `expires_in` has already passed"),
        odd(
            "\"2020-01-01T00:00:00.000Z\"",
            "the answer's `expires_in` has already passed",
        ),
    ]
}

fn tokens_that_need_a_proof() -> Vec<Bad> {
    let typed = |json: &str, says| Bad {
        class: Permanent,
        ..Bad::malformed(Fault::Member("token_type".into(), json.into()), says)
    };
    vec![
        typed("\"DPoP\"", "the answer's `token_type` is `dpop`"),
        typed("\"mac\"", "the answer's `token_type` is `mac`"),
    ]
}

pub(crate) fn every_bad_answer() -> Vec<Bad> {
    [
        denials(),
        broken_connections(),
        bodies_that_are_no_token(),
        odd_tokens(),
        odd_expiries(),
        tokens_that_need_a_proof(),
    ]
    .into_iter()
    .flatten()
    .collect()
}
