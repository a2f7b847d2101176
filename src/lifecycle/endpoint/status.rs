use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::state::State;
use crate::lifecycle::{
    clock::Now,
    status::{as_seconds, as_timestamp},
};

/// A token endpoint's state at one moment, for health pages and metrics. [`TokenEndpoint::status`] returns it.
///
/// [`TokenEndpoint::status`]: super::TokenEndpoint::status
///
/// # Examples
///
/// ```
/// use tower_oauth::TokenEndpoint;
///
/// let endpoint = TokenEndpoint::builder("efi").build()?;
/// let page = serde_json::to_value(endpoint.status()).unwrap();
/// assert_eq!((&page["name"], &page["waiting"]), (&"efi".into(), &0.into()));
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct TokenEndpointStatus {
    /// The endpoint's name.
    pub name: String,
    /// How many fetches wait for their turn.
    pub waiting: usize,
    /// How many attempts are under way.
    pub under_way: usize,
    /// Until when no attempt is made, while the endpoint is paused.
    #[serde(serialize_with = "as_timestamp")]
    pub paused_until: Option<SystemTime>,
    /// How long it is still paused.
    #[serde(rename = "pause_left_s", serialize_with = "as_seconds")]
    pub pause_left: Option<Duration>,
    /// Why it is paused.
    pub pause_reason: Option<String>,
    /// Attempts since the endpoint was built. Those that a store answered do not count.
    pub attempts: u64,
    /// Pauses since the endpoint was built.
    pub pauses: u64,
    /// Fetches that failed without a token request, because the endpoint was paused for too long.
    pub held_back: u64,
}

impl TokenEndpointStatus {
    pub(super) fn of(name: &str, state: &State, now: Now) -> Self {
        let pause = state.paused(now.monotonic);
        let left = pause.map(|pause| pause.until.saturating_sub(now.monotonic));
        Self {
            name: name.to_owned(),
            waiting: state.waiting(),
            under_way: state.under_way(),
            paused_until: left.map(|left| now.after(left).wall_time()),
            pause_left: left,
            pause_reason: pause.map(|pause| pause.why.to_string()),
            attempts: state.count.attempts,
            pauses: state.count.pauses,
            held_back: state.count.held_back,
        }
    }
}
