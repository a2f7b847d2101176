//! A fetch is taken over, and only one driver counts.

use super::*;

/// A fetch is taken over at any point. Returns its outcome, and whether the first driver had asked the endpoint before
/// it was replaced.
fn taken_over(script: Vec<Answer>) -> (Arc<World>, Outcome, bool) {
    let world = Arc::new(World::new(script));
    let fetch = world.start();
    let other = thread::spawn({
        let (world, fetch) = (world.clone(), fetch.clone());
        move || world.help(&fetch, fetch.beats(), Silence::Long)
    });
    let outcome = block_on(fetch.outcome());
    let is_taken_over = other.join().unwrap();
    assert!(!world.is_fetching());
    assert!((1..=2).contains(&world.attempts()));
    let in_vain = is_taken_over && world.attempts() == 2;
    (world, outcome, in_vain)
}

#[test]
fn a_fetch_that_is_taken_over_ends_once_and_with_the_later_drivers_token() {
    explore(|| {
        let (world, outcome, in_vain) = taken_over(vec![Answer::SlowToken, Answer::SlowToken]);
        assert!(matches!(outcome, Outcome::Succeeded));
        let (generation, token) = world.attached().unwrap();
        assert_eq!(generation, 1);
        assert!(!in_vain || token == "Bearer fetched-2", "{token}");
        assert_eq!(world.step(|state| state.next_generation()).get(), 2);
    });
}

#[test]
fn a_driver_that_was_replaced_does_not_back_the_source_off() {
    explore(|| {
        let (world, outcome, in_vain) = taken_over(vec![Answer::Fail, Answer::Token]);
        let has_failed = matches!(outcome, Outcome::Failed(_));
        assert!(!(has_failed && in_vain));
        assert_eq!(has_failed, world.back_off_left().is_some());
        assert_eq!(has_failed, world.attached().is_none());
    });
}

#[test]
fn a_driver_that_hangs_is_replaced() {
    explore(|| {
        let world = Arc::new(World::new([Answer::Hang]));
        let fetch = world.start();
        while world.attempts() == 0 {
            thread::yield_now();
        }
        assert!(world.help(&fetch, fetch.beats(), Silence::Long));
        assert!(matches!(block_on(fetch.outcome()), Outcome::Succeeded));
        assert_eq!(world.attempts(), 2);
        assert!(!world.is_fetching());
    });
}

#[test]
fn of_two_who_see_that_it_is_silent_one_takes_it_over() {
    explore(|| {
        let world = Arc::new(World::new([]));
        let fetch = world.start();
        let seen = fetch.beats();
        let other = thread::spawn({
            let (world, fetch) = (world.clone(), fetch.clone());
            move || world.help(&fetch, seen, Silence::Long)
        });
        world.help(&fetch, seen, Silence::Long);
        other.join().unwrap();
        assert!(matches!(block_on(fetch.outcome()), Outcome::Succeeded));
        assert!(world.attempts() <= 2);
        assert_eq!(world.attached().unwrap().0, 1);
    });
}

#[test]
fn of_two_tasks_one_begins() {
    explore(|| {
        let world = World::new([]);
        let fetch = world.start();
        world.help(&fetch, fetch.beats(), Silence::Short);
        assert!(matches!(block_on(fetch.outcome()), Outcome::Succeeded));
        assert_eq!(world.attempts(), 1);
        assert!(!world.is_fetching());
    });
}

#[test]
fn a_fetch_that_is_taken_over_while_its_runtime_goes_away_is_not_left_alone() {
    explore(|| {
        let world = Arc::new(World::new([Answer::SlowToken]));
        let fetch = world.start();
        let other = thread::spawn({
            let (world, fetch) = (world.clone(), fetch.clone());
            move || world.help(&fetch, fetch.beats(), Silence::Long)
        });
        world.lose(&fetch);
        other.join().unwrap();
        match block_on(fetch.outcome()) {
            Outcome::Succeeded => assert!(world.attached().is_some()),
            Outcome::Lost => assert!(world.attached().is_none()),
            Outcome::Failed(error) => panic!("{error}"),
        }
        assert!(!world.is_fetching());
    });
}

#[test]
fn a_shutdown_ends_a_fetch_that_is_just_being_taken_over() {
    explore(|| {
        let world = Arc::new(World::new([Answer::Hang, Answer::Hang]));
        let fetch = world.start();
        let other = thread::spawn({
            let (world, fetch) = (world.clone(), fetch.clone());
            move || world.help(&fetch, fetch.beats(), Silence::Long)
        });
        world.shut_down();
        other.join().unwrap();
        assert!(matches!(block_on(fetch.outcome()), Outcome::Lost));
        assert!(!world.is_fetching());
    });
}
