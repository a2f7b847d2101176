use std::time::{Duration, SystemTime};

use http::header;
use serde_json::{Value, json};
use tower_oauth::testing::{Bank, ExpiresIn};

use crate::wire::{json as json_of, send, token_request};

async fn expires_in(bank: &Bank) -> Option<Value> {
    let answer = json_of(&send(token_request(bank)).await.unwrap());
    answer.get("expires_in").cloned()
}

#[tokio::test]
async fn each_style_is_written_as_it_says() {
    let now = || SystemTime::UNIX_EPOCH + Duration::from_millis(1_769_857_200_250);
    let bank = Bank::bankly().wall_clock(now).start().await.unwrap();
    for (style, expected) in [
        (ExpiresIn::Seconds, Some(json!(3600))),
        (ExpiresIn::Text, Some(json!("3600"))),
        (
            ExpiresIn::Timestamp,
            Some(json!("2026-01-31T12:00:00.250Z")),
        ),
        (ExpiresIn::Epoch, Some(json!(1_769_860_800))),
        (ExpiresIn::EpochMillis, Some(json!(1_769_860_800_250_u64))),
        (ExpiresIn::Raw("-1.5".into()), Some(json!(-1.5))),
        (ExpiresIn::Raw("null".into()), Some(Value::Null)),
        (ExpiresIn::Absent, None),
    ] {
        bank.set_expires_in(style);
        assert_eq!(expires_in(&bank).await, expected);
    }
}

#[tokio::test]
async fn date_is_the_banks_own_clock() {
    let now = || SystemTime::UNIX_EPOCH + Duration::from_secs(86_400);
    let bank = Bank::avista().wall_clock(now).start().await.unwrap();
    let response = send(token_request(&bank)).await.unwrap();
    assert_eq!(
        response.headers()[header::DATE],
        "Fri, 02 Jan 1970 00:00:00 GMT"
    );
}

#[tokio::test]
async fn a_wall_clock_out_of_bounds_breaks_nothing() {
    let before_1970 = || SystemTime::UNIX_EPOCH - Duration::from_secs(1);
    let year_300_000 = || SystemTime::UNIX_EPOCH + Duration::from_secs(1 << 43);
    for builder in [
        Bank::avista().wall_clock(before_1970),
        Bank::avista().wall_clock(year_300_000),
    ] {
        let bank = builder
            .expires_in(ExpiresIn::Timestamp)
            .start()
            .await
            .unwrap();
        assert!(expires_in(&bank).await.unwrap().is_string());
    }
}

#[tokio::test(start_paused = true)]
async fn a_repeated_token_states_its_remaining_lifetime() {
    let bank = Bank::avista()
        .same_token_until_expiry()
        .start()
        .await
        .unwrap();
    assert_eq!(expires_in(&bank).await, Some(json!(3600)));
    tokio::time::advance(Duration::from_secs(600)).await;
    assert_eq!(expires_in(&bank).await, Some(json!(3000)));
}
