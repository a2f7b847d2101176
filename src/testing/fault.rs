use std::{collections::VecDeque, time::Duration};

use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{CONTENT_LENGTH, CONTENT_TYPE, LOCATION, RETRY_AFTER},
};
use serde_json::Value;

use super::{
    broken_body::{cut_off, drip},
    reply::{Answer, Body, Reply, whole},
};

/// Longer than the 64 KiB that the crate reads of a token answer.
const OVERSIZED: usize = 64 * 1024 + 1;

/// What can go wrong at a bank.
///
/// With the first three the bank does not look at the request: it issues no token and checks none. With the others it
/// handles the request, and the fault spoils its answer.
///
/// # Examples
///
/// ```
/// use http::StatusCode;
/// use tower_oauth::testing::Fault;
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let bank = tower_oauth::testing::Bank::avista().start().await?;
/// // The next two token requests fail, the third succeeds.
/// bank.token_faults([
///     Fault::retry_after(StatusCode::TOO_MANY_REQUESTS, "2"),
///     Fault::oauth_error(StatusCode::BAD_REQUEST, "invalid_client"),
/// ]);
/// # Ok::<(), std::io::Error>(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Fault {
    /// Answers this.
    Answer(Response<Bytes>),
    /// Takes the request and never answers.
    Hang,
    /// Resets the connection (TCP RST).
    Reset,
    /// Answers that much later. The bank issues the token before the wait, so its lifetime begins before it.
    Delay(Duration),
    /// Sends one byte of the body per interval.
    Drip(Duration),
    /// Announces the whole body, sends half of it and closes the connection.
    CutOff,
    /// Sends half of the JSON as a complete body.
    Truncated,
    /// Sets a member of the JSON to any text, valid JSON or not.
    Member(String, String),
    /// Leaves a member of the JSON out.
    Without(String),
}

impl Fault {
    /// Answers with a status and nothing else.
    pub fn status(status: StatusCode) -> Self {
        Self::answer(status, Bytes::new())
    }

    /// Answers with a status and a `Retry-After`: seconds, an HTTP date, or any other text.
    ///
    /// # Panics
    ///
    /// Panics if the text is not a header value.
    pub fn retry_after(status: StatusCode, retry_after: &str) -> Self {
        Self::status(status).with(RETRY_AFTER, retry_after)
    }

    /// Answers with a status and an RFC 6749 §5.2 error, such as `invalid_client`, in its JSON.
    pub fn oauth_error(status: StatusCode, code: &str) -> Self {
        let json = serde_json::json!({ "error": code }).to_string();
        Self::answer(status, json).with(CONTENT_TYPE, "application/json")
    }

    /// Answers with a status and any body.
    pub fn answer(status: StatusCode, body: impl Into<Bytes>) -> Self {
        let mut response = Response::new(body.into());
        *response.status_mut() = status;
        Self::Answer(response)
    }

    /// Answers 200 with a page of HTML, like a proxy's login page.
    pub fn html() -> Self {
        Self::answer(StatusCode::OK, "<!doctype html><title>Log in</title>")
            .with(CONTENT_TYPE, "text/html; charset=utf-8")
    }

    /// Answers with a redirect: 301, 302, 303, 307 or 308, and its target.
    ///
    /// # Panics
    ///
    /// Panics if the URL is not a header value.
    pub fn redirect(status: StatusCode, to: &str) -> Self {
        Self::status(status).with(LOCATION, to)
    }

    /// Answers with a token in a body of more than 64 KiB.
    pub fn oversized() -> Self {
        Self::text_member("padding", &"x".repeat(OVERSIZED))
    }

    /// Answers with a token, and any JSON as its `expires_in`.
    pub fn expires_in(json: &str) -> Self {
        Self::Member("expires_in".into(), json.into())
    }

    /// Answers with any JSON as the `access_token`, such as `""`, `null` or `42`.
    pub fn access_token(json: &str) -> Self {
        Self::Member("access_token".into(), json.into())
    }

    /// Answers with a token and an `error` member.
    pub fn error_in_good_answer(code: &str) -> Self {
        Self::text_member("error", code)
    }

    fn with(mut self, name: HeaderName, value: &str) -> Self {
        if let Self::Answer(response) = &mut self {
            let value = HeaderValue::from_str(value).expect("a header value");
            response.headers_mut().insert(name, value);
        }
        self
    }

    fn text_member(name: &str, text: &str) -> Self {
        Self::Member(name.into(), Value::from(text).to_string())
    }

    /// The reply with this fault, if the bank would answer `answer`.
    fn apply(self, answer: impl FnOnce() -> Answer) -> Reply {
        match self {
            Self::Answer(response) => Reply::respond(response.map(whole)),
            Self::Hang => Reply::Hang,
            Self::Reset => Reply::Reset,
            Self::Delay(after) => Reply::Respond {
                after,
                response: answer().into_response(whole),
            },
            Self::Drip(every) => Reply::respond(answer().into_response(|bytes| drip(bytes, every))),
            Self::CutOff => Reply::respond(cut_in_half(answer())),
            Self::Truncated => Reply::respond(answer().into_response(|bytes| whole(half(bytes)))),
            Self::Member(name, json) => answer().raw_member(&name, json).into(),
            Self::Without(name) => answer().without(&name).into(),
        }
    }
}

/// The reply to a request, with the fault that it met, if any.
pub(super) fn reply(fault: Option<Fault>, answer: impl FnOnce() -> Answer) -> Reply {
    match fault {
        Some(fault) => fault.apply(answer),
        None => answer().into(),
    }
}

fn half(bytes: Bytes) -> Bytes {
    bytes.slice(..bytes.len() / 2)
}

fn cut_in_half(answer: Answer) -> Response<Body> {
    let mut announced = 0;
    let mut response = answer.into_response(|bytes| {
        announced = bytes.len();
        cut_off(half(bytes))
    });
    let length = HeaderValue::from(announced);
    response.headers_mut().insert(CONTENT_LENGTH, length);
    response
}

/// The faults that one side of a bank has left.
#[derive(Debug, Default)]
pub(super) struct Faults {
    queued: VecDeque<Fault>,
    permanent: Option<Fault>,
}

impl Faults {
    pub(super) fn queue(&mut self, faults: impl IntoIterator<Item = Fault>) {
        self.queued.extend(faults);
    }

    pub(super) fn set_permanent(&mut self, fault: Fault) {
        self.permanent = Some(fault);
    }

    pub(super) fn next(&mut self) -> Option<Fault> {
        self.queued.pop_front().or_else(|| self.permanent.clone())
    }
}
