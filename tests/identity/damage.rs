//! Whatever a file holds: an identity or an error. The error quotes nothing of the key.

use proptest::prelude::*;
use tower_oauth::identity::Identity;

use crate::fixtures::{CERTIFICATE, KEY, PASSWORD, legacy, modern};

/// As many characters of a key in a row are no accident.
const QUOTED: usize = 12;

#[derive(Clone, Debug)]
enum Damage {
    Cut,
    Remove(usize),
    Insert(Vec<u8>),
    Overwrite(u8),
}

fn damage() -> impl Strategy<Value = Damage> {
    let insertions = prop_oneof![
        proptest::collection::vec(any::<u8>(), 1..8),
        Just(b"-----BEGIN PRIVATE KEY-----\n".to_vec()),
        Just(b"-----END CERTIFICATE-----".to_vec()),
        Just(b"\n".to_vec()),
    ];
    prop_oneof![
        Just(Damage::Cut),
        (1..200_usize).prop_map(Damage::Remove),
        insertions.prop_map(Damage::Insert),
        any::<u8>().prop_map(Damage::Overwrite),
    ]
}

fn damaged(mut text: Vec<u8>, damages: &[(prop::sample::Index, Damage)]) -> Vec<u8> {
    for (at, damage) in damages {
        let at = at.index(text.len() + 1);
        match damage {
            Damage::Cut => text.truncate(at),
            Damage::Remove(length) => drop(text.drain(at..text.len().min(at + length))),
            Damage::Insert(bytes) => drop(text.splice(at..at, bytes.iter().copied())),
            Damage::Overwrite(byte) => text[at..].iter_mut().take(1).for_each(|it| *it = *byte),
        }
    }
    text
}

proptest! {
    #[test]
    fn of_pem(damages in proptest::collection::vec((any::<prop::sample::Index>(), damage()), 1..4)) {
        let text = damaged([CERTIFICATE, KEY].concat().into_bytes(), &damages);
        if let Err(error) = Identity::pem(text).build() {
            let says = format!("{error} {error:?}");
            let lines = KEY.lines().filter(|line| !line.starts_with("-----"));
            for line in lines {
                for part in line.as_bytes().windows(QUOTED) {
                    let part = std::str::from_utf8(part).unwrap();
                    prop_assert!(!says.contains(part), "{}", says);
                }
            }
        }
    }
}

#[test]
fn of_an_archive_cut_anywhere() {
    for archive in [legacy(), modern()] {
        for length in 0..archive.len() {
            let cut = Identity::pkcs12(&archive[..length]).password(PASSWORD);
            let error = cut.build().unwrap_err();
            assert_eq!(error.field(), "pkcs12", "{length}: {error}");
        }
    }
}
