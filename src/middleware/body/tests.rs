//! The invariants of `body.rs`, by number.

use std::{
    collections::VecDeque,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use bytes::Bytes;
use futures_util::{
    FutureExt,
    task::{ArcWake, waker},
};
use http::{HeaderMap, HeaderValue};
use http_body::{Body, Frame, SizeHint};
use http_body_util::BodyExt;
use proptest::{collection::vec, option, prelude::*, sample::subsequence};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

use super::{ResendableBody, begin_again, lock};
use crate::error::BoxError;

const LIMIT: usize = 64;

/// What a test lets arrive. `None`: the original panics.
type Arrival = Option<Result<Frame<Bytes>, BoxError>>;

/// A body whose frames arrive one at a time.
struct Live(UnboundedReceiver<Arrival>);

impl Body for Live {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        self.0
            .poll_recv(cx)
            .map(|arrived| arrived.map(|it| it.expect("a panic for the test")))
    }
}

fn live() -> (UnboundedSender<Arrival>, ResendableBody) {
    let (sender, receiver) = unbounded_channel();
    (sender, ResendableBody::new(Live(receiver), LIMIT))
}

fn send(sender: &UnboundedSender<Arrival>, data: &'static str) {
    let frame = Frame::data(Bytes::from_static(data.as_bytes()));
    sender.send(Some(Ok(frame))).unwrap();
}

/// What a poll returns now: `None` if it would wait.
fn now(body: &mut ResendableBody) -> Option<Option<Result<Frame<Bytes>, BoxError>>> {
    body.frame().now_or_never()
}

/// The data of the next frame.
#[track_caller]
fn next(body: &mut ResendableBody) -> Bytes {
    let frame = now(body).expect("it waits").expect("it ended").unwrap();
    frame.into_data().unwrap()
}

/// Why the body fails.
#[track_caller]
fn failure(body: &mut ResendableBody) -> String {
    match now(body) {
        Some(Some(Err(error))) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn assert_ended(body: &mut ResendableBody) {
    assert!(matches!(now(body), Some(None)));
}

fn kept(body: &ResendableBody) -> Option<usize> {
    lock(&body.state).kept().map(|kept| kept.capacity())
}

#[test]
fn a_chunk_is_passed_on_when_it_arrives_and_a_clone_goes_on_from_there() {
    let (sender, mut first) = live();
    let mut second = first.clone();
    assert!(now(&mut first).is_none());
    send(&sender, "one ");
    assert_eq!(next(&mut first), "one ");
    send(&sender, "two ");
    assert!(begin_again(&mut second));
    assert_eq!(next(&mut second), "one ");
    assert_eq!(next(&mut second), "two ");
    assert!(now(&mut second).is_none());
    send(&sender, "three");
    assert_eq!(next(&mut second), "three");
    drop(sender);
    assert_ended(&mut second);
}

struct Flag(AtomicBool);

impl ArcWake for Flag {
    fn wake_by_ref(this: &Arc<Self>) {
        this.0.store(true, Ordering::SeqCst);
    }
}

/// Invariant 1. It also gives a connection back that nobody needs any more.
#[test]
fn a_sending_that_waits_is_woken_and_fails_when_a_clone_begins() {
    let (_sender, mut first) = live();
    let mut second = first.clone();
    let flag = Arc::new(Flag(false.into()));
    let waker = waker(flag.clone());
    let mut cx = Context::from_waker(&waker);
    assert!(pin!(first.frame()).poll_unpin(&mut cx).is_pending());
    assert!(now(&mut second).is_none());
    assert!(flag.0.load(Ordering::SeqCst));
    assert!(failure(&mut first).contains("interrupted"));
}

/// Invariant 1: all data is sent, and the end is not. It must not look like a short body.
#[test]
fn a_sending_that_lacks_only_its_end_fails_when_a_clone_begins() {
    let (sender, mut first) = live();
    let mut second = first.clone();
    send(&sender, "all");
    drop(sender);
    assert_eq!(next(&mut first), "all");
    assert_eq!(next(&mut second), "all");
    assert!(!first.is_end_stream());
    assert!(failure(&mut first).contains("interrupted"));
    assert_ended(&mut second);
    assert!(second.is_end_stream());
    assert!(failure(&mut first).contains("interrupted"));
}

/// Invariant 2.
#[test]
fn a_clone_fails_before_its_first_chunk_if_the_beginning_is_gone() {
    const LONG: &str = "0123456789012345678901234567890123456789";
    let (sender, mut first) = live();
    let mut second = first.clone();
    send(&sender, LONG);
    assert_eq!(next(&mut first), LONG);
    assert!(second.can_be_resent());
    send(&sender, LONG);
    assert_eq!(next(&mut first), LONG);
    assert!(!second.can_be_resent());
    assert!(!begin_again(&mut second));
    assert!(failure(&mut second).contains("not kept"));
    // It did not interrupt the first.
    send(&sender, "rest");
    assert_eq!(next(&mut first), "rest");
    drop(sender);
    assert_ended(&mut first);
}

/// Invariant 2.
#[test]
fn a_body_that_failed_is_not_sent_again() {
    let (sender, mut first) = live();
    let mut second = first.clone();
    sender.send(Some(Err("the disk is gone".into()))).unwrap();
    assert_eq!(failure(&mut first), "the disk is gone");
    assert!(!second.can_be_resent());
    assert!(failure(&mut second).contains("reading it failed"));
    assert!(failure(&mut first).contains("reading it failed"));
}

/// Invariant 2.
#[test]
fn a_body_that_panicked_is_not_sent_again() {
    let (sender, mut first) = live();
    let mut second = first.clone();
    sender.send(None).unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| now(&mut first)));
    assert!(panicked.is_err());
    assert!(!second.can_be_resent());
    assert!(failure(&mut second).contains("reading it failed"));
}

