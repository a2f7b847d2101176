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
/// It follows no redirects and sends no referer, so that neither a secret nor a token leaves for where a response
/// points; and nothing that is meant for this very machine goes through a proxy.
///
/// # Errors
///
/// A request is not sent when its URI and the URL that `reqwest` makes of it differ in scheme, host or port, when its
/// path does not begin with `/`, or when it holds user information. All other errors are `reqwest`'s, without the URL.
///
/// # Runtime
///
/// Connections run on the runtime that a request is made from. A peer that sends `100 Continue` without end keeps
/// `reqwest` parsing, and holds up one of its threads for up to seconds at a time; `reqwest` has no setting against it. Use
/// a runtime with several threads for an API that you do not trust. Token requests of
/// [`build_reqwest`](crate::client_credentials::ClientCredentialsBuilder::build_reqwest) are not concerned: each has a thread of its own.
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
    /// A proxy may be in use: then nothing that is meant for this machine may go out.
    rejects_loopback: bool,
}

impl ReqwestService {
    /// Builds the client for requests to one place.
    ///
    /// Whatever the builder says of certificates, time-outs and the like is kept; its redirect policy and referer are
    /// not, nor is `connection_verbose`, which logs every byte. If the destination is this machine, there are no
    /// proxies at all. Else there are those of the builder, or of the environment where the builder says nothing, and
    /// a request to this machine is an error, since a proxy would see it.
    ///
    /// # Errors
    ///
    /// When `reqwest` cannot build the client: a machine without certificate authorities, say. When it cannot read the
    /// destination: an internationalized host name that is invalid, say.
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

    /// Takes a ready-made client as it is. What [`new`](Self::new) sees to is then yours to see to: build it with
    /// `redirect(Policy::none())` and `referer(false)`, or it repeats secrets and tokens to wherever a response
    /// points; without `connection_verbose`, or it logs them; and with `no_proxy()` if it is to speak to this machine
    /// over plain `http`.
    pub fn danger_from_client(client: Client) -> Self {
        Self {
            client,
            rejects_loopback: false,
        }
    }

    /// The client, for requests that are made without Tower. It does not reject those to this machine.
    pub fn client(&self) -> &Client {
        &self.client
    }

    /// The request as `reqwest` will send it.
    ///
    /// `reqwest` writes the URI as text and parses that anew. What was checked is the URI, and what is dialled is the
    /// URL: a request in which they name different places is not sent.
    fn convert<B>(&self, request: Request<B>) -> Result<reqwest::Request, BoxError>
    where
        B: Body + Send + Sync + 'static,
        B::Data: Into<Bytes>,
        B::Error: Into<BoxError>,
    {
        let uri = request.uri().clone();
        let request = request.map(reqwest::Body::wrap).try_into();
        // A URL may hold what is nobody else's business.
        let request: reqwest::Request = request.map_err(reqwest::Error::without_url)?;
        let target = dialled(&uri, request.url())?;
        match self.rejects_loopback && target.may_be_this_machine() {
            true => Err(FOR_ELSEWHERE.into()),
            false => Ok(request),
        }
    }
}

/// What cannot be sent later on is an error now.
fn check(destination: &Origin) -> Result<(), ConfigError> {
    let reject = |rule| ConfigError::new("destination", rule);
    let text = destination.to_string();
    let uri = text.parse().map_err(|_| reject("must be a URI"))?;
    let url = Url::parse(&text).map_err(|_| reject("holds a host that is none to `reqwest`"))?;
    dialled(&uri, &url).map(drop).map_err(reject)
}

/// Where a request of this URI goes, if it is where the URL goes that was made of it.
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

/// Without the client, whose own `Debug` shows its default headers.
impl fmt::Debug for ReqwestService {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ReqwestService").finish_non_exhaustive()
    }
}

const FOR_ELSEWHERE: &str = "this client was built for another machine and may use a proxy; build one for the loopback \
                             destination";

/// The error and its causes in one line: `reqwest`'s own says no more than "builder error".
fn unbuildable(error: &reqwest::Error) -> ConfigError {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    let rule = causes.fold(error.to_string(), |text, cause| format!("{text}: {cause}"));
    ConfigError::new("reqwest::ClientBuilder", rule)
}
