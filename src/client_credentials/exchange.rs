//! One HTTP exchange with the token endpoint, over any Tower HTTP service.

use std::{collections::BTreeMap, pin::pin, sync::Arc, time::SystemTime};

use bytes::{BufMut, Bytes};
use http::{Request, Response};
use http_body::Frame;
use http_body_util::{BodyExt, LengthLimitError, Limited};
use tower::{Service, ServiceExt, util::BoxService};
use zeroize::Zeroizing;

use super::{
    dialect::ClaimValue,
    response::{Answer, Body, End},
    transport_error,
};
use crate::{BoxError, FetchError};

/// No token answer known is longer than a few kilobytes.
const LONGEST_ANSWER: usize = 64 * 1024;

/// The transport, without its own types.
pub(super) type Exchange = BoxService<Request<Bytes>, Answer, FetchError>;

/// What an attempt's assertion says: an extension of the request that gets it.
#[derive(Clone)]
#[cfg_attr(
    not(feature = "jwt"),
    expect(dead_code, reason = "without the feature there is no assertion")
)]
pub(super) struct ToAssert {
    /// When the attempt started, by the wall clock.
    pub(super) started_at: SystemTime,
    /// The further claims, with the secrets as they were read for this attempt.
    pub(super) claims: Arc<BTreeMap<String, ClaimValue>>,
}

/// A Tower HTTP service: a shorthand for the bounds of a transport. Every service that meets them implements it, and
/// you cannot implement it yourself.
///
/// # Examples
///
/// ```
/// use bytes::Bytes;
/// use http_body_util::Full;
/// use hyper_util::{client::legacy::Client, rt::TokioExecutor};
/// use tower_oauth::client_credentials::HttpService;
///
/// fn is_transport(_: &impl HttpService<Full<Bytes>>) {}
///
/// is_transport(&Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>());
/// ```
pub trait HttpService<ReqBody>:
    Service<
        Request<ReqBody>,
        Response = Response<<Self as HttpService<ReqBody>>::ResBody>,
        Error = <Self as HttpService<ReqBody>>::TransportError,
        Future = <Self as HttpService<ReqBody>>::Pending,
    > + Send
    + 'static
{
    /// The body of its responses.
    type ResBody: http_body::Body<Data: Send, Error: Into<BoxError>> + Send + 'static;
    /// Its error.
    type TransportError: Into<BoxError>;
    /// Its future.
    type Pending: Future<Output = Result<Response<Self::ResBody>, Self::TransportError>>
        + Send
        + 'static;
}

impl<T, ReqBody, ResBody> HttpService<ReqBody> for T
where
    T: Service<Request<ReqBody>, Response = Response<ResBody>> + Send + 'static,
    T::Error: Into<BoxError>,
    T::Future: Send + 'static,
    ResBody: http_body::Body<Data: Send, Error: Into<BoxError>> + Send + 'static,
{
    type ResBody = ResBody;
    type TransportError = T::Error;
    type Pending = T::Future;
}

pub(super) fn over<T, B>(transport: T) -> Exchange
where
    T: HttpService<B>,
    B: From<Bytes> + 'static,
{
    transport
        .map_err(|error: T::TransportError| transport_error::classify(error.into()))
        .map_request(|request: Request<Bytes>| request.map(B::from))
        .and_then(async |response| Ok(read(response).await))
        .boxed()
}

async fn read<B>(response: Response<B>) -> Answer
where
    B: http_body::Body,
    B::Error: Into<BoxError>,
{
    let (head, body) = response.into_parts();
    Answer {
        status: head.status,
        headers: head.headers,
        body: read_body(body).await,
        assertion: None,
    }
}

/// Copied piece by piece: a piece keeps the transport's whole read buffer, and a body in drips would keep thousands.
/// Allocated once, in full, so that growing leaves no copy of a token behind.
async fn read_body<B>(body: B) -> Body
where
    B: http_body::Body,
    B::Error: Into<BoxError>,
{
    let mut body = pin!(Limited::new(body, LONGEST_ANSWER));
    let mut bytes = Zeroizing::new(Vec::with_capacity(LONGEST_ANSWER));
    while let Some(frame) = body.frame().await {
        match frame.map(Frame::into_data) {
            Ok(Ok(data)) => bytes.put(data),
            Ok(Err(_trailers)) => {}
            Err(error) => return broken_off(bytes, error),
        }
    }
    Body {
        bytes,
        end: End::Whole,
    }
}

fn broken_off(bytes: Zeroizing<Vec<u8>>, error: BoxError) -> Body {
    if error.is::<LengthLimitError>() {
        return Body {
            end: End::TooLong,
            ..Body::default()
        };
    }
    Body {
        bytes,
        end: End::Broken(transport_error::classify(error)),
    }
}
