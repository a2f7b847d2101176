//! A rejection affects only its own token, and its mark lasts as long as the fetch that it causes.

use super::*;

fn reject(world: &World) -> Option<Rejected> {
    world.rejected(Generation(1), Rejection::Definite)
}

#[test]
fn a_rejection_of_the_old_token_never_touches_the_new_one() {
    explore(|| {
        let world = Arc::new(World::holding_a_token([]));
        let refresh = world.start();
        let rejecting = thread::spawn({
            let world = world.clone();
            move || assert!(reject(&world).is_some())
        });
        assert!(matches!(block_on(refresh.outcome()), Outcome::Succeeded));
        rejecting.join().unwrap();
        assert!(!world.is_fetching());
        assert_eq!(world.attached().unwrap().0, 2);
        assert_eq!(world.token_state(), TokenState::Good);
        assert_eq!(world.attempts(), 1);
    });
}

#[test]
fn two_rejections_at_once_make_one_fetch() {
    explore(|| {
        let world = Arc::new(World::holding_a_token([]));
        let other = thread::spawn({
            let world = world.clone();
            move || reject(&world)
        });
        for rejected in [reject(&world), other.join().unwrap()] {
            let replacement = block_on(world.replacement(rejected.unwrap()));
            assert_eq!(replacement.unwrap().generation(), Generation(2));
        }
        assert_eq!(world.attempts(), 1);
    });
}

#[test]
fn a_token_is_not_left_suspended_by_a_fetch_that_fails() {
    explore(|| {
        let world = Arc::new(World::holding_a_token([Answer::Fail]));
        let refresh = world.start();
        let rejecting = thread::spawn({
            let world = world.clone();
            move || drop(reject(&world))
        });
        assert!(matches!(block_on(refresh.outcome()), Outcome::Failed(_)));
        rejecting.join().unwrap();
        assert!(!world.is_fetching());
        assert_ne!(world.token_state(), TokenState::Suspended);
    });
}

#[test]
fn a_token_suspended_anew_is_not_restored_by_the_fetch_before() {
    explore(|| {
        let world = Arc::new(World::holding_a_token([Answer::Fail]));
        let failing = world.start();
        let rejecting = thread::spawn({
            let world = world.clone();
            move || {
                world.step(|state| state.end_back_off());
                let remedy = world.remedy(Generation(1), Rejection::Definite);
                matches!(remedy, Remedy::Fetch(FetchGrant::Granted(_)))
            }
        });
        block_on(failing.outcome());
        let granted = rejecting.join().unwrap();
        assert_eq!(granted, world.token_state() == TokenState::Suspended);
    });
}

#[test]
fn a_token_restored_while_the_fetch_goes_on_stays_so_and_never_outlives_it() {
    explore(|| {
        // No time passes in a model: without a wait, the first request restores the token.
        let mut policy = Policy::default();
        policy.rejection.suspended_wait = std::time::Duration::ZERO;
        let world = Arc::new(World::with(policy, []).with_a_token());
        let rejected = reject(&world).unwrap();
        let waiting = thread::spawn({
            let world = world.clone();
            move || {
                let generation = world.acquired().unwrap();
                (generation, reject(&world).is_some())
            }
        });
        let replacement = block_on(world.replacement(rejected));
        assert_eq!(replacement.unwrap().generation(), Generation(2));
        let (generation, rejected) = waiting.join().unwrap();
        assert!(generation == 1 || generation == 2);
        assert!(rejected);
        assert!(!world.is_fetching());
        assert_eq!(world.attached().unwrap().0, 2);
        assert_eq!(world.token_state(), TokenState::Good);
        assert_eq!(world.attempts(), 1);
    });
}
