//! Runs each token request on its own thread, so that a peer that keeps the HTTP client busy blocks nothing else.
//!
//! `hyper` parses for as long as there are bytes: a token endpoint that sends `100 Continue` without end keeps it
//! within a single poll for seconds, on the thread of the caller. Meanwhile no time-out fires there, and no other task
//! runs.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    thread,
};

use bytes::Bytes;
use http::Request;
use tokio::{runtime, sync::oneshot};
use tower::{Service, util::BoxService};
use tracing::{Instrument, instrument::WithSubscriber};

use super::{exchange::Exchange, response::Answer};
use crate::{FetchError, unless::unless};

type Result<T> = std::result::Result<T, FetchError>;

/// Each request gets a thread and a runtime, which end with it. Its connection is not used again: the next fetch is a
/// lifetime away. The transport's connections must work on any runtime.
pub(super) fn each_on_its_own(exchange: Exchange) -> Exchange {
    BoxService::new(OwnThread(exchange))
}

struct OwnThread(Exchange);

impl Service<Request<Bytes>> for OwnThread {
    type Response = Answer;
    type Error = FetchError;
    type Future = Pin<Box<dyn Future<Output = Result<Answer>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<()>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, request: Request<Bytes>) -> Self::Future {
        let answer = self.0.call(request).in_current_span();
        let told = start(answer.with_current_subscriber());
        Box::pin(async move {
            let told = told.map_err(FetchError::transient)?;
            let ended =
                |_| FetchError::unclear("the token request's thread ended without an answer");
            told.await.map_err(ended)?.map_err(FetchError::transient)?
        })
    }
}

/// Drives a future to its end, or until nobody wants its result any more.
fn start<T: Send + 'static>(
    future: impl Future<Output = T> + Send + 'static,
) -> io::Result<oneshot::Receiver<io::Result<T>>> {
    let (tell, told) = oneshot::channel();
    thread::Builder::new()
        .name("token-request".into())
        .spawn(|| drive(future, tell))?;
    Ok(told)
}

/// Builds the runtime here and not in the caller's task: if no thread could be spawned, the caller would drop it inside
/// a task, and that panics.
fn drive<T>(future: impl Future<Output = T>, mut tell: oneshot::Sender<io::Result<T>>) {
    let runtime = runtime::Builder::new_current_thread().enable_all().build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => {
            // An error here means that the caller was dropped; the same below.
            let _ = tell.send(Err(error));
            return;
        }
    };
    let result = runtime.block_on(unless(tell.closed(), future));
    if let Some(result) = result {
        let _ = tell.send(Ok(result));
    }
    // Not to wait for the resolver.
    runtime.shutdown_background();
}