/// Invariant 4: HTTP/2 polls a body only once there is room, which may be after the response.
#[test]
fn an_original_that_is_polled_late_does_not_interrupt_its_clone() {
    let (sender, mut first) = live();
    let mut second = first.clone();
    assert!(begin_again(&mut second));
    assert!(failure(&mut first).contains("interrupted"));
    send(&sender, "whole");
    assert!(failure(&mut first).contains("interrupted"));
    assert_eq!(next(&mut second), "whole");
}

/// Invariant 4, as a retry outside of this crate's: it sends what it cloned before, after this crate's own retry.
#[test]
fn a_second_clone_of_the_original_may_begin_after_the_first() {
    let (sender, mut first) = live();
    let mut outer = first.clone();
    let mut inner = first.clone();
    send(&sender, "whole");
    assert_eq!(next(&mut first), "whole");
    assert_eq!(next(&mut inner), "whole");
    let mut inner_again = outer.clone();
    assert_eq!(next(&mut outer), "whole");
    assert!(failure(&mut inner).contains("interrupted"));
    assert_eq!(next(&mut inner_again), "whole");
    assert!(failure(&mut outer).contains("interrupted"));
}

/// Invariant 5.
#[test]
fn what_is_kept_pins_no_buffer_of_the_original() {
    struct Buffer {
        _alive: Arc<()>,
    }
    impl AsRef<[u8]> for Buffer {
        fn as_ref(&self) -> &[u8] {
            b"a slice of a buffer of megabytes"
        }
    }
    let (sender, receiver) = unbounded_channel();
    let mut first = ResendableBody::new(Live(receiver), 1024);
    let alive = Arc::new(());
    let slice = Bytes::from_owner(Buffer {
        _alive: alive.clone(),
    })
    .slice(..7);
    let mut trailers = HeaderMap::new();
    let value = Bytes::from_owner(Buffer {
        _alive: alive.clone(),
    })
    .slice(..7);
    trailers.insert("x-sum", HeaderValue::from_maybe_shared(value).unwrap());
    sender.send(Some(Ok(Frame::data(slice)))).unwrap();
    sender.send(Some(Ok(Frame::trailers(trailers)))).unwrap();
    let mut second = first.clone();
    assert_eq!(next(&mut first), "a slice");
    drop(now(&mut first));
    assert_eq!(Arc::strong_count(&alive), 1);
    assert_eq!(next(&mut second), "a slice");
    let trailers = now(&mut second).unwrap().unwrap().unwrap().into_trailers();
    assert_eq!(trailers.unwrap()["x-sum"], "a slice");
}

