//! Collects the output of `tracing` and `log`, at every level.

use std::{
    fmt,
    sync::{Arc, Mutex},
};

use tracing::{
    Event, Metadata, Subscriber,
    field::{Field, Visit},
    span::{Attributes, Id, Record},
    subscriber::DefaultGuard,
};
use tracing_log::LogTracer;
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt},
    registry::LookupSpan,
};

/// The collected output as text: one line for each span, record and event.
#[derive(Clone, Default)]
pub struct Logs(Arc<Mutex<Vec<String>>>);

impl Logs {
    /// Listens on this thread, at every level.
    pub fn listen() -> (Self, DefaultGuard) {
        // It is an error to listen twice in a process, and no matter.
        let _ = LogTracer::init();
        // With no more than one subscriber in the process, `tracing` asks the thread that meets a call site first, and
        // a thread that does not listen switches the call site off for all. Here is a second one, which ignores
        // everything.
        let _ = tracing::subscriber::set_global_default(tracing_subscriber::registry());
        let logs = Self::default();
        let subscriber = tracing_subscriber::registry().with(logs.clone());
        (logs, tracing::subscriber::set_default(subscriber))
    }

    pub fn lines(&self) -> Vec<String> {
        self.0.lock().unwrap().clone()
    }

    pub fn with(&self, text: &str) -> Vec<String> {
        let mut lines = self.lines();
        lines.retain(|line| line.contains(text));
        lines
    }

    pub fn record(&self, what: &str, fields: impl FnOnce(&mut Fields)) {
        let mut line = Fields(what.to_owned());
        fields(&mut line);
        self.0.lock().unwrap().push(line.0);
    }
}

pub struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.0 += &format!(" {field}={value:?}");
    }
}

fn head(kind: &str, metadata: &Metadata<'_>, inside: &str) -> String {
    format!(
        "{kind} {} {} in [{inside}]",
        metadata.level(),
        metadata.name()
    )
}

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Logs {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let parent = context.span(id).and_then(|span| span.parent());
        let inside = parent.map_or("", |span| span.name());
        let head = head("span", attributes.metadata(), inside);
        self.record(&head, |fields| attributes.record(fields));
    }

    fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
        self.record("record", |fields| values.record(fields));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let scope = context.event_scope(event).into_iter().flatten();
        let inside: Vec<_> = scope.map(|span| span.name()).collect();
        let head = head("event", event.metadata(), &inside.join(" "));
        self.record(&head, |fields| event.record(fields));
    }
}
