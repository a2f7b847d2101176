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
use zeroize::Zeroizing;

use super::{
    attempt_record::{Observer, Recorder},
    dialect::Dialect,
    endpoint::Endpoint,
    exchange::Exchange,
    request::{self, Client, Prepared},
    response::{Lifetimes, Reader, Scrubber},
};
use crate::{ConfigError, FetchError, Token, TokenRequest};

/// Fetches tokens with the client-credentials grant (RFC 6749 §4.4), over any Tower HTTP service.
///
/// [`ClientCredentialsBuilder::fetcher`](super::ClientCredentialsBuilder::fetcher) builds it. One call is one attempt. It
/// does not retry and has no timeout: the token source does both. It is ready when the transport is.
///
/// # Cancel safety
///
/// Dropping the future drops the transport's future, and changes nothing else.
pub struct ClientCredentials {
    request: Request<Bytes>,
    reader: Arc<Reader>,
    endpoint: Arc<Endpoint>,
    exchange: Exchange,
    recorder: Option<Recorder>,
}

impl ClientCredentials {
    pub(super) fn new(
        dialect: Dialect,
        client: &Client,
        exchange: Exchange,
        observer: Option<Observer>,
        lifetimes: Lifetimes,
    ) -> Result<Self, ConfigError> {
        let Prepared { request, secrets } = request::prepare(&dialect, client)?;
        let values = request::header_values(&dialect)?;
        let copies = values
            .iter()
            .map(|(_, it)| Zeroizing::new(it.expose().to_owned()));
        let scrubber = Scrubber::new(secrets.into_iter().chain(copies));
        let reader = Reader::new(dialect, scrubber, lifetimes, values, &client.scopes);
        let reader = Arc::new(reader);
        let record = |observer| Recorder::new(observer, &request, Arc::clone(&reader));
        Ok(Self {
            endpoint: Arc::new(Endpoint::of(reader.dialect(), request.uri())),
            recorder: observer.map(record),
            request,
            reader,
            exchange,
        })
    }
}

impl Service<TokenRequest> for ClientCredentials {
    type Response = Token;
    type Error = FetchError;
    type Future = Pin<Box<dyn Future<Output = Result<Token, FetchError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), FetchError>> {
        self.exchange.poll_ready(cx)
    }

    fn call(&mut self, attempt: TokenRequest) -> Self::Future {
        let answer = self.exchange.call(self.request.clone());
        let (reader, endpoint) = (Arc::clone(&self.reader), Arc::clone(&self.endpoint));
        let recording = self.recorder.as_ref();
        let recording = recording.map(|it| it.begin(attempt.attempt()));
        Box::pin(async move {
            let answer = answer.await;
            if let Some(recording) = recording {
                recording.end(&answer);
            }
            let token = answer
                .and_then(|answer| reader.read(answer, attempt.started_at(), attempt.attempt()));
            token.map_err(|error| endpoint.locate(error))
        })
    }
}

impl ClientCredentials {
    /// Host and port of the token endpoint.
    pub(super) fn place(&self) -> &str {
        &self.endpoint.place
    }
}

/// Without the token URL's path and query: some servers require a key there.
impl fmt::Debug for ClientCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCredentials")
            .field("name", &self.reader.dialect().name)
            .field("endpoint", &self.endpoint.place)
            .finish_non_exhaustive()
    }
}
