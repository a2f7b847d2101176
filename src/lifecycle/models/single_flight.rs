//! At most one fetch at a time, whichever callers ask or are dropped.

use super::*;

/// Two callers at once. Returns what each got, and the number of fetches.
fn two_callers(script: Vec<Answer>) -> ([Result<u64, OAuthError>; 2], usize) {
    let world = Arc::new(World::new(script));
    let other = thread::spawn({
        let world = world.clone();
        move || world.acquired()
    });
    let results = [world.acquired(), other.join().unwrap()];
    (results, world.attempts())
}

#[test]
fn two_callers_share_one_fetch_and_its_token() {
    explore(|| {
        let (results, fetches) = two_callers(vec![]);
        assert_eq!(results.map(Result::unwrap), [1, 1]);
        assert_eq!(fetches, 1);
    });
}

#[test]
fn two_callers_share_one_fetch_and_its_failure() {
    explore(|| {
        let (results, fetches) = two_callers(vec![Answer::Fail]);
        let errors = results.map(|it| it.unwrap_err().to_string());
        assert_eq!(errors[0], errors[1]);
        assert_eq!(fetches, 1);
    });
}

#[test]
fn a_caller_that_goes_away_leaves_the_fetch_to_the_other() {
    explore(|| {
        let world = Arc::new(World::new([]));
        let other = thread::spawn({
            let world = world.clone();
            move || world.acquired()
        });
        drop(world.acquire().now_or_never());
        assert_eq!(other.join().unwrap().unwrap(), 1);
        assert_eq!(world.attempts(), 1);
    });
}

#[test]
fn a_lost_fetch_is_started_anew_and_only_once() {
    // Four threads: with two there are a hundred times as many orders.
    let mut one_preemption = loom::model::Builder::new();
    one_preemption.preemption_bound = Some(1);
    explore_with(one_preemption, || {
        let world = Arc::new(World::new([Answer::SlowToken]));
        let lost = world.start();
        let other = thread::spawn({
            let world = world.clone();
            move || world.acquired()
        });
        world.lose(&lost);
        let results = [world.acquired(), other.join().unwrap()];
        assert_eq!(results.map(Result::unwrap), [1, 1]);
        // Lost after the endpoint was asked, or not: before, or because it had succeeded.
        assert!((1..=2).contains(&world.attempts()));
        assert!(!world.is_fetching());
    });
}

#[test]
fn two_who_see_a_stale_token_refresh_it_once() {
    explore(|| {
        let world = Arc::new(World::holding_a_token([]));
        world
            .cell
            .get()
            .unwrap()
            .set_token_state(TokenState::Restored);
        let other = thread::spawn({
            let world = world.clone();
            move || world.attached()
        });
        let attached = [world.attached(), other.join().unwrap()];
        assert!(attached.iter().all(Option::is_some));
        world.settle();
        assert_eq!(world.attempts(), 1);
    });
}
