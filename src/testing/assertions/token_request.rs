//! Reads a token request with an assertion in place of a secret.

use bytes::Bytes;
use http::{Request, header::HOST};

use super::{Assertions, Use, verify::Expected as OfRequest};
use crate::testing::{
    clients::Credentials,
    error_answer::ErrorAnswer,
    fields::{self, Fields},
    handler::BankHandler,
    specification::{Expected, Proof, TokenEndpoint},
    token_request as plain,
};

const GRANT: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
const TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

impl Assertions {
    /// The scopes that the request asks for.
    pub(in crate::testing) fn read(
        &self,
        request: &Request<Bytes>,
        endpoint: &TokenEndpoint,
        client: &Credentials,
        bank: &BankHandler,
    ) -> Result<Vec<String>, ErrorAnswer> {
        plain::check_head(request, endpoint)?;
        let proof = match endpoint.proof {
            Proof::Certificate => Proof::Certificate,
            Proof::Basic | Proof::Secret => Proof::Secret,
        };
        plain::check_proof(request, proof, client)?;
        let mut fields = fields::parse(request.body(), endpoint.encoding)?;
        let assertion = self.take_assertion(&mut fields)?;
        let token_url = token_url(request, bank);
        let expected = OfRequest {
            client_id: &client.id,
            token_url: &token_url,
            now: bank.clock.wall(),
        };
        self.verify(&assertion, &expected)?;
        self.rest(fields, endpoint, client)
    }

    fn take_assertion(&self, fields: &mut Fields) -> Result<String, ErrorAnswer> {
        let (name, kind, expected) = match self.usage {
            Use::Client => ("client_assertion", "client_assertion_type", TYPE),
            Use::Grant => ("assertion", "grant_type", GRANT),
        };
        let kind_sent = fields.remove(kind).ok_or_else(|| plain::missing(kind))?;
        if kind_sent != expected {
            let reason = format!("the field {kind} must be {expected}");
            return Err(ErrorAnswer::invalid_request(reason));
        }
        fields.remove(name).ok_or_else(|| plain::missing(name))
    }

    /// What the bank's document asks for beside the proof. RFC 7521 §4.2 leaves the id to the client.
    fn rest(
        &self,
        mut fields: Fields,
        endpoint: &TokenEndpoint,
        client: &Credentials,
    ) -> Result<Vec<String>, ErrorAnswer> {
        let mut scopes = Vec::new();
        for (name, expected) in endpoint.fields {
            let sent = fields.remove(*name);
            match (expected, sent) {
                (Expected::GrantType, None) if self.usage == Use::Grant => {}
                (Expected::ClientId, None) | (Expected::ClientSecret, None) => {}
                (_, None) => return Err(plain::missing(name)),
                (Expected::GrantType, Some(sent)) => plain::check_grant_type(&sent)?,
                (Expected::ClientId, Some(sent)) => {
                    plain::check_credential(name, &sent, &client.id)?;
                }
                (Expected::ClientSecret, Some(_)) => {
                    let reason = "the client's secret must not be there beside an assertion";
                    return Err(ErrorAnswer::invalid_request(reason));
                }
                (Expected::Scopes, Some(sent)) => scopes = plain::split_scopes(&sent)?,
            }
        }
        if let Some(id) = fields.remove("client_id") {
            plain::check_credential("client_id", &id, &client.id)?;
        }
        match fields.keys().next() {
            None => Ok(scopes),
            Some(name) => Err(plain::surplus(name, client)),
        }
    }
}

/// As the client called it. Only a bank with TLS issues certificates.
fn token_url(request: &Request<Bytes>, bank: &BankHandler) -> String {
    let scheme = match bank.certificate_issuer {
        Some(_) => "https",
        None => "http",
    };
    let host = request.headers().get(HOST);
    let host = host.and_then(|host| host.to_str().ok()).unwrap_or_default();
    format!("{scheme}://{host}{}", request.uri().path())
}
