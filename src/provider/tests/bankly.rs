use super::*;
use crate::client_credentials::tests::now;
use crate::provider::bankly;

fn example() -> ClientCredentialsBuilder {
    bankly::sandbox(id("0b1d"), secret("s:%+ ü&")).scopes(["boleto.read"])
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
    let sandbox = bankly::mtls_sandbox(id("0b1d")).scopes(["boleto.read"]);
    assert_eq!(
        written(sent(sandbox).await).await,
        "POST https://auth-mtls.sandbox.bankly.com.br/oauth2/token\n\
         accept: application/json\n\
         content-length: 62\n\
         content-type: application/x-www-form-urlencoded\n\
         \n\
         grant_type=client_credentials&client_id=0b1d&scope=boleto.read"
    );
    let named = bankly::mtls(id("0b1d"), "https://auth.example/token").scopes(["boleto.read"]);
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
    assert_eq!(rejected(with(0)).field(), "scopes");
    assert_eq!(
        rejected(with(11)).to_string(),
        "bankly: invalid `scopes` \"scope.0 scope.1 scope.2 scope.3 scope.4 scope.5 scope.6 scope.7 scope.8 scope.9 \
         …\": at most 10 may be asked for"
    );
    sent(with(1)).await;
    sent(with(10)).await;
}

#[tokio::test]
async fn five_minutes_after_a_429() {
    let error = ask(example(), answer(429, "")).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(300)));
}
