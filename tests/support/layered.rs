//! The layer over a recording API, and an API that revokes tokens.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use http::{Request, Response, StatusCode};
use tower::{Layer, ServiceExt, service_fn, util::BoxCloneSyncService};
use tower_oauth::{BoxError, OAuthError, OAuthLayer, RejectionRule, TokenSource};

use super::{Api, ApiService, bearer};

/// The API behind the layer, with retry.
pub fn retrying(source: &TokenSource, api: &Api) -> ApiService {
    let layer = OAuthLayer::new(source.clone()).retry_rejected();
    BoxCloneSyncService::new(layer.layer(api.service()))
}

/// The API behind the layer as it is by default: rejected responses are handed on.
pub fn plain(source: &TokenSource, api: &Api) -> ApiService {
    let layer = OAuthLayer::new(source.clone());
    BoxCloneSyncService::new(layer.layer(api.service()))
}

/// The same service, answering after a while.
pub fn delayed(service: ApiService, latency: Duration) -> ApiService {
    BoxCloneSyncService::new(service_fn(move |request| {
        let service = service.clone();
        async move {
            tokio::time::sleep(latency).await;
            service.oneshot(request).await
        }
    }))
}

/// Waits for at most a day of the paused clock, which passes at once: what would hang, fails.
pub async fn in_time<F: Future>(future: F) -> F::Output {
    let day = Duration::from_secs(24 * 3600);
    tokio::time::timeout(day, future).await.expect("it hangs")
}

pub async fn send(service: &ApiService, request: Request<String>) -> Response<String> {
    in_time(service.clone().oneshot(request)).await.unwrap()
}

pub async fn status(service: &ApiService, request: Request<String>) -> u16 {
    send(service, request).await.status().as_u16()
}

/// Sends a request that must fail with an error of ours.
pub async fn reject(service: &ApiService, request: Request<String>) -> OAuthError {
    let error: BoxError = in_time(service.clone().oneshot(request)).await.unwrap_err();
    OAuthError::find(error.as_ref()).unwrap().clone()
}

/// A 401 is definite and a 403 ambiguous, as at ANBIMA.
pub fn anbimas_rule() -> RejectionRule {
    RejectionRule::statuses([StatusCode::UNAUTHORIZED], [StatusCode::FORBIDDEN])
}

/// Which of `token-1`, `token-2`, … the API has revoked: all up to a number.
#[derive(Clone, Default)]
pub struct Revoked(Arc<AtomicUsize>);

impl Revoked {
    pub fn up_to(&self, number: usize) {
        self.0.store(number, Ordering::SeqCst);
    }

    pub fn includes(&self, request: &Request<String>) -> bool {
        let number = bearer(request)
            .strip_prefix("token-")
            .map(str::parse::<usize>);
        number.unwrap().unwrap() <= self.0.load(Ordering::SeqCst)
    }

    /// An API that answers a revoked token with this status, and any other with 200.
    pub fn api(&self, status: StatusCode) -> Api {
        let revoked = self.clone();
        Api::new(move |request| match revoked.includes(request) {
            true => status,
            false => StatusCode::OK,
        })
    }
}
