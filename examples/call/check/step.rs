//! What a step is, and what it found.

use std::{fmt::Display, time::Duration};

use serde::Serialize;
use serde_json::{Map, Value};

/// To whom the way leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Target {
    TokenEndpoint,
    Api,
}

impl Target {
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::TokenEndpoint => "token endpoint",
            Self::Api => "API",
        }
    }
}

/// A step by its name in the report.
#[derive(Clone, Copy)]
pub(super) struct Kind {
    pub(super) name: &'static str,
    /// What to do if it takes too long.
    late: &'static str,
}

impl Kind {
    pub(super) const SETTINGS: Self = Self::new("settings", "");
    pub(super) const NAME: Self = Self::new("name", "Check this machine's name servers.");
    pub(super) const TCP: Self = Self::new(
        "tcp",
        "Nothing answers at that port. Check the port, and whether a firewall is in between.",
    );
    pub(super) const TLS: Self = Self::new(
        "tls",
        "The server accepted the connection and does not answer. Check that the port speaks TLS.",
    );
    pub(super) const CLIENT_CERTIFICATE: Self = Self::new("client_certificate", "");
    pub(super) const CLOCK: Self = Self::new("clock", "");
    pub(super) const REQUEST: Self = Self::new("token_request", "");
    pub(super) const LIFE: Self = Self::new("life", "");
    pub(super) const SCOPES: Self = Self::new("scopes", "");
    pub(super) const CALL: Self = Self::new(
        "call",
        "Check that the API answers; --timeout sets how long it may take.",
    );

    /// The steps to any server.
    pub(super) const NETWORK: [Self; 5] = [
        Self::NAME,
        Self::TCP,
        Self::TLS,
        Self::CLIENT_CERTIFICATE,
        Self::CLOCK,
    ];
    /// Those that get a token and look at it.
    pub(super) const TOKEN: [Self; 3] = [Self::REQUEST, Self::LIFE, Self::SCOPES];

    const fn new(name: &'static str, late: &'static str) -> Self {
        Self { name, late }
    }

    pub(super) fn timed_out(self, limit: Duration) -> Finding {
        Finding::failed(format!("not done within {limit:?}"), self.late)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    Skipped,
    Ok,
    Warning,
    Failed,
}

impl Verdict {
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Failed => "failed",
        }
    }
}

/// What a step found.
pub(super) struct Finding {
    pub(super) verdict: Verdict,
    pub(super) detail: String,
    pub(super) remedy: Option<String>,
    /// The same in values, for programs.
    pub(super) facts: Map<String, Value>,
}

impl Finding {
    pub(super) fn ok(detail: impl Display) -> Self {
        Self::new(Verdict::Ok, detail, None)
    }

    pub(super) fn skipped(reason: impl Display) -> Self {
        Self::new(Verdict::Skipped, reason, None)
    }

    pub(super) fn warning(detail: impl Display, remedy: impl Into<String>) -> Self {
        Self::new(Verdict::Warning, detail, Some(remedy.into()))
    }

    pub(super) fn failed(detail: impl Display, remedy: impl Into<String>) -> Self {
        Self::new(Verdict::Failed, detail, Some(remedy.into()))
    }

    fn new(verdict: Verdict, detail: impl Display, remedy: Option<String>) -> Self {
        Self {
            verdict,
            detail: detail.to_string(),
            remedy,
            facts: Map::new(),
        }
    }

    pub(super) fn fact(mut self, name: &str, value: impl Into<Value>) -> Self {
        self.facts.insert(name.to_owned(), value.into());
        self
    }
}
