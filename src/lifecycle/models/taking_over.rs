//! A flight changes hands, and only one driver counts.

use super::*;

/// A flight is taken over, whatever has become of it by then: its outcome, and whether the first driver had asked the
/// endpoint and was replaced before it was through.
fn taken_over(script: Vec<Answer>) -> (Arc<World>, Outcome, bool) {
    let world = Arc::new(World::new(script));
    let flight = world.start();
    let other = thread::spawn({
        let (world, flight) = (world.clone(), flight.clone());
        move || world.help(&flight, flight.beats(), Silence::Long)
    });
    let outcome = block_on(flight.outcome());
    let is_taken_over = other.join().unwrap();
    assert!(!world.is_fetching());
    assert!((1..=2).contains(&world.fetches()));
    let in_vain = is_taken_over && world.fetches() == 2;
    (world, outcome, in_vain)
}

#[test]
fn a_flight_that_is_taken_over_lands_once_and_with_the_later_drivers_token() {
    explore(|| {
        let (world, outcome, in_vain) = taken_over(vec![Answer::SlowToken, Answer::SlowToken]);
        assert!(matches!(outcome, Outcome::Landed));
        let (generation, token) = world.attached().unwrap();
        assert_eq!(generation, 1);
        assert!(!in_vain || token == "Bearer fetched-2", "{token}");
        assert_eq!(world.core.step(|state| state.next_generation()).get(), 2);
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
        let flight = world.start();
        while world.fetches() == 0 {
            thread::yield_now();
        }
        assert!(world.help(&flight, flight.beats(), Silence::Long));
        assert!(matches!(block_on(flight.outcome()), Outcome::Landed));
        assert_eq!(world.fetches(), 2);
        assert!(!world.is_fetching());
    });
}

#[test]
fn of_two_who_see_that_it_is_silent_one_takes_it_over() {
    explore(|| {
        let world = Arc::new(World::new([]));
        let flight = world.start();
        let seen = flight.beats();
        let other = thread::spawn({
            let (world, flight) = (world.clone(), flight.clone());
            move || world.help(&flight, seen, Silence::Long)
        });
        world.help(&flight, seen, Silence::Long);
        other.join().unwrap();
        assert!(matches!(block_on(flight.outcome()), Outcome::Landed));
        assert!(world.fetches() <= 2);
        assert_eq!(world.attached().unwrap().0, 1);
    });
}

#[test]
fn of_two_tasks_one_begins() {
    explore(|| {
        let world = World::new([]);
        let flight = world.start();
        world.help(&flight, flight.beats(), Silence::Short);
        assert!(matches!(block_on(flight.outcome()), Outcome::Landed));
        assert_eq!(world.fetches(), 1);
        assert!(!world.is_fetching());
    });
}

#[test]
fn a_flight_that_is_taken_over_while_its_runtime_goes_away_is_not_left_alone() {
    explore(|| {
        let world = Arc::new(World::new([Answer::SlowToken]));
        let flight = world.start();
        let other = thread::spawn({
            let (world, flight) = (world.clone(), flight.clone());
            move || world.help(&flight, flight.beats(), Silence::Long)
        });
        world.lose(&flight);
        other.join().unwrap();
        match block_on(flight.outcome()) {
            Outcome::Landed => assert!(world.attached().is_some()),
            Outcome::Lost => assert!(world.attached().is_none()),
            Outcome::Failed(error) => panic!("{error}"),
        }
        assert!(!world.is_fetching());
    });
}

#[test]
fn a_shutdown_ends_a_flight_that_is_just_being_taken_over() {
    explore(|| {
        let world = Arc::new(World::new([Answer::Hang, Answer::Hang]));
        let flight = world.start();
        let other = thread::spawn({
            let (world, flight) = (world.clone(), flight.clone());
            move || world.help(&flight, flight.beats(), Silence::Long)
        });
        world.core.shut_down();
        other.join().unwrap();
        assert!(matches!(block_on(flight.outcome()), Outcome::Lost));
        assert!(!world.is_fetching());
    });
}
