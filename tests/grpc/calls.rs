//! Calls of each kind: with a token, after its end, and rejected in the middle.

use futures_util::{StreamExt, TryStreamExt, stream};
use http::uri::PathAndQuery;
use tokio::{
    sync::mpsc::{UnboundedSender, unbounded_channel},
    time::timeout,
};
use tonic::{Code, Request, Status, client::Grpc};
use tower::{Layer, ServiceExt, util::BoxCloneService};
use tower_oauth::{BoxError, OAuthLayer, ResendableBodyLayer};

use crate::{
    server::{JOIN, SPLIT, TALK, Text, UNARY},
    stack::{Client, Stack},
    support::{presets::PATIENCE, secs},
};

async fn unary(client: &mut Client, text: &str) -> Result<String, Status> {
    client.ready().await.unwrap();
    let request = Request::new(text.to_owned());
    Ok(client
        .unary(request, PathAndQuery::from_static(UNARY), Text)
        .await?
        .into_inner())
}

async fn split(client: &mut Client, text: &str) -> Result<Vec<String>, Status> {
    client.ready().await.unwrap();
    let request = Request::new(text.to_owned());
    let words = client
        .server_streaming(request, PathAndQuery::from_static(SPLIT), Text)
        .await?;
    words.into_inner().try_collect().await
}

/// Messages that a test sends one after the other.
fn live() -> (
    UnboundedSender<String>,
    Request<stream::BoxStream<'static, String>>,
) {
    let (sender, mut receiver) = unbounded_channel();
    let messages = stream::poll_fn(move |cx| receiver.poll_recv(cx));
    (sender, Request::new(messages.boxed()))
}

/// Sends the second message only once the server has accepted the call.
async fn join(stack: &Stack, client: &mut Client) -> Result<String, Status> {
    client.ready().await.unwrap();
    let (messages, request) = live();
    messages.send("one".into()).unwrap();
    let call = client.client_streaming(request, PathAndQuery::from_static(JOIN), Text);
    let (response, ()) = tokio::join!(call, async {
        stack.server.accepted().await;
        messages.send("two".into()).unwrap();
        drop(messages);
    });
    Ok(response?.into_inner())
}

/// Sends each message only after the answer to the one before.
async fn talk(client: &mut Client) -> Result<Vec<String>, Status> {
    client.ready().await.unwrap();
    let (messages, request) = live();
    messages.send("one".into()).unwrap();
    let answers = client
        .streaming(request, PathAndQuery::from_static(TALK), Text)
        .await?;
    let mut answers = answers.into_inner();
    let mut heard = Vec::new();
    for next in ["two", "three"] {
        heard.push(answers.message().await?.expect("an answer"));
        messages.send(next.into()).unwrap();
    }
    drop(messages);
    while let Some(answer) = answers.message().await? {
        heard.push(answer);
    }
    Ok(heard)
}

/// A call of each kind, each of which must succeed.
async fn every_call(stack: &Stack, mut before: impl FnMut()) {
    let mut client = stack.client();
    before();
    assert_eq!(unary(&mut client, "hello").await.unwrap(), "hello");
    before();
    let words = split(&mut client, "one two").await.unwrap();
    assert_eq!(words, ["one", "two"]);
    // That of the calls before.
    stack.server.accepted().await;
    before();
    assert_eq!(join(stack, &mut client).await.unwrap(), "one two");
    before();
    let answers = talk(&mut client).await.unwrap();
    assert_eq!(answers, ["one", "two", "three"]);
}

#[tokio::test]
async fn calls_of_each_kind_carry_one_token() {
    let stack = Stack::open().await;
    timeout(PATIENCE, every_call(&stack, || {})).await.unwrap();
    assert_eq!(stack.server.calls(), 4);
    assert_eq!(stack.bank.counters().tokens_issued, 1);
}

#[tokio::test]
async fn a_token_that_ended_is_replaced_before_the_call() {
    let stack = Stack::open().await;
    let end = || stack.clock.step_wall_forward(secs(3595));
    timeout(PATIENCE, every_call(&stack, end)).await.unwrap();
    assert_eq!(stack.server.calls(), 4);
    assert_eq!(stack.source.status().counters.rejections, 0);
}

/// The server has read a message of each call when it rejects it.
#[tokio::test]
async fn a_rejected_call_of_each_kind_is_sent_again_whole() {
    let stack = Stack::open().await;
    stack.source.ready().await.unwrap();
    let revoke = || stack.server.revoke_all();
    timeout(PATIENCE, every_call(&stack, revoke)).await.unwrap();
    // Nothing was seen before the first call, which nothing could be revoked for.
    assert_eq!(stack.server.calls(), 1 + 3 * 2);
    let counters = stack.source.status().counters;
    assert_eq!((counters.rejections, counters.retries), (3, 3));
}

#[tokio::test]
async fn a_call_beyond_the_limit_is_not_retried_and_the_next_has_a_new_token() {
    let stack = Stack::open().await;
    // gRPC puts five bytes before each message.
    let mut client = stack.client_with(ResendableBodyLayer::new().limit(5 + 4));
    assert_eq!(unary(&mut client, "1234").await.unwrap(), "1234");
    stack.server.revoke_all();
    let status = unary(&mut client, "12345").await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    assert_eq!(status.message(), "the token was revoked");
    assert_eq!(unary(&mut client, "12345").await.unwrap(), "12345");
    stack.server.revoke_all();
    assert_eq!(unary(&mut client, "1234").await.unwrap(), "1234");
    assert_eq!(stack.source.status().counters.retries, 1);
}

/// Then tonic's body needs no wrapper.
#[tokio::test]
async fn without_retry_the_caller_sees_the_rejection_once() {
    let stack = Stack::open().await;
    let layer = OAuthLayer::new(stack.source.clone());
    let layer = layer.relative_to(stack.server.origin()).unwrap();
    let service = layer.layer(stack.channel());
    let service = service.map_err(|error| -> BoxError { error });
    let mut client = Grpc::new(BoxCloneService::new(service));
    unary(&mut client, "hello").await.unwrap();
    stack.server.revoke_all();
    let status = unary(&mut client, "hello").await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated);
    assert_eq!(unary(&mut client, "hello").await.unwrap(), "hello");
}
