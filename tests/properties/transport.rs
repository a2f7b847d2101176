//! A token endpoint that gives one answer, and keeps the last request.

use std::{
    convert::Infallible,
    future::{Ready, ready},
    sync::{Arc, Mutex},
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use tower::Service;

type Body = Full<Bytes>;

#[derive(Clone)]
pub(crate) struct Endpoint {
    answer: Bytes,
    asked: Arc<Mutex<Option<Request<Body>>>>,
}

impl Endpoint {
    pub(crate) fn new(answer: impl Into<Bytes>) -> Self {
        Self {
            answer: answer.into(),
            asked: Arc::default(),
        }
    }

    pub(crate) fn asked(&self) -> Request<Body> {
        self.asked.lock().unwrap().take().unwrap()
    }
}

impl Service<Request<Body>> for Endpoint {
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = Ready<Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        *self.asked.lock().unwrap() = Some(request);
        ready(Ok(Response::new(Full::from(self.answer.clone()))))
    }
}
