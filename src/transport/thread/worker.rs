//! The thread, and how a request gets to it and its response back.

use std::{
    io,
    pin::Pin,
    sync::{Mutex, PoisonError},
    thread,
};

use http::Response;
use reqwest::Body;
use tokio::{
    runtime,
    sync::{
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
        oneshot,
    },
};
use tracing::{Instrument, instrument::WithSubscriber};

use super::body::{self, Frames};
use crate::{BoxError, unless::unless};

type Answer<T> = Result<Response<T>, BoxError>;
type Call = Pin<Box<dyn Future<Output = Answer<Body>> + Send>>;

/// A request on its way to the thread.
struct Job {
    call: Call,
    tell: oneshot::Sender<Answer<Frames>>,
}

/// The thread: it ends when this is dropped.
#[derive(Default)]
pub(super) struct Worker {
    /// `None` before the first request.
    jobs: Mutex<Option<UnboundedSender<Job>>>,
}

impl Worker {
    /// Makes a call on the thread. Dropping the future, or the frames, drops the call.
    pub(super) fn start(&self, call: Call) -> impl Future<Output = Answer<Frames>> + Send + use<> {
        let (tell, told) = oneshot::channel();
        let call = Box::pin(call.in_current_span().with_current_subscriber());
        let queued = self.queue(Job { call, tell });
        async move {
            queued?;
            told.await.unwrap_or_else(|_| Err(ENDED.into()))
        }
    }

    /// Starts a thread if there is none, or if it had to give up.
    fn queue(&self, job: Job) -> io::Result<()> {
        let mut jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        let job = match &*jobs {
            None => job,
            Some(known) => match known.send(job) {
                Ok(()) => return Ok(()),
                Err(unsent) => unsent.0,
            },
        };
        let (sender, receiver) = unbounded_channel();
        // Before the thread starts, so that it finds the job whatever becomes of it.
        let _ = sender.send(job);
        thread::Builder::new()
            .name("token-requests".into())
            .spawn(move || work(receiver))?;
        *jobs = Some(sender);
        Ok(())
    }
}

pub(super) const ENDED: &str = "the thread of the token requests ended without an answer";

/// Builds the runtime here and not in the caller's task: if no thread could be started, the caller would drop it inside
/// a task, and that panics.
fn work(mut jobs: UnboundedReceiver<Job>) {
    let runtime = match runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return give_up(jobs, &error),
    };
    runtime.block_on(async {
        while let Some(job) = jobs.recv().await {
            tokio::spawn(run(job));
        }
    });
    // Not to wait for the resolver.
    runtime.shutdown_background();
}

/// The next request finds the queue closed, and starts another thread.
fn give_up(mut jobs: UnboundedReceiver<Job>, error: &io::Error) {
    jobs.close();
    while let Some(job) = jobs.blocking_recv() {
        let error = io::Error::new(error.kind(), error.to_string());
        // An error here means that the caller was dropped; the same below.
        let _ = job.tell.send(Err(error.into()));
    }
}

async fn run(Job { call, mut tell }: Job) {
    let Some(answer) = unless(tell.closed(), call).await else {
        return;
    };
    match answer {
        Err(error) => drop(tell.send(Err(error))),
        Ok(response) => {
            let (head, body) = response.into_parts();
            let (sender, frames) = body::channel();
            if tell.send(Ok(Response::from_parts(head, frames))).is_ok() {
                sender.pass_on(body).await;
            }
        }
    }
}
