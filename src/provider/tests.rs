//! Each provider's token request byte for byte, and the answers of its documentation.

use std::time::Duration;

use super::*;
use crate::{
    ClientId, ConfigError,
    client_credentials::{
        ClientCredentialsBuilder,
        tests::{answer, ask, id, secret, sent, written},
    },
    token::Life,
};

fn refused(builder: ClientCredentialsBuilder) -> ConfigError {
    let transport = tower::service_fn(
        |_: http::Request<http_body_util::Full<bytes::Bytes>>| async {
            Ok::<_, std::convert::Infallible>(answer(200, ""))
        },
    );
    builder.fetcher(transport).unwrap_err()
}

/// The API's headers for the token of this answer.
async fn api_headers(builder: ClientCredentialsBuilder, dialect: Dialect, body: &str) -> String {
    let token = ask(builder, answer(200, body)).await.unwrap();
    let headers = dialect.headers.bind(&id("aC2yaac23")).render(&token);
    let text = |(name, value): &(http::HeaderName, http::HeaderValue)| {
        format!("{name}: {}\n", value.to_str().unwrap())
    };
    headers.unwrap().iter().map(text).collect()
}

async fn life(builder: ClientCredentialsBuilder, body: &str) -> Life {
    ask(builder, answer(200, body)).await.unwrap().life()
}

fn seconds(seconds: u64) -> Life {
    Life::For(Duration::from_secs(seconds))
}

#[test]
fn every_dialect_checks() {
    for dialect in [
        anbima::dialect(),
        avista::dialect(),
        conta_simples::dialect(),
        bankly::dialect(),
    ] {
        assert_eq!(dialect.check(), Ok(()), "{}", dialect.name);
    }
}

mod anbima_ {
    use super::*;

    const ANSWER: &str =
        r#"{"access_token": "222rkya88", "token_type": "access_token", "expires_in": 3600}"#;

    fn example() -> ClientCredentialsBuilder {
        anbima::production(id("aC2yaac23"), secret("1bhS45TT"))
    }

    #[tokio::test]
    async fn request() {
        let expected = "POST https://api.anbima.com.br/oauth/access-token\n\
             accept: application/json\n\
             authorization: Basic YUMyeWFhYzIzOjFiaFM0NVRU\n\
             content-length: 35\n\
             content-type: application/json\n\
             \n\
             {\"grant_type\":\"client_credentials\"}";
        assert_eq!(written(sent(example()).await).await, expected);
        let sandbox = anbima::sandbox(id("aC2yaac23"), secret("1bhS45TT"));
        assert_eq!(written(sent(sandbox).await).await, expected);
    }

    #[tokio::test]
    async fn two_headers_and_no_authorization() {
        assert_eq!(
            api_headers(example(), anbima::dialect(), ANSWER).await,
            "client_id: aC2yaac23\naccess_token: 222rkya88\n"
        );
        assert_eq!(life(example(), ANSWER).await, seconds(3600));
        assert!(ask(example(), answer(201, ANSWER)).await.is_ok());
    }

    #[test]
    fn a_colon_in_the_id_is_refused() {
        let colon = anbima::production(id("a:b"), secret("1bhS45TT"));
        assert_eq!(refused(colon).field(), "client_id");
    }
}

mod avista_ {
    use super::*;
    use crate::Margin;

    fn example() -> ClientCredentialsBuilder {
        avista::production(id("your-client-id"), secret("your-client-secret"))
    }

    #[tokio::test]
    async fn request() {
        assert_eq!(
            written(sent(example()).await).await,
            "POST https://api.avista.global/oauth/token\n\
             accept: application/json\n\
             content-length: 65\n\
             content-type: application/json\n\
             \n\
             {\"clientId\":\"your-client-id\",\"clientSecret\":\"your-client-secret\"}"
        );
    }

    #[tokio::test]
    async fn bearer_for_an_hour_unless_it_says_otherwise() {
        let body = r#"{"access_token": "eyJ.x", "token_type": "Bearer", "expires_in": 3600,
                       "scope": "pix:read pix:write balance:read"}"#;
        assert_eq!(
            api_headers(example(), avista::dialect(), body).await,
            "authorization: Bearer eyJ.x\n"
        );
        assert_eq!(
            life(example(), r#"{"access_token":"a","expires_in":1800}"#).await,
            seconds(1800)
        );
        assert_eq!(
            life(example(), r#"{"access_token":"a"}"#).await,
            seconds(3600)
        );
    }

    #[test]
    fn five_minutes_ahead() {
        let margin = Margin::Fixed(Duration::from_secs(300));
        assert_eq!(avista::dialect().renewal_margin, Some(margin));
    }

    #[tokio::test]
    async fn a_secret_has_8_to_64_characters() {
        for length in [0, 7, 65] {
            let error = refused(avista::production(id("a"), secret(&"ü".repeat(length))));
            assert_eq!(error.field(), "client_secret", "{length}");
        }
        for length in [8, 64] {
            sent(avista::production(id("a"), secret(&"ü".repeat(length)))).await;
        }
    }

    #[tokio::test]
    async fn the_other_endpoint() {
        let builder = example()
            .token_url("https://api.avista.global/api/auth/token")
            .token_header("X-SSL-Client-Cert", secret("-----BEGIN%20CERTIFICATE-----"));
        let request = sent(builder).await;
        assert_eq!(request.uri().path(), "/api/auth/token");
        let certificate = &request.headers()["x-ssl-client-cert"];
        assert_eq!(certificate, "-----BEGIN%20CERTIFICATE-----");
    }
}

mod conta_simples_ {
    use super::*;

