//! A key's file, as PEM or JWK: it is a key or an error that quotes nothing of it, and a key signs.
#![no_main]

use std::task::{Context, Poll, Waker};

use libfuzzer_sys::fuzz_target;
use tower::Service;
use tower_oauth::client_credentials::SigningKey;
use tower_oauth_fuzz::{WORD, printed};

fuzz_target!(|file: &[u8]| {
    for read in [SigningKey::from_pem(file), SigningKey::from_jwk(file)] {
        match read {
            Ok(mut key) => {
                let ready = key.poll_ready(&mut Context::from_waker(Waker::noop()));
                assert!(matches!(ready, Poll::Ready(Ok(()))));
                assert!(format!("{key:?}").len() < 8 * file.len() + 200);
            }
            Err(error) => {
                let text = printed(&error);
                assert!(!text.contains(WORD), "the file is in {text:?}");
                assert!(error.rule().len() < 400, "{text:?}");
            }
        }
    }
});
