//! A status that comes after messages is not seen by the layer.

use futures_util::TryStreamExt;
use http::{Request, Response, uri::PathAndQuery};
use http_body::Frame;
use http_body_util::BodyExt;
use tonic::{Code, Status, body::Body, client::Grpc};
use tower::ServiceBuilder;
use tower_oauth::{Generation, OAuthLayer, TokenSource};

use crate::{
    server::{LATE, Text},
    stack::Stack,
};

async fn late<T>(client: &mut Grpc<T>) -> Result<Vec<String>, Status>
where
    T: tonic::client::GrpcService<Body, ResponseBody: Send + 'static, Error: std::fmt::Debug>,
    <T::ResponseBody as http_body::Body>::Error: Into<tower_oauth::BoxError>,
{
    client.ready().await.unwrap();
    let request = tonic::Request::new(String::new());
    let messages = client
        .server_streaming(request, PathAndQuery::from_static(LATE), Text)
        .await?;
    messages.into_inner().try_collect().await
}

#[tokio::test]
async fn a_status_in_the_trailers_is_not_noticed() {
    let stack = Stack::open().await;
    let mut client = stack.client();
    assert_eq!(late(&mut client).await.unwrap(), ["first"]);
    stack.server.revoke_all();
    for _ in 0..2 {
        let status = late(&mut client).await.unwrap_err();
        assert_eq!(status.code(), Code::Unauthenticated);
    }
    assert_eq!(stack.source.status().counters.rejections, 0);
    assert_eq!(stack.bank.counters().tokens_issued, 1);
}

/// The guide's way to notice it.
fn watched(source: &TokenSource, response: Response<Body>) -> Response<Body> {
    let Some(&generation) = response.extensions().get::<Generation>() else {
        return response;
    };
    let source = source.clone();
    let watch = move |frame: Frame<bytes::Bytes>| {
        let status = frame.trailers_ref().and_then(|it| it.get("grpc-status"));
        if status.is_some_and(|status| status == "16") {
            source.invalidate(generation);
        }
        frame
    };
    response.map(|body| Body::new(body.map_frame(watch)))
}

#[tokio::test]
async fn a_status_in_the_trailers_can_be_reported() {
    let stack = Stack::open().await;
    let layer = OAuthLayer::new(stack.source.clone()).relative_to(stack.server.origin());
    let source = stack.source.clone();
    let service = ServiceBuilder::new()
        .map_response(move |response| watched(&source, response))
        .layer(layer.unwrap().expose_generation())
        .map_request(|request: Request<Body>| request)
        .service(stack.channel());
    let mut client = Grpc::new(service);
    assert_eq!(late(&mut client).await.unwrap(), ["first"]);
    stack.server.revoke_all();
    let status = late(&mut client).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    assert_eq!(late(&mut client).await.unwrap(), ["first"]);
    assert_eq!(stack.source.status().counters.rejections, 1);
    assert_eq!(stack.bank.counters().tokens_issued, 2);
}
