//! What a server sends back: an answer of the bank, and the ways to send it.

use std::{error::Error, fmt, time::Duration};

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use serde_json::Value;

pub(super) type Body = UnsyncBoxBody<Bytes, Broken>;

/// The error of a body or a service that ends its connection on purpose.
#[derive(Debug)]
pub(super) enum Broken {
    CutOff,
    Reset,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the bank broke the connection off")
    }
}

impl Error for Broken {}

/// What the server does with a request.
pub(super) enum Reply {
    Respond {
        after: Duration,
        response: Response<Body>,
    },
    Hang,
    Reset,
}

impl Reply {
    pub(super) fn respond(response: Response<Body>) -> Self {
        Self::Respond {
            after: Duration::ZERO,
            response,
        }
    }

    pub(super) fn headers_mut(&mut self) -> Option<&mut HeaderMap> {
        match self {
            Self::Respond { response, .. } => Some(response.headers_mut()),
            Self::Hang | Self::Reset => None,
        }
    }
}

pub(super) fn whole(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

/// An answer in JSON. Its members are raw JSON, so that a fault can make any of them anything.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    head: Response<()>,
    members: Vec<(String, String)>,
}

impl Answer {
    pub(super) fn new(status: StatusCode) -> Self {
        let mut head = Response::new(());
        *head.status_mut() = status;
        Self {
            head,
            members: Vec::new(),
        }
        .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
        .header(CACHE_CONTROL, HeaderValue::from_static("no-store"))
    }

    pub(super) fn header(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.head.headers_mut().insert(name, value);
        self
    }

    pub(super) fn member(self, name: &str, value: impl Into<Value>) -> Self {
        self.raw_member(name, value.into().to_string())
    }

    /// Sets a member, in the place of the one of that name if there is one.
    pub(super) fn raw_member(mut self, name: &str, json: String) -> Self {
        match self.members.iter_mut().find(|(known, _)| known == name) {
            Some((_, old)) => *old = json,
            None => self.members.push((name.to_owned(), json)),
        }
        self
    }

    pub(super) fn without(mut self, name: &str) -> Self {
        self.members.retain(|(known, _)| known != name);
        self
    }

    /// The response, its body made of the JSON text.
    pub(super) fn into_response(self, body: impl FnOnce(Bytes) -> Body) -> Response<Body> {
        let json = Bytes::from(self.json());
        self.head.map(|()| body(json))
    }

    fn json(&self) -> String {
        let members = self
            .members
            .iter()
            .map(|(name, json)| format!("{}:{json}", Value::from(name.as_str())));
        format!("{{{}}}", members.collect::<Vec<_>>().join(","))
    }
}

impl From<Answer> for Reply {
    fn from(answer: Answer) -> Self {
        Self::respond(answer.into_response(whole))
    }
}
