//! What a caller of gRPC sees when there is no token.

use http::{StatusCode, uri::PathAndQuery};
use tonic::{Code, Request, Status, client::Grpc};
use tower::{Layer, ServiceExt, util::BoxCloneService};
use tower_oauth::{OAuthError, OAuthLayer, testing::Fault};

use crate::{
    server::{Text, UNARY},
    stack::{Client, Stack, with_status},
    support::presets::PATIENCE,
};

async fn status(client: &mut Client) -> Status {
    client.ready().await.unwrap();
    let call = client.unary(
        Request::new("hello".to_owned()),
        PathAndQuery::from_static(UNARY),
        Text,
    );
    let result = tokio::time::timeout(PATIENCE, call).await.unwrap();
    result.unwrap_err()
}

#[tokio::test]
async fn a_denial_is_unauthenticated_and_the_cause_can_be_found() {
    let stack = Stack::open().await;
    let denial = Fault::oauth_error(StatusCode::UNAUTHORIZED, "invalid_client");
    stack.bank.token_fault_always(denial);
    let mut client = stack.client();
    // The second comes from the back-off.
    for _ in 0..2 {
        let status = status(&mut client).await;
        assert_eq!(status.code(), Code::Unauthenticated);
        let oauth = OAuthError::find(&status).unwrap();
        assert!(oauth.is_denied() && oauth.retry_after().is_some());
    }
    assert_eq!(stack.bank.counters().token_requests, 1);
    assert_eq!(stack.server.calls(), 0);
}

#[tokio::test]
async fn what_may_pass_is_unavailable() {
    for fault in [
        Fault::status(StatusCode::SERVICE_UNAVAILABLE),
        Fault::retry_after(StatusCode::TOO_MANY_REQUESTS, "60"),
        Fault::html(),
        Fault::Reset,
    ] {
        let case = format!("{fault:?}");
        let stack = Stack::open().await;
        stack.bank.token_fault_always(fault);
        let mut client = stack.client();
        for _ in 0..2 {
            let status = status(&mut client).await;
            assert_eq!(status.code(), Code::Unavailable, "{case}");
        }
        assert_eq!(stack.server.calls(), 0, "{case}");
    }
}

/// A mistake in the program.
#[tokio::test]
async fn without_relative_to_a_call_is_internal_and_not_sent() {
    let stack = Stack::open().await;
    let service = OAuthLayer::new(stack.source.clone()).layer(stack.channel());
    let mut client = Grpc::new(BoxCloneService::new(service.map_err(with_status)));
    let status = status(&mut client).await;
    assert_eq!(status.code(), Code::Internal);
    assert!(OAuthError::find(&status).unwrap().is_foreign_origin());
    assert_eq!(stack.server.calls(), 0);
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_has_tonics_own_status() {
    let stack = Stack::open().await;
    let mut client = stack.client();
    drop(stack.server);
    client.ready().await.unwrap();
    stack.source.ready().await.unwrap();
    let call = client.unary(
        Request::new("hello".to_owned()),
        PathAndQuery::from_static(UNARY),
        Text,
    );
    let status = call.await.unwrap_err();
    assert_eq!(status.code(), Code::Unavailable);
    assert!(OAuthError::find(&status).is_none());
}
