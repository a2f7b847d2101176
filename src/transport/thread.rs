//! One `reqwest` client for the token requests of many sources, on a thread of its own.

mod body;
mod worker;

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use http::{Request, Response};
use reqwest::{Body, ClientBuilder};
use tower::Service;

use self::worker::Worker;
use super::ReqwestService;
use crate::{BoxError, ConfigError, Origin};

/// A [`ReqwestService`] on a thread of its own, for the token requests of many sources at one token endpoint. They share
/// its connections, so that a token request needs no new TLS handshake.
///
/// Use it with many clients at one provider. For one client use
/// [`build_reqwest`](crate::client_credentials::ClientCredentialsBuilder::build_reqwest). Do not use it for requests to
/// an API: one thread makes them all. Do not use it with certificates that change while running, or that differ by
/// client.
///
/// # Thread
///
/// The first request starts the thread, with a runtime. It ends when the last clone is dropped and no response is in
/// use. A token endpoint that keeps the client parsing holds up this thread, and no task of yours: the time-outs of the
/// sources hold. Meanwhile the other sources' token requests wait, so make one for each token endpoint.
///
/// # Cancel safety
///
/// Dropping the future, or the response's body, cancels the request.
///
/// # Clone
///
/// Clones share the thread and the connections. A clone takes 8 bytes.
///
/// # Examples
///
/// ```no_run
/// use std::sync::Arc;
/// use tower_oauth::{
///     ClientId, ClientSecret, ConfigError, TokenSource, client_credentials::ClientCredentialsBuilder, provider,
///     transport::ReqwestThread,
/// };
///
/// let dialect = Arc::new(provider::find("efi-pix")?.dialect("sandbox")?);
/// let transport = ReqwestThread::new(reqwest::Client::builder(), &dialect.token_origin()?)?;
/// let customer = |id: ClientId, secret: ClientSecret| -> Result<TokenSource, ConfigError> {
///     ClientCredentialsBuilder::new(Arc::clone(&dialect), id).secret(secret).build(transport.clone())
/// };
/// # Ok::<(), ConfigError>(())
/// ```
#[derive(Clone)]
pub struct ReqwestThread(Arc<Shared>);

struct Shared {
    service: ReqwestService,
    worker: Worker,
}

impl ReqwestThread {
    /// Builds the client for requests to one place, with what [`ReqwestService::new`] changes of the builder's settings.
    /// It starts no thread yet.
    ///
    /// # Errors
    ///
    /// As [`ReqwestService::new`].
    pub fn new(builder: ClientBuilder, destination: &Origin) -> Result<Self, ConfigError> {
        Ok(Self(Arc::new(Shared {
            service: ReqwestService::new(builder, destination)?,
            worker: Worker::default(),
        })))
    }
}

impl Service<Request<Body>> for ReqwestThread {
    type Response = Response<Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let answer = self.0.service.clone().call(request);
        let answer = self.0.worker.start(answer);
        // The thread lives on until the answer has been read.
        let shared = Arc::clone(&self.0);
        Box::pin(async move {
            let response = answer.await?;
            Ok(response.map(|frames| Body::wrap(frames.keeping(shared))))
        })
    }
}

/// Without the client: its `Debug` shows its default headers.
impl fmt::Debug for ReqwestThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReqwestThread").finish_non_exhaustive()
    }
}
