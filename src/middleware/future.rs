use std::{
    fmt,
    pin::Pin,
    task::{Context, Poll, ready},
};

use http::{Request, Response};
use pin_project_lite::pin_project;
use sync_wrapper::SyncWrapper;
use tower::Service;

use super::{
    carried::Carried,
    retry::{BoxFuture, Keep, Resend},
    send::send,
};
use crate::{error::BoxError, lifecycle::Rejected};

pin_project! {
    /// The response of [`OAuth`](crate::OAuth). It may be dropped at any point.
    ///
    /// `F` is the inner service's future, `K` the copy of the request for a retry, `C` the response's body. With a
    /// usable token it is the inner future and four machine words. Only a wait or a retry allocates.
    pub struct ResponseFuture<F, K, C> {
        #[pin]
        state: State<F, C>,
        // Taken when the request is sent again.
        settling: Option<Settling<K>>,
    }
}

pin_project! {
    #[project = StateProj]
    enum State<F, C> {
        // The request was sent with a token.
        Sent { #[pin] inner: F },
        // The request waits for a token, is being retried, or has failed. Wrapped to be `Sync`, which
        // `boxed_clone_sync` requires.
        Slow { inner: SyncWrapper<BoxFuture<Response<C>>> },
    }
}

impl<F, C> State<F, C> {
    fn slow(inner: BoxFuture<Response<C>>) -> Self {
        Self::Slow {
            inner: SyncWrapper::new(inner),
        }
    }
}

/// What happens when the response arrives.
#[derive(Debug)]
pub(super) struct Settling<K> {
    pub(super) carried: Carried,
    pub(super) kept: K,
}

/// A rejected request that is to be sent again.
struct Again<C> {
    carried: Carried,
    rejected: Rejected,
    resend: Resend<C>,
}

impl<F, K, C> ResponseFuture<F, K, C>
where
    K: Keep<C> + Send + 'static,
    C: Send + 'static,
{
    #[inline]
    pub(super) fn sent(inner: F, settling: Settling<K>) -> Self {
        Self {
            state: State::Sent { inner },
            settling: Some(settling),
        }
    }

    #[cold]
    #[inline(never)]
    pub(super) fn waiting<S, B>(service: S, request: Request<B>, settling: Settling<K>) -> Self
    where
        S: Service<Request<B>, Response = Response<C>, Future = F> + Clone + Send + 'static,
        S::Error: Into<BoxError>,
        F: Send,
        B: Send + 'static,
    {
        Self::slow(Box::pin(settling.wait_and_send(service, request)))
    }

    #[cold]
    #[inline(never)]
    pub(super) fn failed(error: BoxError) -> Self {
        Self::slow(Box::pin(std::future::ready(Err(error))))
    }

    fn slow(inner: BoxFuture<Response<C>>) -> Self {
        Self {
            state: State::slow(inner),
            settling: None,
        }
    }
}

impl<F, K, C, E> Future for ResponseFuture<F, K, C>
where
    F: Future<Output = Result<Response<C>, E>>,
    E: Into<BoxError>,
    K: Keep<C> + Send + 'static,
    C: Send + 'static,
{
    type Output = Result<Response<C>, BoxError>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        loop {
            let mut response = match this.state.as_mut().project() {
                StateProj::Slow { inner } => return inner.get_mut().as_mut().poll(cx),
                StateProj::Sent { inner } => ready!(inner.poll(cx)).map_err(Into::into)?,
            };
            let Some(again) = Settling::settle(this.settling, &mut response) else {
                return Poll::Ready(Ok(response));
            };
            // The first response's future is dropped here, before the retry waits for readiness: it may hold the permit
            // that the retry needs.
            this.state.set(State::slow(Box::pin(again.send(response))));
        }
    }
}

impl<K> Settling<K> {
    async fn wait_and_send<S, B, C>(
        mut self,
        service: S,
        request: Request<B>,
    ) -> Result<Response<C>, BoxError>
    where
        S: Service<Request<B>, Response = Response<C>> + Clone,
        S::Error: Into<BoxError>,
        K: Keep<C> + Send + 'static,
        C: Send + 'static,
    {
        let (generation, mut response) = send(&self.carried.source, service, request).await?;
        self.carried.generation = generation;
        match Self::settle(&mut Some(self), &mut response) {
            Some(again) => again.send(response).await,
            None => Ok(response),
        }
    }

    /// Decides whether a response rejects the token, and whether the request is sent again. A response that is returned
    /// unchanged is not moved.
    fn settle<C>(this: &mut Option<Self>, response: &mut Response<C>) -> Option<Again<C>>
    where
        K: Keep<C>,
    {
        // Report every rejection to the source first, and decide about a retry after that.
        let rejected = this.as_ref()?.carried.settle(response)?;
        let Self { carried, kept } = this.take()?;
        let resend = kept.resend(rejected.rejection())?;
        Some(Again {
            carried,
            rejected,
            resend,
        })
    }
}

impl<C: Send + 'static> Again<C> {
    async fn send(self, response: Response<C>) -> Result<Response<C>, BoxError> {
        let mut carried = self.carried;
        if carried.source.replacement(self.rejected).await.is_none() {
            return Ok(response);
        }
        // Asked last: while this request waited, the first sending went on.
        let Some(second) = (self.resend)(carried.source.clone()) else {
            return Ok(response);
        };
        drop(response);
        let (generation, mut second) = second.await?;
        carried.generation = generation;
        carried.settle(&mut second);
        Ok(second)
    }
}

impl<F, K, C> fmt::Debug for ResponseFuture<F, K, C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResponseFuture").finish_non_exhaustive()
    }
}
