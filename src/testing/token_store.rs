//! The tokens that a bank has issued.

use std::{collections::HashMap, iter, sync::Arc, time::Duration};

use tokio::time::Instant;

use super::acceptor::ClientCertificate;

/// Why a bank rejects a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bad {
    Unknown,
    Expired,
    Revoked,
    /// It was issued to another client than the request names.
    OfAnotherClient,
    /// It was issued to a client that showed another certificate (RFC 8705 §3).
    BoundElsewhere,
}

/// How a bank issues tokens.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Custom {
    /// A new token revokes all earlier ones of its client.
    pub(super) single_active: bool,
    /// The same token until it expires, even when it was revoked.
    pub(super) repeats: bool,
}

/// What a token is good for.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Terms {
    pub(super) client: Arc<str>,
    pub(super) scopes: Vec<String>,
    /// The certificate that must be shown with it, if it was issued for one.
    pub(super) bound_to: Option<ClientCertificate>,
}

/// A token, with what an API request says beside it.
pub(super) struct Presented<'a> {
    pub(super) token: &'a [u8],
    /// At a bank where a request names the client.
    pub(super) client_id: Option<&'a [u8]>,
}

struct Issued {
    /// Counts the tokens.
    number: u64,
    /// `None` lies beyond what the clock can count.
    expires: Option<Instant>,
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

/// What the store knows of a client.
#[derive(Default)]
struct OfClient {
    latest: Option<String>,
    /// Its tokens with a lower number are revoked. With many clients, a mark on each token would cost a search.
    revoked_below: u64,
}

#[derive(Default)]
pub(super) struct TokenStore {
    tokens: HashMap<Vec<u8>, Issued>,
    clients: HashMap<Arc<str>, OfClient>,
    /// The number of the next token.
    next_number: u64,
    /// All tokens with a lower number are revoked.
    revoked_below: u64,
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
            self.revoke_all_of(&terms.client);
        }
        self.issue(terms, lifetime, now)
    }

    fn repeat(&self, terms: &Terms, lifetime: Duration, now: Instant) -> Option<Grant> {
        let token = self.clients.get(&terms.client)?.latest.as_ref()?;
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
            number: self.next_number,
            expires: now.checked_add(lifetime),
            terms: terms.clone(),
        };
        self.next_number += 1;
        self.tokens.insert(token.clone().into(), issued);
        self.of_client(&terms.client).latest = Some(token.clone());
        Grant {
            token,
            left: lifetime,
            new: true,
        }
    }

    fn of_client(&mut self, client_id: &str) -> &mut OfClient {
        self.clients.entry(client_id.into()).or_default()
    }

    /// The client that a token was issued to, valid or not.
    pub(super) fn client_of(&self, token: &[u8]) -> Option<&str> {
        self.tokens.get(token).map(|issued| &*issued.terms.client)
    }

    /// What a token is good for, if it is valid for a client with this certificate.
    pub(super) fn check(
        &self,
        presented: &Presented<'_>,
        certificate: Option<&ClientCertificate>,
        now: Instant,
    ) -> Result<&Terms, Bad> {
        let issued = self.tokens.get(presented.token).ok_or(Bad::Unknown)?;
        let terms = &issued.terms;
        let is_another = |id: &[u8]| id != terms.client.as_bytes();
        if presented.client_id.is_some_and(is_another) {
            return Err(Bad::OfAnotherClient);
        }
        if issued.expired(now) {
            return Err(Bad::Expired);
        }
        if self.is_revoked(issued) {
            return Err(Bad::Revoked);
        }
        if terms.bound_to.is_some() && terms.bound_to.as_ref() != certificate {
            return Err(Bad::BoundElsewhere);
        }
        Ok(terms)
    }

    fn is_revoked(&self, issued: &Issued) -> bool {
        let of_client = self.clients.get(&issued.terms.client);
        let below = of_client.map_or(0, |it| it.revoked_below);
        issued.number < below.max(self.revoked_below)
    }

    pub(super) fn revoke_all(&mut self) {
        self.revoked_below = self.next_number;
    }

    pub(super) fn revoke_all_of(&mut self, client_id: &str) {
        self.of_client(client_id).revoked_below = self.next_number;
    }

    pub(super) fn expire_all(&mut self, now: Instant) {
        for issued in self.tokens.values_mut() {
            issued.expires = Some(now);
        }
    }

    pub(super) fn expire_all_of(&mut self, client_id: &str, now: Instant) {
        let mut issued = self.tokens.values_mut();
        while let Some(issued) = issued.find(|it| *it.terms.client == *client_id) {
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
