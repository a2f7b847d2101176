//! The builder's policy: the dialect's numbers, and the user's changes.

use std::{sync::Arc, time::Duration};

use super::ClientCredentialsBuilder;
use crate::{client_credentials::response::Lifetimes, policy::Policy};

impl ClientCredentialsBuilder {
    /// Changes the policy. The change runs on a policy that already holds the dialect's numbers.
    pub fn policy(mut self, change: impl FnOnce(&mut Policy)) -> Self {
        let mut policy = (*self.policy).clone();
        change(&mut policy);
        // What changes nothing leaves the policy shared.
        if policy != *self.policy {
            self.policy = Arc::new(policy);
        }
        self
    }

    /// The lifetimes that the user set, else the dialect's. What neither sets is left to the source that the fetcher
    /// will be in.
    pub(super) fn stated_lifetimes(&self) -> Lifetimes {
        let untouched = &self.dialect.derived().policy;
        let last = |own: Duration, untouched, dialect| match own == untouched {
            true => dialect,
            false => Some(own),
        };
        Lifetimes {
            default: last(
                self.policy.lifetime.default,
                untouched.lifetime.default,
                self.dialect.default_lifetime,
            ),
            max: last(
                self.policy.lifetime.max,
                untouched.lifetime.max,
                self.dialect.max_lifetime,
            ),
        }
    }
}
