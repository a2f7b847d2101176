//! The events of the lifecycle for `tracing`. Levels: `INFO` for a new token (about two lines per lifetime), `WARN` for
//! a failed fetch and for one that outlasts a suspension (bounded by the back-off), `DEBUG` for everything else.

use std::{fmt, time::Duration};

use tracing::{Span, debug, field, info, info_span, warn};

use super::core::{Core, Installed};
use crate::{
    duration::millis,
    error::{FetchError, OAuthError},
    rejection::Rejection,
    token::{FetchCause, Generation},
};

/// A root span: a fetch belongs to the source and not to the request that happened to start it.
pub(crate) fn fetch_span(core: &Core, cause: FetchCause) -> Span {
    info_span!(
        parent: None,
        "token_fetch",
        provider = &*core.config.name,
        cause = cause.as_str(),
        outcome = field::Empty,
    )
}

pub(crate) fn attempt_failed(attempt: u32, error: &FetchError, wait: Duration) {
    debug!(
        attempt,
        class = error.class().as_str(),
        kind = error.kind().as_str(),
        error = %error,
        cause = error.cause(),
        wait_ms = millis(wait),
        "token attempt failed, trying again"
    );
}

pub(crate) fn fetched(attempts: u32, installed: &Installed, lifetime: Duration, took: Duration) {
    let repeated = installed.repeated;
    Span::current().record("outcome", if repeated { "repeated" } else { "new" });
    info!(
        attempts,
        generation = installed.issued.generation.get(),
        lifetime_s = lifetime.as_secs(),
        repeated,
        obtained_from = installed.issued.token.obtained_from().as_str(),
        duration_ms = millis(took),
        "token fetched"
    );
}

/// A fetch that was held back by its endpoint's pause is one of many, and the pause has its own `WARN`.
pub(crate) fn held_back(error: &OAuthError) {
    Span::current().record("outcome", "held_back");
    debug!(error = %error, "token fetch held back, backing off");
}

/// At most once for each pause.
pub(crate) fn endpoint_paused(endpoint: &str, why: &dyn fmt::Display, wait: Duration) {
    warn!(
        endpoint,
        wait_ms = millis(wait),
        reason = %why,
        "the token endpoint is paused for all its clients"
    );
}

pub(crate) fn fetch_failed(error: &OAuthError, took: Duration) {
    Span::current().record("outcome", "failed");
    warn!(
        class = error.class().map(|class| class.as_str()),
        kind = error.kind().as_str(),
        error = %error,
        duration_ms = millis(took),
        "token fetch failed, backing off"
    );
}

/// `remedy`: what the request may be retried with.
pub(crate) fn rejected(
    core: &Core,
    generation: Generation,
    rejection: Rejection,
    remedy: &'static str,
) {
    debug!(
        provider = &*core.config.name,
        generation = generation.get(),
        rejection = ?rejection,
        remedy,
        "the API rejected a token"
    );
}

/// At most once for each fetch: a token that is restored is not suspended again.
pub(crate) fn restored(core: &Core, generation: Generation) {
    warn!(
        provider = &*core.config.name,
        generation = generation.get(),
        "the fetch takes longer than suspended_wait: the rejected token is used until it ends"
    );
}

/// At most once for each back-off.
pub(crate) fn credential_changed(core: &Core) {
    info!(
        provider = &*core.config.name,
        "the denied credential was replaced, ending the back-off"
    );
}

pub(crate) fn retried(core: &Core, from: Generation, to: Generation) {
    debug!(
        provider = &*core.config.name,
        from = from.get(),
        to = to.get(),
        "request retried with a newer token"
    );
}
