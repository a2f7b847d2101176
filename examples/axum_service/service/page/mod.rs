//! The page for the operator: every source at a glance, live by server-sent events, and as a table without JavaScript.

mod board;
mod history;
mod table;
mod view;

use std::{convert::Infallible, sync::LazyLock};

use aws_lc_rs::digest::{SHA256, digest};
use axum::{
    Router,
    extract::State,
    response::{
        Html, IntoResponse,
        sse::{Event, Sse},
    },
    routing::get,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use futures_util::Stream;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};

pub(super) use self::board::Board;

const PAGE: &str = include_str!("../../page.html");
const TABLE: &str = "<!-- table -->";

/// Only what is in the file itself may run, so a text from a bank can never be a script.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; img-src data:; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        hash_of("script"),
        hash_of("style")
    )
});

pub(super) fn routes(board: Board) -> Router {
    Router::new()
        .route("/", get(page))
        .route("/events", get(events))
        .with_state(board)
}

/// The table is for a reader without JavaScript. The script hides it.
async fn page(State(board): State<Board>) -> impl IntoResponse {
    let headers = [
        (CONTENT_SECURITY_POLICY, POLICY.as_str()),
        (CACHE_CONTROL, "no-store"),
        (REFERRER_POLICY, "no-referrer"),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    let page = PAGE.replacen(TABLE, &table::html(&board.page()), 1);
    (headers, Html(page))
}

async fn events(State(board): State<Board>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    Sse::new(board.events())
}

/// As a Content-Security-Policy names an element of the page.
fn hash_of(element: &str) -> String {
    let (_, rest) = PAGE
        .split_once(&format!("<{element}>"))
        .expect("the page has one");
    let (content, _) = rest.split_once("</").expect("it ends");
    let hash = digest(&SHA256, content.as_bytes());
    format!("sha256-{}", BASE64_STANDARD.encode(hash))
}
