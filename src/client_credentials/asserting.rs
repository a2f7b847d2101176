//! Puts an assertion of its own into each token request.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{HeaderValue, Request, header::CONTENT_LENGTH};
use tower::{Service, util::BoxService};
use zeroize::Zeroizing;

use super::{
    assertion::AssertionWriter,
    dialect::{AssertionUse, BodyEncoding},
    exchange::{Exchange, ToAssert},
    response::Answer,
    shared_service::SharedService,
};
use crate::FetchError;

/// Adds an assertion to each request on its way to the exchange.
pub(super) fn with_assertions(
    exchange: Exchange,
    writer: AssertionWriter,
    body: BodyEncoding,
    usage: AssertionUse,
) -> Exchange {
    BoxService::new(Asserting {
        shared: Arc::new(Shared {
            writer,
            body,
            field: usage.field(),
            exchange: SharedService::new(exchange),
        }),
    })
}

struct Asserting {
    shared: Arc<Shared>,
}

struct Shared {
    writer: AssertionWriter,
    body: BodyEncoding,
    field: &'static str,
    exchange: SharedService<Request<Bytes>, Answer, FetchError>,
}

impl Service<Request<Bytes>> for Asserting {
    type Response = Answer;
    type Error = FetchError;
    type Future = Pin<Box<dyn Future<Output = Result<Answer, FetchError>> + Send>>;

    /// Always ready. The transport is polled once the assertion is signed: the signer may use the same transport, and
    /// must not wait for a permit that this call holds.
    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), FetchError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let shared = Arc::clone(&self.shared);
        Box::pin(async move { shared.exchange(request).await })
    }
}

impl Shared {
    async fn exchange(&self, mut request: Request<Bytes>) -> Result<Answer, FetchError> {
        let says: Option<ToAssert> = request.extensions_mut().remove();
        let says = says.expect("the fetcher puts it into the request");
        let assertion = self.writer.write(says.started_at, &says.claims).await?;
        self.attach(&mut request, &assertion);
        let mut answer = self.exchange.call(request).await?;
        answer.assertion = Some(assertion);
        Ok(answer)
    }

    /// At the end of the body. A JWT has only characters that neither a form nor JSON escapes.
    fn attach(&self, request: &mut Request<Bytes>, assertion: &str) {
        let body = &**request.body();
        let (fields, parts) = match self.body {
            BodyEncoding::Json => (
                body.strip_suffix(b"}").unwrap_or(body),
                [",\"", self.field, "\":\"", assertion, "\"}"],
            ),
            _ => (body, ["&", self.field, "=", assertion, ""]),
        };
        let is_first = fields.is_empty() || fields == b"{";
        let parts = parts.map(|part| match is_first && [",\"", "&"].contains(&part) {
            true => &part[1..],
            false => part,
        });
        let length = fields.len() + parts.map(str::len).iter().sum::<usize>();
        let mut whole = Zeroizing::new(Vec::with_capacity(length));
        whole.extend_from_slice(fields);
        parts
            .iter()
            .for_each(|part| whole.extend_from_slice(part.as_bytes()));
        let length = HeaderValue::from(whole.len());
        request.headers_mut().insert(CONTENT_LENGTH, length);
        // Handed over without a copy, so that the last drop zeroizes it.
        *request.body_mut() = Bytes::from_owner(whole);
    }
}
