//! What a successful fetch writes, and what readers without a lock see.

use super::*;

#[test]
fn a_reader_finds_a_whole_token_and_never_an_older_one_again() {
    explore(|| {
        let world = Arc::new(World::holding_a_token([]));
        let reader = thread::spawn({
            let world = world.clone();
            move || [world.attached(), world.attached()]
        });
        world.start();
        let read = reader.join().unwrap().map(|it| it.expect("a gap"));
        for (generation, token) in &read {
            let tokens = ["Bearer held", "Bearer fetched-1"];
            assert_eq!(token, tokens[*generation as usize - 1]);
        }
        assert!(read[0].0 <= read[1].0);
        world.settle();
        assert_eq!(world.attached().unwrap().0, 2);
    });
}

#[test]
fn who_learns_of_a_success_finds_the_token_and_the_fetcher_back() {
    explore(|| {
        let world = World::new([]);
        let fetch = world.start();
        assert!(matches!(block_on(fetch.outcome()), Outcome::Succeeded));
        assert_eq!(world.attached().unwrap().0, 1);
        assert!(!world.is_fetching());
    });
}

#[test]
fn who_learns_of_a_failure_finds_the_back_off_and_the_fetcher_back() {
    explore(|| {
        let world = World::new([Answer::Fail]);
        let fetch = world.start();
        assert!(matches!(block_on(fetch.outcome()), Outcome::Failed(_)));
        assert!(world.back_off_left().is_some());
        assert!(!world.is_fetching());
    });
}

#[test]
fn an_outcome_reaches_whoever_waits_and_whoever_comes_later() {
    explore(|| {
        let fetch = Arc::new(Fetch::new(FetchCause::Ahead));
        let waiters = [(), ()].map(|()| {
            let fetch = fetch.clone();
            thread::spawn(move || block_on(fetch.outcome()))
        });
        fetch.finish(Outcome::Succeeded);
        for waiter in waiters {
            assert!(matches!(waiter.join().unwrap(), Outcome::Succeeded));
        }
    });
}
