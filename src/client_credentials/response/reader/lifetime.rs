//! How long the token of an answer lives.

use std::time::{Duration, SystemTime};

use super::{Reader, first_there};
use crate::{
    FetchError,
    client_credentials::{
        dialect::ExpiryFormat,
        response::{
            answer::Answer,
            expiry::{self, Clocks, Expiry, NoLifetime},
            json::Value,
            members::Members,
            retry_after,
        },
    },
};

/// The lifetime that a fetcher sets if the answer states none, and the longest that it accepts. In a source that the
/// builder makes both are `None`: the source's policy holds the dialect's numbers and the user's changes.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::client_credentials) struct Lifetimes {
    pub(in crate::client_credentials) default: Option<Duration>,
    pub(in crate::client_credentials) max: Option<Duration>,
}

impl Reader {
    pub(super) fn lifetime(
        &self,
        answer: &Answer,
        members: &Members,
        now: SystemTime,
        token: &str,
    ) -> Result<Option<Duration>, FetchError> {
        let fields = &self.dialect.response;
        if fields.expiry_format == ExpiryFormat::Ignored {
            return Ok(self.lifetimes.default);
        }
        if fields.expiry_format == ExpiryFormat::Jwt {
            return self.jwt_lifetime(answer, now, token);
        }
        let name = first_there(members, &fields.expiry, &fields.other_expiry);
        let Some(stated) = members.get(name) else {
            self.warn_of_no_expiry();
            return Ok(self.lifetimes.default);
        };
        let expiry = fields.expiry_format.read(&stated);
        match expiry.and_then(|it| self.lifetime_of(it, answer, now)) {
            Ok(lifetime) => Ok(Some(lifetime)),
            Err(NoLifetime::Unreadable) => {
                self.warn_of_unreadable_expiry(name, &stated);
                Ok(self.lifetimes.default)
            }
            Err(NoLifetime::Over(rule)) => Err(FetchError::without_life(format!(
                "the answer's `{name}` {rule}; if the server means that its tokens never end, set \
                 `response.expiry_format` to \"ignored\" and a `default_lifetime`"
            ))),
        }
    }

    /// By the token's own claim.
    fn jwt_lifetime(
        &self,
        answer: &Answer,
        now: SystemTime,
        token: &str,
    ) -> Result<Option<Duration>, FetchError> {
        match expiry::of_jwt(token).and_then(|it| self.lifetime_of(it, answer, now)) {
            Ok(lifetime) => Ok(Some(lifetime)),
            Err(NoLifetime::Over(rule)) => {
                let what = format!("the token's claim `exp` {rule}");
                Err(FetchError::without_life(what))
            }
            Err(NoLifetime::Unreadable) => {
                tracing::warn!(
                    provider = &*self.name,
                    "the token is no JWT with a claim `exp`; it is used for default_lifetime"
                );
                Ok(self.lifetimes.default)
            }
        }
    }

    /// At most the longest that the fetcher accepts.
    fn lifetime_of(
        &self,
        expiry: Expiry,
        answer: &Answer,
        now: SystemTime,
    ) -> Result<Duration, NoLifetime> {
        let clocks = Clocks {
            local: now,
            remote: retry_after::date(&answer.headers),
        };
        if expiry.is_moment() && clocks.disagree() {
            tracing::warn!(
                provider = &*self.name,
                "the clocks of this machine and of the token endpoint differ by more than 5 minutes"
            );
        }
        let lifetime = clocks.lifetime(expiry)?;
        Ok(lifetime.min(self.lifetimes.max.unwrap_or(lifetime)))
    }

    fn warn_of_no_expiry(&self) {
        if self.dialect.default_lifetime.is_none() {
            tracing::warn!(
                provider = &*self.name,
                field = self.dialect.response.expiry,
                set = "`response.expiry`, if another member says it; else `default_lifetime`",
                "the answer does not say how long its token lives; the policy's default_lifetime counts"
            );
        }
    }

    fn warn_of_unreadable_expiry(&self, name: &str, stated: &Value<'_>) {
        tracing::warn!(
            provider = &*self.name,
            field = name,
            shape = &*stated.shape(),
            set = expiry::remedy(stated),
            "the answer's expiry cannot be read; the token is used for default_lifetime"
        );
    }
}
