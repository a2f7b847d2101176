//! The providers that the crate knows, as JSON.

use std::{io::Write, process};

use serde_json::{Value, json};
use tower_oauth::provider::{self, Provider};

/// Writes one JSON array to standard output. A reader that has closed it has read enough.
pub(crate) fn show_and_exit() -> ! {
    let providers: Vec<_> = provider::all().iter().map(entry).collect();
    let written = writeln!(std::io::stdout(), "{}", Value::from(providers));
    process::exit(i32::from(written.is_err()));
}

fn entry(provider: &Provider) -> Value {
    json!({
        "name": provider.name(),
        "title": provider.title(),
        "environments": provider.environments().collect::<Vec<_>>(),
        "confidence": provider.confidence(),
        "documents": provider.documents(),
    })
}
