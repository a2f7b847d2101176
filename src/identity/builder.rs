use std::{hash::RandomState, time::Duration};

use super::{
    Identity,
    material::{Form, Material, Password},
    shared::Shared,
};
use crate::{ClientSecret, Clock, ConfigError, SecretRef};

/// Kubernetes itself updates a mounted secret within about a minute, so a shorter interval gains little.
const POLL_INTERVAL: Duration = Duration::from_secs(30);

/// Builds an [`Identity`]. [`Identity::pem_files`] and its like return it.
///
/// # Examples
///
/// ```no_run
/// use std::time::Duration;
/// use tower_oauth::{SecretRef, identity::Identity};
///
/// let identity = Identity::pkcs12_file("/run/secrets/company.pfx")
///     .password_from(SecretRef::File("/run/secrets/company.pfx.password".into()))
///     .poll_interval(Duration::from_secs(60))
///     .build()?;
/// # Ok::<(), tower_oauth::ConfigError>(())
/// ```
#[derive(Debug)]
#[must_use]
pub struct IdentityBuilder {
    material: Material,
    interval: Duration,
    clock: Clock,
}

impl IdentityBuilder {
    pub(super) fn new(form: Form) -> Self {
        Self {
            material: Material {
                form,
                password: None,
                hasher: RandomState::new(),
            },
            interval: POLL_INTERVAL,
            clock: Clock::system(),
        }
    }

    /// Sets the password of a PKCS #12 archive or of an encrypted PEM key (PKCS #8). Default: none.
    pub fn password(mut self, password: impl Into<String>) -> Self {
        self.material.password = Some(Password::Given(ClientSecret::new(password)));
        self
    }

    /// Sets where the password is. It is read anew with the files, so that a new file may have a new password.
    pub fn password_from(mut self, place: SecretRef) -> Self {
        self.material.password = Some(Password::In(place));
        self
    }

    /// Sets how often the files are looked at. Default: 30 s. At least 1 ms.
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.interval = interval;
        self
    }

    /// Sets the clock that validity is checked by. Default: [`Clock::system`].
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Reads the files and checks them.
    ///
    /// It logs a `WARN` if every user of the machine can read the key's file, if the certificate is not valid yet, or
    /// if it expires within 30 days.
    ///
    /// # Errors
    ///
    /// Returns what is wrong, where, and what to do: a file that cannot be read, is cut short, or has another format;
    /// an encrypted key without its password, or with a wrong one; a key that does not belong to the certificate; a
    /// certificate without its key, a damaged one, or one that has expired.
    pub fn build(self) -> Result<Identity, ConfigError> {
        if self.interval < Duration::from_millis(1) {
            let error = ConfigError::new("poll_interval", "must be at least 1 ms");
            return Err(error.given_value(&format_args!("{:?}", self.interval)));
        }
        let shared = Shared::new(self.material, self.interval, self.clock)?;
        Ok(Identity::new(shared))
    }
}
