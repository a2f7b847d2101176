//! The tokens that a bank has issued.

use std::{collections::HashMap, iter, time::Duration};

use tokio::time::Instant;

use super::acceptor::ClientCertificate;

/// Why a bank rejects a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bad {
    Unknown,
    Expired,
    Revoked,
    /// It was issued to a client that showed another certificate (RFC 8705 §3).
    BoundElsewhere,
}

/// How a bank issues tokens.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Custom {
    /// A new token revokes all earlier ones.
    pub(super) single_active: bool,
    /// The same token until it expires, even when it was revoked.
    pub(super) repeats: bool,
}

/// What a token is good for.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) scopes: Vec<String>,
    /// The certificate that must be shown with it, if it was issued for one.
    pub(super) bound_to: Option<ClientCertificate>,
}

struct Issued {
    /// `None` lies beyond what the clock can count.
    expires: Option<Instant>,
    revoked: bool,
    terms: Terms,
}

impl Issued {
    fn expired(&self, now: Instant) -> bool {
        self.expires.is_some_and(|at| at <= now)
    }
}

/// A token for the answer, and whether it is a new one.
pub(super) struct Grant {
    pub(super) token: String,
    pub(super) left: Duration,
    pub(super) new: bool,
}

#[derive(Default)]
pub(super) struct TokenStore {
    tokens: HashMap<Vec<u8>, Issued>,
    latest: Option<String>,
}

impl TokenStore {
    pub(super) fn grant(
        &mut self,
        custom: Custom,
        terms: &Terms,
        lifetime: Duration,
        now: Instant,
    ) -> Grant {
        if custom.repeats
            && let Some(grant) = self.repeat(terms, lifetime, now)
        {
            return grant;
        }
        if custom.single_active {
            self.revoke_all();
        }
        self.issue(terms, lifetime, now)
    }

    fn repeat(&self, terms: &Terms, lifetime: Duration, now: Instant) -> Option<Grant> {
        let token = self.latest.as_ref()?;
        let issued = self.tokens.get(token.as_bytes())?;
        if issued.expired(now) || issued.terms != *terms {
            return None;
        }
        Some(Grant {
            token: token.clone(),
            left: issued.expires.map_or(lifetime, |at| at - now),
            new: false,
        })
    }

    fn issue(&mut self, terms: &Terms, lifetime: Duration, now: Instant) -> Grant {
        let token = token_text();
        let issued = Issued {
            expires: now.checked_add(lifetime),
            revoked: false,
            terms: terms.clone(),
        };
        self.tokens.insert(token.clone().into(), issued);
        self.latest = Some(token.clone());
        Grant {
            token,
            left: lifetime,
            new: true,
        }
    }

    /// The scopes of a token that is valid for a client with this certificate.
    pub(super) fn check(
        &self,
        token: &[u8],
        shown: Option<&ClientCertificate>,
        now: Instant,
    ) -> Result<&[String], Bad> {
        let issued = self.tokens.get(token).ok_or(Bad::Unknown)?;
        if issued.expired(now) {
            return Err(Bad::Expired);
        }
        if issued.revoked {
            return Err(Bad::Revoked);
        }
        if issued.terms.bound_to.is_some() && issued.terms.bound_to.as_ref() != shown {
            return Err(Bad::BoundElsewhere);
        }
        Ok(&issued.terms.scopes)
    }

    pub(super) fn revoke_all(&mut self) {
        for issued in self.tokens.values_mut() {
            issued.revoked = true;
        }
    }

    pub(super) fn expire_all(&mut self, now: Instant) {
        for issued in self.tokens.values_mut() {
            issued.expires = Some(now);
        }
    }
}

/// As long as the banks' tokens, and with the three parts of a JWT.
fn token_text() -> String {
    format!(
        "eyJhbGciOiJSUzI1NiIsInR5cCI6IkpXVCJ9.{}.{}",
        random(820),
        random(342)
    )
}

fn random(length: usize) -> String {
    iter::repeat_with(fastrand::alphanumeric)
        .take(length)
        .collect()
}
