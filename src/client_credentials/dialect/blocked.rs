//! Statuses by which a token endpoint says that it blocks a client.

use std::time::Duration;

/// Statuses that mean "blocked": more requests make it worse.
///
/// The source sends no token request for the wait, and errors say that the endpoint blocks the client. Redirects are
/// allowed here: Caixa answers 302 to what it takes for a robot. Do not name a status that also denies credentials,
/// unless waiting is right for both.
///
/// # Examples
///
/// ```
/// use std::time::Duration;
/// use tower_oauth::client_credentials::Blocked;
///
/// let blocked: Blocked = toml::from_str(r#"
///     statuses = [302, 403]
///     wait = "15m"
/// "#)?;
/// assert_eq!(blocked, Blocked::new([302, 403], Duration::from_secs(900)));
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Blocked {
    /// The statuses, 300 to 599.
    pub statuses: Vec<u16>,
    /// How long the source waits, unless `Retry-After` says it. At most a day.
    pub wait: Duration,
}

impl Blocked {
    /// Takes the statuses and the wait.
    pub fn new(statuses: impl IntoIterator<Item = u16>, wait: Duration) -> Self {
        Self {
            statuses: statuses.into_iter().collect(),
            wait,
        }
    }
}
