//! The fetcher itself.

use std::{
    fmt,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::Request;
use tower::Service;

use super::{
    credential::Credential,
    endpoint::Endpoint,
    exchange::Exchange,
    response::{Answer, Asked},
    shared_service::SharedService,
};
use crate::{FetchError, Token, TokenRequest};

/// Fetches tokens with the client-credentials grant (RFC 6749 §4.4), over any Tower HTTP service.
///
/// [`ClientCredentialsBuilder::fetcher`](super::ClientCredentialsBuilder::fetcher) builds it. One call is one attempt. It
/// does not retry and has no timeout: the token source does both. It is ready when the transport is; if its secrets can
/// change or it signs assertions, it is always ready, and the call waits for the transport.
///
/// # Cancel safety
///
/// Dropping the future drops the transport's future, and changes nothing else.
pub struct ClientCredentials {
    shared: Arc<Shared>,
    /// Whether a call may do something else before it needs the transport.
    is_always_ready: bool,
}

/// What the calls share.
struct Shared {
    credential: Credential,
    endpoint: Endpoint,
    transport: SharedService<Request<Bytes>, Answer, FetchError>,
}

impl ClientCredentials {
    pub(super) fn new(credential: Credential, endpoint: Endpoint, exchange: Exchange) -> Self {
        Self {
            is_always_ready: credential.can_change(),
            shared: Arc::new(Shared {
                credential,
                endpoint,
                transport: SharedService::new(exchange),
            }),
        }
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
        let shared = Arc::clone(&self.shared);
        move || {
            let shared = Arc::clone(&shared);
            Box::pin(async move {
                let credential = &shared.credential;
                credential.can_change() && credential.has_changed().await
            })
        }
    }

    /// For a layer that may not call it once it is ready, and would keep a permit of the transport until it does.
    #[cfg(feature = "redis")]
    pub(super) fn always_ready(self) -> Self {
        Self {
            is_always_ready: true,
            ..self
        }
    }

    /// Host and port of the token endpoint.
    pub(super) fn place(&self) -> Arc<str> {
        Arc::clone(self.shared.endpoint.address())
    }

    /// Whether there is anything to read again.
    pub(super) fn can_change(&self) -> bool {
        self.shared.credential.can_change()
    }
}

impl Service<TokenRequest> for ClientCredentials {
    type Response = Token;
    type Error = FetchError;
    type Future = Pin<Box<dyn Future<Output = Result<Token, FetchError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), FetchError>> {
        match self.is_always_ready {
            // A permit of the transport that is held while the secrets are read may be the one that the vault needs.
            true => Poll::Ready(Ok(())),
            false => self.shared.transport.poll_ready(cx),
        }
    }

    fn call(&mut self, attempt: TokenRequest) -> Self::Future {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move { shared.fetch(attempt).await })
    }
}

impl Shared {
    async fn fetch(&self, attempt: TokenRequest) -> Result<Token, FetchError> {
        let written = self.credential.for_attempt(attempt.attempt()).await?;
        let recording = written.begin_record(attempt.attempt());
        let answer = self.transport.call(written.request_of(&attempt)).await;
        if let Some(recording) = recording {
            recording.end(&answer);
        }
        let asked = Asked {
            at: attempt.started_at(),
            attempt: attempt.attempt(),
            warned: &self.credential.warned,
        };
        answer
            .and_then(|answer| written.reader.read(answer, asked))
            .map_err(|error| self.endpoint.explain(error))
    }
}

/// Without the token URL's path and query: some servers require a key there.
impl fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCredentials")
            .field("name", &self.shared.credential.name())
            .field("endpoint", self.shared.endpoint.address())
            .finish_non_exhaustive()
    }
}
