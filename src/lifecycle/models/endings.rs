//! A source that ends ends its fetch too, and no caller waits for ever.

use super::*;

#[test]
fn a_shutdown_ends_the_fetch_that_is_just_being_started() {
    explore(|| {
        let world = Arc::new(World::new([Answer::Hang]));
        let waiter = thread::spawn({
            let world = world.clone();
            move || world.acquired()
        });
        world.shut_down();
        assert!(waiter.join().unwrap().unwrap_err().is_closed());
        assert!(!world.is_fetching());
    });
}

#[test]
fn a_shutdown_during_a_success_keeps_the_token_or_loses_the_fetch() {
    explore(|| {
        let world = World::new([]);
        let fetch = world.start();
        world.shut_down();
        let succeeded = match block_on(fetch.outcome()) {
            Outcome::Succeeded => true,
            Outcome::Lost => false,
            Outcome::Failed(error) => panic!("{error}"),
        };
        assert_eq!(succeeded, world.attached().is_some());
        assert!(!world.is_fetching());
        assert!(
            world
                .grant_refresh()
                .is_none_or(|it| matches!(it, FetchGrant::Denied(_)))
        );
    });
}

#[test]
fn the_last_handle_dropped_ends_the_fetch() {
    explore(|| {
        let world = World::new([Answer::Hang]);
        let core = Arc::clone(&world);
        let fetch = world.start();
        let dropping = thread::spawn(move || drop(world));
        assert!(matches!(block_on(fetch.outcome()), Outcome::Lost));
        dropping.join().unwrap();
        assert!(!core.step(|state| state.is_fetching()));
    });
}
