//! `docs/operate/tracing.md` has every span and event of the crate: its level, its message and its fields.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

const PAGE: &str = "docs/operate/tracing.md";

/// The macros of `tracing`, each with its level as the page writes it.
const MACROS: [(&str, &str); 10] = [
    ("error!", "ERROR"),
    ("warn!", "WARN"),
    ("info!", "INFO"),
    ("debug!", "DEBUG"),
    ("trace!", "TRACE"),
    ("error_span!", "ERROR span"),
    ("warn_span!", "WARN span"),
    ("info_span!", "INFO span"),
    ("debug_span!", "DEBUG span"),
    ("trace_span!", "TRACE span"),
];

/// Other ways to make a span or an event, which [`told`] does not read.
const NOT_READ: [&str; 4] = ["event!(", "span!(Level", "span!(tracing::", "#[instrument"];

/// A span or an event.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Told {
    level: String,
    message: String,
    fields: BTreeSet<String>,
}

#[test]
fn the_page_has_every_span_and_event_of_the_code() {
    let code = told_by_the_code();
    let page = told_by_the_page();
    assert!(code.len() > 20, "the walk found {} events", code.len());
    let missing: Vec<_> = code.difference(&page).collect();
    assert!(missing.is_empty(), "{PAGE} has no row for: {missing:#?}");
    let gone: Vec<_> = page.difference(&code).collect();
    assert!(gone.is_empty(), "the code does not have: {gone:#?}");
}

#[test]
fn the_page_explains_every_field_once() {
    let code = told_by_the_code();
    let used: BTreeSet<_> = code.into_iter().flat_map(|it| it.fields).collect();
    let rows = rows("field");
    let explained: BTreeSet<_> = rows.iter().map(|row| unquoted(&row[0])).collect();
    assert_eq!(explained.len(), rows.len(), "a field has two rows");
    assert_eq!(explained, used);
}

#[test]
fn the_page_has_every_outcome_of_a_fetch() {
    let telemetry = fs::read_to_string("src/lifecycle/telemetry.rs").unwrap();
    let recorded = telemetry.split("record(\"outcome\", ").skip(1);
    let outcomes = recorded.flat_map(|it| literals(it.split(");").next().unwrap()));
    let outcomes: BTreeSet<_> = outcomes.collect();
    assert!(outcomes.len() > 3, "{outcomes:?}");
    let row = rows("field").into_iter().find(|row| row[0] == "`outcome`");
    let row = row.expect("a row of `outcome`");
    for outcome in outcomes {
        assert!(row[1].contains(&format!("`{outcome}`")), "{outcome}");
    }
}

#[test]
fn no_event_is_written_in_a_way_that_this_test_does_not_read() {
    for (path, text) in sources() {
        let other = NOT_READ.iter().find(|it| text.contains(**it));
        assert_eq!(other, None, "{}", path.display());
    }
}

fn told_by_the_code() -> BTreeSet<Told> {
    let texts = sources().into_iter().map(|(_, text)| text);
    texts.flat_map(|text| told(&text)).collect()
}

/// The spans and events that a file's text makes.
fn told(text: &str) -> Vec<Told> {
    let mut found = Vec::new();
    for (name, level) in MACROS {
        for (at, _) in text.match_indices(&format!("{name}(")) {
            let before = text[..at].chars().next_back();
            if before.is_some_and(|it| it.is_alphanumeric() || it == '_') {
                continue; // the end of a longer name
            }
            found.extend(called(level, &text[at + name.len() + 1..]));
        }
    }
    found
}

/// What a call makes, from behind its opening bracket. A message that the code chooses among several makes one for each.
fn called(level: &str, from: &str) -> Vec<Told> {
    let arguments = arguments(from);
    let first_text = arguments.iter().position(|it| it.starts_with('"'));
    let first_text = first_text.expect("a message or a span's name");
    let messages = arguments[first_text..].iter().flat_map(|it| literals(it));
    let is_span = level.ends_with("span");
    let fields = match is_span {
        true => &arguments[first_text + 1..],
        false => &arguments[..first_text],
    };
    let fields: BTreeSet<_> = fields.iter().filter_map(|it| field(it)).collect();
    messages
        .take(if is_span { 1 } else { usize::MAX })
        .filter(|message| message != "{}")
        .map(|message| Told {
            level: level.to_owned(),
            message,
            fields: fields.clone(),
        })
        .collect()
}

