use super::*;
use crate::Margin;
use crate::provider::avista;

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
    assert_eq!(avista::dialect().refresh_margin, Some(margin));
}

#[tokio::test]
async fn a_secret_has_8_to_64_characters() {
    for length in [0, 7, 65] {
        let error = rejected(avista::production(id("a"), secret(&"ü".repeat(length))));
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
