use std::{fmt, time::Duration};

use http::StatusCode;

use crate::{
    error::{FailureClass, FetchError, FetchErrorKind},
    policy::Policy,
    token::{ObtainedFrom, Token},
};

/// What an attempt shows of the token endpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Nothing: the endpoint was not asked.
    NotAsked,
    /// It answers: with a token, or with a denial that concerns this client only.
    Answered,
    /// All clients are to wait: this long, if it said so.
    Wait(Option<Duration>, Why),
    /// No answer, or none that is of use.
    Failed(Why),
}

/// Why the clients of an endpoint wait.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    Status(StatusCode),
    Asked,
    NoAnswer,
}

impl Said {
    /// `draw` lengthens the wait that the endpoint asked for, as the source's own is.
    pub(super) fn of(answer: &Result<Token, FetchError>, policy: &Policy, draw: f64) -> Self {
        let error = match answer {
            Ok(token) if token.obtained_from() == ObtainedFrom::Store => return Self::NotAsked,
            Ok(_) => return Self::Answered,
            Err(error) => error,
        };
        if error.look_again_after().is_some() || error.kind() == FetchErrorKind::Signer {
            return Self::NotAsked;
        }
        let asked = error
            .retry_after()
            .filter(|wait| !wait.is_zero())
            .map(|wait| policy.believed_retry_after(wait, draw));
        if asked.is_some() || error.status() == Some(StatusCode::TOO_MANY_REQUESTS) {
            return Self::Wait(asked, Why::of(error, Why::Asked));
        }
        match error.class() {
            FailureClass::Transient => Self::Failed(Why::of(error, Why::NoAnswer)),
            FailureClass::Unclear | FailureClass::Permanent => Self::Answered,
        }
    }
}

impl Why {
    fn of(error: &FetchError, without_status: Self) -> Self {
        error.status().map_or(without_status, Self::Status)
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => {
                write!(f, "the token endpoint answered HTTP {}", status.as_u16())
            }
            Self::Asked => f.write_str("the token endpoint asked to wait"),
            Self::NoAnswer => f.write_str("the token endpoint did not answer"),
        }
    }
}
