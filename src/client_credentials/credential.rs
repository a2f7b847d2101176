//! The token request and its secrets. Secrets that can change are read again for each fetch, and the request is written
//! again when one has changed. A request whose secrets cannot change is written for each attempt and dropped with it: an
//! idle source keeps its secret once.

mod field;

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use http::Request;
use zeroize::Zeroizing;

use self::field::Field;
use super::{
    attempt_record::{Observer, Recorder, Recording},
    dialect::{ClaimValue, Dialect},
    exchange::ToAssert,
    request::{self, Client, Prepared},
    response::{Lifetimes, Reader, Scrubber, Warned},
};
use crate::{BoxError, ClientSecret, ConfigError, FetchError, Secret, TokenRequest, error::text};

/// # Invariants
///
/// 1. An attempt sends, records and removes from answers the secrets of one [`Written`], whatever is read meanwhile.
/// 2. What was read once stays in use until something else can be read and written. What cannot change was written once
///    when it was built, so that it can be written again.
pub(super) struct Credential {
    /// The source's name, for logs.
    name: Arc<str>,
    dialect: Arc<Dialect>,
    /// Without its secret.
    client: Client,
    secrets: Vec<(Field, Secret)>,
    observer: Option<Observer>,
    lifetimes: Lifetimes,
    read_timeout: Duration,
    pub(super) warned: Warned,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// `None` until the first read, and where nothing can change.
    current: Option<Arc<Written>>,
    /// What the last attempt sent.
    sent: Option<Arc<Written>>,
    /// Whether a `WARN` has said that the secrets cannot be read. A good read ends that.
    has_warned: bool,
}

/// A token request, and what reads its answer.
pub(super) struct Written {
    /// In the order of [`Credential::secrets`].
    values: Vec<ClientSecret>,
    /// The secrets as they are sent.
    sent_secrets: Vec<Zeroizing<String>>,
    request: Request<Bytes>,
    /// Those of the client's assertions.
    claims: Arc<BTreeMap<String, ClaimValue>>,
    pub(super) reader: Arc<Reader>,
    recorder: Option<Recorder>,
}

impl Credential {
    pub(super) fn new(dialect: Arc<Dialect>, client: Client, secret: Option<Secret>) -> Self {
        Self {
            name: dialect.name.as_str().into(),
            secrets: field::secrets(&dialect, secret),
            dialect,
            client,
            observer: None,
            lifetimes: Lifetimes::default(),
            read_timeout: Duration::MAX,
            warned: Warned::default(),
            state: Mutex::default(),
        }
    }

    pub(super) fn named(mut self, name: Arc<str>) -> Self {
        self.name = name;
        self
    }

    pub(super) fn observed_by(mut self, observer: Option<Observer>) -> Self {
        self.observer = observer;
        self
    }

    pub(super) fn with_lifetimes(mut self, lifetimes: Lifetimes) -> Self {
        self.lifetimes = lifetimes;
        self
    }

    pub(super) fn with_read_timeout(mut self, timeout: Duration) -> Self {
        self.read_timeout = timeout;
        self
    }

    /// Reads and writes what can be read and written now.
    pub(super) fn checked(self) -> Result<Self, ConfigError> {
        let now = self.secrets.iter().map(|(_, it)| it.read_when_built());
        let now: Vec<_> = now.map(Option::transpose).collect::<Result<_, _>>()?;
        let is_whole = now.iter().all(Option::is_some);
        let values = now
            .into_iter()
            .map(|it| it.unwrap_or_else(|| self.stand_in()));
        let written = self.write(values.collect(), None)?;
        if is_whole && self.can_change() {
            self.state().current = Some(Arc::new(written));
        }
        Ok(self)
    }

