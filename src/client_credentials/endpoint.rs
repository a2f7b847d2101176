//! What errors say of the token endpoint.

use std::sync::Arc;

#[cfg(feature = "rustls")]
use super::response::may_be_the_certificate;
use super::{
    dialect::Place,
    response::CHECK_URL,
    transport_error::{BROKE, CHECK_CERTIFICATE},
};
use crate::{FetchError, FetchErrorKind};

/// Its place, and what explains a failure there.
pub(super) struct Endpoint {
    /// All sources of a dialect share it.
    place: Arc<Place>,
    /// What the transport shows, so that an error can say that it has expired.
    #[cfg(feature = "rustls")]
    identity: Option<crate::identity::Identity>,
}

impl Endpoint {
    pub(super) fn at(place: Arc<Place>) -> Self {
        Self {
            place,
            #[cfg(feature = "rustls")]
            identity: None,
        }
    }

    #[cfg(feature = "rustls")]
    pub(super) fn showing(self, identity: Option<crate::identity::Identity>) -> Self {
        Self { identity, ..self }
    }

    /// Host and port.
    pub(super) fn address(&self) -> &Arc<str> {
        &self.place.address
    }

    /// Adds the place, and the advice.
    pub(super) fn explain(&self, error: FetchError) -> FetchError {
        let error = self.locate(error);
        #[cfg(feature = "rustls")]
        if self.blames_certificate(&error)
            && let Some(advice) = self.identity.as_ref().and_then(|it| it.expiry_advice())
        {
            return error.with_advice(advice);
        }
        error
    }

    /// Whether the client certificate may be the cause: the server said so, broke the connection off under TLS, or
    /// wants a certificate and gave no other reason.
    #[cfg(feature = "rustls")]
    fn blames_certificate(&self, error: &FetchError) -> bool {
        let broke = error.status().is_none() && error.message().starts_with(BROKE);
        let denied = error
            .status()
            .is_some_and(|status| may_be_the_certificate(status, error.code()));
        error.is_certificate_rejected()
            || (self.place.is_tls && broke)
            || (self.place.by_certificate && denied)
    }

    /// If there was an answer, the place matters only if it may be the wrong one.
    fn locate(&self, error: FetchError) -> FetchError {
        if error.kind() == FetchErrorKind::Signer {
            return error;
        }
        let blames_url =
            error.kind() == FetchErrorKind::Denied && error.advice() == Some(CHECK_URL);
        let broke_before_an_answer = error.status().is_none() && error.message() == BROKE;
        let error = match error.status() {
            Some(_) if !blames_url => error,
            _ => error.at(self.address()),
        };
        match broke_before_an_answer && self.place.is_tls {
            false => error,
            true if self.place.by_certificate => error.with_advice(CHECK_CERTIFICATE),
            true => error.with_advice(
                "If it stays, check the client certificate: a server that rejects it may close the connection",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io;

    use http::Uri;

    use super::{
        super::{
            dialect::{CredentialPlacement, Dialect},
            transport_error::classify,
        },
        *,
    };
    use crate::{BoxError, error::CHECK_NETWORK};

    fn of(dialect: &Dialect, uri: &Uri) -> Endpoint {
        Endpoint::at(Arc::new(Place::of(dialect, uri)))
    }

    /// Some servers close the connection in place of an alert, and some clients see only that.
    #[test]
    fn a_connection_that_breaks_under_tls_points_to_the_certificate() {
        let dialect = |credentials| {
            let mut dialect = Dialect::new("bank", "https://login.example/token");
            dialect.credentials = credentials;
            dialect
        };
        let id_only = CredentialPlacement::IdOnly { id: "id".into() };
        let advice = |credentials, url: &'static str, error: BoxError| {
            let endpoint = of(&dialect(credentials), &Uri::from_static(url));
            let error = endpoint.locate(classify(error));
            error.advice().map(str::to_owned)
        };
        let reset = || BoxError::from(io::Error::from(io::ErrorKind::ConnectionReset));
        let (https, http) = ("https://login.example/token", "http://127.0.0.1:1/token");
        let basic = CredentialPlacement::default;
        let certificate = advice(id_only, https, reset());
        assert_eq!(certificate.as_deref(), Some(CHECK_CERTIFICATE));
        let hint = advice(basic(), https, reset()).unwrap();
        assert!(hint.starts_with("If it stays, check the client certificate"));
        assert_eq!(advice(basic(), http, reset()), None);
        let mut beside_a_secret = dialect(basic());
        beside_a_secret.client_certificate = true;
        let endpoint = of(&beside_a_secret, &Uri::from_static(https));
        let error = endpoint.locate(classify(reset()));
        assert_eq!(error.advice(), Some(CHECK_CERTIFICATE));
        let dns = advice(basic(), https, "dns error".into());
        assert_eq!(dns.as_deref(), Some(CHECK_NETWORK));
    }

    #[test]
    #[cfg(feature = "rustls")]
    fn a_denial_without_a_code_blames_the_certificate_that_the_endpoint_wants() {
        let uri = Uri::from_static("https://login.example/token");
        let denied = |status: u16| {
            let error = FetchError::permanent("denied");
            error.with_status(status.try_into().unwrap())
        };
        let mut dialect = Dialect::new("bank", "https://login.example/token");
        for (wants_one, error, expected) in [
            (true, denied(401), true),
            (true, denied(403), true),
            (true, denied(400), false),
            (true, denied(401).with_code("invalid_client"), false),
            (false, denied(401), false),
        ] {
            dialect.client_certificate = wants_one;
            let endpoint = of(&dialect, &uri);
            assert_eq!(endpoint.blames_certificate(&error), expected, "{error}");
        }
    }

    #[test]
    fn a_place_is_a_host_and_a_port_and_nothing_more() {
        for (url, place) in [
            ("https://login.example/token?key=k3y", "login.example:443"),
            ("http://127.0.0.1/token", "127.0.0.1:80"),
            ("https://[::1]:8443/", "[::1]:8443"),
        ] {
            let dialect = Dialect::new("bank", url);
            let endpoint = of(&dialect, &Uri::from_static(url));
            assert_eq!(&**endpoint.address(), place);
        }
    }
}
