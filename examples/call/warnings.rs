//! What the crate warns of while it reads certificates, the shared store and the token endpoint's answers, on standard
//! error: a call may succeed in spite of it.

use std::{
    collections::HashSet,
    fmt::{Debug, Write as _},
    sync::{Mutex, PoisonError},
};

use tracing::{
    Event, Level, Metadata, Subscriber,
    field::{Field, Visit},
    level_filters::LevelFilter,
};
use tracing_subscriber::{
    Layer,
    layer::{Context, SubscriberExt},
    registry,
};

use crate::terminal::say;

/// Failed fetches are not among them: those are the advice's.
const SHOWN: [&str; 3] = [
    "tower_oauth::client_credentials",
    "tower_oauth::identity",
    "tower_oauth::shared",
];

/// From now on each warning is shown, once.
pub(crate) fn show() {
    let shown = registry().with(Warnings::default());
    // It fails only where somebody else has set one.
    let _ = tracing::subscriber::set_global_default(shown);
}

#[derive(Default)]
struct Warnings {
    said: Mutex<HashSet<String>>,
}

impl<S: Subscriber> Layer<S> for Warnings {
    fn enabled(&self, metadata: &Metadata<'_>, _: Context<'_, S>) -> bool {
        metadata.is_event()
            && *metadata.level() == Level::WARN
            && SHOWN.iter().any(|it| metadata.target().starts_with(it))
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::WARN)
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut words = Words::default();
        event.record(&mut words);
        let text = words.sentence();
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.insert(text.clone()) {
            say(text);
        }
    }
}

#[derive(Default)]
struct Words {
    provider: String,
    message: String,
    fields: String,
}

impl Words {
    fn sentence(&self) -> String {
        let Self {
            provider,
            message,
            fields,
        } = self;
        let colon = if provider.is_empty() { "" } else { ": " };
        format!("call: warning: {provider}{colon}{message}{fields}")
    }
}

impl Visit for Words {
    fn record_str(&mut self, field: &Field, value: &str) {
        self.record_debug(field, &format_args!("{value}"));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = match field.name() {
            "provider" => write!(self.provider, "{value:?}"),
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, "; {name}: {value:?}"),
        };
    }
}
