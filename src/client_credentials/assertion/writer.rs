//! Writes an assertion: the same header each time, and claims with the times and the `jti` of one attempt.

use std::time::{Duration, SystemTime};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use serde::{Serialize, Serializer};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use super::signer::{Signer, SigningRequest};
use crate::{
    ClientId, ClientSecret, ConfigError, FetchError, SigningAlgorithm,
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
    claims: Vec<(String, Claim)>,
    /// In seconds, as the next one.
    lifetime: u64,
    skew: u64,
    not_before: bool,
    signer: Signer,
    /// How long the signer may take.
    timeout: Option<Duration>,
}

/// A value that is the same in every assertion.
enum Claim {
    Plain(Value),
    Secret(ClientSecret),
}

impl AssertionWriter {
    pub(in crate::client_credentials) fn new(
        dialect: &Dialect,
        assertion: &Assertion,
        id: &ClientId,
        signer: Signer,
        timeout: Option<Duration>,
    ) -> Result<Self, ConfigError> {
        Ok(Self {
            algorithm: assertion.algorithm,
            header: header(assertion),
            claims: claims(dialect, assertion, id)?,
            lifetime: assertion.lifetime.as_secs(),
            skew: assertion.issued_at_skew.as_secs(),
            not_before: assertion.not_before,
            signer,
            timeout,
        })
    }

    /// A new assertion, as of `now` by the wall clock.
    pub(in crate::client_credentials) async fn write(
        &self,
        now: SystemTime,
    ) -> Result<Zeroizing<String>, FetchError> {
        let input = self.signing_input(now)?;
        let request = SigningRequest::new(self.algorithm, input.as_bytes());
        let signature = self.signer.sign(request, self.timeout).await?;
        let signature = BASE64_URL_SAFE_NO_PAD.encode(signature);
        let mut jwt = Zeroizing::new(String::with_capacity(input.len() + 1 + signature.len()));
        jwt.extend([input.as_str(), ".", &signature]);
        Ok(jwt)
    }

    /// Header and claims in base64url, with a dot between them.
    fn signing_input(&self, now: SystemTime) -> Result<Zeroizing<String>, FetchError> {
        let claims = BASE64_URL_SAFE_NO_PAD.encode(&*self.claims(now)?);
        let claims = Zeroizing::new(claims);
        let mut input = Zeroizing::new(String::with_capacity(self.header.len() + 1 + claims.len()));
        input.extend([self.header.as_str(), ".", &claims]);
        Ok(input)
    }

    fn claims(&self, now: SystemTime) -> Result<Zeroizing<Vec<u8>>, FetchError> {
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
            fixed: &self.claims,
            of_attempt: &of_attempt,
        };
        // Large enough never to be moved: a move would leave a copy of a secret claim behind.
        let mut json = Zeroizing::new(Vec::with_capacity(self.longest()));
        let written = serde_json::to_writer(&mut *json, &claims);
        written.map_err(|error| FetchError::unsigned(error.into()))?;
        Ok(json)
    }

    fn longest(&self) -> usize {
        let length = |(name, claim): &(String, Claim)| {
            let value = match claim {
                Claim::Plain(value) => value.to_string().len(),
                Claim::Secret(secret) => WORST_GROWTH * secret.expose().len(),
            };
            WORST_GROWTH * name.len() + value + 8
        };
        256 + self.claims.iter().map(length).sum::<usize>()
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

fn claims(
    dialect: &Dialect,
    assertion: &Assertion,
    id: &ClientId,
) -> Result<Vec<(String, Claim)>, ConfigError> {
    let own = [
        ("iss", with_id(&assertion.issuer, id)),
        ("sub", with_id(&assertion.subject, id)),
        ("aud", audience(dialect, assertion, id)),
    ];
    let own = own.map(|(name, text)| Ok((name.to_owned(), Claim::Plain(text.into()))));
    let further = assertion.claims.iter();
    let further = further.map(|(name, value)| Ok((name.clone(), claim(name, value, id)?)));
    own.into_iter().chain(further).collect()
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

fn claim(name: &str, value: &ClaimValue, id: &ClientId) -> Result<Claim, ConfigError> {
    let secret = match value {
        ClaimValue::Text(text) => return Ok(Claim::Plain(with_id(text, id).into())),
        ClaimValue::Integer(number) => return Ok(Claim::Plain((*number).into())),
        ClaimValue::Boolean(value) => return Ok(Claim::Plain((*value).into())),
        ClaimValue::List(texts) => return Ok(Claim::Plain(texts.clone().into())),
        ClaimValue::Reference(place) => place.resolve()?,
        ClaimValue::Secret(secret) => secret.clone(),
    };
    secret.check(&format!("assertion.claims.{name}"))?;
    Ok(Claim::Secret(secret))
}

/// The identifier of one assertion, by which a server sees that it has had it before.
fn jti() -> Result<String, FetchError> {
    let mut random = [0; JTI_BYTES];
    aws_lc_rs::rand::fill(&mut random).map_err(|error| FetchError::unsigned(error.into()))?;
    Ok(BASE64_URL_SAFE_NO_PAD.encode(random))
}

struct Claims<'a> {
    fixed: &'a [(String, Claim)],
    of_attempt: &'a [(&'a str, Option<Value>)],
}

impl Serialize for Claims<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let fixed = self
            .fixed
            .iter()
            .map(|(name, claim)| (name.as_str(), claim));
        let fixed = fixed.map(|(name, claim)| (name, Member::Fixed(claim)));
        let of_attempt = self.of_attempt.iter().filter_map(|(name, value)| {
            let value = value.as_ref()?;
            Some((*name, Member::OfAttempt(value)))
        });
        serializer.collect_map(fixed.chain(of_attempt))
    }
}

enum Member<'a> {
    Fixed(&'a Claim),
    OfAttempt(&'a Value),
}

impl Serialize for Member<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Fixed(Claim::Secret(secret)) => serializer.serialize_str(secret.expose()),
            Self::Fixed(Claim::Plain(value)) => value.serialize(serializer),
            Self::OfAttempt(value) => value.serialize(serializer),
        }
    }
}
