//! Seals what leaves the process: AES-256-GCM-SIV (RFC 8452).

use std::{fmt, sync::Arc};

use aws_lc_rs::{
    aead::{AES_256_GCM_SIV, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    digest, rand,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::{Zeroize, Zeroizing};

use crate::ConfigError;

const VERSION: u8 = 1;
const ID: usize = 8;
const HEADER: usize = 1 + ID + NONCE_LEN + 8 + 8;
const TAG: usize = 16;

/// What is larger is no entry of ours: a token endpoint's answer has at most 64 KiB, and JSON at most doubles a token.
const LARGEST: usize = 256 * 1024;

/// The keys that seal what is put into a store. The first seals, all of them open.
///
/// To change the key without downtime: add the new key as the last on every replica, then make it the first on every
/// replica, then remove the old one after the longest lifetime of a token.
///
/// # Examples
///
/// ```
/// use tower_oauth::shared::SealingKeys;
///
/// let keys = SealingKeys::new(&[7; 32]).also_open_with(&[6; 32]);
/// assert_eq!(format!("{keys:?}"), "SealingKeys(2)");
/// assert!(SealingKeys::from_base64("too short").is_err());
/// ```
#[derive(Clone)]
pub struct SealingKeys(Arc<[Arc<Key>]>);

struct Key {
    id: [u8; ID],
    key: LessSafeKey,
}

/// What an entry is authenticated with: a blob moved elsewhere, or given another end, does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Label<'a> {
    pub(super) name: &'a str,
    /// `token` or `pause`.
    pub(super) kind: &'static str,
    pub(super) fence: u64,
    /// When the entry ends, in milliseconds of the store's time.
    pub(super) ends_at: u64,
}

/// An entry that was opened.
pub(super) struct Opened {
    pub(super) fence: u64,
    pub(super) ends_at: u64,
    pub(super) content: Zeroizing<Vec<u8>>,
}

impl SealingKeys {
    /// Takes a key of 32 random bytes.
    pub fn new(key: &[u8; 32]) -> Self {
        Self([Arc::new(Key::new(key))].into())
    }

    /// Adds a key that opens what was sealed with it, and seals nothing.
    #[must_use]
    pub fn also_open_with(self, key: &[u8; 32]) -> Self {
        let added = Arc::new(Key::new(key));
        Self(self.0.iter().cloned().chain([added]).collect())
    }

    /// Reads keys of 32 bytes in standard base64, several with commas between them. `openssl rand -base64 32` makes
    /// one.
    ///
    /// # Errors
    ///
    /// Says which key is wrong, and why. No key is shown.
    pub fn from_base64(text: &str) -> Result<Self, ConfigError> {
        let mut keys = Vec::new();
        for (at, part) in text.split(',').enumerate() {
            keys.push(Arc::new(read(part.trim(), at + 1)?));
        }
        Ok(Self(keys.into()))
    }

    pub(super) fn seal(&self, label: Label<'_>, content: &[u8]) -> Option<Vec<u8>> {
        let Key { id, key } = &*self.0[0];
        let mut nonce = [0; NONCE_LEN];
        rand::fill(&mut nonce).ok()?;
        let mut header = vec![VERSION];
        header.extend(id);
        header.extend(nonce);
        header.extend(label.fence.to_be_bytes());
        header.extend(label.ends_at.to_be_bytes());
        let mut sealed = Zeroizing::new(content.to_vec());
        let nonce = Nonce::assume_unique_for_key(nonce);
        let tag = key.seal_in_place_separate_tag(nonce, aad(label, &header), &mut sealed);
        Some([&header, &sealed[..], tag.ok()?.as_ref()].concat())
    }

    /// Opens an entry of this name and kind. `None`: it is not ours, too large, or somebody has changed it.
    pub(super) fn open(&self, name: &str, kind: &'static str, blob: &[u8]) -> Option<Opened> {
        if !(HEADER + TAG..=LARGEST).contains(&blob.len()) || blob[0] != VERSION {
            return None;
        }
        let (header, sealed) = blob.split_at(HEADER);
        let (id, rest) = header[1..].split_at(ID);
        let (nonce, rest) = rest.split_at(NONCE_LEN);
        let (fence, ends_at) = rest.split_at(8);
        let label = Label {
            name,
            kind,
            fence: u64::from_be_bytes(fence.try_into().ok()?),
            ends_at: u64::from_be_bytes(ends_at.try_into().ok()?),
        };
        let key = self.0.iter().find(|key| key.id == id)?;
        let mut content = Zeroizing::new(sealed.to_vec());
        let nonce = Nonce::try_assume_unique_for_key(nonce).ok()?;
        let opened = key
            .key
            .open_in_place(nonce, aad(label, header), &mut content);
        let length = opened.ok()?.len();
        content.truncate(length);
        Some(Opened {
            fence: label.fence,
            ends_at: label.ends_at,
            content,
        })
    }
}

impl Key {
    fn new(key: &[u8; 32]) -> Self {
        let mut digest = digest::Context::new(&digest::SHA256);
        digest.update(b"tower-oauth key id");
        digest.update(key);
        let mut id = [0; ID];
        id.copy_from_slice(&digest.finish().as_ref()[..ID]);
        let unbound = UnboundKey::new(&AES_256_GCM_SIV, key);
        Self {
            id,
            key: LessSafeKey::new(unbound.expect("32 bytes are a key")),
        }
    }
}

fn read(text: &str, number: usize) -> Result<Key, ConfigError> {
    let wrong = |rule: String| ConfigError::new("sealing key", rule);
    let bytes = STANDARD.decode(text).map(Zeroizing::new);
    let bytes = bytes.map_err(|_| wrong(format!("key {number} is not standard base64")))?;
    let Ok(mut key) = <[u8; 32]>::try_from(&bytes[..]) else {
        let rule = format!("key {number} has {} bytes; it must have 32", bytes.len());
        return Err(wrong(rule));
    };
    let read = Key::new(&key);
    key.zeroize();
    Ok(read)
}

fn aad(label: Label<'_>, header: &[u8]) -> Aad<Vec<u8>> {
    Aad::from(
        [
            label.kind.as_bytes(),
            b"\0",
            label.name.as_bytes(),
            b"\0",
            header,
        ]
        .concat(),
    )
}

impl fmt::Debug for SealingKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SealingKeys({})", self.0.len())
    }
}
