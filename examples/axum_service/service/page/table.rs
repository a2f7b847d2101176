//! The same as a table, for a reader without JavaScript.

use std::fmt::Write;

use jiff::Timestamp;

use super::{
    history::Entry,
    view::{IssueView, Page, Tone, View},
};

const WRONG: &str = "What is wrong, and what to do";

const HEADINGS: [&str; 8] = [
    "Source",
    "State",
    "Token expires",
    "Next attempt",
    WRONG,
    "Last fetch",
    "Certificate ends",
    "Counters",
];

pub(super) fn html(page: &Page) -> String {
    let mut html = format!(
        "<table><caption>{}</caption><thead><tr>",
        escape(&page.summary)
    );
    for heading in HEADINGS {
        write(&mut html, format_args!("<th scope=\"col\">{heading}</th>"));
    }
    html.push_str("</tr></thead><tbody>");
    page.sources.iter().for_each(|view| row(&mut html, view));
    html.push_str("</tbody></table>");
    if let Some(more) = &page.more {
        write(&mut html, format_args!("<p>{}</p>", escape(more)));
    }
    html
}

fn row(html: &mut String, view: &View) {
    let (class, name) = (class(view.tone), escape(&view.name));
    write(
        html,
        format_args!("<tr class=\"{class}\"><th scope=\"row\">{name}</th>"),
    );
    for (heading, cell) in HEADINGS[1..].iter().zip(cells(view)) {
        let class = match *heading {
            "State" => " class=\"now\"",
            WRONG => " class=\"wrong\"",
            _ => "",
        };
        write(
            html,
            format_args!("<td{class} data-label=\"{heading}\">{cell}</td>"),
        );
    }
    html.push_str("</tr>");
}

/// What stands under the headings, but for the first.
fn cells(view: &View) -> [String; HEADINGS.len() - 1] {
    let issues: Vec<_> = view.issues.iter().map(issue).collect();
    let counters = view.counters.iter();
    let counters: Vec<_> = counters
        .map(|(label, it)| format!("{it} {label}"))
        .collect();
    [
        format!("{}. {}", view.word, view.meaning),
        moment(view.token.as_ref().map(|it| it.issued_at + it.lifetime)),
        moment(view.back_off.as_ref().map(|it| it.until)),
        or_dash(issues.join("<br>")),
        view.history.first().map_or_else(dash, last),
        moment(view.certificate.as_ref().map(|it| it.ends_at)),
        counters.join(", "),
    ]
}

fn last(entry: &Entry) -> String {
    format!("{}<br>{}", moment(Some(entry.at)), escape(&entry.what))
}

fn issue(issue: &IssueView) -> String {
    let text = escape(&issue.text);
    match &issue.advice {
        Some(advice) => format!("{text}<br>What to do: {}.", escape(advice)),
        None => text,
    }
}

fn moment(millis: Option<u64>) -> String {
    let at = millis.and_then(|it| i64::try_from(it).ok());
    let at = at.and_then(|it| Timestamp::from_millisecond(it).ok());
    let text = |at: Timestamp| {
        at.strftime("<time>%F</time> <time>%T UTC</time>")
            .to_string()
    };
    at.map_or_else(dash, text)
}

fn or_dash(text: String) -> String {
    match text.is_empty() {
        true => dash(),
        false => text,
    }
}

fn dash() -> String {
    "–".into()
}

fn class(tone: Tone) -> &'static str {
    match tone {
        Tone::Bad => "bad",
        Tone::Warn => "warn",
        Tone::Busy => "busy",
        Tone::Good => "good",
        Tone::Idle => "idle",
    }
}

/// A text from outside, such as a bank's error, as text in HTML.
fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for letter in text.chars() {
        match letter {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            other => safe.push(other),
        }
    }
    safe
}

fn write(html: &mut String, text: std::fmt::Arguments<'_>) {
    html.write_fmt(text).expect("a string takes any text");
}
