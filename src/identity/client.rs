use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

use arc_swap::ArcSwap;
use tower::{Service, ServiceExt, util::Oneshot};

use super::Identity;
use crate::ConfigError;

/// An HTTP client that is built anew when its identity's certificate changes.
///
/// Each request goes to the client of the certificate that is in use when it is sent. The old client is dropped then:
/// its idle connections are closed, its running requests finish, and neither its connections nor its TLS sessions are
/// used again. Put limits, time-outs and `OAuthLayer` around it, not inside.
///
/// For `reqwest` use [`Identity::reqwest_service`]. For another client give a function that builds it with
/// [`Identity::client_config`] or [`Identity::resolver`]: **everything** that keeps connections or TLS sessions must be
/// made inside the function.
///
/// # Clone
///
/// Clones share the client.
///
/// # Examples
///
/// ```no_run
/// use bytes::Bytes;
/// use http_body_util::Full;
/// use hyper_rustls::HttpsConnectorBuilder;
/// use hyper_util::{client::legacy::Client, rt::TokioExecutor};
/// use tower_oauth::identity::{Identity, RenewingClient, roots_from_pem};
///
/// let identity = Identity::pem_files("/run/secrets/tls.crt", "/run/secrets/tls.key").build()?;
/// let roots = roots_from_pem(&std::fs::read("/etc/ssl/certs/ca-certificates.crt")?)?;
/// let client = RenewingClient::new(&identity, move |identity| {
///     let connector = HttpsConnectorBuilder::new()
///         .with_tls_config(identity.client_config(roots.clone()))
///         .https_only()
///         .enable_http1()
///         .build();
///     Ok(Client::builder(TokioExecutor::new()).build::<_, Full<Bytes>>(connector))
/// })?;
/// # Ok::<(), tower_oauth::BoxError>(())
/// ```
pub struct RenewingClient<S> {
    shared: Arc<Shared<S>>,
}

struct Shared<S> {
    identity: Identity,
    make: Make<S>,
    built: ArcSwap<Built<S>>,
    /// Held while a client is built, so that none is built twice.
    building: Mutex<()>,
}

type Make<S> = Box<dyn Fn(&Identity) -> Result<S, ConfigError> + Send + Sync>;

struct Built<S> {
    client: S,
    /// The identity's version, read before the client was built: its certificate is that one or a later one.
    version: u64,
}

impl<S: Clone> RenewingClient<S> {
    /// Builds the first client. `make` runs again after each change of the certificate, on the thread of the first
    /// request after it; if it fails then, the old client stays in use and a `WARN` says why.
    ///
    /// # Errors
    ///
    /// Returns the error of `make`.
    pub fn new(
        identity: &Identity,
        make: impl Fn(&Identity) -> Result<S, ConfigError> + Send + Sync + 'static,
    ) -> Result<Self, ConfigError> {
        let version = identity.version();
        let client = make(identity)?;
        Ok(Self {
            shared: Arc::new(Shared {
                identity: identity.clone(),
                make: Box::new(make),
                built: ArcSwap::from_pointee(Built { client, version }),
                building: Mutex::default(),
            }),
        })
    }

    /// Returns the client of the certificate in use. Do not keep it: ask for each request.
    pub fn client(&self) -> S {
        self.shared.identity.watch();
        let built = self.shared.built.load();
        match built.version == self.shared.identity.version() {
            true => built.client.clone(),
            false => self.shared.rebuilt(),
        }
    }
}

impl<S: Clone> Shared<S> {
    /// The requests that come meanwhile wait: they must not use the old connections.
    #[cold]
    fn rebuilt(&self) -> S {
        let building = self.building.lock();
        let _building = building.unwrap_or_else(PoisonError::into_inner);
        let (old, version) = (self.built.load(), self.identity.version());
        if old.version == version {
            return old.client.clone();
        }
        let client = (self.make)(&self.identity).unwrap_or_else(|error| {
            tracing::warn!(
                %error,
                "no HTTP client could be built for the new client certificate; the old client stays in use"
            );
            old.client.clone()
        });
        let shared = client.clone();
        self.built.store(Arc::new(Built { client, version }));
        shared
    }
}

impl<S, R> Service<R> for RenewingClient<S>
where
    S: Service<R> + Clone,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Oneshot<S, R>;

    /// Always ready: the client that will be called may not be built yet.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: R) -> Self::Future {
        self.client().oneshot(request)
    }
}

impl<S> Clone for RenewingClient<S> {
    fn clone(&self) -> Self {
        Self {
            shared: self.shared.clone(),
        }
    }
}

impl<S> fmt::Debug for RenewingClient<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RenewingClient")
            .field("identity", &self.shared.identity)
            .finish_non_exhaustive()
    }
}
