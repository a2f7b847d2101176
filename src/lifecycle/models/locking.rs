//! The state's lock is not held while wakers or the user's code run: both may call the source.

use std::{
    fmt,
    pin::pin,
    sync::Weak,
    task::{Context, Wake, Waker},
};

use super::*;

/// Calls the source when it is woken.
struct Returning(Arc<Core>);

impl Wake for Returning {
    fn wake(self: Arc<Self>) {
        self.0.step(|_| ());
    }
}

/// Registers wakers that call the source, for the fetch's outcome and for a change, while `end` ends the fetch.
fn wakers_may_come_back(script: impl IntoIterator<Item = Answer>, end: fn(&World)) {
    let world = World::new(script);
    let fetch = world.new_fetch();
    let mut changes = world.subscribe();
    let mut outcome = pin!(fetch.outcome());
    let mut changed = pin!(changes.changed());
    let waker = Waker::from(Arc::new(Returning(Arc::clone(&world))));
    let mut context = Context::from_waker(&waker);
    assert!(outcome.as_mut().poll(&mut context).is_pending());
    assert!(changed.as_mut().poll(&mut context).is_pending());
    start(&world, &fetch).unwrap();
    end(&world);
    block_on(fetch.outcome());
}

#[test]
fn wakers_may_come_back_when_a_fetch_succeeds() {
    explore(|| wakers_may_come_back([], |_| ()));
}

#[test]
fn wakers_may_come_back_when_a_fetch_fails() {
    explore(|| wakers_may_come_back([Answer::Fail], |_| ()));
}

#[test]
fn wakers_may_come_back_when_a_fetch_is_ended() {
    explore(|| wakers_may_come_back([Answer::Hang], |world| world.shut_down()));
}

/// A user's error that calls the source when it is dropped.
struct Clinging(Arc<std::sync::OnceLock<Weak<Core>>>);

impl Drop for Clinging {
    fn drop(&mut self) {
        if let Some(core) = self.0.get().and_then(Weak::upgrade) {
            core.step(|_| ());
        }
    }
}

impl fmt::Debug for Clinging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Clinging")
    }
}

impl fmt::Display for Clinging {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no")
    }
}

impl std::error::Error for Clinging {}

/// A source whose fetches all fail.
fn failing() -> Arc<Core> {
    let place = Arc::new(std::sync::OnceLock::new());
    let returns_to = place.clone();
    let fetcher = BoxService::new(service_fn(move |_: TokenRequest| {
        let error = FetchError::unclear(Clinging(returns_to.clone()));
        async move { Err::<Token, BoxError>(error.into()) }
    }));
    let core = Arc::new(core_over(Policy::default(), fetcher));
    place.set(Arc::downgrade(&core)).unwrap();
    core
}

fn fail(core: &Arc<Core>) {
    let Some(FetchGrant::Granted(fetch)) = core.grant_refresh() else {
        panic!("no fetch may start");
    };
    start(core, &fetch).unwrap();
    block_on(fetch.outcome());
}

#[test]
fn an_error_may_come_back_when_its_back_off_is_ended() {
    explore(|| {
        let core = failing();
        fail(&core);
        core.step(|state| state.end_back_off());
    });
}
