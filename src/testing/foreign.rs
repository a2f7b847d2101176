use std::{
    fmt, io,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use bytes::Bytes;
use http::{Request, StatusCode};

use super::{
    acceptor::Acceptor,
    reply::{Answer, Reply},
    server::{Handler, Server},
};

/// A host that no request is meant for. It keeps every request, so a test can check that none came, or what it held.
///
/// It answers a token request with a plausible token.
///
/// # Examples
///
/// ```
/// use http::StatusCode;
/// use tower_oauth::testing::{Bank, Fault, Foreign};
///
/// # tokio::runtime::Runtime::new()?.block_on(async {
/// let (bank, foreign) = (Bank::avista().start().await?, Foreign::start().await?);
/// bank.token_fault_always(Fault::redirect(StatusCode::TEMPORARY_REDIRECT, &foreign.url()));
/// // … the service under test asks for a token …
/// assert!(foreign.requests().is_empty());
/// # Ok::<(), std::io::Error>(())
/// # })?;
/// # Ok::<(), std::io::Error>(())
/// ```
pub struct Foreign {
    seen: Arc<Seen>,
    server: Server,
}

impl Foreign {
    /// Starts the host on a free port of 127.0.0.1. It stops when the handle is dropped.
    ///
    /// # Errors
    ///
    /// Fails if the host cannot listen on a port.
    pub async fn start() -> io::Result<Self> {
        let seen = Arc::new(Seen::default());
        let server = Server::start(0, Acceptor::Plain, Arc::clone(&seen)).await?;
        Ok(Self { seen, server })
    }

    /// Returns scheme, host and port.
    pub fn origin(&self) -> String {
        self.server.origin()
    }

    /// Returns a URL at this host.
    pub fn url(&self) -> String {
        format!("{}/foreign", self.origin())
    }

    /// Returns all requests so far, in order, with headers and bodies. Their `Debug` hides nothing.
    pub fn requests(&self) -> Vec<Request<Bytes>> {
        self.seen.requests().clone()
    }
}

impl fmt::Debug for Foreign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Foreign")
            .field("origin", &self.origin())
            .field("requests", &self.seen.requests().len())
            .finish()
    }
}

#[derive(Default)]
struct Seen(Mutex<Vec<Request<Bytes>>>);

impl Seen {
    fn requests(&self) -> MutexGuard<'_, Vec<Request<Bytes>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Handler for Seen {
    fn handle(&self, request: &Request<Bytes>) -> Reply {
        self.requests().push(request.clone());
        Answer::new(StatusCode::OK)
            .member("access_token", "a-foreign-token")
            .member("token_type", "Bearer")
            .member("expires_in", 3600)
            .into()
    }
}
