//! A service that several calls use at the same time.

use std::{
    future::poll_fn,
    sync::{Mutex, MutexGuard, TryLockError},
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::time;
use tower::{Service, util::BoxService};

/// How long to wait while another call uses the service.
const OCCUPIED: Duration = Duration::from_millis(50);

/// A transport or a signer. A call needs it only after it has done something else, such as reading a secret.
///
/// # Invariants
///
/// 1. It is locked for one poll, never across an await: a call that is no longer polled does not hold it.
/// 2. A call that finds it ready calls it under the same lock. No other call takes the permit in between, and none is
///    held by a call that does something else.
/// 3. A call that finds it locked tries again later. It blocks no thread: the other call may be stuck in the user's
///    code.
pub(super) struct SharedService<Req, Res, E>(Mutex<BoxService<Req, Res, E>>);

/// A call that has begun, or why the service cannot be called.
type Begun<Req, Res, E> = Result<<BoxService<Req, Res, E> as Service<Req>>::Future, E>;

impl<Req, Res, E> SharedService<Req, Res, E> {
    pub(super) fn new(service: BoxService<Req, Res, E>) -> Self {
        Self(Mutex::new(service))
    }

    /// Waits until the service is ready, and calls it.
    pub(super) async fn call(&self, request: Req) -> Result<Res, E> {
        let mut request = Some(request);
        loop {
            match poll_fn(|cx| self.poll_call(&mut request, cx)).await {
                Some(call) => return call?.await,
                None => time::sleep(OCCUPIED).await,
            }
        }
    }

    /// Ready also while another call is inside: the next call waits for it.
    pub(super) fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), E>> {
        match self.try_lock() {
            Some(mut service) => service.poll_ready(cx),
            None => Poll::Ready(Ok(())),
        }
    }

    /// `None`: another call is inside the service.
    fn poll_call(
        &self,
        request: &mut Option<Req>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Begun<Req, Res, E>>> {
        let Some(mut service) = self.try_lock() else {
            return Poll::Ready(None);
        };
        let ready = ready!(service.poll_ready(cx));
        let request = request.take().expect("it is called once");
        Poll::Ready(Some(ready.map(|()| service.call(request))))
    }

    fn try_lock(&self) -> Option<MutexGuard<'_, BoxService<Req, Res, E>>> {
        match self.0.try_lock() {
            Ok(service) => Some(service),
            // A panic of the user's code is an ordinary outcome.
            Err(TryLockError::Poisoned(poisoned)) => Some(poisoned.into_inner()),
            Err(TryLockError::WouldBlock) => None,
        }
    }
}
