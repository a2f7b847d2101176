//! A refusal touches only the token it was about, and its mark lasts as long as the flight that follows from it.

use super::*;

fn refuse(world: &World) -> Option<Refused> {
    world.refused(Generation(1), Refusal::Definite)
}

#[test]
fn a_refusal_of_the_old_token_never_touches_the_new_one() {
    explore(|| {
        let world = Arc::new(World::holding_a_token([]));
        let renewal = world.start();
        let refusing = thread::spawn({
            let world = world.clone();
            move || assert!(refuse(&world).is_some())
        });
        assert!(matches!(block_on(renewal.outcome()), Outcome::Landed));
        refusing.join().unwrap();
        assert!(!world.is_fetching());
        assert_eq!(world.attached().unwrap().0, 2);
        assert_eq!(world.standing(), Standing::Good);
        assert_eq!(world.fetches(), 1);
    });
}

#[test]
fn two_refusals_at_once_make_one_fetch() {
    explore(|| {
        let world = Arc::new(World::holding_a_token([]));
        let other = thread::spawn({
            let world = world.clone();
            move || refuse(&world)
        });
        for refused in [refuse(&world), other.join().unwrap()] {
            let replacement = block_on(world.replacement(refused.unwrap()));
            assert_eq!(replacement.unwrap().generation(), Generation(2));
        }
        assert_eq!(world.fetches(), 1);
    });
}

#[test]
fn a_token_is_not_left_suspended_by_a_flight_that_fails() {
    explore(|| {
        let world = Arc::new(World::holding_a_token([Answer::Fail]));
        let renewal = world.start();
        let refusing = thread::spawn({
            let world = world.clone();
            move || drop(refuse(&world))
        });
        assert!(matches!(block_on(renewal.outcome()), Outcome::Failed(_)));
        refusing.join().unwrap();
        assert!(!world.is_fetching());
        assert_ne!(world.standing(), Standing::Suspended);
    });
}

#[test]
fn a_token_suspended_anew_is_not_reinstated_by_the_flight_before() {
    explore(|| {
        let world = Arc::new(World::holding_a_token([Answer::Fail]));
        let failing = world.start();
        let refusing = thread::spawn({
            let world = world.clone();
            move || {
                world.core.step(|state| state.end_back_off());
                let remedy = world.core.refused(Generation(1), Refusal::Definite);
                matches!(remedy, Remedy::Fetch(FetchGrant::Granted(_)))
            }
        });
        block_on(failing.outcome());
        let granted = refusing.join().unwrap();
        assert_eq!(granted, world.standing() == Standing::Suspended);
    });
}

#[test]
fn a_token_restored_while_the_fetch_goes_on_stays_so_and_never_outlives_it() {
    explore(|| {
        // No time passes in a model: without a wait, whoever looks first restores the token.
        let policy = Policy {
            suspended_wait: std::time::Duration::ZERO,
            ..Policy::default()
        };
        let world = Arc::new(World::with(policy, []).with_a_token());
        let refused = refuse(&world).unwrap();
        let waiting = thread::spawn({
            let world = world.clone();
            move || {
                let generation = world.acquired().unwrap();
                (generation, refuse(&world).is_some())
            }
        });
        let replacement = block_on(world.replacement(refused));
        assert_eq!(replacement.unwrap().generation(), Generation(2));
        let (generation, refused) = waiting.join().unwrap();
        assert!(generation == 1 || generation == 2);
        assert!(refused);
        assert!(!world.is_fetching());
        assert_eq!(world.attached().unwrap().0, 2);
        assert_eq!(world.standing(), Standing::Good);
        assert_eq!(world.fetches(), 1);
    });
}
