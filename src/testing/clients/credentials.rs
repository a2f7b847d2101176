use std::{
    fmt, iter,
    sync::{Arc, OnceLock},
};

use base64::{Engine, prelude::BASE64_STANDARD};
use percent_encoding::percent_decode;
use tokio::time::Instant;

/// A client's id with its first secret, and its later secrets. A chain, so that a secret can be lent out while another
/// comes.
#[derive(Debug)]
pub(super) struct Secrets {
    credentials: Credentials,
    next: OnceLock<Box<Next>>,
}

#[derive(Debug)]
struct Next {
    /// How long the bank also takes the secret before.
    grace_until: Instant,
    secrets: Secrets,
}

impl Secrets {
    pub(super) fn new(id: Arc<str>, secret: String) -> Self {
        Self {
            credentials: Credentials { id, secret },
            next: OnceLock::new(),
        }
    }

    pub(super) fn current(&self) -> &Credentials {
        let last = self.chain().last().unwrap_or(self);
        &last.credentials
    }

    /// Those before the current one that the bank still takes.
    pub(super) fn in_grace(&self, now: Instant) -> impl Iterator<Item = &Credentials> {
        let has_grace = move |it: &&Self| it.next.get().is_some_and(|it| now < it.grace_until);
        self.chain().filter(has_grace).map(|it| &it.credentials)
    }

    pub(super) fn set_secret(&self, secret: String, grace_until: Instant) {
        let id = Arc::clone(&self.credentials.id);
        let mut next = Box::new(Next {
            grace_until,
            secrets: Self::new(id, secret),
        });
        let mut last = self;
        while let Err(not_the_last) = last.next.set(next) {
            next = not_the_last;
            match last.next.get() {
                Some(it) => last = &it.secrets,
                None => return,
            }
        }
    }

    fn chain(&self) -> impl Iterator<Item = &Self> {
        iter::successors(Some(self), |it| it.next.get().map(|next| &next.secrets))
    }
}

/// An id and a secret.
pub(in crate::testing) struct Credentials {
    pub(in crate::testing) id: Arc<str>,
    pub(in crate::testing) secret: String,
}

impl Credentials {
    /// The only `Authorization` that a bank accepts: Basic over the unchanged bytes of id and secret.
    pub(in crate::testing) fn basic(&self) -> String {
        let pair = format!("{}:{}", self.id, self.secret);
        format!("Basic {}", BASE64_STANDARD.encode(pair))
    }

    /// What is wrong with any other `Authorization`.
    pub(in crate::testing) fn wrong_basic(&self, sent: Option<&[u8]>) -> &'static str {
        let Some(sent) = sent else {
            return "it is missing";
        };
        let Some(pair) = sent.strip_prefix(b"Basic ") else {
            return "this is another scheme";
        };
        let Ok(pair) = BASE64_STANDARD.decode(pair) else {
            return "this is not base64";
        };
        let decoded: Vec<u8> = percent_decode(&pair).collect();
        let has_id = |pair: &[u8]| {
            let rest = pair.strip_prefix(self.id.as_bytes());
            rest.is_some_and(|rest| rest.starts_with(b":"))
        };
        if decoded == [&self.id, ":", &self.secret].concat().as_bytes() {
            "id and secret are form-urlencoded, and must be as they are"
        } else if has_id(&pair) || has_id(&decoded) {
            "the secret is not the client's"
        } else {
            "the id is not the client's"
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credentials")
            .field("id", &self.id)
            .field("secret", &"[secret elided]")
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anbimas_worked_example() {
        let credentials = Credentials {
            id: "aC2yaac23".into(),
            secret: "1bhS45TT".into(),
        };
        assert_eq!(credentials.basic(), "Basic YUMyeWFhYzIzOjFiaFM0NVRU");
    }
}