/// Invariant 5.
#[test]
fn trailers_count() {
    for (value, fits) in [("x".repeat(10), true), ("x".repeat(40), false)] {
        let (sender, receiver) = unbounded_channel();
        let mut first = ResendableBody::new(Live(receiver), 160);
        let second = first.clone();
        let trailers =
            HeaderMap::from_iter([(http::header::ETAG, HeaderValue::from_str(&value).unwrap())]);
        sender.send(Some(Ok(Frame::trailers(trailers)))).unwrap();
        now(&mut first);
        assert_eq!(second.can_be_resent(), fits);
    }
}

/// Invariant 5.
#[test]
fn nothing_is_kept_once_there_is_no_other_clone() {
    let (sender, mut first) = live();
    let second = first.clone();
    send(&sender, "one");
    next(&mut first);
    assert_eq!(kept(&first), Some(3));
    drop(second);
    send(&sender, "two");
    next(&mut first);
    assert_eq!(kept(&first), None);
}

#[test]
fn a_retry_that_is_the_last_keeps_nothing_after_it_has_sent_what_was_kept() {
    let (sender, mut first) = live();
    let mut second = first.clone();
    send(&sender, "one");
    next(&mut first);
    assert!(begin_again(&mut second));
    drop(first);
    assert_eq!(next(&mut second), "one");
    assert!(now(&mut second).is_none());
    assert_eq!(kept(&second), None);
    send(&sender, "two");
    assert_eq!(next(&mut second), "two");
    drop(sender);
    assert_ended(&mut second);
    assert!(second.is_end_stream());
}

#[test]
fn a_body_that_is_certain_to_pass_the_limit_is_not_kept_from_its_first_chunk_on() {
    let frames = vec![
        Frame::data(Bytes::from_static(b"x")),
        Frame::data(vec![0; 64].into()),
    ];
    let mut first = ResendableBody::new(Whole::new(frames, true), LIMIT);
    let second = first.clone();
    next(&mut first);
    assert_eq!(kept(&second), None);
}

/// A body that is there already, with or without an exact hint.
struct Whole {
    frames: VecDeque<Frame<Bytes>>,
    exact: bool,
}

impl Whole {
    fn new(frames: Vec<Frame<Bytes>>, exact: bool) -> Self {
        Self {
            frames: frames.into(),
            exact,
        }
    }
}

impl Body for Whole {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        Poll::Ready(self.frames.pop_front().map(Ok))
    }

    fn is_end_stream(&self) -> bool {
        self.exact && self.frames.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let left = self.frames.iter().filter_map(Frame::data_ref);
        let left = left.map(Bytes::len).sum::<usize>() as u64;
        match self.exact {
            true => SizeHint::with_exact(left),
            false => SizeHint::default(),
        }
    }
}

#[derive(Clone, Debug)]
struct Case {
    chunks: Vec<Vec<u8>>,
    trailers: Option<Vec<String>>,
    exact: bool,
    limit: usize,
    /// How many polls each sending gets before the response rejects it.
    rejected_after: Vec<usize>,
}

fn cases() -> impl Strategy<Value = Case> {
    let sizes = prop_oneof![
        Just(0).boxed(),
        (1..40usize).boxed(),
        (16_000..40_000usize).boxed()
    ];
    // No byte is like one at another place nearby.
    let chunk = (sizes, any::<usize>()).prop_map(|(size, seed)| {
        (0..size)
            .map(|at| (seed.wrapping_add(at) % 251) as u8)
            .collect()
    });
    let names = subsequence(vec!["x-one".to_owned(), "x-two".to_owned()], 0..3);
    (
        vec(chunk, 0..6),
        option::of(names),
        any::<bool>(),
        prop_oneof![0..600usize, 0..200_000usize],
        vec(0..9usize, 1..4),
    )
        .prop_map(|(chunks, trailers, exact, limit, rejected_after)| Case {
            chunks,
            trailers,
            exact,
            limit,
            rejected_after,
        })
}

impl Case {
    fn data(&self) -> Vec<u8> {
        self.chunks.concat()
    }

    fn trailers(&self) -> Option<HeaderMap> {
        let names = self.trailers.as_ref()?.iter();
        let names = names.map(|name| (name.parse().unwrap(), HeaderValue::from_static("sum")));
        Some(names.collect())
    }

    fn body(&self) -> ResendableBody {
        let chunks = self.chunks.iter().cloned();
        let data = chunks.map(|chunk| Frame::data(Bytes::from(chunk)));
        let frames = data.chain(self.trailers().map(Frame::trailers));
        ResendableBody::new(Whole::new(frames.collect(), self.exact), self.limit)
    }

