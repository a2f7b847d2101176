//! Classifies a failed answer of the token endpoint.

use std::time::Duration;

use http::StatusCode;

use crate::{
    FailureClass, FetchError, FetchErrorKind,
    client_credentials::dialect::{AssertionUse, Dialect, FailureRow, Proof},
};

/// The RFC 6749 §5.2 codes that another attempt cannot fix.
const PERMANENT: [&str; 5] = [
    "invalid_client",
    "unauthorized_client",
    "invalid_scope",
    "unsupported_grant_type",
    "invalid_request",
];

/// RFC 6749 §4.1.2.1: the server fails. Some servers send it from the token endpoint, and with a 4xx.
const PASSING: [&str; 2] = ["temporarily_unavailable", "server_error"];

/// RFC 8628 §3.5, and the codes of other servers for the same.
const TOO_MANY: [&str; 4] = [
    "slow_down",
    "too_many_requests",
    "rate_limit_exceeded",
    "rate_limited",
];

/// What RFC 8628 §3.5 asks for with `slow_down`.
const SLOWER: Duration = Duration::from_secs(5);

pub(in crate::client_credentials) const CHECK_URL: &str = "Check the token URL";

const CHECK_ASSERTION: &str = "Check client id, environment, and that the bank has the public key; then `kid`, `audience` and `claims` of `assertion`";

/// The cause of a failed answer.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Blame {
    /// The request or the credentials.
    Request,
    /// There is no token endpoint at this URL, or none that takes a POST.
    Url,
    TooMany,
    Server,
}

/// The error for an answer that is no token, without its code, its description and its `Retry-After`. The code is read
/// without regard to ASCII case: some servers write `TEMPORARILY_UNAVAILABLE`.
pub(super) fn denial(
    dialect: &Dialect,
    status: StatusCode,
    code: Option<&str>,
    attempt: u32,
) -> FetchError {
    let code = code.map(str::to_ascii_lowercase);
    let code = code.as_deref();
    let class = match classify(&dialect.failures, status, code, attempt) {
        // RFC 7523 §3.1: the server does not accept the assertion that is the grant.
        FailureClass::Unclear if code == Some("invalid_grant") && is_grant(dialect) => {
            FailureClass::Permanent
        }
        class => class,
    };
    let blame = blame(status, code);
    let (kind, what) = match blame {
        Blame::Request => (FetchErrorKind::Denied, "token request denied"),
        Blame::Url => (
            FetchErrorKind::Denied,
            "token request denied: there is no token endpoint at this path",
        ),
        Blame::TooMany => (
            FetchErrorKind::Denied,
            "token request denied: too many requests",
        ),
        Blame::Server => (
            FetchErrorKind::Unavailable,
            "the token endpoint is out of order",
        ),
    };
    let advice = match blame {
        Blame::Request if dialect.client_certificate && may_be_the_certificate(status, code) => {
            CHECK_CERTIFICATE_FIRST
        }
        Blame::Request => what_to_check(dialect.proof(), status, code, class),
        Blame::Url => CHECK_URL,
        Blame::TooMany => "If it stays, look for other processes that use the same client id",
        Blame::Server => "There is nothing to fix on this side",
    };
    let error = FetchError::new(class, kind, what).with_advice(advice);
    match blame {
        Blame::TooMany if status != StatusCode::TOO_MANY_REQUESTS => error.with_retry_after(SLOWER),
        _ => error,
    }
}

fn is_grant(dialect: &Dialect) -> bool {
    dialect.assertion_use() == Some(AssertionUse::Grant)
}

const CHECK_CERTIFICATE_FIRST: &str = "Check the client certificate first: that it is sent, is this environment's and has not \
     expired. This endpoint wants mTLS, and answers so without it. Then check client id, secret and environment";

/// Itaú answers 401 and Bradesco 403 without a code to a missing or wrong certificate.
pub(in crate::client_credentials) fn may_be_the_certificate(
    status: StatusCode,
    code: Option<&str>,
) -> bool {
    code.is_none() && [StatusCode::UNAUTHORIZED, StatusCode::FORBIDDEN].contains(&status)
}

fn blame(status: StatusCode, code: Option<&str>) -> Blame {
    let says = |codes: &[&str]| code.is_some_and(|code| codes.contains(&code));
    match status.as_u16() {
        _ if says(&PERMANENT) => Blame::Request,
        _ if says(&TOO_MANY) => Blame::TooMany,
        429 => Blame::TooMany,
        _ if says(&PASSING) => Blame::Server,
        500..=599 => Blame::Server,
        404 | 405 | 410 => Blame::Url,
        _ => Blame::Request,
    }
}

fn what_to_check(
    proof: Proof,
    status: StatusCode,
    code: Option<&str>,
    class: FailureClass,
) -> &'static str {
    let by_certificate = proof == Proof::Certificate;
    let by_assertion = proof == Proof::Assertion;
    match (code, status.as_u16()) {
        (_, 415) => "Check `body`: the server does not take this content type",
        (Some("invalid_scope"), _) => "Check the scopes, and that the client may have them",
        (Some("unsupported_grant_type"), _) => "Check `grant`",
        (Some("unauthorized_client"), _) => {
            "Check the client id and the environment, and that the client may use the client-credentials grant"
        }
        (Some("invalid_target"), _) => "Check `token_params`: `audience` or `resource`",
        (Some("invalid_client" | "invalid_grant"), _) if by_assertion => CHECK_ASSERTION,
        (None, 401 | 403) if by_assertion => {
            "Check client id, key, `kid`, `audience` and environment; some servers answer so to too many requests"
        }
        (Some("invalid_client"), _) if by_certificate => {
            "Check client id, client certificate and environment"
        }
        (Some("invalid_client"), _) => "Check client id, secret and environment",
        (None, 401 | 403) if by_certificate => {
            "Check client id, client certificate and environment; some servers answer so to too many requests"
        }
        (None, 401 | 403) => {
            "Check client id, secret and environment, and `credentials`; some servers answer so to too many requests"
        }
        (Some(code), _) if code != "invalid_request" && class == FailureClass::Unclear => {
            "See what the server's documentation says about this code, and say in `failures` whether it passes"
        }
        (Some(code), _) if code != "invalid_request" => {
            "See what the server's documentation says about this code"
        }
        _ if by_assertion => {
            "Check `assertion` (`use`, `algorithm`, `audience`, `claims`), `body`, `grant` and `token_params`"
        }
        _ => {
            "Check `credentials` (the place, and for Basic `basic_encoded` or `basic_raw`), `body`, `grant` and \
             `token_params`"
        }
    }
}

