use super::*;
use crate::provider::anbima;

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
        "access_token: 222rkya88\nclient_id: aC2yaac23\n"
    );
    assert_eq!(life(example(), ANSWER).await, seconds(3600));
    assert!(ask(example(), answer(201, ANSWER)).await.is_ok());
}

#[test]
fn a_colon_in_the_id_is_rejected() {
    let colon = anbima::production(id("a:b"), secret("1bhS45TT"));
    assert_eq!(rejected(colon).field(), "client_id");
}
