use http::{Request, Response};
use tower::{Service, ServiceExt};

use crate::{error::BoxError, lifecycle::Guard, token::Generation};

/// Sends a request with a token that is usable at that moment, and returns the token's generation.
///
/// It waits for a token first, while it holds nothing, and then for readiness. If the token expires before the service
/// is ready, it gives readiness back and starts again. A suspended token is sent only if there is no better one:
/// another wait would not help.
pub(super) async fn send<S, B, C>(
    source: &Guard,
    mut service: S,
    mut request: Request<B>,
) -> Result<(Generation, Response<C>), BoxError>
where
    S: Service<Request<B>, Response = Response<C>> + Clone,
    S::Error: Into<BoxError>,
{
    loop {
        let acquired = source.acquire().await?;
        let last_resort = acquired.is_suspended().then_some(acquired);
        service.ready().await.map_err(Into::into)?;
        let headers = request.headers_mut();
        let attached = match source.attach(headers) {
            None => last_resort.and_then(|token| source.attach_last_resort(&token, headers)),
            attached => attached,
        };
        if let Some(generation) = attached {
            let response = service.call(request).await.map_err(Into::into)?;
            return Ok((generation, response));
        }
        let unready = service.clone();
        service = unready;
    }
}
