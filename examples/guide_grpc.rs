//! The code of the guide `docs/grpc.md`. It calls a gRPC server on loopback, whose messages are texts, with tokens of a
//! test bank.
//!
//! ```sh
//! cargo run --example guide_grpc
//! ```

#[path = "../tests/grpc/server.rs"]
mod server;

use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Frame;
use http_body_util::BodyExt;
use tonic::{
    Code, Status,
    body::Body,
    client::Grpc,
    transport::{Channel, Endpoint},
};
use tower::{ServiceBuilder, ServiceExt, util::BoxCloneService};
use tower_oauth::{
    BoxError, Generation, OAuthError, OAuthLayer, RejectionRule, ResendableBody,
    ResendableBodyLayer, TokenSource,
};

// What only this program needs.
use http::uri::PathAndQuery;
use server::{EchoServer, LATE, Text, UNARY};
use tower_oauth::{
    ClientId, ClientSecret, client_credentials::ClientCredentialsBuilder, provider, testing::Bank,
};

type Service = BoxCloneService<Request<Body>, Response<Body>, BoxError>;

fn authorized(channel: Channel, source: TokenSource, origin: &str) -> Result<Service, BoxError> {
    let oauth = OAuthLayer::new(source.clone())
        .relative_to(origin)?
        .expose_generation()
        .retry_rejected();
    let service = ServiceBuilder::new()
        .map_err(with_status)
        .map_response(move |response| watch_trailers(&source, response))
        .layer(ResendableBodyLayer::new())
        .layer(oauth)
        .map_request(|request: Request<ResendableBody>| request.map(Body::new))
        .service(channel);
    Ok(service.boxed_clone())
}

/// Gives an error of the token source the status that callers of gRPC expect.
fn with_status(error: BoxError) -> BoxError {
    let Some(oauth) = OAuthError::find(error.as_ref()) else {
        return error; // tonic knows the channel's own errors
    };
    let code = Code::from_i32(oauth.suggested_grpc_code());
    let mut status = Status::new(code, "no access token");
    status.set_source(Arc::new(oauth.clone())); // for the log
    status.into()
}

/// Reports a token that the server rejects after it has begun to answer.
fn watch_trailers(source: &TokenSource, response: Response<Body>) -> Response<Body> {
    let Some(&generation) = response.extensions().get::<Generation>() else {
        return response;
    };
    let source = source.clone();
    let watch = move |frame: Frame<Bytes>| {
        let status = frame.trailers_ref().and_then(|it| it.get("grpc-status"));
        if status.is_some_and(|status| status == "16") {
            source.invalidate(generation);
        }
        frame
    };
    response.map(|body| Body::new(body.map_frame(watch)))
}

#[tokio::main]
async fn main() -> Result<(), BoxError> {
    let bank = Bank::avista().start().await?;
    let server = EchoServer::start().await;
    let credentials = credentials(&bank, bank.client_secret())?;
    let tls = reqwest::Client::builder().tls_certs_only([]);
    let origin = server.origin();

    let source = credentials
        .origin(origin)
        .rejection(RejectionRule::grpc())
        .build_reqwest(tls)?;
    let channel = Endpoint::from_shared(origin.to_owned())?.connect_lazy();
    let service = authorized(channel, source.clone(), origin)?;

    // With generated code: `ChargesClient::new(service)`.
    let mut client = Grpc::new(service);
    assert_eq!(unary(&mut client, "hello").await?, "hello");

    // Rejected in the headers: the layer retries it.
    server.revoke_all();
    assert_eq!(unary(&mut client, "hello").await?, "hello");
    assert_eq!(source.status().counters.retries, 1);

    // Rejected in the trailers: the caller sees it, and the next call has a new token.
    server.revoke_all();
    let status = late(&mut client).await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    late(&mut client).await?;

    denied(&bank, origin).await
}

fn credentials(bank: &Bank, secret: &str) -> Result<ClientCredentialsBuilder, BoxError> {
    let id = ClientId::new(bank.client_id())?;
    let credentials = provider::avista::production(id, ClientSecret::new(secret));
    Ok(credentials.token_url(bank.token_url()))
}

/// There is no token: the status says what to do, and the error what has happened.
async fn denied(bank: &Bank, origin: &str) -> Result<(), BoxError> {
    let source = credentials(bank, "not the secret")?
        .origin(origin)
        .build_reqwest(reqwest::Client::builder().tls_certs_only([]))?;
    let channel = Endpoint::from_shared(origin.to_owned())?.connect_lazy();
    let mut client = Grpc::new(authorized(channel, source, origin)?);

    let status = unary(&mut client, "hello").await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    let oauth = OAuthError::find(&status).expect("the cause is in the status");
    assert!(oauth.is_denied());
    Ok(())
}

async fn unary(client: &mut Grpc<Service>, text: &str) -> Result<String, Status> {
    client.ready().await.map_err(Status::from_error)?;
    let request = tonic::Request::new(text.to_owned());
    Ok(client
        .unary(request, PathAndQuery::from_static(UNARY), Text)
        .await?
        .into_inner())
}

/// A stream of messages, read to its end.
async fn late(client: &mut Grpc<Service>) -> Result<(), Status> {
    client.ready().await.map_err(Status::from_error)?;
    let request = tonic::Request::new(String::new());
    let messages = client
        .server_streaming(request, PathAndQuery::from_static(LATE), Text)
        .await?;
    let mut messages = messages.into_inner();
    while messages.message().await?.is_some() {}
    Ok(())
}
