//! Certificates for tests. No client trusts them unless it is configured to.

use std::{fmt, io, sync::Arc, time::SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};

/// A certificate authority for tests, with a new key each time.
///
/// # Clone
///
/// A clone is the same authority.
///
/// # Examples
///
/// ```
/// use tower_oauth::testing::Authority;
///
/// let authority = Authority::new()?;
/// let client = authority.client("me")?;
/// let expired = authority.backdated().client("me")?;
/// assert_ne!(client.certificate_pem(), expired.certificate_pem());
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Authority {
    issuer: Arc<CertifiedIssuer<'static, KeyPair>>,
    backdated: bool,
}

impl Authority {
    /// Creates an authority with a new key.
    ///
    /// # Errors
    ///
    /// Fails if the machine has no randomness for a key.
    pub fn new() -> io::Result<Self> {
        let mut params = CertificateParams::default();
        // A name of its own: a foreign certificate is then of an unknown issuer, and not of a known one badly signed.
        let name = format!("test authority {:016x}", fastrand::u64(..));
        params.distinguished_name.push(DnType::CommonName, name);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let issuer = CertifiedIssuer::self_signed(params, key).map_err(io::Error::other)?;
        Ok(Self {
            issuer: Arc::new(issuer),
            backdated: false,
        })
    }

    /// Returns the authority's certificate as PEM, for the client to trust.
    pub fn certificate_pem(&self) -> String {
        self.issuer.pem()
    }

    /// The same authority as it was in the year 2000: what it issues has expired.
    #[must_use]
    pub fn backdated(&self) -> Self {
        Self {
            backdated: true,
            ..self.clone()
        }
    }

    /// Issues a server's certificate for loopback: `localhost`, `127.0.0.1` and `::1`.
    ///
    /// # Errors
    ///
    /// Fails if the machine has no randomness for a key.
    pub fn loopback_server(&self) -> io::Result<Identity> {
        self.server(["localhost", "127.0.0.1", "::1"])
    }

    /// Issues a server's certificate for these host names and addresses.
    ///
    /// # Errors
    ///
    /// Fails if one is neither, or the machine has no randomness for a key.
    pub fn server(
        &self,
        hosts: impl IntoIterator<Item = impl Into<String>>,
    ) -> io::Result<Identity> {
        let hosts: Vec<String> = hosts.into_iter().map(Into::into).collect();
        let params = CertificateParams::new(hosts).map_err(io::Error::other)?;
        self.issue(params, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// Issues a client's certificate in this name.
    ///
    /// # Errors
    ///
    /// Fails if the machine has no randomness for a key.
    pub fn client(&self, name: &str) -> io::Result<Identity> {
        self.client_certificate(name).issue()
    }

    /// Issues a client's certificate in this name, with a validity or a serial number of your choice.
    pub fn client_certificate(&self, name: &str) -> ClientCertificateBuilder {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        ClientCertificateBuilder {
            authority: self.clone(),
            params,
        }
    }

    fn issue(
        &self,
        mut params: CertificateParams,
        usage: ExtendedKeyUsagePurpose,
    ) -> io::Result<Identity> {
        params.extended_key_usages = vec![usage];
        params.use_authority_key_identifier_extension = true;
        if self.backdated {
            params.not_before = date_time_ymd(2000, 1, 1);
            params.not_after = date_time_ymd(2000, 12, 31);
        }
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = params.signed_by(&key, &self.issuer);
        Ok(Identity {
            certificate: certificate.map_err(io::Error::other)?.pem(),
            key: key.serialize_pem(),
        })
    }
}

impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority")
            .field("backdated", &self.backdated)
            .finish_non_exhaustive()
    }
}

/// Issues a client's certificate. [`Authority::client_certificate`] returns it.
///
/// # Examples
///
/// ```
/// use std::time::{Duration, SystemTime};
/// use tower_oauth::testing::Authority;
///
/// let now = SystemTime::now();
/// let day = Duration::from_secs(24 * 60 * 60);
/// let ends_in_a_week = Authority::new()?
///     .client_certificate("me")
///     .serial(0x0a17)
///     .valid(now - day, now + 7 * day)
///     .issue()?;
/// # Ok::<(), std::io::Error>(())
/// ```
#[must_use]
pub struct ClientCertificateBuilder {
    authority: Authority,
    params: CertificateParams,
}

impl ClientCertificateBuilder {
    /// Sets the serial number. Default: a random one.
    pub fn serial(mut self, serial: u64) -> Self {
        self.params.serial_number = Some(serial.into());
        self
    }

    /// Sets from when until when it is valid. Default: the years 1975 to 4096.
    pub fn valid(mut self, from: SystemTime, until: SystemTime) -> Self {
        self.params.not_before = from.into();
        self.params.not_after = until.into();
        self
    }

    /// Issues the certificate, with a new key.
    ///
    /// # Errors
    ///
    /// When the machine has no randomness to make a key of.
    pub fn issue(self) -> io::Result<Identity> {
        self.authority
            .issue(self.params, ExtendedKeyUsagePurpose::ClientAuth)
    }
}

impl fmt::Debug for ClientCertificateBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientCertificateBuilder")
            .finish_non_exhaustive()
    }
}

/// A certificate and its private key, which `Debug` does not show.
#[derive(Clone)]
pub struct Identity {
    certificate: String,
    key: String,
}

impl Identity {
    /// Returns the certificate as PEM.
    pub fn certificate_pem(&self) -> &str {
        &self.certificate
    }

    /// Returns the private key as PEM (PKCS #8).
    pub fn key_pem(&self) -> &str {
        &self.key
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").finish_non_exhaustive()
    }
}