    #[tokio::test]
    async fn request() {
        let sandbox = conta_simples::sandbox(id("key"), secret("secret")).user_agent("app/1.0");
        assert_eq!(
            written(sent(sandbox).await).await,
            "POST https://api-sandbox.contasimples.com/oauth/v1/access-token\n\
             accept: application/json\n\
             authorization: Basic a2V5OnNlY3JldA==\n\
             content-length: 29\n\
             content-type: application/x-www-form-urlencoded\n\
             user-agent: app/1.0\n\
             \n\
             grant_type=client_credentials"
        );
        let production = sent(conta_simples::production(id("key"), secret("secret"))).await;
        assert_eq!(production.uri().host(), Some("api.contasimples.com"));
    }

    #[tokio::test]
    async fn bearer_for_half_an_hour() {
        let example = || conta_simples::sandbox(id("key"), secret("secret"));
        let body = r#"{"access_token": "eyJ.x", "token_type": "Bearer", "expires_in": 1800}"#;
        assert_eq!(
            api_headers(example(), conta_simples::dialect(), body).await,
            "authorization: Bearer eyJ.x\n"
        );
        assert_eq!(life(example(), body).await, seconds(1800));
        assert_eq!(
            life(example(), r#"{"access_token":"a"}"#).await,
            seconds(1800)
        );
    }
}

mod bankly_ {
    use super::*;
    use crate::client_credentials::tests::now;

    fn example() -> ClientCredentialsBuilder {
        bankly::sandbox(id("0b1d"), secret("s:%+ ü&")).scopes(["boleto.read"])
    }

    fn mtls_id() -> ClientId {
        id("0b1d")
    }

    #[tokio::test]
    async fn request() {
        let builder = example().scopes(["business.write"]);
        assert_eq!(
            written(sent(builder).await).await,
            "POST https://login.sandbox.bankly.com.br/connect/token\n\
             accept: application/json\n\
             content-length: 116\n\
             content-type: application/x-www-form-urlencoded\n\
             \n\
             grant_type=client_credentials&client_id=0b1d&client_secret=s%3A%25%2B%20%C3%BC%26\
             &scope=boleto.read%20business.write"
        );
        let production = bankly::production(id("0b1d"), secret("shh")).scopes(["boleto.read"]);
        let host = "login.bankly.com.br";
        assert_eq!(sent(production).await.uri().host(), Some(host));
    }

    #[tokio::test]
    async fn by_mtls_no_secret_is_sent() {
        let sandbox = bankly::mtls_sandbox(mtls_id()).scopes(["boleto.read"]);
        assert_eq!(
            written(sent(sandbox).await).await,
            "POST https://auth-mtls.sandbox.bankly.com.br/oauth2/token\n\
             accept: application/json\n\
             content-length: 62\n\
             content-type: application/x-www-form-urlencoded\n\
             \n\
             grant_type=client_credentials&client_id=0b1d&scope=boleto.read"
        );
        let named = bankly::mtls(mtls_id(), "https://auth.example/token").scopes(["boleto.read"]);
        assert_eq!(sent(named).await.uri(), "https://auth.example/token");
    }

    #[tokio::test]
    async fn expiry_as_a_number_a_quoted_number_and_a_time_stamp() {
        for expires_in in ["3600", r#""3600""#, r#""2023-11-14T23:13:20.000Z""#] {
            let body = format!(
                r#"{{"access_token": "abc", "expires_in": {expires_in},
                    "token_type": "Bearer", "scope": "boleto.read"}}"#
            );
            assert_eq!(life(example(), &body).await, seconds(3600), "{expires_in}");
        }
        // The time stamp above is an hour from here.
        assert_eq!(
            httpdate::fmt_http_date(now()),
            "Tue, 14 Nov 2023 22:13:20 GMT"
        );
    }

    #[tokio::test]
    async fn one_to_ten_scopes() {
        let with = |count: usize| {
            let scopes = (0..count).map(|number| format!("scope.{number}"));
            bankly::sandbox(id("0b1d"), secret("shh")).scopes(scopes)
        };
        assert_eq!(refused(with(0)).field(), "scopes");
        assert_eq!(
            refused(with(11)).to_string(),
            "invalid `scopes`: at most 10 may be asked for"
        );
        sent(with(1)).await;
        sent(with(10)).await;
    }

    #[tokio::test]
    async fn five_minutes_after_a_429() {
        let error = ask(example(), answer(429, "")).await.unwrap_err();
        assert_eq!(error.wait(), Some(Duration::from_secs(300)));
    }
}
