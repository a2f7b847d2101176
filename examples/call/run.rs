//! Sends the requests, and keeps the tally.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use bytes::Bytes;
use futures_util::future::join_all;
use http::{Method, Request, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use indicatif::{ProgressBar, ProgressStyle};
use tokio::time::{Instant, error::Elapsed, sleep_until, timeout};
use tower::ServiceExt;
use tower_oauth::BoxError;

use crate::{
    api::Client,
    args::{Args, RequestArgs},
    pace::Pace,
    tally::Tally,
    terminal,
};

struct Run {
    service: Client,
    request: Request<Full<Bytes>>,
    timeout: Duration,
    shows_body: bool,
    pace: Pace,
    tally: Mutex<Tally>,
    progress: ProgressBar,
}

/// Sends all the requests, or those until someone interrupts.
pub(crate) async fn run(service: Client, args: &Args, url: &Uri) -> Tally {
    let run = Run {
        service,
        request: request(&args.request, url),
        timeout: args.load.timeout,
        shows_body: args.load.is_single(),
        pace: Pace::start(&args.load),
        tally: Mutex::default(),
        progress: progress(args),
    };
    let workers = (0..args.load.concurrency).map(|_| run.work());
    let interrupted = tokio::select! {
        _ = join_all(workers) => false,
        Ok(()) = tokio::signal::ctrl_c() => true,
    };
    run.progress.finish_and_clear();
    let tally = run.tally.into_inner();
    Tally {
        interrupted,
        ..tally.unwrap_or_else(PoisonError::into_inner)
    }
}

impl Run {
    async fn work(&self) {
        while let Some(slot) = self.pace.next() {
            sleep_until(slot).await;
            let started = Instant::now();
            let outcome = timeout(self.timeout, self.send()).await;
            self.note(outcome, started.elapsed());
        }
    }

    async fn send(&self) -> Result<StatusCode, BoxError> {
        let response = self.service.clone().oneshot(self.request.clone()).await?;
        let status = response.status();
        let mut body = response.into_body();
        let mut shown = self.shows_body.then(terminal::Body::default);
        while let Some(frame) = body.frame().await {
            if let (Some(shown), Ok(data)) = (&mut shown, frame?.into_data()) {
                shown.piece(&data);
            }
        }
        shown.into_iter().for_each(terminal::Body::end);
        Ok(status)
    }

    fn note(&self, outcome: Result<Result<StatusCode, BoxError>, Elapsed>, took: Duration) {
        let outcome = outcome.unwrap_or_else(|elapsed| Err(elapsed.into()));
        let mut tally = self.tally.lock().unwrap_or_else(PoisonError::into_inner);
        tally.note(outcome, took);
        self.progress.inc(1);
    }
}

/// What is sent to the API.
pub(crate) fn request(args: &RequestArgs, url: &Uri) -> Request<Full<Bytes>> {
    let body = args.data.clone();
    let method = match body {
        Some(_) => Method::POST,
        None => Method::GET,
    };
    let mut request = Request::new(Full::from(body.unwrap_or_default()));
    *request.method_mut() = args.method.clone().unwrap_or(method);
    *request.uri_mut() = url.clone();
    for (name, value) in &args.header {
        request.headers_mut().append(name, value.clone());
    }
    request
}

/// Drawn on standard error, and only if that is a terminal.
fn progress(args: &Args) -> ProgressBar {
    let (progress, template) = match args.load.limit() {
        Some(1) => return ProgressBar::hidden(),
        Some(requests) => (
            ProgressBar::new(requests),
            "{elapsed} {wide_bar} {pos}/{len} ({per_sec})",
        ),
        None => (
            ProgressBar::new_spinner(),
            "{elapsed} {spinner} {pos} ({per_sec})",
        ),
    };
    match ProgressStyle::with_template(template) {
        Ok(style) => progress.with_style(style),
        Err(_) => progress,
    }
}
