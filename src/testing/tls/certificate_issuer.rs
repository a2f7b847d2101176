//! Issues client certificates, as on Bankly's page "Download do certificado TLS":
//! <https://docs.bankly.com.br/docs/download-do-certificado-tls>
//!
//! The page does not show the answer. Here it has PEM under `certificate` and `key`, and the key is not encrypted.

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use serde::Deserialize;

use super::Authority;
use crate::testing::{
    error_answer::{ErrorAnswer, single},
    reply::Answer,
};

/// The characters of a passphrase.
const PASSPHRASE: usize = 64;

/// The longest life of a certificate, in days.
const LONGEST_LIFE: u16 = 365;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wanted {
    passphrase: String,
    ttl_in_days: u16,
}

pub(super) fn certify(
    authority: &Authority,
    request: &Request<Bytes>,
) -> Result<Answer, ErrorAnswer> {
    let company = check_head(request)?;
    check_body(request.body())?;
    let identity = authority.client(company).map_err(|_| {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        ErrorAnswer::new(status, "server_error", "no certificate could be made")
    })?;
    Ok(Answer::new(StatusCode::CREATED)
        .member("certificate", identity.certificate_pem())
        .member("key", identity.key_pem()))
}

/// The company that the certificate is for.
fn check_head(request: &Request<Bytes>) -> Result<&str, ErrorAnswer> {
    let path: Vec<_> = request.uri().path().split('/').collect();
    let ["", _, company, "certificates"] = path[..] else {
        return Err(ErrorAnswer::not_found());
    };
    if request.method() != Method::POST {
        return Err(ErrorAnswer::method_not_allowed());
    }
    let version = single(
        request.headers(),
        &http::HeaderName::from_static("api-version"),
    )?;
    if version != Some(b"1") {
        return Err(ErrorAnswer::invalid_request("api-version must be 1"));
    }
    Ok(company)
}

fn check_body(body: &[u8]) -> Result<(), ErrorAnswer> {
    let wanted: Wanted = serde_json::from_slice(body).map_err(|_| {
        ErrorAnswer::invalid_request("the body must be JSON of passphrase and ttlInDays")
    })?;
    if wanted.passphrase.chars().count() != PASSPHRASE {
        return Err(ErrorAnswer::invalid_request(
            "the passphrase must have 64 characters",
        ));
    }
    if !(1..=LONGEST_LIFE).contains(&wanted.ttl_in_days) {
        return Err(ErrorAnswer::invalid_request("ttlInDays must be 1 to 365"));
    }
    Ok(())
}
