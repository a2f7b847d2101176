//! `reqwest::Client` as a Tower HTTP service.

use std::{
    error::Error,
    fmt,
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body::Body;
use reqwest::{Client, ClientBuilder, Url, redirect};
use tower::Service;

use crate::{
    BoxError, ConfigError, Origin,
    origin::{Target, has_path_of_its_own},
};

/// A `reqwest` client as a Tower service of [`http::Request`], for a token endpoint, for an API, or for both.
///
/// It follows no redirects and sends no referer, so no secret or token goes to an address from a response. No request
/// to this machine goes through a proxy.
///
/// # Errors
///
/// A request is not sent if its URI and the URL that `reqwest` parses from it differ in scheme, host or port, if its
/// path does not begin with `/`, or if it holds user information. All other errors are those of `reqwest`, without the
/// URL.
///
/// # Runtime
///
/// A connection runs on the runtime of its request. A peer that sends `100 Continue` without end keeps `reqwest`
/// parsing, and blocks one of the runtime's threads for seconds at a time. `reqwest` has no setting against it. Use a
/// runtime with several threads for an API that you do not trust. Token requests of
/// [`build_reqwest`](crate::client_credentials::ClientCredentialsBuilder::build_reqwest) are not affected: each has its
/// own thread.
///
/// # Clone
///
/// Clones share one pool of connections.
///
/// # Examples
///
/// ```no_run
/// use tower_oauth::{Origin, transport::ReqwestService};
///
/// let api: Origin = "https://api.example".parse()?;
/// let service = ReqwestService::new(reqwest::Client::builder(), &api)?;
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct ReqwestService {
    client: Client,
    /// A proxy may be in use: then a request to this machine is not sent.
    rejects_loopback: bool,
}

impl ReqwestService {
    /// Builds the client for requests to one place.
    ///
    /// It keeps the builder's certificates, time-outs and other settings. It replaces the redirect policy, the referer
    /// and `connection_verbose`, which logs every byte. If the destination is this machine, it uses no proxy. Otherwise
    /// it uses the builder's proxies, or those of the environment, and a request to this machine is an error, because a
    /// proxy would see it.
    ///
    /// # Errors
    ///
    /// Fails if `reqwest` cannot build the client, for example on a machine without certificate authorities, or cannot
    /// parse the destination, for example an invalid internationalized host name.
    pub fn new(builder: ClientBuilder, destination: &Origin) -> Result<Self, ConfigError> {
        check(destination)?;
        let builder = builder
            .redirect(redirect::Policy::none())
            .referer(false)
            .connection_verbose(false);
        let is_local = destination.target().may_be_this_machine();
        let builder = if is_local {
            builder.no_proxy()
        } else {
            builder
        };
        Ok(Self {
            client: builder.build().map_err(|error| unbuildable(&error))?,
            rejects_loopback: !is_local,
        })
    }

    /// Wraps a client unchanged. You must then set what [`new`](Self::new) sets. Build the client with
    /// `redirect(Policy::none())` and `referer(false)`, or it sends secrets and tokens to addresses from responses.
    /// Leave `connection_verbose` out, or it logs them. Set `no_proxy()` if it sends plain `http` to this machine.
    pub fn danger_from_client(client: Client) -> Self {
        Self {
            client,
            rejects_loopback: false,
        }
    }

    /// Returns the client, for requests without Tower. The client does not reject requests to this machine.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The request as `reqwest` will send it.
    ///
    /// `reqwest` writes the URI as text and parses it again. The origin check saw the URI, and `reqwest` connects to
    /// the URL: if they name different places, the request is not sent.
    fn convert<B>(&self, request: Request<B>) -> Result<reqwest::Request, BoxError>
    where
        B: Body + Send + Sync + 'static,
        B::Data: Into<Bytes>,
        B::Error: Into<BoxError>,
    {
        let uri = request.uri().clone();
        let request = request.map(reqwest::Body::wrap).try_into();
        // A URL may hold private data.
        let request: reqwest::Request = request.map_err(reqwest::Error::without_url)?;
        let target = dialled(&uri, request.url())?;
        match self.rejects_loopback && target.may_be_this_machine() {
            true => Err(FOR_ELSEWHERE.into()),
            false => Ok(request),
        }
    }
}

/// An origin that no request could be sent to is an error now.
fn check(destination: &Origin) -> Result<(), ConfigError> {
    let reject = |rule| ConfigError::new("destination", rule);
    let text = destination.to_string();
    let uri = text.parse().map_err(|_| reject("must be a URI"))?;
    let url = Url::parse(&text).map_err(|_| reject("holds a host that is none to `reqwest`"))?;
    dialled(&uri, &url).map(drop).map_err(reject)
}

/// Where a request of this URI goes, if its parsed URL goes to the same place.
pub(super) fn dialled<'a>(uri: &Uri, url: &'a Url) -> Result<Target<'a>, &'static str> {
    let asked = Target::of(uri)?;
    let dialled = Target::of_url(url)?;
    match has_path_of_its_own(uri) && dialled.is(&asked) {
        true => Ok(dialled),
        false => Err("the request's URI names another place once it is read as a URL"),
    }
}

impl<B> Service<Request<B>> for ReqwestService
where
    B: Body + Send + Sync + 'static,
    B::Data: Into<Bytes>,
    B::Error: Into<BoxError>,
{
    type Response = Response<reqwest::Body>;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let request = self.convert(request);
        let client = self.client.clone();
        Box::pin(async move {
            let response = client.execute(request?).await;
            Ok(response.map_err(reqwest::Error::without_url)?.into())
        })
    }
}

/// Without the client: its `Debug` shows its default headers.
impl fmt::Debug for ReqwestService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReqwestService").finish_non_exhaustive()
    }
}

const FOR_ELSEWHERE: &str = "this client was built for another machine and may use a proxy; build one for the loopback \
                             destination";

/// The error and its causes in one line: the `Display` of `reqwest`'s error is only "builder error".
fn unbuildable(error: &reqwest::Error) -> ConfigError {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    let rule = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
    ConfigError::new("reqwest::ClientBuilder", rule)
}
