//! Answers that are tokens.

use serde_json::json;

use super::*;
use crate::{client_credentials::ExpiryFormat, token::Life};

async fn life(builder: ClientCredentialsBuilder, expires_in: serde_json::Value) -> Life {
    let body = json!({"access_token": "abc", "expires_in": expires_in}).to_string();
    ask(builder, answer(200, &body)).await.unwrap().life()
}

fn seconds(seconds: u64) -> Life {
    Life::For(Duration::from_secs(seconds))
}

#[tokio::test]
async fn any_2xx_with_a_token_is_a_token() {
    for status in [200, 201, 202, 299] {
        let token = ask(
            plain(),
            answer(status, r#" {"access_token":"a b~","error":null} "#),
        )
        .await
        .unwrap();
        assert_eq!(token.expose(), "a b~");
        assert_eq!(token.life(), Life::Unstated, "{status}");
    }
}

#[tokio::test]
async fn the_lifetime_is_the_answers_then_the_dialects_then_unstated() {
    let mut dialect = Dialect::new("lives", "https://login.example/token");
    assert_eq!(
        life(builder(dialect.clone()), json!(null)).await,
        Life::Unstated
    );

    dialect.default_lifetime = Some(Duration::from_secs(1800));
    dialect.max_lifetime = Some(Duration::from_secs(7200));
    assert_eq!(
        life(builder(dialect.clone()), json!(null)).await,
        seconds(1800)
    );
    assert_eq!(
        life(builder(dialect.clone()), json!("600")).await,
        seconds(600)
    );
    assert_eq!(
        life(builder(dialect.clone()), json!(7201)).await,
        seconds(7200)
    );

    dialect.response.expiry_format = ExpiryFormat::Seconds;
    assert_eq!(life(builder(dialect), json!(1e15)).await, seconds(7200));
}

#[tokio::test]
async fn a_time_stamp_is_read_by_both_clocks() {
    for (date, lifetime) in [
        (None, 3600),
        (Some("Tue, 14 Nov 2023 22:13:20 GMT"), 3599),
        (Some("Tue, 14 Nov 2023 22:43:20 GMT"), 1799),
        (Some("Tue, 14 Nov 2023 20:13:20 GMT"), 3600),
        (Some("yesterday"), 3600),
    ] {
        let body = r#"{"access_token":"abc","expires_in":"2023-11-14T23:13:20.000Z"}"#;
        let answer = match date {
            Some(date) => with_header(answer(200, body), "date", date),
            None => answer(200, body),
        };
        let token = ask(plain(), answer).await.unwrap();
        assert_eq!(token.life(), seconds(lifetime), "{date:?}");
    }
}

#[tokio::test]
async fn fields_may_have_other_names_and_bring_further_values() {
    let mut dialect = Dialect::new("names", "https://login.example/token");
    dialect.response.token = "accessToken".into();
    dialect.response.expiry = "expiraEm".into();
    dialect.response.expiry_format = ExpiryFormat::LocalTime {
        utc_offset_minutes: -180,
    };
    dialect.response.extras = vec!["jwt_token".into()];
    let body = json!({
        "accessToken": "abc", "expiraEm": "2023-11-14T20:13:20", "jwt_token": "xyz"
    });
    let token = ask(builder(dialect), answer(200, &body.to_string()))
        .await
        .unwrap();
    assert_eq!(token.expose(), "abc");
    assert_eq!(token.extra("jwt_token"), Some("xyz"));
    assert_eq!(token.life(), seconds(3600));
}
