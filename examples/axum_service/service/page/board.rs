use std::{
    convert::Infallible,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use axum::response::sse::Event;
use futures_util::{Stream, stream};
use serde::Serialize;
use tokio::{
    sync::{Notify, watch},
    time,
};
use tower_oauth::{Changes, Clock, TokenSource};

use super::{
    history::History,
    view::{Page, View, millis},
};

/// Time alone changes a state: a token becomes stale, a back-off ends.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A burst of changes is one event.
const AT_MOST_EVERY: Duration = Duration::from_millis(100);
/// So that the page notices a connection that died without an error.
const BEAT_EVERY: Duration = Duration::from_secs(5);

/// Watches the sources for the page. Clones share everything. Its tasks end after [`close`](Self::close).
#[derive(Clone)]
pub(crate) struct Board(Arc<Inner>);

struct Inner {
    watched: Vec<Watched>,
    changed: Notify,
    news: watch::Sender<News>,
}

struct Watched {
    source: TokenSource,
    history: Mutex<History>,
}

/// What all viewers see.
#[derive(Default)]
struct News {
    page: Arc<Page>,
    closed: bool,
}

/// A page with the time that it was seen at, which is the viewer's clock.
#[derive(Serialize)]
struct Seen<'a> {
    at: u64,
    #[serde(flatten)]
    page: Option<&'a Page>,
}

impl Board {
    /// Call it inside a runtime.
    pub(crate) fn watch(sources: impl IntoIterator<Item = TokenSource>) -> Self {
        // The stream first, so that no change is lost between it and the first status.
        let (changes, watched): (Vec<_>, Vec<_>) = sources
            .into_iter()
            .map(|source| {
                let changes = source.changes();
                let history = Mutex::new(History::new(source.status()));
                (changes, Watched { source, history })
            })
            .unzip();
        let board = Self(Arc::new(Inner {
            watched,
            changed: Notify::new(),
            news: watch::Sender::default(),
        }));
        for (at, changes) in changes.into_iter().enumerate() {
            tokio::spawn(board.clone().record(at, changes));
        }
        tokio::spawn(board.clone().publish());
        board
    }

    /// Ends the streams of all viewers: a graceful shutdown would wait for them.
    pub(crate) fn close(&self) {
        self.0.news.send_modify(|news| news.closed = true);
        self.0.changed.notify_one();
    }

    pub(super) fn page(&self) -> Page {
        let views = self.0.watched.iter().map(Watched::view);
        Page::of(views.collect())
    }

    /// The page now, and again after each change. Between them a beat, so that a viewer knows that nothing has changed.
    pub(super) fn events(&self) -> impl Stream<Item = Result<Event, Infallible>> + use<> {
        let news = self.0.news.subscribe();
        let first = Event::default();
        let first = first
            .event("sources")
            .json_data(Seen::now(Some(&self.page())));
        let first = first.expect("a page is JSON");
        stream::unfold((Some(first), news), |(first, mut news)| async move {
            let event = match first {
                Some(first) if !news.borrow().closed => first,
                Some(_) => return None,
                None => next(&mut news).await?,
            };
            Some((Ok(event), (None, news)))
        })
    }

    /// Keeps the history of one source, until the source or the board is closed.
    async fn record(self, at: usize, mut changes: Changes) {
        let mut news = self.0.news.subscribe();
        loop {
            let status = tokio::select! {
                Some(status) = changes.next() => status,
                _ = news.wait_for(|news| news.closed) => return,
                else => return,
            };
            self.0.watched[at].history().record(status);
            self.0.changed.notify_one();
        }
    }

    /// Does nothing while nobody looks.
    async fn publish(self) {
        loop {
            // Either is a reason to look again.
            let _ = time::timeout(LOOK_EVERY, self.0.changed.notified()).await;
            if self.0.news.borrow().closed {
                return;
            }
            let page = self.page();
            self.0.news.send_if_modified(|news| {
                let differs = *news.page != page;
                if differs {
                    news.page = Arc::new(page);
                }
                differs
            });
            time::sleep(AT_MOST_EVERY).await;
        }
    }
}

/// `None` once the board is closed.
async fn next(news: &mut watch::Receiver<News>) -> Option<Event> {
    let changed = time::timeout(BEAT_EVERY, news.changed()).await;
    let Ok(changed) = changed else {
        return Some(event("beat", &Seen::now(None)));
    };
    changed.ok()?;
    let news = news.borrow();
    (!news.closed).then(|| event("sources", &Seen::now(Some(&news.page))))
}

fn event(name: &str, seen: &Seen<'_>) -> Event {
    let event = Event::default().event(name).json_data(seen);
    event.expect("a page is JSON")
}

impl<'a> Seen<'a> {
    fn now(page: Option<&'a Page>) -> Self {
        Self {
            at: millis(Clock::system().wall()),
            page,
        }
    }
}

impl Watched {
    fn view(&self) -> View {
        View::of(&self.source.status(), self.history().entries())
    }

    fn history(&self) -> MutexGuard<'_, History> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
