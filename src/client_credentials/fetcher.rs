//! The fetcher itself.

use std::{
    fmt,
    future::{Future, poll_fn},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, TryLockError},
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::Bytes;
use http::Request;
use tokio::time;
use tower::{Service, util::BoxService};

use super::{credential::Credential, endpoint::Endpoint, exchange::Exchange, response::Answer};
use crate::{ConfigError, FetchError, Token, TokenRequest};

/// An HTTP exchange that is under way.
type Exchanging =
    <BoxService<Request<Bytes>, Answer, FetchError> as Service<Request<Bytes>>>::Future;

/// How long to leave a transport alone that another call is inside of.
const OCCUPIED: Duration = Duration::from_millis(50);

/// Fetches tokens with the client-credentials grant (RFC 6749 §4.4), over any Tower HTTP service.
///
/// [`ClientCredentialsBuilder::fetcher`](super::ClientCredentialsBuilder::fetcher) builds it. One call is one attempt. It
/// does not retry and has no timeout: the token source does both. It is ready when the transport is.
///
/// # Cancel safety
///
/// Dropping the future drops the transport's future, and changes nothing else.
pub struct ClientCredentials {
    credential: Arc<Credential>,
    endpoint: Arc<Endpoint>,
    transport: Arc<Transport>,
    /// What the transport shows, so that an error can say that it has expired.
    #[cfg(feature = "rustls")]
    identity: Option<crate::identity::Identity>,
}

impl ClientCredentials {
    pub(super) fn new(credential: Credential, exchange: Exchange) -> Result<Self, ConfigError> {
        let uri = credential.dialect().token_uri()?;
        Ok(Self {
            endpoint: Arc::new(Endpoint::of(credential.dialect(), &uri)),
            credential: Arc::new(credential),
            transport: Arc::new(Transport(Mutex::new(exchange))),
            #[cfg(feature = "rustls")]
            identity: None,
        })
    }

    #[cfg(feature = "rustls")]
    pub(super) fn showing(self, identity: Option<crate::identity::Identity>) -> Self {
        Self { identity, ..self }
    }

    /// Returns a function that reads the client's secrets and says whether they have changed since the last attempt. It
    /// always says no if all of them are values.
    ///
    /// A source that the builder makes has it already. Use it if you put this fetcher into a source yourself:
    ///
    /// ```
    /// # use tower_oauth::{TokenSource, client_credentials::ClientCredentials};
    /// # fn source(fetcher: ClientCredentials) -> Result<TokenSource, tower_oauth::ConfigError> {
    /// let changed = fetcher.credential_changed();
    /// let source = TokenSource::builder(fetcher).credential_changed(changed).build()?;
    /// # Ok(source)
    /// # }
    /// ```
    pub fn credential_changed(
        &self,
    ) -> impl Fn() -> Pin<Box<dyn Future<Output = bool> + Send>> + Send + Sync + 'static + use<>
    {
        let credential = Arc::clone(&self.credential);
        move || {
            let credential = Arc::clone(&credential);
            Box::pin(async move { credential.can_change() && credential.has_changed().await })
        }
    }

    /// Host and port of the token endpoint.
    pub(super) fn place(&self) -> &str {
        &self.endpoint.place
    }

    /// Whether there is anything to read again.
    pub(super) fn can_change(&self) -> bool {
        self.credential.can_change()
    }
}

impl Service<TokenRequest> for ClientCredentials {
    type Response = Token;
    type Error = FetchError;
    type Future = Pin<Box<dyn Future<Output = Result<Token, FetchError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), FetchError>> {
        match self.transport.try_lock() {
            Some(mut exchange) => exchange.poll_ready(cx),
            // The call waits for it.
            None => Poll::Ready(Ok(())),
        }
    }

    fn call(&mut self, attempt: TokenRequest) -> Self::Future {
        let (credential, endpoint) = (Arc::clone(&self.credential), Arc::clone(&self.endpoint));
        let transport = Arc::clone(&self.transport);
        #[cfg(feature = "rustls")]
        let identity = self.identity.clone();
        Box::pin(async move {
            let written = credential.for_attempt(attempt.attempt()).await?;
            let recording = written.begin_record(attempt.attempt());
            let answer = transport.exchange(written.request_of(&attempt)).await;
            if let Some(recording) = recording {
                recording.end(&answer);
            }
            let read = |answer| {
                written
                    .reader
                    .read(answer, attempt.started_at(), attempt.attempt())
            };
            let token = answer.and_then(read);
            let token = token.map_err(|error| endpoint.locate(error));
            #[cfg(feature = "rustls")]
            let token = token.map_err(|error| match identity.and_then(|it| it.expiry_advice()) {
                Some(advice) if endpoint.blames_certificate(&error) => error.with_advice(advice),
                _ => error,
            });
            token
        })
    }
}

/// The transport, which a call uses after it has read the secrets.
///
/// # Invariant
///
/// It is locked for one poll, never across an await: a call that is no longer polled does not hold it.
struct Transport(Mutex<Exchange>);

impl Transport {
    async fn exchange(&self, request: Request<Bytes>) -> Result<Answer, FetchError> {
        let mut request = Some(request);
        loop {
            match poll_fn(|cx| self.poll_call(&mut request, cx)).await {
                Some(exchanging) => return exchanging?.await,
                None => time::sleep(OCCUPIED).await,
            }
        }
    }

    /// `None`: another call is inside the transport.
    fn poll_call(
        &self,
        request: &mut Option<Request<Bytes>>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Exchanging, FetchError>>> {
        let Some(mut exchange) = self.try_lock() else {
            return Poll::Ready(None);
        };
        let ready = ready!(exchange.poll_ready(cx));
        let request = request.take().expect("it is sent once");
        Poll::Ready(Some(ready.map(|()| exchange.call(request))))
    }

    fn try_lock(&self) -> Option<MutexGuard<'_, Exchange>> {
        match self.0.try_lock() {
            Ok(exchange) => Some(exchange),
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}

/// Without the token URL's path and query: some servers require a key there.
impl fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCredentials")
            .field("name", &self.credential.dialect().name)
            .field("endpoint", &self.endpoint.place)
            .finish_non_exhaustive()
    }
}