    /// For a secret that nobody knows yet, so that all else can be checked.
    fn stand_in(&self) -> ClientSecret {
        let shortest = self.dialect.secret_length.map_or(1, |it| it.min.max(1));
        ClientSecret::new("x".repeat(shortest))
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Whether there is anything to read again.
    pub(super) fn can_change(&self) -> bool {
        self.secrets.iter().any(|(_, secret)| secret.can_change())
    }

    /// What an attempt sends. The first attempt of a fetch reads the secrets anew.
    pub(super) async fn for_attempt(&self, attempt: u32) -> Result<Arc<Written>, FetchError> {
        if !self.can_change() {
            return self.read().await;
        }
        let current = self.state().current.clone();
        let written = match current {
            Some(current) if attempt > 1 => current,
            _ => self.read().await?,
        };
        self.state().sent = Some(Arc::clone(&written));
        Ok(written)
    }

    /// Whether the secrets have changed since the last attempt.
    pub(super) async fn has_changed(&self) -> bool {
        let Ok(now) = self.read().await else {
            return false;
        };
        let sent = self.state().sent.clone();
        sent.is_none_or(|sent| !sent.has(&now.values))
    }

    /// Reads all secrets. Those that cannot be read keep their last value.
    async fn read(&self) -> Result<Arc<Written>, FetchError> {
        let current = self.state().current.clone();
        let mut first_error = None;
        let mut values = Vec::with_capacity(self.secrets.len());
        for (at, (_, secret)) in self.secrets.iter().enumerate() {
            let value = secret.read(self.read_timeout).await;
            values.push(match (value, &current) {
                (Ok(value), _) => value,
                (Err(error), None) => return Err(unreadable(error)),
                (Err(error), Some(current)) => {
                    first_error.get_or_insert(error);
                    current.values[at].clone()
                }
            });
        }
        let written = match current {
            Some(current) if current.has(&values) => current,
            current => match self.write(values, current.as_deref()) {
                Ok(written) => self.replace(written, current.is_some()),
                Err(error) => {
                    let current = current.ok_or_else(|| unreadable(error.clone().into()))?;
                    first_error.get_or_insert(error.into());
                    current
                }
            },
        };
        self.warn_of(first_error, &written);
        Ok(written)
    }

    fn replace(&self, written: Written, is_change: bool) -> Arc<Written> {
        let written = Arc::new(written);
        // What cannot change ends with its attempt, and is written again for the next.
        if self.can_change() {
            self.state().current = Some(Arc::clone(&written));
        }
        if is_change {
            tracing::info!(provider = &*self.name, "the client's secret has changed");
        }
        written
    }

    /// One warning for each time that the secrets become unreadable.
    fn warn_of(&self, error: Option<BoxError>, written: &Written) {
        let had_warned = std::mem::replace(&mut self.state().has_warned, error.is_some());
        let Some(error) = error.filter(|_| !had_warned) else {
            return;
        };
        let error = written.reader.scrubber().scrub(&text::chain(&*error));
        tracing::warn!(
            provider = &*self.name,
            error,
            "the client's secret cannot be read, its last value stays in use"
        );
    }

    /// `before`: its secrets may still come back in an answer.
    fn write(
        &self,
        values: Vec<ClientSecret>,
        before: Option<&Written>,
    ) -> Result<Written, ConfigError> {
        let (mut dialect, mut client) = (Arc::clone(&self.dialect), self.client.clone());
        for ((field, _), value) in self.secrets.iter().zip(&values) {
            field.set(value.clone(), &mut dialect, &mut client);
        }
        client.check_secret(&dialect)?;
        let Prepared {
            request,
            mut secrets,
        } = request::prepare(&dialect, &client)?;
        let header_values = request::header_values(&dialect)?;
        let copies = header_values.iter().map(|(_, it)| it.expose().to_owned());
        secrets.extend(copies.map(Zeroizing::new));
        let claims = dialect.assertion.as_ref().map(|it| it.claims.clone());
        let old = before.into_iter().flat_map(|it| &it.sent_secrets);
        let scrubber = Scrubber::new(secrets.iter().chain(old).cloned());
        let reader = Arc::new(Reader::new(
            Arc::clone(&self.name),
            dialect,
            scrubber,
            self.lifetimes,
            header_values,
            client.scopes,
        ));
        let record = |observer| Recorder::new(observer, &request, Arc::clone(&reader));
        Ok(Written {
            values,
            sent_secrets: secrets,
            recorder: self.observer.clone().map(record),
            request,
            claims: Arc::new(claims.unwrap_or_default()),
            reader,
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Written {
    fn has(&self, values: &[ClientSecret]) -> bool {
        let pairs = self.values.iter().zip(values);
        pairs.into_iter().all(|(own, other)| own.is(other))
    }

    /// A copy of the request. That of a client with assertions has what its assertion is to say.
    pub(super) fn request_of(&self, attempt: &TokenRequest) -> Request<Bytes> {
        let mut request = self.request.clone();
        if self.reader.dialect().assertion.is_some() {
            let says = ToAssert {
                started_at: attempt.started_at(),
                claims: Arc::clone(&self.claims),
            };
            request.extensions_mut().insert(says);
        }
        request
    }

    pub(super) fn begin_record(&self, attempt: u32) -> Option<Recording> {
        self.recorder.as_ref().map(|it| it.begin(attempt))
    }
}

/// The first read failed: there is nothing to send.
fn unreadable(error: BoxError) -> FetchError {
    FetchError::from_fetcher(error).during("the client's secret cannot be read")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ClientId;

    fn credential(secret: impl Into<Secret>) -> Credential {
        let dialect = Dialect::new("bank", "https://login.example/token");
        let client = Client {
            id: ClientId::new("me").unwrap(),
            secret: None,
            scopes: Vec::new(),
        };
        let credential = Credential::new(Arc::new(dialect), client, Some(secret.into()));
        credential.checked().unwrap()
    }

    #[tokio::test]
    async fn a_request_that_cannot_change_is_kept_only_by_its_attempt() {
        let fixed = credential(ClientSecret::new("c4n4ry"));
        let is_kept = |it: &Credential| it.state().current.is_some() || it.state().sent.is_some();
        assert!(!is_kept(&fixed), "after the check");
        let written = fixed.for_attempt(1).await.unwrap();
        assert!(Arc::into_inner(written).is_some(), "by the attempt alone");
        assert!(!is_kept(&fixed), "after an attempt");
    }

    #[tokio::test]
    async fn one_that_can_change_is_written_once() {
        let changing = credential(Secret::from_env("PATH"));
        let first = changing.for_attempt(1).await.unwrap();
        let second = changing.for_attempt(1).await.unwrap();
        assert!(Arc::ptr_eq(&first, &second));
    }
}
