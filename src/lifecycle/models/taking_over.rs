//! A flight changes hands, and only one driver counts.

use super::*;

/// A flight is taken over, whatever has become of it by then; what a caller gets who waits for it.
fn taken_over(script: Vec<Answer>) -> (Arc<World>, Arc<Flight>, Outcome) {
    let world = Arc::new(World::new(script));
    let flight = world.start();
    let other = thread::spawn({
        let (world, flight) = (world.clone(), flight.clone());
        move || world.help(&flight, flight.beats(), Silence::Long)
    });
    let outcome = block_on(flight.outcome());
    other.join().unwrap();
    assert!(!world.is_fetching());
    (world, flight, outcome)
}

#[test]
fn a_flight_that_is_taken_over_lands_once_and_brings_one_generation() {
    explore(|| {
        let (world, _, outcome) = taken_over(vec![Answer::SlowToken, Answer::SlowToken]);
        assert!(matches!(outcome, Outcome::Landed));
        assert_eq!(world.attached().unwrap().0, 1);
        assert!((1..=2).contains(&world.fetches()));
        assert_eq!(world.core.step(|state| state.next_generation()).get(), 2);
    });
}

#[test]
fn only_the_driver_that_counts_backs_the_source_off() {
    explore(|| {
        let (world, _, outcome) = taken_over(vec![Answer::Fail, Answer::Token]);
        match outcome {
            Outcome::Landed => {
                assert!(world.back_off_left().is_none());
                assert!(world.attached().is_some());
            }
            Outcome::Failed(_) => {
                assert!(world.back_off_left().is_some());
                assert!(world.attached().is_none());
            }
            Outcome::Lost => panic!("lost"),
        }
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
        world.help(&flight, flight.beats(), Silence::Long);
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
