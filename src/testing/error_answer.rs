//! The answer to a request that a bank does not serve.

use std::time::Duration;

use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{ALLOW, RETRY_AFTER, WWW_AUTHENTICATE},
};

use super::reply::Answer;

/// An error as the answer, and the reason for it. The reason never repeats a value of the request.
#[derive(Clone, Debug)]
pub(super) struct ErrorAnswer {
    pub(super) status: StatusCode,
    pub(super) reason: String,
    error: &'static str,
    header: Option<(HeaderName, HeaderValue)>,
}

impl ErrorAnswer {
    pub(super) fn new(status: StatusCode, error: &'static str, reason: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.into(),
            error,
            header: None,
        }
    }

    pub(super) fn invalid_request(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_request", reason)
    }

    pub(super) fn method_not_allowed() -> Self {
        let answer = Self::new(
            StatusCode::METHOD_NOT_ALLOWED,
            "invalid_request",
            "the method must be POST",
        );
        answer.header(ALLOW, "POST")
    }

    pub(super) fn invalid_client(reason: impl Into<String>) -> Self {
        Self::new(StatusCode::UNAUTHORIZED, "invalid_client", reason)
    }

    pub(super) fn invalid_scope(reason: &'static str) -> Self {
        Self::new(StatusCode::BAD_REQUEST, "invalid_scope", reason)
    }

    /// `Retry-After` has whole seconds, so it is rounded up.
    pub(super) fn too_many_requests(reason: String, wait: Duration) -> Self {
        let seconds = wait.as_secs() + u64::from(wait.subsec_nanos() > 0);
        Self {
            header: Some((RETRY_AFTER, HeaderValue::from(seconds))),
            ..Self::new(StatusCode::TOO_MANY_REQUESTS, "too_many_requests", reason)
        }
    }

    pub(super) fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "not_found",
            "the bank has no such path",
        )
    }

    pub(super) fn challenge(self, challenge: &'static str) -> Self {
        self.header(WWW_AUTHENTICATE, challenge)
    }

    fn header(mut self, name: HeaderName, value: &'static str) -> Self {
        self.header = Some((name, HeaderValue::from_static(value)));
        self
    }
}

impl From<ErrorAnswer> for Answer {
    fn from(error: ErrorAnswer) -> Self {
        let answer = Self::new(error.status).member("error", error.error);
        match error.header {
            Some((name, value)) => answer.header(name, value),
            None => answer,
        }
    }
}

/// The one value of a header that may be there once at most.
pub(super) fn single<'a>(
    headers: &'a HeaderMap,
    name: &HeaderName,
) -> Result<Option<&'a [u8]>, ErrorAnswer> {
    let mut values = headers.get_all(name).iter();
    let value = values.next().map(HeaderValue::as_bytes);
    match values.next() {
        None => Ok(value),
        Some(_) => Err(ErrorAnswer::invalid_request(format!(
            "{name} is there twice"
        ))),
    }
}
