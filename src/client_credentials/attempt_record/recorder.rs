//! Makes a record of each attempt, and passes it to the observer.

use std::sync::Arc;

use bytes::Bytes;
use http::Request;

use super::{
    AnswerRecord, AttemptRecord, Observer, RequestRecord,
    answer::{received, shown_error},
    request::sent,
};
use crate::{
    FetchError,
    client_credentials::response::{Answer, Reader},
};

/// Makes records of attempts, and passes them to its observer.
pub(in crate::client_credentials) struct Recorder {
    observer: Observer,
    request: Arc<RequestRecord>,
    reader: Arc<Reader>,
}

/// One attempt under way.
pub(in crate::client_credentials) struct Recording {
    observer: Observer,
    request: Arc<RequestRecord>,
    reader: Arc<Reader>,
    attempt: u32,
    ended: bool,
}

impl Recorder {
    pub(in crate::client_credentials) fn new(
        observer: Observer,
        request: &Request<Bytes>,
        reader: Arc<Reader>,
    ) -> Self {
        let request = Arc::new(sent(request, reader.dialect(), reader.scrubber()));
        Self {
            observer,
            request,
            reader,
        }
    }

    pub(in crate::client_credentials) fn begin(&self, attempt: u32) -> Recording {
        Recording {
            observer: self.observer.clone(),
            request: Arc::clone(&self.request),
            reader: Arc::clone(&self.reader),
            attempt,
            ended: false,
        }
    }
}

impl Recording {
    pub(in crate::client_credentials) fn end(mut self, outcome: &Result<Answer, FetchError>) {
        self.ended = true;
        self.tell(match outcome {
            Ok(answer) => Ok(received(answer, &self.reader)),
            Err(error) => Err(shown_error(error, self.reader.scrubber())),
        });
    }

    fn tell(&self, answer: Result<AnswerRecord, String>) {
        self.observer.tell(&AttemptRecord {
            attempt: self.attempt,
            request: Arc::clone(&self.request),
            answer,
        });
    }
}

/// An attempt that takes too long is dropped, and has a record too.
impl Drop for Recording {
    fn drop(&mut self) {
        if !self.ended && !std::thread::panicking() {
            self.tell(Err("the attempt was given up before an answer came".into()));
        }
    }
}
