//! Records one attempt at the token endpoint, without secrets and tokens.

mod answer;
mod display;
mod json;
mod observer;
mod recorder;
mod redact;
mod request;

use std::sync::Arc;

use http::{Method, StatusCode};

pub(super) use self::{
    observer::Observer,
    recorder::{Recorder, Recording},
};

/// One HTTP request to the token endpoint and its answer, without secrets and tokens.
///
/// [`ClientCredentialsBuilder::on_attempt`](super::ClientCredentialsBuilder::on_attempt) passes one to your function
/// after each attempt. Use it to see why a new bank denies a request, or for a diagnosis page. Its `Display` has the
/// style of `curl -v`, and escapes control characters, so it is safe on a terminal.
///
/// It never holds the client's secret, a secret field or header, or the token. It also leaves out everything else in
/// the answer that could be a token: members and headers with such a name, cookies, and long texts without a blank. An
/// answer that is not a JSON object is shown only if it is an error: a 2xx of that kind may be a bare token.
#[derive(Clone, Debug)]
pub struct AttemptRecord {
    attempt: u32,
    request: Arc<RequestRecord>,
    answer: Result<AnswerRecord, String>,
}

impl AttemptRecord {
    /// Which attempt of its fetch it is, from 1.
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// The method of the request.
    pub fn method(&self) -> &Method {
        &self.request.method
    }

    /// The token URL: origin and path, and the names of its query. The values of the query are left out.
    pub fn url(&self) -> &str {
        &self.request.url
    }

    /// The headers of the request. What the transport adds on its own, such as `host`, is not among them.
    pub fn request_headers(&self) -> &[RecordedValue] {
        &self.request.headers
    }

    /// The fields of the request's body, in their order.
    pub fn request_fields(&self) -> &[RecordedValue] {
        &self.request.fields
    }

    /// The status of the answer, if there was an answer.
    pub fn status(&self) -> Option<StatusCode> {
        self.answer.as_ref().ok().map(|answer| answer.status)
    }

    /// The headers of the answer: at most 64.
    pub fn answer_headers(&self) -> &[RecordedValue] {
        self.answer.as_ref().map_or(&[], |answer| &answer.headers)
    }

    /// The members of the answer, in their order: at most 64. Those of an inner object or array follow one another
    /// under names such as `errors[0].code`. Empty if the answer is not a JSON object.
    pub fn answer_members(&self) -> &[RecordedValue] {
        match &self.answer {
            Ok(answer) => answer.members(),
            Err(_) => &[],
        }
    }

    /// Why there is no answer: the transport's error with its causes, or that the source gave the attempt up
    /// (`timeouts.attempt`, or the source was shut down).
    pub fn no_answer(&self) -> Option<&str> {
        self.answer.as_ref().err().map(String::as_str)
    }
}

/// A header, a field or a member as it may be shown.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RecordedValue {
    /// Its name, cut to 256 characters.
    pub name: String,
    /// Its JSON type: `text`, `number`, `boolean`, `null`, `object` or `array`. Headers and the fields of a form are
    /// `text`.
    pub kind: &'static str,
    /// Its value, cut to 256 characters; empty for an object, an array and `null`. `None`: the value is secret. A
    /// secret part of the value reads `[elided]`. Control characters are not escaped.
    pub text: Option<String>,
    /// How many characters it has, if it is a text. For a secret of the request it is `None`.
    pub length: Option<usize>,
}

#[derive(Debug)]
struct RequestRecord {
    method: Method,
    url: String,
    headers: Vec<RecordedValue>,
    encoding: &'static str,
    fields: Vec<RecordedValue>,
}

#[derive(Clone, Debug)]
struct AnswerRecord {
    status: StatusCode,
    headers: Vec<RecordedValue>,
    body: AnswerBody,
}

#[derive(Clone, Debug)]
enum AnswerBody {
    Empty,
    Members(Vec<RecordedValue>),
    /// An error that is not a JSON object: the beginning of its text.
    Text(String),
    /// Not a JSON object, and not shown.
    Hidden {
        bytes: usize,
        why: &'static str,
    },
    Unreadable(String),
}

impl AnswerRecord {
    fn members(&self) -> &[RecordedValue] {
        match &self.body {
            AnswerBody::Members(members) => members,
            _ => &[],
        }
    }
}