/// The name of a field: `name = value`, or a variable with or without a sign for how it is printed.
fn field(argument: &str) -> Option<String> {
    if argument.starts_with("parent:") || argument.starts_with("target:") {
        return None;
    }
    let name = argument.split(" = ").next().unwrap();
    let name = name.trim_start_matches(['%', '?']).trim();
    Some(name.to_owned())
}

/// The arguments of a call up to its closing bracket.
fn arguments(from: &str) -> Vec<String> {
    let (mut arguments, mut argument) = (Vec::new(), String::new());
    let (mut depth, mut in_text, mut escaped) = (0, false, false);
    for letter in from.chars() {
        match letter {
            '"' if !escaped => in_text = !in_text,
            '(' | '[' | '{' if !in_text => depth += 1,
            ')' if !in_text && depth == 0 => break,
            ')' | ']' | '}' if !in_text => depth -= 1,
            ',' if !in_text && depth == 0 => {
                arguments.push(std::mem::take(&mut argument));
                continue;
            }
            _ => {}
        }
        escaped = letter == '\\' && !escaped;
        argument.push(letter);
    }
    arguments.push(argument);
    let arguments = arguments.into_iter().map(|it| it.trim().to_owned());
    arguments.filter(|it| !it.is_empty()).collect()
}

/// The texts in a piece of code.
fn literals(code: &str) -> Vec<String> {
    let code = code.replace("\\\"", "\u{0}");
    let texts = code.split('"').skip(1).step_by(2);
    texts.map(|it| it.replace('\u{0}', "\"")).collect()
}

/// Every file of the crate, without its tests and comments.
fn sources() -> Vec<(PathBuf, String)> {
    let files = rust_files(Path::new("src")).into_iter();
    let files = files.filter(|path| !path.iter().any(|it| it == "tests" || it == "tests.rs"));
    files
        .map(|path| {
            let text = fs::read_to_string(&path).unwrap();
            let text = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
            let lines = text.lines().filter(|it| !it.trim_start().starts_with("//"));
            let text = lines.collect::<Vec<_>>().join("\n");
            (path, text)
        })
        .collect()
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        match path.is_dir() {
            true => found.extend(rust_files(&path)),
            false if path.extension().is_some_and(|it| it == "rs") => found.push(path),
            false => {}
        }
    }
    found
}

fn told_by_the_page() -> BTreeSet<Told> {
    let rows = rows("level").into_iter();
    rows.map(|row| Told {
        level: row[0].clone(),
        message: row[1].clone(),
        fields: literals(&row[2].replace('`', "\"")).into_iter().collect(),
    })
    .collect()
}

/// The rows of the page's tables whose first column has this title.
fn rows(title: &str) -> Vec<Vec<String>> {
    let page = fs::read_to_string(PAGE).unwrap();
    let (mut rows, mut is_wanted) = (Vec::new(), false);
    for line in page.lines() {
        match line.strip_prefix("| ") {
            None => is_wanted = is_wanted && line.starts_with("|--"),
            Some(line) if line.starts_with(&format!("{title} |")) => is_wanted = true,
            Some(line) if is_wanted => {
                let cells = line.trim_end_matches('|').split(" | ");
                rows.push(cells.map(|it| it.trim().to_owned()).collect());
            }
            Some(_) => {}
        }
    }
    rows
}

fn unquoted(cell: &str) -> String {
    cell.trim_matches('`').to_owned()
}

#[test]
fn a_field_more_is_another_event() {
    let text =
        "warn!(\n provider = &*name(a, b),\n %error,\n \"it failed, \\\"badly\\\" (again)\"\n);";
    let before = told(text);
    assert_eq!(before.len(), 1, "{before:?}");
    assert_eq!(before[0].level, "WARN");
    let fields = ["error", "provider"].map(str::to_owned);
    assert_eq!(before[0].fields, fields.into());
    let after = told(&text.replace("%error", "%error, attempt"));
    assert_ne!(before, after);
    assert!(after[0].fields.contains("attempt"));
}

#[test]
fn a_span_has_one_name_and_each_chosen_message_is_an_event() {
    let span = told("info_span!(parent: None, \"fetch\", provider = \"x\", outcome = Empty)");
    assert_eq!(span.len(), 1, "{span:?}");
    assert_eq!((&*span[0].message, span[0].fields.len()), ("fetch", 2));
    let chosen = told("warn!(left, \"{}\", match left { 0 => \"over\", _ => \"soon\" })");
    let messages: Vec<_> = chosen.iter().map(|it| &*it.message).collect();
    assert_eq!(messages, ["over", "soon"]);
}
