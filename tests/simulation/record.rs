//! What one run saw, in the words of those outside the crate: the bank, the API, the callers.

use http::Method;
use tower_oauth::{FailureClass, FetchCause};

/// Nanoseconds since the run began.
pub(crate) type Nanos = i64;

/// A moment: its place among all events, and the time by every clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct At {
    pub(crate) order: u64,
    pub(crate) mono: Nanos,
    pub(crate) wall: Nanos,
    /// The time that really passed, suspends included: the bank's.
    pub(crate) truth: Nanos,
}

#[derive(Debug, Default)]
pub(crate) struct Record {
    pub(crate) attempts: Vec<Attempt>,
    pub(crate) callers: Vec<Caller>,
    pub(crate) invalidated: Vec<(At, u64)>,
    pub(crate) retried_now: Vec<At>,
    pub(crate) steps_back: Vec<At>,
    pub(crate) steps_forward: u64,
    pub(crate) suspends: u64,
    pub(crate) revocations: u64,
    /// When the source was shut down or its last handle dropped.
    pub(crate) ended: Option<At>,
    pub(crate) calm: Option<Calm>,
    pub(crate) left_over: LeftOver,
    pub(crate) most_under_way: u32,
    pub(crate) under_way: u32,
    pub(crate) finished: Option<At>,
}

/// One token request, as the token endpoint saw it.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) at: At,
    /// From 1 within each fetch.
    pub(crate) number: u32,
    pub(crate) cause: FetchCause,
    pub(crate) end: Option<(At, End)>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum End {
    Token(Grant),
    Failed {
        class: FailureClass,
        retry_after: Option<Nanos>,
    },
    /// The client went away.
    Cut,
}

/// A token as it was handed out.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Grant {
    /// `token-1` is 1.
    pub(crate) serial: u64,
    /// The lifetime that the answer comes to, before any limit of the client's.
    pub(crate) lifetime: Nanos,
    /// How old the token is already, by the answer.
    pub(crate) age: Nanos,
    /// When the bank stops taking it, in true time.
    pub(crate) true_until: Nanos,
}

/// Somebody who wanted a token, for a request or in the hand.
#[derive(Debug)]
pub(crate) struct Caller {
    pub(crate) wish: Wish,
    pub(crate) at: At,
    /// A request's arrivals at the API.
    pub(crate) arrivals: Vec<Arrival>,
    pub(crate) end: Option<(At, Outcome)>,
}

#[derive(Clone, Debug)]
pub(crate) enum Wish {
    Token,
    Request { method: Method, mode: Mode },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    Plain,
    RetryRejected,
    RetryAnyMethod,
}

#[derive(Debug)]
pub(crate) struct Arrival {
    pub(crate) at: At,
    pub(crate) serial: u64,
    /// Nothing when the caller went away before.
    pub(crate) answered: Option<(At, u16)>,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Outcome {
    Token {
        serial: u64,
        generation: u64,
    },
    Response {
        status: u16,
        generation: Option<u64>,
    },
    /// An error of the crate's.
    Rejected {
        kind: &'static str,
    },
    /// The connection to the API broke.
    Broken,
    Cancelled,
    Hung,
}

/// What happened after the last fault.
#[derive(Debug)]
pub(crate) struct Calm {
    pub(crate) at: At,
    pub(crate) first_token: Option<At>,
    /// When requests had been taken again after each further revocation.
    pub(crate) first_success: Option<At>,
}

#[derive(Debug, Default)]
pub(crate) struct LeftOver {
    pub(crate) tasks: usize,
    pub(crate) permits: usize,
    pub(crate) fetches: u32,
}
