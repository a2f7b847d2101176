//! What follows from a dialect, made once for all sources that share it.

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError, Weak},
};

use http::Uri;

use super::{Dialect, Proof, policy::policy_of, validate};
use crate::{ConfigError, RejectionRule, origin::AllowedOrigins, policy::Policy};

/// What all sources of one dialect have in common. With ten thousand sources it is checked once, and in memory once.
pub(in crate::client_credentials) struct Derived {
    of: Weak<Dialect>,
    pub(in crate::client_credentials) policy: Arc<Policy>,
    checked: Result<Checked, ConfigError>,
}

/// What a dialect without mistakes has.
pub(in crate::client_credentials) struct Checked {
    pub(in crate::client_credentials) place: Arc<Place>,
    pub(in crate::client_credentials) origins: AllowedOrigins,
    pub(in crate::client_credentials) rejection: RejectionRule,
}

/// Where the token endpoint is, and how a client proves itself there.
pub(in crate::client_credentials) struct Place {
    /// Host and port.
    pub(in crate::client_credentials) address: Arc<str>,
    pub(in crate::client_credentials) is_tls: bool,
    /// Whether the client's TLS certificate is its credential, or is wanted beside it.
    pub(in crate::client_credentials) by_certificate: bool,
}

impl Place {
    pub(in crate::client_credentials) fn of(dialect: &Dialect, uri: &Uri) -> Self {
        let is_tls = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        Self {
            address: format!("{}:{port}", uri.host().unwrap_or_default()).into(),
            is_tls,
            by_certificate: dialect.client_certificate || dialect.proof() == Proof::Certificate,
        }
    }
}

/// What was derived from a dialect, kept in the dialect itself. A clone derives anew.
#[derive(Default)]
pub(in crate::client_credentials) struct Memo(Mutex<Option<Arc<Derived>>>);

impl Dialect {
    /// What follows from this dialect.
    ///
    /// # Why it is never out of date
    ///
    /// A dialect can change only where nobody else sees it, and not while there is a `Weak` of it: `Arc::get_mut`
    /// refuses then, and `Arc::make_mut` and `Arc::into_inner` move the dialect away. What was derived has a `Weak`. As
    /// long as it exists, no other dialect lies at that address. So it fits the dialect at its own address, and no
    /// other.
    pub(in crate::client_credentials) fn derived(self: &Arc<Self>) -> Arc<Derived> {
        let memo = &self.derived.0;
        let mut known = memo.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(derived) = &*known
            && derived.of.as_ptr() == Arc::as_ptr(self)
        {
            return Arc::clone(derived);
        }
        let derived = Arc::new(Derived::new(self));
        *known = Some(Arc::clone(&derived));
        derived
    }
}

impl Derived {
    fn new(dialect: &Arc<Dialect>) -> Self {
        Self {
            of: Arc::downgrade(dialect),
            policy: Arc::new(policy_of(dialect)),
            checked: Checked::new(dialect),
        }
    }

    /// What a dialect without mistakes has, or the first mistake. The error names no source.
    pub(in crate::client_credentials) fn checked(&self) -> Result<&Checked, ConfigError> {
        self.checked.as_ref().map_err(ConfigError::clone)
    }
}

impl Checked {
    fn new(dialect: &Dialect) -> Result<Self, ConfigError> {
        validate::dialect(dialect)?;
        Ok(Self {
            place: Arc::new(Place::of(dialect, &dialect.token_uri()?)),
            // An origin with plain `http` is permitted and not named: it may be the token endpoint's, which gets no
            // token if the API's origins are named.
            origins: AllowedOrigins::new(&dialect.origins, &dialect.danger_allow_http),
            rejection: dialect.rejection.rule()?,
        })
    }
}

impl Clone for Memo {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl fmt::Debug for Memo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Memo")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialect() -> Arc<Dialect> {
        Arc::new(Dialect::new("bank", "https://login.example/token"))
    }

    fn is_insecure(dialect: &Arc<Dialect>) -> bool {
        dialect.derived().checked().is_err()
    }

    #[test]
    fn it_is_derived_once() {
        let dialect = dialect();
        let first = dialect.derived();
        assert!(Arc::ptr_eq(&first, &Arc::clone(&dialect).derived()));
        assert!(!Arc::ptr_eq(
            &first,
            &Arc::new((*dialect).clone()).derived()
        ));
    }

    #[test]
    fn whoever_changes_the_dialect_gets_what_follows_from_the_change() {
        let insecure = |it: &mut Dialect| it.token_url = "http://login.example/token".into();

        let mut unshared = dialect();
        assert!(!is_insecure(&unshared));
        assert!(Arc::get_mut(&mut unshared).is_none(), "it would be stale");
        insecure(Arc::make_mut(&mut unshared));
        assert!(is_insecure(&unshared));

        let mut shared = dialect();
        assert!(!is_insecure(&shared));
        let other = Arc::clone(&shared);
        insecure(Arc::make_mut(&mut shared));
        assert!(is_insecure(&shared) && !is_insecure(&other));

        let taken = dialect();
        assert!(!is_insecure(&taken));
        let mut taken = Arc::into_inner(taken).unwrap();
        insecure(&mut taken);
        assert!(is_insecure(&Arc::new(taken)));
    }
}
