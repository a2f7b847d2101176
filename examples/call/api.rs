//! The way to the API: an HTTP client below the layer, and the token source that uses the same kind of client.

use bytes::Bytes;
use http::{Request, Response, Uri};
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::{
    client::legacy::{self, connect::HttpConnector},
    rt::TokioExecutor,
};
use tower::{Layer, Service, ServiceExt, util::BoxCloneSyncService};
use tower_oauth::{
    BoxError, OAuthLayer, Origin, TokenSource,
    client_credentials::ClientCredentialsBuilder,
    identity::{Identity, RenewingClient},
    transport::ReqwestService,
};

use crate::{
    args::{Args, BankArgs, ClientKind, RequestArgs},
    source,
    terminal::say,
    tls::{ALPN, Tls, Trust},
};

type Hyper = legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>;
pub(crate) type Body = UnsyncBoxBody<Bytes, BoxError>;
pub(crate) type Client = BoxCloneSyncService<Request<Full<Bytes>>, Response<Body>, BoxError>;

/// A source without a token yet, and the API through it. Nothing was sent.
pub(crate) struct Api {
    pub(crate) source: TokenSource,
    pub(crate) service: Client,
}

impl Api {
    pub(crate) fn open(args: &Args, url: &Uri) -> Result<Self, BoxError> {
        let origin = origin(url)?;
        let builder = source::builder(args)?;
        let builder = match args.verbose {
            true => builder.on_attempt(|record| say(record.to_string().trim_end())),
            false => builder,
        };
        let api = Self::over(&Tls::of(args)?, args, builder, &origin)?;
        api.permit(args, url)?;
        Ok(api)
    }

    /// With TLS and a token source that are at hand already.
    pub(crate) fn over(
        tls: &Tls,
        args: &Args,
        builder: ClientCredentialsBuilder,
        origin: &Origin,
    ) -> Result<Self, BoxError> {
        let (source, client) = connect(tls, args, builder, origin)?;
        let service = guarded(&args.request, source.clone(), client);
        Ok(Self { source, service })
    }

    /// Whether the token may be sent there.
    pub(crate) fn permit(&self, args: &Args, url: &Uri) -> Result<(), BoxError> {
        let here = origins(&args.bank, &origin(url)?);
        let permitted = self.source.permits(url);
        Ok(permitted.map_err(|error| format!("{error}; here: {here}"))?)
    }
}

pub(crate) fn origin(url: &Uri) -> Result<Origin, BoxError> {
    Ok(Origin::of(url).map_err(|error| format!("the URL: {}", error.rule()))?)
}

/// Where the user of this tool adds an origin.
fn origins(args: &BankArgs, origin: &Origin) -> String {
    match &args.dialect {
        Some(file) if args.origin.is_empty() => {
            format!("`origins` in {}, or --origin {origin}", file.display())
        }
        _ => format!("--origin {origin}"),
    }
}

fn connect(
    tls: &Tls,
    args: &Args,
    builder: ClientCredentialsBuilder,
    origin: &Origin,
) -> Result<(TokenSource, Client), BoxError> {
    let named = |error| source::named(error, args);
    let (identity, trust) = (&tls.identity, tls.trust.clone());
    let builder = match identity {
        Some(identity) => builder.identity(identity.clone()),
        None => builder,
    };
    let (source, client) = match (args.client, identity) {
        (ClientKind::Hyper, None) => {
            let client = hyper(&trust, None);
            (builder.build(client.clone()), erased(client))
        }
        (ClientKind::Hyper, Some(identity)) => {
            let make = move |identity: &Identity| Ok(hyper(&trust, Some(identity)));
            let client = RenewingClient::new(identity, make)?;
            (builder.build(client.clone()), erased(client))
        }
        (ClientKind::Reqwest, identity) => {
            let shown = identity.clone();
            let make = move || {
                let mut tls = trust.config(shown.as_ref());
                // The other client's connector sets them itself.
                tls.alpn_protocols = ALPN.map(Into::into).into();
                reqwest::Client::builder().tls_backend_preconfigured(tls)
            };
            let client = match identity {
                Some(identity) => erased(identity.reqwest_service(make.clone(), origin)?),
                None => erased(ReqwestService::new(make(), origin)?),
            };
            (builder.build_reqwest_with(make), client)
        }
    };
    Ok((source.map_err(named)?, client))
}

fn hyper(trust: &Trust, identity: Option<&Identity>) -> Hyper {
    let connector = HttpsConnectorBuilder::new()
        .with_tls_config(trust.config(identity))
        .https_or_http()
        .enable_http1()
        .enable_http2()
        .build();
    legacy::Client::builder(TokioExecutor::new()).build(connector)
}

fn erased<S, B>(client: S) -> Client
where
    S: Service<Request<Full<Bytes>>, Response = Response<B>, Error: Into<BoxError>>
        + Clone
        + Send
        + Sync
        + 'static,
    S::Future: Send,
    B: http_body::Body<Data = Bytes, Error: Into<BoxError>> + Send + 'static,
{
    let client = client.map_response(|response: Response<B>| {
        response.map(|body| body.map_err(Into::into).boxed_unsync())
    });
    BoxCloneSyncService::new(client.map_err(Into::into))
}

fn guarded(args: &RequestArgs, source: TokenSource, client: Client) -> Client {
    let layer = OAuthLayer::new(source);
    match (args.no_retry, args.danger_retry_any_method) {
        (true, _) => BoxCloneSyncService::new(layer.layer(client)),
        (false, false) => BoxCloneSyncService::new(layer.retry_rejected().layer(client)),
        (false, true) => BoxCloneSyncService::new(
            layer
                .retry_rejected()
                .danger_retry_any_method()
                .layer(client),
        ),
    }
}
