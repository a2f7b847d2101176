//! Whatever an id, a secret and scopes hold, a strict server reads from the token request just what was given; what
//! no request may carry is rejected when the client is built, in words without the secret.
//!
//! Seven lines: where the credentials go, how the body is written, how scopes are; then id, secret, scopes, and the
//! value of a parameter of its own.
#![no_main]

use std::{
    collections::BTreeMap,
    convert::Infallible,
    sync::{Arc, Mutex},
    time::SystemTime,
};

use bytes::Bytes;
use http::{Request, Response, header::AUTHORIZATION};
use http_body_util::{BodyExt, Full};
use libfuzzer_sys::{Corpus, fuzz_target};
use tower::{ServiceExt, service_fn};
use tower_oauth::{
    ClientId, ClientSecret, ConfigError, TokenRequest,
    client_credentials::{
        BodyEncoding, ClientCredentials, ClientCredentialsBuilder, CredentialPlacement, Dialect,
        ScopeFormat,
    },
};
use tower_oauth_fuzz::{Decoded, decode_basic, decode_form, decode_json, printed, run};

struct Input<'a> {
    credentials: CredentialPlacement,
    body: BodyEncoding,
    scope_format: ScopeFormat,
    id: &'a str,
    secret: &'a str,
    scopes: Vec<&'a str>,
    audience: &'a str,
}

fuzz_target!(|text: &[u8]| -> Corpus {
    let Some(input) = std::str::from_utf8(text).ok().and_then(Input::read) else {
        return Corpus::Reject;
    };
    match input.sent() {
        Ok(request) => input.check(request),
        Err(error) => input.check_error(&error),
    }
    Corpus::Keep
});

type Sent = Request<Full<Bytes>>;

impl<'a> Input<'a> {
    fn read(text: &'a str) -> Option<Self> {
        let lines: Vec<&str> = text.split('\n').collect();
        let [
            credentials,
            body,
            scope_format,
            id,
            secret,
            scopes,
            audience,
        ] = lines[..]
        else {
            return None;
        };
        Some(Self {
            credentials: match credentials {
                "basic_encoded" => CredentialPlacement::BasicEncoded,
                "basic_raw" => CredentialPlacement::BasicRaw,
                "body" => CredentialPlacement::Body {
                    id: "clientId".into(),
                    secret: "client secret".into(),
                },
                _ => return None,
            },
            body: match body {
                "form" => BodyEncoding::Form,
                "json" => BodyEncoding::Json,
                _ => return None,
            },
            scope_format: match scope_format {
                "array" => ScopeFormat::JsonArray,
                _ => ScopeFormat::SpaceJoined,
            },
            id,
            secret,
            scopes: scopes
                .split(' ')
                .filter(|scope| !scope.is_empty())
                .collect(),
            audience,
        })
    }

    /// The request that the client sends, as its transport gets it.
    fn sent(&self) -> Result<Sent, ConfigError> {
        let seen = Arc::new(Mutex::new(None));
        let fetcher = self.fetcher(Arc::clone(&seen))?;
        let attempt = TokenRequest::first(SystemTime::UNIX_EPOCH);
        run(fetcher.oneshot(attempt)).expect("the answer is a token");
        Ok(seen.lock().unwrap().take().expect("a request was sent"))
    }

    fn fetcher(&self, seen: Arc<Mutex<Option<Sent>>>) -> Result<ClientCredentials, ConfigError> {
        let transport = service_fn(move |request: Sent| {
            *seen.lock().unwrap() = Some(request);
            let answer = Full::<Bytes>::from(Bytes::from_static(br#"{"access_token":"abc"}"#));
            async move { Ok::<_, Infallible>(Response::new(answer)) }
        });
        let mut dialect = Dialect::new("fuzz", "https://login.example/token?channel=api");
        dialect.credentials = self.credentials.clone();
        dialect.body = self.body;
        dialect.scope.format = self.scope_format;
        ClientCredentialsBuilder::new(dialect, ClientId::new(self.id)?)
            .secret(ClientSecret::new(self.secret))
            .scopes(self.scopes.iter().copied())
            .token_param("audience", self.audience)
            .fetcher(transport)
    }

    fn check(&self, request: Sent) {
        assert!(is_credential(self.id) && is_credential(self.secret));
        assert_eq!(request.uri(), "https://login.example/token?channel=api");
        let (head, body) = request.into_parts();
        let body = run(body.collect()).unwrap().to_bytes();
        assert_eq!(head.headers["content-length"], body.len().to_string());

        let fields = match self.body {
            BodyEncoding::Json => decode_json(&body),
            _ => decode_form(&body),
        };
        assert_eq!(fields, self.fields(), "{body:?}");

        let authorization = head.headers.get(AUTHORIZATION);
        let Some(encoded) = self.is_encoded() else {
            assert_eq!(authorization, None);
            return;
        };
        let authorization = authorization.expect("credentials were to go by Basic");
        assert!(authorization.is_sensitive());
        let pair = decode_basic(authorization.to_str().unwrap(), encoded);
        assert_eq!(pair, (self.id.to_owned(), self.secret.to_owned()));
    }

    /// Whether what Basic carries is form-urlencoded first; nothing where it carries nothing.
    fn is_encoded(&self) -> Option<bool> {
        match self.credentials {
            CredentialPlacement::BasicEncoded => Some(true),
            CredentialPlacement::BasicRaw => Some(false),
            _ => None,
        }
    }

    fn fields(&self) -> Decoded {
        let text = |text: &str| vec![text.to_owned()];
        let mut fields = BTreeMap::from([
            ("grant_type".to_owned(), text("client_credentials")),
            ("audience".to_owned(), text(self.audience)),
        ]);
        if self.is_encoded().is_none() {
            fields.insert("clientId".into(), text(self.id));
            fields.insert("client secret".into(), text(self.secret));
        }
        if !self.scopes.is_empty() {
            let scopes = match self.scope_format {
                ScopeFormat::JsonArray => self.scopes.iter().map(ToString::to_string).collect(),
                _ => text(&self.scopes.join(" ")),
            };
            fields.insert("scope".into(), scopes);
        }
        fields
    }

    fn check_error(&self, error: &ConfigError) {
        let is_scope = |scope: &&str| {
            scope
                .bytes()
                .all(|it| it.is_ascii_graphic() && !b"\"\\".contains(&it))
        };
        let deserved = match error.field() {
            "client_id" => !is_credential(self.id) || self.id.contains(':'),
            "client_secret" => !is_credential(self.secret),
            "scopes" => !self.scopes.iter().all(is_scope),
            "scope.format" => self.body == BodyEncoding::Form,
            "token_params.audience" => {
                self.audience.is_empty() || !is_credential(&format!("a{}a", self.audience))
            }
            _ => false,
        };
        assert!(deserved, "{error}");
        // A short one may be part of any sentence.
        let printed = printed(error);
        assert!(
            self.secret.len() < 24 || !printed.contains(self.secret),
            "{printed}"
        );
    }
}

fn is_credential(text: &str) -> bool {
    ClientId::new(text).is_ok()
}
