//! A client's secret, which may change while the source runs.

use std::{fmt, path::PathBuf, pin::Pin, sync::Arc, time::Duration};

use tokio::{runtime, task, time};

use crate::{
    error::{BoxError, ConfigError, FetchError},
    secret::{ClientSecret, SecretRef},
    unwind::caught,
};

/// A client's secret: a value, or the place where its current value is.
///
/// | made by | read | use it when |
/// |---|---|---|
/// | [`ClientSecret`] | never again | a new secret comes with a new process |
/// | [`from_file`](Self::from_file) | before each fetch | the secret is mounted, as by Kubernetes, Docker or Vault Agent |
/// | [`from_env`](Self::from_env) | before each fetch | the process changes its own variable |
/// | [`from_fn`](Self::from_fn) | before each fetch | a vault or a secrets manager has the secret |
///
/// A byte order mark at the beginning and line breaks at the end are cut off. What a [`ClientId`](crate::ClientId) must
/// not hold is an error that names the position: a space at an end, a zero-width space, a no-break space.
///
/// If the secret cannot be read when the source is built, that is a [`ConfigError`]. A function is called for the first
/// time by the first fetch, which fails if the function does. If the secret cannot be read later (the file is empty,
/// the vault is down), the last value stays in use, and one `WARN` says why. The next good read ends that.
///
/// One read takes at most three quarters of `timeouts.attempt`. Default: 6 s.
///
/// If the token endpoint denies a secret that has changed meanwhile, the fetch makes one more attempt at once. During a
/// back-off after a denial the secret is read every 5 s, and a change ends the back-off.
///
/// # Examples
///
/// ```no_run
/// use tower_oauth::{ClientId, Secret, provider::bankly};
///
/// let secret = Secret::from_file("/run/secrets/bankly");
/// let source = bankly::sandbox(ClientId::new("0b1d…")?, secret)
///     .scopes(["boleto.read"])
///     .build_reqwest(reqwest::Client::builder())?;
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Secret(Kind);

#[derive(Clone)]
enum Kind {
    Value(ClientSecret),
    Place(SecretRef),
    Function(Arc<Function>),
}

type Function = dyn Fn() -> Reading + Send + Sync;
type Reading = Pin<Box<dyn Future<Output = Result<ClientSecret, BoxError>> + Send>>;

impl Secret {
    /// Reads the secret from an environment variable.
    ///
    /// Nobody can change the variables of a running process from outside. Use a file for a secret that changes.
    pub fn from_env(name: impl Into<String>) -> Self {
        SecretRef::Env(name.into()).into()
    }

    /// Reads the secret from a file, in UTF-8.
    ///
    /// The file is read by a thread for blocking work, so that a slow file system stops no task. Replace the file as a
    /// whole (write another, and rename it): a half-written secret would be sent, and denied once.
    pub fn from_file(path: impl Into<PathBuf>) -> Self {
        SecretRef::File(path.into()).into()
    }

    /// Reads the secret with an async function.
    ///
    /// Return a [`FetchError`] to say how the first fetch is to treat a failure. Any other error is
    /// [`Unclear`](crate::FailureClass::Unclear). Put no secret into the error: its text is logged. A panic is a
    /// failure.
    ///
    /// Do not cache in the function: it is called once for each fetch, and every 5 s during a back-off after a denial.
    ///
    /// # Cancel safety
    ///
    /// The future that the function returns is dropped when the attempt ends by its time-out, and when the source ends.
    ///
    /// # Examples
    ///
    /// ```
    /// use tower_oauth::{BoxError, ClientSecret, Secret};
    ///
    /// async fn ask_vault() -> Result<String, BoxError> {
    ///     Ok("shh".into())
    /// }
    ///
    /// let secret = Secret::from_fn(async || ask_vault().await.map(ClientSecret::new));
    /// ```
    pub fn from_fn<F, Fut, E>(function: F) -> Self
    where
        F: Fn() -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<ClientSecret, E>> + Send + 'static,
        E: Into<BoxError>,
    {
        let read = move || -> Reading {
            let reading = function();
            Box::pin(async move { reading.await.map_err(Into::into) })
        };
        Self(Kind::Function(Arc::new(read)))
    }

    /// Whether it can have another value later.
    pub(crate) fn can_change(&self) -> bool {
        !matches!(self.0, Kind::Value(_))
    }

    /// Reads the value while the source is built; `None` if only a fetch can do it.
    pub(crate) fn read_when_built(&self) -> Option<Result<ClientSecret, ConfigError>> {
        match &self.0 {
            Kind::Value(value) => Some(Ok(value.clone())),
            Kind::Place(place) => Some(place.resolve()),
            Kind::Function(_) => None,
        }
    }

    /// Reads the current value, for no longer than `bound`.
    pub(crate) async fn read(&self, bound: Duration) -> Result<ClientSecret, BoxError> {
        match &self.0 {
            Kind::Value(value) => Ok(value.clone()),
            Kind::Place(place @ SecretRef::Env(_)) => Ok(place.resolve()?),
            Kind::Place(file) => within(bound, "the file system", read_file(file.clone())).await,
            Kind::Function(function) => {
                let read = async { function().await };
                let value = within(bound, "the secret's function", read).await?;
                Ok(value.without_frame("client_secret")?)
            }
        }
    }
}

/// On a thread that may block: a secret is a few bytes in memory, but its file system may be one that hangs.
async fn read_file(file: SecretRef) -> Result<ClientSecret, BoxError> {
    if runtime::Handle::try_current().is_err() {
        return Ok(file.resolve()?);
    }
    Ok(task::spawn_blocking(move || file.resolve()).await??)
}

async fn within<T>(
    bound: Duration,
    who: &str,
    read: impl Future<Output = Result<T, BoxError>>,
) -> Result<T, BoxError> {
    match time::timeout(bound, caught(read)).await {
        Ok(Some(result)) => result,
        Ok(None) => Err(format!("{who} panicked").into()),
        Err(_) => {
            let late = format!("{who} did not answer within {bound:?}");
            Err(FetchError::timed_out(late).into())
        }
    }
}

impl From<ClientSecret> for Secret {
    fn from(value: ClientSecret) -> Self {
        Self(Kind::Value(value))
    }
}

impl From<SecretRef> for Secret {
    fn from(place: SecretRef) -> Self {
        Self(Kind::Place(place))
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Value(value) => value.fmt(f),
            Kind::Place(place) => place.fmt(f),
            Kind::Function(_) => f.write_str("Function"),
        }
    }
}
