//! A source in words, for the page and for the table.

use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;
use tower_oauth::{
    CertificateStatus, Health, HealthIssue, HealthIssueKind, LastFailure, SharingStatus,
    SourceState, Status,
};

use super::history::Entry;

/// More would not be read.
const MOST_SOURCES: usize = 60;

/// How good or bad something is. The worst sort first. A word or a sign always stands beside the colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Tone {
    Bad,
    Warn,
    Busy,
    Good,
    Idle,
}

/// All sources. It holds no time that passes, so that two pages differ only if something has happened.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub(super) struct Page {
    pub(super) summary: String,
    pub(super) sources: Vec<View>,
    /// Says that there are more sources than are shown.
    pub(super) more: Option<String>,
}

/// One source. Moments are milliseconds since 1970, lengths are milliseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct View {
    pub(super) name: String,
    pub(super) tone: Tone,
    pub(super) word: &'static str,
    pub(super) meaning: &'static str,
    pub(super) token: Option<TokenView>,
    pub(super) back_off: Option<BackOffView>,
    pub(super) issues: Vec<IssueView>,
    pub(super) history: Vec<Entry>,
    pub(super) certificate: Option<CertificateView>,
    pub(super) sharing: Option<String>,
    pub(super) counters: Vec<(&'static str, u64)>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct TokenView {
    pub(super) number: u64,
    pub(super) from: &'static str,
    pub(super) issued_at: u64,
    pub(super) lifetime: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct BackOffView {
    pub(super) from: u64,
    pub(super) until: u64,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct IssueView {
    pub(super) tone: Tone,
    pub(super) text: String,
    pub(super) advice: Option<String>,
    pub(super) meta: Option<String>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct CertificateView {
    pub(super) serial: String,
    pub(super) ends_at: u64,
}

impl Page {
    pub(super) fn of(mut sources: Vec<View>) -> Self {
        let count = |tone| sources.iter().filter(|it| it.tone == tone).count();
        let (failing, warned) = (count(Tone::Bad), count(Tone::Warn));
        let total = sources.len();
        let summary = match (failing, warned) {
            (0, 0) => format!("All {total} are well."),
            (failing, 0) => format!("{failing} of {total} failing."),
            (0, warned) => format!("{warned} of {total} to look at."),
            (failing, warned) => format!("{failing} of {total} failing, {warned} to look at."),
        };
        // Stable, so that the good ones keep their places while they refresh.
        sources.sort_by_key(|it| it.tone.min(Tone::Busy));
        sources.truncate(MOST_SOURCES);
        let hidden = total - sources.len();
        Self {
            summary,
            more: (hidden > 0).then(|| format!("{hidden} more, none of them worse.")),
            sources,
        }
    }
}

impl View {
    pub(super) fn of(status: &Status, history: Vec<Entry>) -> Self {
        let (tone, word, meaning) = words(status);
        let health = Health::of([status.clone()]);
        let issues = health.sources.into_iter().flat_map(|it| it.issues);
        let issues: Vec<_> = issues
            .filter(|it| it.kind != HealthIssueKind::Rejected) // the state says it
            .map(|it| IssueView::of(it, status))
            .collect();
        let worst = issues.iter().map(|it| it.tone).min();
        Self {
            name: status.name.clone(),
            tone: tone.min(worst.unwrap_or(tone)),
            word,
            meaning,
            token: TokenView::of(status),
            back_off: BackOffView::of(status),
            issues,
            history,
            certificate: status.certificate.as_ref().map(CertificateView::of),
            sharing: status.sharing.as_ref().map(sharing),
            counters: counters(status),
        }
    }
}

/// What a request would find, as a word and a sentence.
fn words(status: &Status) -> (Tone, &'static str, &'static str) {
    use SourceState::*;
    let failed = status.last_failure.is_some();
    match status.state {
        _ if status.closed => (Tone::Bad, "Closed", "It gets no new token, and never will."),
        Fresh | Stale if failed => (
            Tone::Warn,
            "Refresh failing",
            "Requests use the token until it expires.",
        ),
        Fresh => (Tone::Good, "Fresh", "Requests use the token."),
        Stale if status.fetching => (
            Tone::Busy,
            "Refreshing",
            "Requests use the token while the next one is fetched.",
        ),
        Stale => (
            Tone::Good,
            "Refresh due",
            "Requests use the token, and the next one starts its refresh.",
        ),
        Suspended => (
            Tone::Warn,
            "Rejected",
            "The API rejected the token. Requests wait for the next one.",
        ),
        _ if failed && status.retry_at.is_some() => (
            Tone::Bad,
            "Backing off",
            "Requests fail until the next attempt.",
        ),
        _ if failed && status.fetching => {
            (Tone::Bad, "Trying again", "Requests wait for this attempt.")
        }
        _ if failed => (Tone::Bad, "Failing", "The next request tries again."),
        _ if status.fetching => (Tone::Busy, "Fetching", "Requests wait for the token."),
        Missing => (
            Tone::Idle,
            "Not used yet",
            "The first request fetches a token.",
        ),
        _ => (Tone::Idle, "Expired", "The next request fetches a token."),
    }
}

impl TokenView {
    fn of(status: &Status) -> Option<Self> {
        Some(Self {
            number: status.generation?,
            from: status.obtained_from?.as_str(),
            issued_at: millis(status.issued_at?),
            lifetime: u64::try_from(status.lifetime?.as_millis()).unwrap_or(u64::MAX),
        })
    }
}

impl BackOffView {
    fn of(status: &Status) -> Option<Self> {
        Some(Self {
            from: millis(status.last_failure.as_ref()?.at),
            until: millis(status.retry_at?),
        })
    }
}

impl IssueView {
    fn of(issue: HealthIssue, status: &Status) -> Self {
        use HealthIssueKind::*;
        let tone = match issue.kind {
            Closed | NoToken | CertificateExpired => Tone::Bad,
            _ => Tone::Warn,
        };
        let failure = status
            .last_failure
            .as_ref()
            .filter(|_| matches!(issue.kind, NoToken | RefreshFailing));
        Self {
            tone,
            // Its card says whose it is.
            text: match issue.text.strip_prefix(&format!("{}: ", status.name)) {
                Some(text) => text.to_owned(),
                None => issue.text,
            },
            advice: issue.advice,
            meta: failure.map(in_a_row),
        }
    }
}

fn in_a_row(failure: &LastFailure) -> String {
    let class = failure.class.as_str();
    match failure.consecutive {
        1 => format!("One fetch has failed ({class})."),
        number => format!("{number} fetches have failed in a row ({class})."),
    }
}

impl CertificateView {
    fn of(certificate: &CertificateStatus) -> Self {
        Self {
            serial: certificate.serial.clone(),
            ends_at: millis(certificate.not_after),
        }
    }
}

fn sharing(sharing: &SharingStatus) -> String {
    let state = match sharing.bypassed {
        true => "The shared store is bypassed",
        false => "The token is shared",
    };
    match sharing.bypasses {
        0 => format!("{state}."),
        bypasses => format!("{state}. Bypassed {bypasses} times."),
    }
}

fn counters(status: &Status) -> Vec<(&'static str, u64)> {
    let it = &status.counters;
    let mut counters = vec![
        ("fetches", it.fetches),
        ("attempts", it.attempts),
        ("failed attempts", it.failures),
        ("refreshed ahead", it.refreshes_ahead),
        ("rejections", it.rejections),
        ("retries", it.retries),
    ];
    if status.sharing.is_some() {
        counters.push(("from the store", it.from_store));
    }
    counters
}

pub(super) fn millis(at: SystemTime) -> u64 {
    let since = at.duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tower::service_fn;
    use tower_oauth::{BoxError, Token, TokenRequest, TokenSource};

    use super::*;

    /// The status of a source that was never used.
    fn status() -> Status {
        let fetcher = service_fn(async |_: TokenRequest| Ok::<_, BoxError>(Token::new("abc")));
        let source = TokenSource::builder(fetcher).name("bank").build();
        source.unwrap().status()
    }

    fn word(state: SourceState, fetching: bool) -> (Tone, &'static str) {
        let mut status = status();
        (status.state, status.fetching) = (state, fetching);
        let view = View::of(&status, Vec::new());
        (view.tone, view.word)
    }

    #[test]
    fn each_state_has_a_word() {
        use SourceState::*;
        for (state, fetching, expected) in [
            (Missing, false, (Tone::Idle, "Not used yet")),
            (Missing, true, (Tone::Busy, "Fetching")),
            (Expired, false, (Tone::Idle, "Expired")),
            (Expired, true, (Tone::Busy, "Fetching")),
            (Fresh, false, (Tone::Good, "Fresh")),
            (Stale, false, (Tone::Good, "Refresh due")),
            (Stale, true, (Tone::Busy, "Refreshing")),
            (Suspended, true, (Tone::Warn, "Rejected")),
        ] {
            assert_eq!(word(state, fetching), expected);
        }
    }

    #[test]
    fn an_issue_gives_a_good_source_its_tone() {
        let mut status = status();
        status.state = SourceState::Fresh;
        status.sharing = Some(SharingStatus::default());
        status.sharing.as_mut().unwrap().bypassed = true;
        let view = View::of(&status, Vec::new());
        assert_eq!((view.tone, view.word), (Tone::Warn, "Fresh"));
        assert_eq!(view.sharing.unwrap(), "The shared store is bypassed.");
    }

    #[test]
    fn of_many_sources_the_worst_are_shown() {
        let mut views: Vec<_> = (0..100)
            .map(|number| {
                let mut view = View::of(&status(), Vec::new());
                view.name = number.to_string();
                view
            })
            .collect();
        views[99].tone = Tone::Bad;
        views[98].tone = Tone::Warn;
        views[50].tone = Tone::Good;
        let page = Page::of(views);
        let names: Vec<_> = page.sources.iter().map(|it| it.name.as_str()).collect();
        assert_eq!(names[..4], ["99", "98", "0", "1"]);
        assert_eq!(names.len(), MOST_SOURCES);
        assert_eq!(page.summary, "1 of 100 failing, 1 to look at.");
        assert_eq!(page.more.unwrap(), "40 more, none of them worse.");
    }

    #[test]
    fn a_moment_before_1970_is_1970() {
        assert_eq!(millis(UNIX_EPOCH - Duration::from_secs(1)), 0);
    }
}
