//! Where an answer's body ends, and how: JSON marks its own end.

use std::io;

use futures_util::{StreamExt, stream};
use http_body::Frame;
use http_body_util::StreamBody;

use super::*;
use crate::{FailureClass, error::FetchErrorKind};

/// One attempt at an endpoint that sends these pieces of a body and then breaks, or else ends it in peace.
async fn ask_in_pieces(
    status: u16,
    length: Option<usize>,
    pieces: &[&'static str],
    broken: bool,
) -> Result<Token, FetchError> {
    let pieces: Vec<_> = pieces
        .iter()
        .map(|it| Bytes::from_static(it.as_bytes()))
        .collect();
    let transport = service_fn(move |_: Request<Full<Bytes>>| {
        let pieces = pieces.clone().into_iter().map(|it| Ok(Frame::data(it)));
        let end = broken.then(|| Err(io::Error::from(io::ErrorKind::UnexpectedEof)));
        let body = StreamBody::new(stream::iter(pieces).chain(stream::iter(end)));
        let mut answer = Response::new(body);
        *answer.status_mut() = status.try_into().unwrap();
        if let Some(length) = length {
            answer.headers_mut().insert("content-length", length.into());
        }
        async { Ok::<_, Infallible>(answer) }
    });
    let fetcher = plain().fetcher(transport).unwrap();
    fetcher.oneshot(TokenRequest::first(now())).await
}

#[tokio::test]
async fn a_whole_object_is_taken_however_its_body_ends() {
    for pieces in [
        &[r#"{"access_token":"abc"}"#][..],
        &[r#"{"access_"#, r#"token":"abc"}"#, "\r\n"],
    ] {
        for length in [None, Some(22), Some(1000)] {
            for broken in [true, false] {
                let token = ask_in_pieces(200, length, pieces, broken).await.unwrap();
                assert_eq!(token.expose(), "abc", "{pieces:?} {length:?} {broken}");
            }
        }
    }
    let denied = [r#"{"error":"invalid_client"}"#];
    let error = ask_in_pieces(401, None, &denied, true).await.unwrap_err();
    assert_eq!(error.code(), Some("invalid_client"));
}

#[tokio::test]
async fn a_part_of_one_is_asked_for_again() {
    for pieces in [
        &[r#"{"access_token":"abc""#][..],
        &["{"],
        &[],
        &[r#"{"a":1}x"#],
    ] {
        let error = ask_in_pieces(200, None, pieces, true).await.unwrap_err();
        assert_eq!(error.kind(), FetchErrorKind::Unavailable, "{pieces:?}");
        assert!(error.may_retry_within_fetch(), "{pieces:?}");
    }
}

/// As over HTTP/2, where a stream that is reset without an error ends in peace for some clients.
#[tokio::test]
async fn less_than_was_announced_is_asked_for_again() {
    for piece in [
        r#"{"access_token":"abc""#,
        "<html>",
        "<htm",
        "{\"a\":1}x",
        "",
        "nul",
    ] {
        let error = ask_in_pieces(200, Some(1000), &[piece], false)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), FetchErrorKind::Malformed, "{piece}");
        assert_eq!(error.class(), FailureClass::Transient, "{piece}");
        let error = ask_in_pieces(404, Some(1000), &[piece], false)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), FetchErrorKind::Denied, "{piece}");
    }
    let whole = ask_in_pieces(200, Some(6), &["<html>"], false)
        .await
        .unwrap_err();
    assert_eq!(whole.class(), FailureClass::Unclear);
}

#[tokio::test]
async fn what_is_too_long_is_not_taken_for_its_beginning() {
    const MUCH: &str = match std::str::from_utf8(&[b' '; 65_536]) {
        Ok(text) => text,
        Err(_) => "",
    };
    let pieces = [r#"{"access_token":"abc"}"#, MUCH];
    let error = ask_in_pieces(200, None, &pieces, false).await.unwrap_err();
    assert!(error.to_string().contains("longer than 64 KiB"), "{error}");
}
