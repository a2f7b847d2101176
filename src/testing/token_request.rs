//! Reads a token request, and denies it unless it is exactly what the bank's document says.

use bytes::Bytes;
use http::{
    HeaderName, Method, Request, StatusCode,
    header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE},
};

use super::{
    acceptor::ClientCertificate,
    clients::Credentials,
    error_answer::{ErrorAnswer, single},
    fields,
    specification::{Expected, Proof, TokenEndpoint},
};

/// The highest number of scopes of one token, by Bankly's document.
const MOST_SCOPES: usize = 10;

/// The scopes that the request asks for.
pub(super) fn read(
    request: &Request<Bytes>,
    endpoint: &TokenEndpoint,
    client: &Credentials,
) -> Result<Vec<String>, ErrorAnswer> {
    check_head(request, endpoint)?;
    check_proof(request, endpoint.proof, client)?;
    let mut fields = fields::parse(request.body(), endpoint.encoding)?;
    let mut scopes = Vec::new();
    for (name, expected) in endpoint.fields {
        let value = fields.remove(*name).ok_or_else(|| missing(name))?;
        match expected {
            Expected::GrantType => check_grant_type(&value)?,
            Expected::ClientId => check_credential(name, &value, &client.id)?,
            Expected::ClientSecret => check_credential(name, &value, &client.secret)?,
            Expected::Scopes => scopes = split_scopes(&value)?,
        }
    }
    match fields.keys().next() {
        None => Ok(scopes),
        Some(name) => Err(surplus(name, client)),
    }
}

/// A name is shown only if it looks like one: a secret may be in its place.
pub(super) fn surplus(name: &str, client: &Credentials) -> ErrorAnswer {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_-.".contains(&byte);
    let is_name = name.len() <= 32 && name.bytes().all(is_part) && name != client.secret;
    let name = match is_name {
        true => format!(": {name}"),
        false => String::new(),
    };
    ErrorAnswer::invalid_request(format!(
        "the body has a field that the document does not have{name}"
    ))
}

pub(super) fn missing(name: &str) -> ErrorAnswer {
    ErrorAnswer::invalid_request(format!("the body lacks the field {name}"))
}

pub(super) fn check_head(
    request: &Request<Bytes>,
    endpoint: &TokenEndpoint,
) -> Result<(), ErrorAnswer> {
    if request.method() != Method::POST {
        return Err(ErrorAnswer::method_not_allowed());
    }
    if request.uri().query().is_some() {
        return Err(ErrorAnswer::invalid_request(
            "the address must have no query",
        ));
    }
    for (name, expected, otherwise) in [
        (
            CONTENT_TYPE,
            endpoint.encoding.media_type(),
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
        ),
        (ACCEPT, "application/json", StatusCode::NOT_ACCEPTABLE),
        (
            CONTENT_LENGTH,
            &request.body().len().to_string(),
            StatusCode::LENGTH_REQUIRED,
        ),
    ] {
        check_header(request, &name, expected, otherwise)?;
    }
    Ok(())
}

fn check_header(
    request: &Request<Bytes>,
    name: &HeaderName,
    expected: &str,
    otherwise: StatusCode,
) -> Result<(), ErrorAnswer> {
    if single(request.headers(), name)? == Some(expected.as_bytes()) {
        return Ok(());
    }
    let reason = format!("{name} must be {expected}");
    Err(ErrorAnswer::new(otherwise, "invalid_request", reason))
}

pub(super) fn check_proof(
    request: &Request<Bytes>,
    proof: Proof,
    client: &Credentials,
) -> Result<(), ErrorAnswer> {
    let sent = single(request.headers(), &AUTHORIZATION)?;
    match (proof, sent) {
        (Proof::Basic, Some(sent)) if sent == client.basic().as_bytes() => Ok(()),
        (Proof::Basic, sent) => {
            let wrong = client.wrong_basic(sent);
            let reason =
                format!("authorization must be Basic with the base64 of id:secret; {wrong}");
            Err(ErrorAnswer::invalid_client(reason).challenge("Basic"))
        }
        (Proof::Secret | Proof::Certificate, Some(_)) => Err(ErrorAnswer::invalid_request(
            "authorization must not be there: the credentials are in the body",
        )),
        (Proof::Certificate, None) if ClientCertificate::of(request).is_none() => Err(
            ErrorAnswer::invalid_client("a client certificate must be shown in place of a secret"),
        ),
        (Proof::Secret | Proof::Certificate, None) => Ok(()),
    }
}

pub(super) fn check_grant_type(grant_type: &str) -> Result<(), ErrorAnswer> {
    if grant_type == "client_credentials" {
        return Ok(());
    }
    Err(ErrorAnswer::new(
        StatusCode::BAD_REQUEST,
        "unsupported_grant_type",
        "the grant type must be client_credentials",
    ))
}

pub(super) fn check_credential(name: &str, sent: &str, known: &str) -> Result<(), ErrorAnswer> {
    if sent == known {
        return Ok(());
    }
    Err(ErrorAnswer::invalid_client(format!(
        "the credentials are not the client's: see the field {name}"
    )))
}

pub(super) fn split_scopes(scopes: &str) -> Result<Vec<String>, ErrorAnswer> {
    let scopes: Vec<_> = scopes.split(' ').map(str::to_owned).collect();
    if scopes.len() <= MOST_SCOPES && scopes.iter().all(|scope| is_scope(scope)) {
        return Ok(scopes);
    }
    Err(ErrorAnswer::invalid_scope(
        "there must be one to ten scopes, with one space between them",
    ))
}

/// The characters of RFC 6749 §3.3.
fn is_scope(scope: &str) -> bool {
    !scope.is_empty()
        && scope
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\'))
}