    /// Whether every retry must succeed, whatever was sent before.
    fn fits(&self) -> bool {
        let trailers = self.trailers.iter().flatten();
        let trailers: usize = trailers.map(|name| name.len() + 3 + 128).sum();
        self.data().len() + trailers <= self.limit
    }
}

/// What a server has got of one sending.
#[derive(Debug, Default)]
struct Received {
    data: Vec<u8>,
    trailers: Option<HeaderMap>,
    ended: bool,
    failed: bool,
}

impl Received {
    /// Polls so often, or to the end.
    fn read(&mut self, body: &mut ResendableBody, polls: usize, case: &Case) {
        let mut cx = Context::from_waker(Waker::noop());
        for _ in 0..polls {
            if self.ended || self.failed {
                return;
            }
            let hint = body.size_hint();
            let announced_end = body.is_end_stream();
            let Poll::Ready(frame) = Pin::new(&mut *body).poll_frame(&mut cx) else {
                panic!("it waits");
            };
            self.take(frame);
            if !self.failed {
                self.check(hint, announced_end, case);
            }
            assert!(kept(body).is_none_or(|kept| kept <= case.limit));
        }
    }

    fn take(&mut self, frame: Option<Result<Frame<Bytes>, BoxError>>) {
        match frame {
            None => self.ended = true,
            Some(Err(_)) => self.failed = true,
            Some(Ok(frame)) => match frame.into_data() {
                Ok(data) => self.data.extend(data),
                Err(frame) => self.trailers = frame.into_trailers().ok(),
            },
        }
    }

    /// The hint from before the last frame was right, and an announced end was the end.
    fn check(&self, hint: SizeHint, announced_end: bool, case: &Case) {
        assert!(!announced_end || self.ended);
        if self.ended {
            assert_eq!(hint.lower(), 0);
        }
        if case.exact {
            assert!(hint.exact().is_some());
        }
    }

    fn assert_whole(&self, case: &Case) {
        assert!(self.ended && !self.failed);
        assert!(self.data == case.data(), "{} bytes", self.data.len());
        assert_eq!(self.trailers, case.trailers());
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Invariants 1, 2, 3 and 5: each sending arrives whole, or does not end. The spare clone is one that a retry outside
    /// would have.
    #[test]
    fn a_sending_is_whole_or_fails(case in cases()) {
        let mut body = case.body();
        let total = body.size_hint().exact();
        prop_assert_eq!(total, case.exact.then(|| case.data().len() as u64));
        let _spare = body.clone();
        let mut earlier: Vec<(ResendableBody, Received)> = Vec::new();
        for &polls in &case.rejected_after {
            let mut next = body.clone();
            let mut received = Received::default();
            received.read(&mut body, polls, &case);
            let whole = next.can_be_resent();
            prop_assert!(whole || !case.fits());
            if whole {
                prop_assert_eq!(next.size_hint().exact(), total);
            }
            prop_assert_eq!(begin_again(&mut next), whole);
            if !whole {
                // The rejected response is returned, and the sending goes on.
                let mut refused = Received::default();
                refused.read(&mut next, usize::MAX, &case);
                prop_assert!(refused.failed && refused.data.is_empty() && refused.trailers.is_none());
                received.read(&mut body, usize::MAX, &case);
                received.assert_whole(&case);
                return Ok(());
            }
            earlier.push((std::mem::replace(&mut body, next), received));
        }
        let mut last = Received::default();
        last.read(&mut body, usize::MAX, &case);
        last.assert_whole(&case);
        for (mut body, mut received) in earlier {
            let had_ended = received.ended;
            received.read(&mut body, usize::MAX, &case);
            prop_assert_eq!(received.ended, had_ended);
            if had_ended {
                received.assert_whole(&case);
            }
        }
    }
}

/// It could not send anything, so a retry outside must not count on it.
#[test]
fn a_clone_says_that_a_clone_of_a_later_one_has_begun() {
    let (sender, mut first) = live();
    let mut outer = first.clone();
    let inner = first.clone();
    send(&sender, "whole");
    assert_eq!(next(&mut first), "whole");
    assert!(outer.can_be_resent());
    assert_eq!(next(&mut inner.clone()), "whole");
    assert!(!outer.can_be_resent());
    assert!(outer.begin().is_err());
}
