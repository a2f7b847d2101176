//! What a certificate says.

use std::net::IpAddr;

use jiff::Timestamp;
use x509_parser::{
    extensions::GeneralName,
    prelude::{FromDer, X509Certificate},
};

use super::step::Finding;

#[derive(Debug)]
pub(super) struct Certificate {
    pub(super) subject: String,
    pub(super) issuer: String,
    pub(super) not_after: Timestamp,
    /// The host names and addresses that it is for.
    pub(super) names: Vec<String>,
}

impl Certificate {
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let end = certificate.validity().not_after.timestamp();
        Some(Self {
            subject: certificate.subject().to_string(),
            issuer: certificate.issuer().to_string(),
            not_after: Timestamp::from_second(end).ok()?,
            names: names(&certificate),
        })
    }

    pub(super) fn words(&self) -> String {
        // Of servers many have no other name than those.
        let subject = match (&*self.subject, &*self.names) {
            ("", []) => "(no name)".into(),
            ("", names) => names.join(", "),
            (subject, _) => subject.to_owned(),
        };
        let (issuer, end) = (&self.issuer, self.not_after);
        format!("{subject}, issued by {issuer}, valid until {end}")
    }

    pub(super) fn add_to(&self, finding: Finding) -> Finding {
        finding
            .fact("subject", &*self.subject)
            .fact("issuer", &*self.issuer)
            .fact("not_after", self.not_after.to_string())
            .fact("names", self.names.clone())
    }
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(names)) = certificate.subject_alternative_name() else {
        return Vec::new();
    };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => address(bytes),
        _ => None,
    };
    names.value.general_names.iter().filter_map(name).collect()
}

fn address(bytes: &[u8]) -> Option<String> {
    let address = match bytes.len() {
        4 => IpAddr::from(<[u8; 4]>::try_from(bytes).ok()?),
        _ => IpAddr::from(<[u8; 16]>::try_from(bytes).ok()?),
    };
    Some(address.to_string())
}