fn classify(
    rows: &[FailureRow],
    status: StatusCode,
    code: Option<&str>,
    attempt: u32,
) -> FailureClass {
    if let Some(row) = rows.iter().find(|row| row.fits(status, code, attempt)) {
        return row.class;
    }
    let says = |codes: &[&str]| code.is_some_and(|code| codes.contains(&code));
    match status.as_u16() {
        _ if says(&PERMANENT) => FailureClass::Permanent,
        _ if says(&PASSING) || says(&TOO_MANY) => FailureClass::Transient,
        408 | 425 | 429 | 500..=599 => FailureClass::Transient,
        404 | 405 | 410 => FailureClass::Permanent,
        _ => FailureClass::Unclear,
    }
}

#[cfg(test)]
mod tests {
    use super::{FailureClass::*, *};

    fn class(rows: &[FailureRow], status: u16, code: Option<&str>) -> FailureClass {
        classify(rows, StatusCode::from_u16(status).unwrap(), code, 1)
    }

    #[test]
    fn codes_speak_before_statuses() {
        for (status, code, expected) in [
            (400, Some("invalid_client"), Permanent),
            (401, Some("invalid_client"), Permanent),
            (200, Some("invalid_scope"), Permanent),
            (500, Some("invalid_request"), Permanent),
            (400, Some("unsupported_grant_type"), Permanent),
            (400, Some("unauthorized_client"), Permanent),
            (400, Some("temporarily_unavailable"), Transient),
            (403, Some("server_error"), Transient),
            (200, Some("server_error"), Transient),
            (400, Some("slow_down"), Transient),
            (404, Some("rate_limit_exceeded"), Transient),
            (404, Some("invalid_client"), Permanent),
            (400, Some("try_later"), Unclear),
            (400, None, Unclear),
            (401, None, Unclear),
            (403, None, Unclear),
            (404, None, Permanent),
            (405, None, Permanent),
            (410, None, Permanent),
            (404, Some("x"), Permanent),
            (415, None, Unclear),
            (302, None, Unclear),
            (408, None, Transient),
            (425, None, Transient),
            (429, None, Transient),
            (500, None, Transient),
            (503, Some("server_error"), Transient),
        ] {
            assert_eq!(class(&[], status, code), expected, "{status} {code:?}");
        }
    }

    #[test]
    fn a_providers_rows_speak_first() {
        let row = |status, error: Option<&str>, class| FailureRow {
            status,
            error: error.map(Into::into),
            class,
            attempts: None,
        };
        let rows = [
            row(400, Some("LIMIT"), Transient),
            row(403, None, Permanent),
            row(403, Some("LIMIT"), Transient),
        ];
        assert_eq!(class(&rows, 400, Some("LIMIT")), Transient);
        assert_eq!(class(&rows, 400, None), Unclear);
        assert_eq!(class(&rows, 403, Some("LIMIT")), Permanent);
    }

    #[test]
    fn codes_are_read_without_regard_to_case() {
        let mut dialect = Dialect::new("bank", "https://login.example/token");
        let class = |dialect: &Dialect, status: u16, code| {
            denial(
                dialect,
                StatusCode::from_u16(status).unwrap(),
                Some(code),
                1,
            )
            .class()
        };
        for (status, code, expected) in [
            (400, "TEMPORARILY_UNAVAILABLE", Transient),
            (400, "Server_Error", Transient),
            (400, "SLOW_DOWN", Transient),
            (500, "INVALID_CLIENT", Permanent),
            (400, "Invalid_Scope", Permanent),
        ] {
            assert_eq!(class(&dialect, status, code), expected, "{code}");
        }
        let advice = |code| {
            let error = denial(&dialect, StatusCode::BAD_REQUEST, Some(code), 1);
            error.advice().unwrap().to_owned()
        };
        assert_eq!(advice("INVALID_SCOPE"), advice("invalid_scope"));
        dialect.failures = vec![FailureRow::new(400, Transient).with_error("Limit")];
        assert_eq!(class(&dialect, 400, "LIMIT"), Transient);
        assert_eq!(class(&dialect, 400, "limit"), Transient);
        assert_eq!(class(&dialect, 400, "limits"), Unclear);
    }

    #[test]
    fn a_code_that_a_row_classes_is_not_asked_about() {
        let mut dialect = Dialect::new("bank", "https://login.example/token");
        let advice = |dialect: &Dialect| {
            let error = denial(dialect, StatusCode::UNAUTHORIZED, Some("CREDENCIAL"), 1);
            error.advice().unwrap().to_owned()
        };
        assert!(advice(&dialect).contains("say in `failures`"));
        dialect.failures = vec![FailureRow {
            status: 401,
            error: Some("CREDENCIAL".into()),
            class: Permanent,
            attempts: None,
        }];
        assert!(!advice(&dialect).contains("`failures`"));
    }
}
