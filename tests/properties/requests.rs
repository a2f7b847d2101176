//! Credentials, as a strict server decodes them.

use std::collections::BTreeMap;

use http::{Request, header::AUTHORIZATION};
use http_body_util::BodyExt;
use proptest::prelude::*;
use tower::ServiceExt;
use tower_oauth::{
    ClientId, ClientSecret, TokenRequest,
    client_credentials::{
        BodyEncoding, ClientCredentialsBuilder, CredentialPlacement, Dialect, ScopeFormat,
    },
};

use crate::{
    config,
    decode::{Decoded, decode_basic, decode_form, decode_json},
    run,
    transport::Endpoint,
};

/// Anything that can be seen, and half of it of what encodings trip over.
pub(crate) fn credentials() -> impl Strategy<Value = String> {
    let is_credential = |text: &str| ClientId::new(text).is_ok();
    let any = any::<char>().prop_filter("is not seen", move |it| is_credential(&it.to_string()));
    let tricky = prop::sample::select(r#"%+&=:"\/?# ~*-._'<>ü💩"#.chars().collect::<Vec<_>>());
    let character = prop_oneof![tricky, any];
    prop::collection::vec(character, 1..40)
        .prop_map(|it| it.into_iter().collect::<String>().trim().to_owned())
        .prop_filter("is empty", |text| !text.is_empty())
}

fn scopes() -> impl Strategy<Value = Vec<String>> {
    prop::collection::vec(r"[!#-\[\]-~]{1,20}", 0..5)
}

struct Sent {
    authorization: Option<String>,
    body: Vec<u8>,
}

fn sent(
    credentials: CredentialPlacement,
    body: BodyEncoding,
    format: ScopeFormat,
    (id, secret, scopes): (&str, &str, &[String]),
) -> Sent {
    let mut dialect = Dialect::new("bank", "https://login.example/token");
    (dialect.credentials, dialect.body) = (credentials, body);
    dialect.scope.format = format;
    let endpoint = Endpoint::new(r#"{"access_token":"abc"}"#);
    let fetcher = ClientCredentialsBuilder::new(dialect, ClientId::new(id).unwrap())
        .secret(ClientSecret::new(secret))
        .scopes(scopes)
        .fetcher(endpoint.clone())
        .unwrap();
    let attempt = TokenRequest::first(std::time::UNIX_EPOCH);
    run(fetcher.oneshot(attempt)).unwrap();
    let request: Request<_> = endpoint.asked();
    let authorization = request.headers().get(AUTHORIZATION);
    let authorization = authorization.map(|it| it.to_str().unwrap().to_owned());
    let body = run(request.into_body().collect()).unwrap();
    Sent {
        authorization,
        body: body.to_bytes().to_vec(),
    }
}

fn in_the_body() -> CredentialPlacement {
    CredentialPlacement::Body {
        id: "client id".into(),
        secret: "clientSecret".into(),
    }
}

fn fields(id: &str, secret: &str, scopes: &[String]) -> Decoded {
    let mut fields = BTreeMap::from([
        ("grant_type".into(), vec!["client_credentials".into()]),
        ("client id".into(), vec![id.into()]),
        ("clientSecret".into(), vec![secret.into()]),
    ]);
    if !scopes.is_empty() {
        fields.insert("scope".into(), scopes.into());
    }
    fields
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_form_holds_what_was_given(
        id in credentials(), secret in credentials(), scopes in scopes()
    ) {
        let given = (&*id, &*secret, &*scopes);
        let sent = sent(in_the_body(), BodyEncoding::Form, ScopeFormat::SpaceJoined, given);
        let joined: Vec<_> = scopes.first().map(|_| scopes.join(" ")).into_iter().collect();
        assert_eq!(decode_form(&sent.body), fields(&id, &secret, &joined));
        assert_eq!(sent.authorization, None);
    }

    #[test]
    fn json_holds_what_was_given(
        id in credentials(), secret in credentials(), scopes in scopes()
    ) {
        let given = (&*id, &*secret, &*scopes);
        let sent = sent(in_the_body(), BodyEncoding::Json, ScopeFormat::JsonArray, given);
        assert_eq!(decode_json(&sent.body), fields(&id, &secret, &scopes));
        assert_eq!(sent.authorization, None);
    }

    #[test]
    fn basic_holds_what_was_given(id in credentials(), secret in credentials()) {
        let basic = |placement, id: &str| {
            let given = (id, &*secret, &[][..]);
            let sent = sent(placement, BodyEncoding::Form, ScopeFormat::SpaceJoined, given);
            assert_eq!(sent.body, b"grant_type=client_credentials");
            sent.authorization.unwrap()
        };
        let encoded = basic(CredentialPlacement::BasicEncoded, &id);
        assert_eq!(decode_basic(&encoded, true), (id.clone(), secret.clone()));

        let id = id.replace(':', "-"); // the one thing that a raw header cannot carry
        let raw = basic(CredentialPlacement::BasicRaw, &id);
        assert_eq!(decode_basic(&raw, false), (id, secret.clone()));
    }
}
