//! A denied credential is replaced at any moment, and the source notices.

use loom::sync::atomic::AtomicUsize as Modelled;

use super::*;
use crate::lifecycle::credential::CredentialCheck;

/// The versions of a credential. The token endpoint accepts the second one.
struct Credential {
    current: Modelled,
    sent: Modelled,
}

impl Credential {
    /// What an attempt does: it reads the credential, and sends it.
    fn send(&self) -> Result<Token, BoxError> {
        let current = self.current.load(Ordering::SeqCst);
        self.sent.store(current, Ordering::SeqCst);
        match current {
            1 => Err(FetchError::permanent("denied").into()),
            _ => Ok(Token::new("fetched")),
        }
    }

    fn has_changed(&self) -> bool {
        self.current.load(Ordering::SeqCst) != self.sent.load(Ordering::SeqCst)
    }
}

fn source_of(credential: &Arc<Credential>) -> ShutDownOnDrop {
    let (sending, looking) = (credential.clone(), credential.clone());
    let fetcher = BoxService::new(service_fn(move |_: TokenRequest| {
        let credential = sending.clone();
        async move { credential.send() }
    }));
    let check = CredentialCheck::new(move || {
        let credential = looking.clone();
        async move { credential.has_changed() }
    });
    let config = Config {
        credential: Some(check),
        ..Config::default()
    };
    let core = Core::new(config, fetcher, fastrand::Rng::with_seed(7));
    ShutDownOnDrop(Arc::new(core))
}

/// Before the attempt, between the attempt and its denial, after the look that follows it, or during the back-off.
#[test]
fn a_credential_that_is_replaced_at_any_moment_leaves_no_back_off() {
    // Up to five threads: with two preemptions there are 127,847 orders, which hold as well.
    let mut one_preemption = loom::model::Builder::new();
    one_preemption.preemption_bound = Some(1);
    explore_with(one_preemption, || {
        let credential = Arc::new(Credential {
            current: Modelled::new(1),
            sent: Modelled::new(0),
        });
        let source = source_of(&credential);
        let replacing = thread::spawn(move || credential.current.store(2, Ordering::SeqCst));
        let fetched = block_on(source.acquire());
        replacing.join().unwrap();
        // Not through `changes`: tokio's `watch` wakes two receivers in a random order.
        while source.back_off_left().is_some() {
            thread::yield_now();
        }
        let token = fetched.or_else(|_| block_on(source.acquire()));
        assert_eq!(token.unwrap().generation().get(), 1);
    });
}
