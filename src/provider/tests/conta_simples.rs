use super::*;
use crate::provider::conta_simples;

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
