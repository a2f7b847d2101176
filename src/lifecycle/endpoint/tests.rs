use std::{sync::Arc, time::Duration};

use http::StatusCode;
use tokio::sync::Notify;

use super::{
    said::{Said, Why},
    state::{Bounds, Limits, Place, Rate, State, Turn, UnderWay},
};
use crate::{
    error::{FetchError, FetchErrorKind},
    policy::Policy,
    token::{ObtainedFrom, Token},
};

const BOUNDS: Bounds = Bounds {
    patience: secs(5),
    attempt: secs(9),
};
const BUSY: Why = Why::Status(StatusCode::TOO_MANY_REQUESTS);
const DOWN: Why = Why::Status(StatusCode::BAD_GATEWAY);

const fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

const fn millis(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn state(concurrency: usize, rate: Option<(usize, Duration)>) -> State {
    let rate = rate.map(|(attempts, period)| Rate { attempts, period });
    let limits = Limits { concurrency, rate };
    State::new(limits, fastrand::Rng::with_seed(1))
}

fn enter(state: &mut State, due: Duration) -> Place {
    state.enter(due, Arc::new(Notify::new()))
}

/// One attempt of a client that comes now, if it may be made.
fn attempt(state: &mut State, now: Duration) -> Option<UnderWay> {
    let place = enter(state, now);
    match state.turn(place, now, BOUNDS) {
        Turn::Now(attempt) => Some(attempt),
        Turn::Later(_) | Turn::HeldBack(..) => {
            state.leave(place);
            None
        }
    }
}

#[test]
fn in_no_period_more_attempts_start_than_the_rate_allows() {
    let mut rng = fastrand::Rng::with_seed(7);
    for (most, period) in [(1, secs(3)), (5, secs(60)), (180, secs(10))] {
        let mut state = state(10_000, Some((most, period)));
        let (mut now, mut starts) = (Duration::ZERO, Vec::new());
        for _ in 0..5000 {
            now += period.mul_f64(rng.f64() * 0.5 / most as f64);
            if let Some(attempt) = attempt(&mut state, now) {
                starts.push(now);
                state.ended(attempt, 1, Said::Answered, now);
            }
        }
        let in_a_period = |from: &Duration| {
            let within = starts
                .iter()
                .filter(|at| *at >= from && **at < *from + period);
            within.count()
        };
        let highest = starts.iter().map(in_a_period).max();
        assert_eq!(highest, Some(most), "neither more nor less");
    }
}

/// A request may wait in a queue on its way, and those that follow may overtake it.
#[test]
fn in_no_period_more_attempts_arrive_than_the_rate_allows() {
    let mut rng = fastrand::Rng::with_seed(7);
    for (most, period) in [(1, secs(3)), (5, secs(60)), (180, secs(10))] {
        let mut state = state(16, Some((most, period)));
        let (mut arrivals, mut running) = (Vec::new(), Vec::<(Duration, UnderWay)>::new());
        let mut now = Duration::ZERO;
        for _ in 0..5000 {
            now += period.mul_f64(rng.f64() * 0.5 / most as f64);
            for (end, attempt) in running.extract_if(.., |(end, _)| *end <= now) {
                match rng.bool() {
                    true => drop(state.ended(attempt, 1, Said::Answered, end)),
                    false => state.dropped(attempt, end),
                }
            }
            if let Some(attempt) = attempt(&mut state, now) {
                // Some take longer than their bound.
                let took = secs(12).mul_f64(rng.f64().powi(4));
                let bound = took.min(BOUNDS.attempt);
                arrivals.push(now + bound.mul_f64(rng.f64()));
                running.push((now + took, attempt));
            }
        }
        arrivals.sort();
        let in_a_period = |from: &Duration| {
            let within = arrivals.iter().filter(|at| *at >= from);
            within.take_while(|at| **at < *from + period).count()
        };
        let highest = arrivals.iter().map(in_a_period).max();
        assert!(highest <= Some(most), "{highest:?} of {most}");
    }
}

#[test]
fn those_without_a_token_go_first_and_then_the_token_that_expires_first() {
    let mut state = state(1, None);
    let running = attempt(&mut state, secs(0)).unwrap();
    let late = enter(&mut state, secs(600));
    let soon = enter(&mut state, secs(300));
    let second = enter(&mut state, secs(2));
    let first = enter(&mut state, secs(1));
    let mut served = Vec::new();
    let mut running = Some(running);
    let mut waiting = vec![late, soon, second, first];
    while let Some(attempt) = running.take() {
        state.ended(attempt, 1, Said::Answered, secs(10));
        waiting.retain(|place| match state.turn(*place, secs(10), BOUNDS) {
            Turn::Now(attempt) => {
                served.push(*place);
                running = Some(attempt);
                false
            }
            _ => true,
        });
    }
    assert_eq!(served, [first, second, soon, late]);
}

#[test]
fn a_refresh_whose_token_has_expired_moves_forward() {
    let mut state = state(1, None);
    let running = attempt(&mut state, secs(0)).unwrap();
    let refresh = enter(&mut state, secs(300));
    let missing = enter(&mut state, secs(20));
    let refresh = state.hurry(refresh, secs(10));
    state.ended(running, 1, Said::Answered, secs(30));
    assert!(matches!(
        state.turn(missing, secs(30), BOUNDS),
        Turn::Later(_)
    ));
    assert!(matches!(
        state.turn(refresh, secs(30), BOUNDS),
        Turn::Now(_)
    ));
}

#[test]
fn after_a_pause_one_goes_first_and_each_answer_lets_one_more() {
    let mut state = state(16, None);
    let running: Vec<_> = (0..4)
        .map(|_| attempt(&mut state, secs(1)).unwrap())
        .collect();
    let mut running = running.into_iter();
    let busy = Said::Wait(Some(secs(3)), BUSY);
    let begun = state.ended(running.next().unwrap(), 1, busy, secs(1));
    assert_eq!(begun.unwrap().until, secs(4));
    // What was sent before says nothing about the pause.
    state.ended(running.next().unwrap(), 2, Said::Answered, secs(2));
    state.ended(running.next().unwrap(), 3, Said::Failed(DOWN), secs(2));
    state.ended(
        running.next().unwrap(),
        3,
        Said::Wait(Some(secs(1)), BUSY),
        secs(2),
    );
    assert!(attempt(&mut state, millis(3999)).is_none());

    let probe = attempt(&mut state, secs(4)).unwrap();
    assert!(attempt(&mut state, secs(4)).is_none());
    state.ended(probe, 1, Said::Answered, secs(5));
    let two = [0, 0].map(|_| attempt(&mut state, secs(5)).unwrap());
    assert!(attempt(&mut state, secs(5)).is_none());
    for attempt in two {
        state.ended(attempt, 1, Said::Answered, secs(6));
    }
    let four = (0..9).filter_map(|_| attempt(&mut state, secs(6))).count();
    assert_eq!(four, 4);
}

/// They were sent before the pause, and say no more than the first of them.
#[test]
fn what_many_say_at_once_begins_one_pause() {
    for asked in [None, Some(1)] {
        let mut state = state(16, None);
        let running: Vec<_> = (0..16)
            .map(|_| attempt(&mut state, secs(1)).unwrap())
            .collect();
        for (source, attempt) in running.into_iter().enumerate() {
            // Each is lengthened at random.
            let wait = asked.map(|asked| secs(asked) + millis(source as u64));
            state.ended(attempt, source, Said::Wait(wait, BUSY), secs(1));
        }
        let left = state.paused(secs(1)).unwrap().until - secs(1);
        assert!(left <= millis(1250), "{left:?}");
        let probe = attempt(&mut state, secs(3)).unwrap();
        state.ended(probe, 1, Said::Wait(None, BUSY), secs(3));
        let left = state.paused(secs(3)).unwrap().until - secs(3);
        assert!(left <= millis(2500), "{left:?}");
        assert_eq!(state.count.pauses, 2);
    }
}

#[test]
fn a_pause_longer_than_ones_patience_holds_it_back() {
    let mut state = state(16, None);
    let running = attempt(&mut state, secs(1)).unwrap();
    let waits = enter(&mut state, secs(1));
    state.ended(running, 1, Said::Wait(Some(secs(60)), BUSY), secs(2));
    let Turn::HeldBack(why, left) = state.turn(waits, secs(2), BOUNDS) else {
        panic!("it waits");
    };
    assert_eq!((why, left), (BUSY, secs(60)));
    assert_eq!((state.waiting(), state.count.held_back), (0, 1));
    let near_the_end = enter(&mut state, secs(58));
    assert!(
        matches!(state.turn(near_the_end, secs(58), BOUNDS), Turn::Later(left) if left == secs(4))
    );
}

#[test]
fn three_sources_that_fail_in_a_row_pause_all_and_one_alone_does_not() {
    let fail = |state: &mut State, source, at| {
        let attempt = attempt(state, secs(at)).unwrap();
        state
            .ended(attempt, source, Said::Failed(DOWN), secs(at))
            .is_some()
    };
    let mut state = state(16, None);
    assert!((1..50).all(|at| !fail(&mut state, 1, at)));
    assert!(!fail(&mut state, 2, 50));
    let answered = attempt(&mut state, secs(50)).unwrap();
    state.ended(answered, 3, Said::Answered, secs(50));
    assert!(!fail(&mut state, 4, 51));
    assert!(!fail(&mut state, 5, 51));
    assert!(fail(&mut state, 6, 51));
    // The next failure after it is enough, and the pause doubles.
    let first = state.paused(secs(51)).unwrap().until - secs(51);
    assert!(fail(&mut state, 6, 53));
    let second = state.paused(secs(53)).unwrap().until - secs(53);
    assert!(first >= millis(750) && first <= millis(1250), "{first:?}");
    assert!(
        second >= millis(1500) && second <= millis(2500),
        "{second:?}"
    );
}

#[test]
fn a_turn_that_the_first_does_not_use_is_taken_by_another() {
    let mut state = state(1, None);
    let running = attempt(&mut state, secs(1)).unwrap();
    let _frozen = enter(&mut state, secs(1));
    let other = enter(&mut state, secs(2));
    state.ended(running, 1, Said::Answered, secs(3));
    assert!(matches!(
        state.turn(other, millis(3499), BOUNDS),
        Turn::Later(_)
    ));
    assert!(matches!(
        state.turn(other, millis(3500), BOUNDS),
        Turn::Now(_)
    ));
}

#[test]
fn an_attempt_that_is_never_reported_stops_counting() {
    let mut state = state(1, None);
    let _frozen = attempt(&mut state, secs(1)).unwrap();
    let waits = enter(&mut state, secs(1));
    assert!(matches!(state.turn(waits, secs(2), BOUNDS), Turn::Later(left) if left == secs(8)));
    assert!(matches!(state.turn(waits, secs(10), BOUNDS), Turn::Now(_)));
    let next = enter(&mut state, secs(10));
    assert!(matches!(state.turn(next, secs(10), BOUNDS), Turn::Later(left) if left == secs(9)));
}

#[test]
fn whoever_leaves_or_ends_wakes_the_first() {
    let mut state = state(1, None);
    let running = attempt(&mut state, secs(1)).unwrap();
    let wakes = [0, 0].map(|_| Arc::new(Notify::new()));
    let [first, _second] = wakes.clone().map(|wake| state.enter(secs(1), wake));
    let is_woken = |wake: &Notify| {
        let waker = std::task::Waker::noop();
        let notified = std::pin::pin!(wake.notified());
        notified
            .poll(&mut std::task::Context::from_waker(waker))
            .is_ready()
    };
    state.dropped(running, secs(2));
    assert_eq!(wakes.each_ref().map(|wake| is_woken(wake)), [true, false]);
    state.leave(first);
    assert_eq!(wakes.each_ref().map(|wake| is_woken(wake)), [false, true]);
}

#[test]
fn what_the_store_answers_is_no_attempt() {
    let mut state = state(16, Some((1, secs(60))));
    let hit = attempt(&mut state, secs(1)).unwrap();
    state.ended(hit, 1, Said::NotAsked, secs(1));
    let asked = attempt(&mut state, secs(2)).unwrap();
    state.ended(asked, 1, Said::Answered, secs(2));
    assert!(attempt(&mut state, secs(3)).is_none());
    assert_eq!(state.count.attempts, 1);
}

#[test]
#[cfg(feature = "client-credentials")]
fn what_an_answer_says_of_the_endpoint() {
    let policy = Policy::default();
    let said = |answer| Said::of(&answer, &policy, 0.0);
    let denied = |status: u16| {
        let error = FetchError::new(
            crate::FailureClass::Transient,
            FetchErrorKind::Denied,
            "the token request was denied",
        );
        error.with_status(StatusCode::from_u16(status).unwrap())
    };
    let from_store = Token::new("abc").with_obtained_from(ObtainedFrom::Store);
    assert_eq!(said(Ok(Token::new("abc"))), Said::Answered);
    assert_eq!(said(Ok(from_store)), Said::NotAsked);
    assert_eq!(said(Err(denied(429))), Said::Wait(None, BUSY));
    assert_eq!(said(Err(denied(502))), Said::Failed(DOWN));
    let waits = denied(502).with_retry_after(secs(9));
    assert_eq!(said(Err(waits)), Said::Wait(Some(secs(9)), DOWN));
    let blocked = FetchError::unclear("blocked").with_retry_after(secs(900));
    assert_eq!(said(Err(blocked)), Said::Wait(Some(secs(300)), Why::Asked));
    assert_eq!(said(Err(FetchError::permanent("no"))), Said::Answered);
    assert_eq!(said(Err(FetchError::unclear("no"))), Said::Answered);
    assert_eq!(
        said(Err(FetchError::transient("no"))),
        Said::Failed(Why::NoAnswer)
    );
    assert_eq!(
        said(Err(FetchError::held_back("x", secs(1)))),
        Said::NotAsked
    );
    let used_up = FetchError::without_life("old").with_retry_after(Duration::ZERO);
    assert_eq!(said(Err(used_up)), Said::Answered);
}
