use std::{error::Error, iter, time::Duration};

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use http::{HeaderValue, StatusCode, header::RETRY_AFTER, response::Parts};
use tower_oauth::OAuthError;

/// Why there is no answer from a bank, in terms that our own caller can act on. The bank's text goes to the log only.
#[derive(Debug)]
pub(super) struct Failure {
    bank: String,
    status: StatusCode,
    reason: &'static str,
    retry_after: Option<HeaderValue>,
}

impl Failure {
    /// The call failed: there is no token, or the bank could not be reached.
    pub(super) fn of_call(bank: String, error: &(dyn Error + 'static)) -> Self {
        let Some(oauth) = OAuthError::find(error) else {
            return Self::of_client(bank, error);
        };
        eprintln!("{oauth}");
        let status = oauth.suggested_status();
        let wait = oauth.retry_after();
        let wait = wait.filter(|_| status == StatusCode::SERVICE_UNAVAILABLE);
        Self {
            bank,
            status,
            reason: oauth.kind().as_str(),
            retry_after: wait.map(seconds),
        }
    }

    /// The HTTP client's own error.
    fn of_client(bank: String, error: &(dyn Error + 'static)) -> Self {
        eprintln!("{bank}: {}", chain(error));
        let (status, reason) = match is_timeout(error) {
            true => (StatusCode::GATEWAY_TIMEOUT, "timeout"),
            false => (StatusCode::BAD_GATEWAY, "unreachable"),
        };
        Self {
            bank,
            status,
            reason,
            retry_after: None,
        }
    }

    /// The bank answered with an error that our caller cannot fix. A 401 or 403 is about our credentials, not the
    /// caller's.
    pub(super) fn of_answer(bank: String, head: &Parts) -> Self {
        eprintln!("{bank}: its API answered {}", head.status);
        let (status, reason) = match head.status {
            StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
                (StatusCode::SERVICE_UNAVAILABLE, "busy")
            }
            _ => (StatusCode::BAD_GATEWAY, "bad_answer"),
        };
        let retry_after = head.headers.get(RETRY_AFTER).cloned();
        Self {
            bank,
            status,
            reason,
            retry_after: retry_after.filter(|_| status == StatusCode::SERVICE_UNAVAILABLE),
        }
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let body = serde_json::json!({ "bank": self.bank, "error": self.reason });
        let retry_after = self.retry_after.map(|it| [(RETRY_AFTER, it)]);
        (self.status, retry_after, Json(body)).into_response()
    }
}

/// Rounded up, so that it is never before the source's next attempt.
fn seconds(wait: Duration) -> HeaderValue {
    HeaderValue::from(wait.as_secs() + 1)
}

fn is_timeout(error: &(dyn Error + 'static)) -> bool {
    causes(error).any(|cause| {
        let client = cause.downcast_ref::<reqwest::Error>();
        cause.is::<tower::timeout::error::Elapsed>() || client.is_some_and(|it| it.is_timeout())
    })
}

fn chain(error: &(dyn Error + 'static)) -> String {
    let causes: Vec<_> = causes(error).map(|cause| cause.to_string()).collect();
    causes.join(": ")
}

fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    iter::successors(Some(error), |&cause| cause.source())
}
