//! Writes an assertion: the same header each time, and claims with the times and the `jti` of one attempt.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Serialize, Serializer, ser::SerializeMap};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::signer::{Signer, SigningRequest};
use crate::{
    ClientId, FetchError, SigningAlgorithm,
    client_credentials::dialect::{Assertion, Audience, ClaimValue, Dialect, with_id},
};

/// As many random bits as a UUID has bits.
const JTI_BYTES: usize = 16;

/// The most bytes that one byte of a text becomes in JSON: `\u0000`.
const WORST_GROWTH: usize = 6;

pub(in crate::client_credentials) struct AssertionWriter {
    algorithm: SigningAlgorithm,
    /// In base64url.
    header: String,
    /// `iss`, `sub` and `aud`.
    own: [(&'static str, String); 3],
    id: ClientId,
    /// In seconds, as the next one.
    lifetime: u64,
    skew: u64,
    not_before: bool,
    signer: Signer,
    /// How long the signer may take.
    timeout: Option<Duration>,
}

type Further = BTreeMap<String, ClaimValue>;

impl AssertionWriter {
    pub(in crate::client_credentials) fn new(
        dialect: &Dialect,
        assertion: &Assertion,
        id: &ClientId,
        signer: Signer,
        timeout: Option<Duration>,
    ) -> Self {
        Self {
            algorithm: assertion.algorithm,
            header: header(assertion),
            own: [
                ("iss", with_id(&assertion.issuer, id)),
                ("sub", with_id(&assertion.subject, id)),
                ("aud", audience(dialect, assertion, id)),
            ],
            id: id.clone(),
            lifetime: assertion.lifetime.as_secs(),
            skew: assertion.issued_at_skew.as_secs(),
            not_before: assertion.not_before,
            signer,
            timeout,
        }
    }

    /// A new assertion, as of `now` by the wall clock.
    pub(in crate::client_credentials) async fn write(
        &self,
        now: SystemTime,
        further: &Further,
    ) -> Result<Zeroizing<String>, FetchError> {
        let input = self.signing_input(now, further)?;
        let request = SigningRequest::new(self.algorithm, input.as_bytes());
        let signature = self.signer.sign(request, self.timeout).await?;
        let signature = BASE64_URL_SAFE_NO_PAD.encode(signature);
        let mut jwt = Zeroizing::new(String::with_capacity(input.len() + 1 + signature.len()));
        jwt.extend([input.as_str(), ".", &signature]);
        Ok(jwt)
    }

    /// Header and claims in base64url, with a dot between them.
    fn signing_input(
        &self,
        now: SystemTime,
        further: &Further,
    ) -> Result<Zeroizing<String>, FetchError> {
        let claims = BASE64_URL_SAFE_NO_PAD.encode(&*self.claims(now, further)?);
        let claims = Zeroizing::new(claims);
        let mut input = Zeroizing::new(String::with_capacity(self.header.len() + 1 + claims.len()));
        input.extend([self.header.as_str(), ".", &claims]);
        Ok(input)
    }

    fn claims(&self, now: SystemTime, further: &Further) -> Result<Zeroizing<Vec<u8>>, FetchError> {
        let since_epoch = now.duration_since(SystemTime::UNIX_EPOCH);
        let issued_at = since_epoch
            .unwrap_or_default()
            .as_secs()
            .saturating_sub(self.skew);
        let nbf = self.not_before.then_some(issued_at);
        let of_attempt = [
            ("jti", Some(Value::from(jti()?))),
            ("iat", Some(issued_at.into())),
            ("nbf", nbf.map(Value::from)),
            ("exp", Some((issued_at + self.lifetime).into())),
        ];
        let claims = Claims {
            own: &self.own,
            further,
            of_attempt: &of_attempt,
            id: &self.id,
        };
        // Large enough never to be moved: a move would leave a copy of a secret claim behind.
        let mut json = Zeroizing::new(Vec::with_capacity(self.longest(further)));
        let written = serde_json::to_writer(&mut *json, &claims);
        written.map_err(|error| FetchError::unsigned(error.into()))?;
        Ok(json)
    }

    fn longest(&self, further: &Further) -> usize {
        let own = self.own.iter().map(|(_, text)| text.len());
        let further = further.iter().map(|(name, value)| {
            let value = match value {
                ClaimValue::Text(text) => with_id(text, &self.id).len(),
                ClaimValue::List(texts) => texts.iter().map(|text| text.len() + 3).sum(),
                ClaimValue::Secret(secret) => secret.expose().len(),
                _ => 20,
            };
            name.len() + value + 8
        });
        256 + WORST_GROWTH * own.chain(further).sum::<usize>()
    }
}

fn header(assertion: &Assertion) -> String {
    let mut header = Map::new();
    header.insert("alg".into(), assertion.algorithm.as_str().into());
    let typ = Some(assertion.typ.as_str()).filter(|typ| !typ.is_empty());
    for (name, value) in [
        ("typ", typ),
        ("kid", assertion.kid.as_deref()),
        ("x5t#S256", assertion.x5t_s256.as_deref()),
    ] {
        if let Some(value) = value {
            header.insert(name.into(), value.into());
        }
    }
    BASE64_URL_SAFE_NO_PAD.encode(Value::Object(header).to_string())
}

fn audience(dialect: &Dialect, assertion: &Assertion, id: &ClientId) -> String {
    match &assertion.audience {
        Audience::Text(text) => with_id(text, id),
        Audience::TokenUrl => {
            let url = &dialect.token_url;
            let end = url.find(['?', '#']).unwrap_or(url.len());
            url[..end].to_owned()
        }
    }
}

/// The identifier of one assertion, by which a server sees that it has had it before.
fn jti() -> Result<String, FetchError> {
    let mut random = [0; JTI_BYTES];
    aws_lc_rs::rand::fill(&mut random).map_err(|error| FetchError::unsigned(error.into()))?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(random))
}

struct Claims<'a> {
    own: &'a [(&'static str, String)],
    further: &'a Further,
    of_attempt: &'a [(&'a str, Option<Value>)],
    id: &'a ClientId,
}

impl Serialize for Claims<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut claims = serializer.serialize_map(None)?;
        for (name, text) in self.own {
            claims.serialize_entry(name, text)?;
        }
        for (name, value) in self.further {
            match value {
                ClaimValue::Text(text) => claims.serialize_entry(name, &with_id(text, self.id))?,
                ClaimValue::Secret(secret) => claims.serialize_entry(name, secret.expose())?,
                value => claims.serialize_entry(name, value)?,
            }
        }
        for (name, value) in self.of_attempt {
            if let Some(value) = value {
                claims.serialize_entry(name, value)?;
            }
        }
        claims.end()
    }
}
