//! Writes the token request, once, when the fetcher is built. Every attempt sends a copy.

mod body;
mod client;
mod encode;

use std::collections::BTreeMap;

use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request,
    header::{ACCEPT, AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE},
};
use zeroize::Zeroizing;

pub(super) use self::client::Client;
use crate::{
    ClientSecret, ConfigError,
    client_credentials::dialect::{BodyEncoding, CredentialPlacement, Dialect, ParamValue},
};

/// An extra field or header, its secret read.
struct ResolvedParam<'a> {
    name: &'a str,
    value: ClientSecret,
    plain: &'a ParamValue,
    is_secret: bool,
}

/// The request to send, and the secrets in it, which the scrubber removes from answers.
pub(super) struct Prepared {
    pub(super) request: Request<Bytes>,
    pub(super) secrets: Vec<Zeroizing<String>>,
}

pub(super) fn prepare(dialect: &Dialect, client: &Client) -> Result<Prepared, ConfigError> {
    let params = resolve("token_params", &dialect.token_params)?;
    let headers = resolve("token_headers", &dialect.token_headers)?;
    let basic = match dialect.is_basic() {
        true => encode::basic(&dialect.credentials, client),
        false => None,
    };
    let body = body::encode(dialect, client, &params)?;

    let mut request = Request::new(Bytes::new());
    *request.method_mut() = Method::POST;
    *request.uri_mut() = dialect.token_uri()?;
    describe_body(request.headers_mut(), dialect, body.len())?;
    if dialect.assertion.is_some() {
        // Known when the assertion is in the body.
        request.headers_mut().remove(CONTENT_LENGTH);
    }
    insert_named_credentials(request.headers_mut(), dialect, client)?;
    insert_credentials(request.headers_mut(), basic.as_ref(), &headers)?;
    // Handed over without a copy, so that the last drop zeroizes it.
    *request.body_mut() = Bytes::from_owner(body);

    let extras = params.iter().chain(&headers).filter(|it| it.is_secret);
    let secrets = extras.map(|extra| copy(&extra.value));
    let basic = basic.iter().flat_map(encode::base64_variants);
    let secrets = secrets.chain(basic).chain(client.secret.as_ref().map(copy));
    Ok(Prepared {
        request,
        secrets: secrets.collect(),
    })
}

fn copy(secret: &ClientSecret) -> Zeroizing<String> {
    Zeroizing::new(secret.expose().to_owned())
}

fn describe_body(
    headers: &mut HeaderMap,
    dialect: &Dialect,
    length: usize,
) -> Result<(), ConfigError> {
    let own = |field: &'static str, text: &str| {
        let value = HeaderValue::from_str(text);
        value.map_err(|_| ConfigError::new(field, "must be visible ASCII, on a single line"))
    };
    let accept = dialect.accept.as_deref().unwrap_or("application/json");
    headers.insert(ACCEPT, own("accept", accept)?);
    headers.insert(CONTENT_LENGTH, HeaderValue::from(length));
    let content_type = match dialect.body {
        BodyEncoding::Form => "application/x-www-form-urlencoded",
        BodyEncoding::Json => "application/json",
        BodyEncoding::Empty => return Ok(()),
    };
    let content_type = dialect.content_type.as_deref().unwrap_or(content_type);
    headers.insert(CONTENT_TYPE, own("content_type", content_type)?);
    Ok(())
}

/// The values that the API's headers use beside those of a token, read.
pub(super) fn header_values(dialect: &Dialect) -> Result<Vec<(String, ClientSecret)>, ConfigError> {
    let values = resolve("header_values", &dialect.header_values)?;
    let values = values.into_iter();
    Ok(values.map(|it| (it.name.to_owned(), it.value)).collect())
}

fn insert_named_credentials(
    headers: &mut HeaderMap,
    dialect: &Dialect,
    client: &Client,
) -> Result<(), ConfigError> {
    let (CredentialPlacement::Headers { id, secret }, None) =
        (&dialect.credentials, &dialect.assertion)
    else {
        return Ok(());
    };
    let pairs = [
        (id, "client_id", client.id.as_str()),
        (secret, "client_secret", client.secret()),
    ];
    for (name, field, text) in pairs {
        let name: HeaderName = name
            .parse()
            .map_err(|_| ConfigError::new("credentials.headers", "is not a header name"))?;
        headers.insert(name, header_value(field, Zeroizing::new(text.to_owned()))?);
    }
    Ok(())
}

fn insert_credentials(
    headers: &mut HeaderMap,
    basic: Option<&Zeroizing<String>>,
    extra: &[ResolvedParam<'_>],
) -> Result<(), ConfigError> {
    if let Some(basic) = basic {
        let value = Zeroizing::new(["Basic ", basic].concat());
        headers.insert(AUTHORIZATION, header_value("client_secret", value)?);
    }
    for extra in extra {
        let (name, mut value) = extra.header()?;
        value.set_sensitive(extra.is_secret || name == AUTHORIZATION);
        headers.insert(name, value);
    }
    Ok(())
}

fn resolve<'a>(
    field: &str,
    values: &'a BTreeMap<String, ParamValue>,
) -> Result<Vec<ResolvedParam<'a>>, ConfigError> {
    let resolve = |(name, value): (&'a String, &'a ParamValue)| {
        let extra = ResolvedParam {
            name,
            value: value.resolve()?,
            plain: value,
            is_secret: value.is_secret(),
        };
        if extra.is_secret {
            extra.value.check(&format!("{field}.{name}"))?;
        }
        Ok(extra)
    };
    values.iter().map(resolve).collect()
}

impl ResolvedParam<'_> {
    fn header(&self) -> Result<(HeaderName, HeaderValue), ConfigError> {
        let field = format!("token_headers.{}", self.name);
        let name = self
            .name
            .parse()
            .map_err(|_| ConfigError::new(field.clone(), "is not a header name"))?;
        let value = header_value(&field, copy(&self.value))?;
        Ok((name, value))
    }
}

/// A value that is marked sensitive, and whose last drop zeroizes it.
fn header_value(field: &str, text: Zeroizing<String>) -> Result<HeaderValue, ConfigError> {
    let not_a_value =
        || ConfigError::new(field.to_owned(), "must be visible ASCII, on a single line");
    if !text.is_ascii() {
        return Err(not_a_value());
    }
    let bytes = Bytes::from_owner(text);
    let mut value = HeaderValue::from_maybe_shared(bytes).map_err(|_| not_a_value())?;
    value.set_sensitive(true);
    Ok(value)
}
