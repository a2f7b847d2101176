use std::{fmt, time::Duration};

use axum::{
    body::Body,
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use http::{Request, StatusCode, header::CONTENT_TYPE};
use http_body_util::Full;
use tower::{ServiceBuilder, ServiceExt, util::BoxCloneSyncService};
use tower_oauth::{
    BoxError, ConfigError, OAuthLayer, Origin, TokenSource,
    client_credentials::ClientCredentialsBuilder, transport::ReqwestService,
};

use super::failure::Failure;

type Api = BoxCloneSyncService<Request<Full<Bytes>>, http::Response<reqwest::Body>, BoxError>;

/// A bank's API with its token source.
#[derive(Clone)]
pub(crate) struct Upstream {
    source: TokenSource,
    origin: Origin,
    api: Api,
}

impl Upstream {
    /// `patience` is the time-out of one call, its wait for a token included. A fetch that takes longer goes on for the
    /// next call.
    pub(crate) fn open(
        bank: ClientCredentialsBuilder,
        origin: Origin,
        patience: Duration,
    ) -> Result<Self, ConfigError> {
        let source = bank
            .origin(origin.to_string())
            .build_reqwest(reqwest::Client::builder())?;
        let api = ServiceBuilder::new()
            .timeout(patience)
            .layer(OAuthLayer::new(source.clone()).retry_rejected())
            .service(ReqwestService::new(reqwest::Client::builder(), &origin)?);
        Ok(Self {
            source,
            origin,
            api: BoxCloneSyncService::new(api),
        })
    }

    pub(crate) fn source(&self) -> &TokenSource {
        &self.source
    }

    /// The bank's answer, if our caller can use it.
    pub(super) async fn get(&self, path: &str) -> Result<Response, Failure> {
        match self.call(path).await {
            Ok(answer) => self.hand_on(answer),
            Err(error) => Err(Failure::of_call(self.name(), error.as_ref())),
        }
    }

    async fn call(&self, path: &str) -> Result<http::Response<reqwest::Body>, BoxError> {
        let uri = format!("{}{path}", self.origin);
        let request = Request::get(uri).body(Full::default())?;
        self.api.clone().oneshot(request).await
    }

    /// Passes on status, media type and body, and no other header.
    fn hand_on(&self, answer: http::Response<reqwest::Body>) -> Result<Response, Failure> {
        let (head, body) = answer.into_parts();
        if !head.status.is_success() && head.status != StatusCode::NOT_FOUND {
            return Err(Failure::of_answer(self.name(), &head));
        }
        let media_type = head.headers.get(CONTENT_TYPE).cloned();
        let media_type = media_type.map(|it| [(CONTENT_TYPE, it)]);
        Ok((head.status, media_type, Body::new(body)).into_response())
    }

    fn name(&self) -> String {
        self.source.status().name
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream")
            .field("source", &self.source)
            .field("origin", &self.origin)
            .finish_non_exhaustive()
    }
}
