//! Whatever a token endpoint says of when to come back, it is asked again within five and a half minutes, and never
//! earlier than it said unless that is later still.
#![no_main]

use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{
    HeaderMap,
    header::{DATE, RETRY_AFTER},
};
use http_body_util::Full;
use libfuzzer_sys::{Corpus, fuzz_target};
use tower_oauth::client_credentials::Dialect;
use tower_oauth_fuzz::{
    Answer, LONGEST_WAIT, NOW, answer, check_error, client, from_now, run, source,
};

/// The longest `Retry-After` that is believed.
const BELIEVED: Duration = Duration::from_secs(300);

/// The longest back-off of a source whose first fetch has failed: five seconds, and a quarter more.
const OWN_BACK_OFF: Duration = Duration::from_millis(6250);

fuzz_target!(|text: &[u8]| -> Corpus {
    let Some(mut answer) = answer(text) else {
        return Corpus::Reject;
    };
    *answer.body_mut() = Full::from(Bytes::from_static(br#"{"error":"slow_down"}"#));
    run(check(answer));
    Corpus::Keep
});

async fn check(answer: Answer) {
    let dialect = Dialect::new("fuzz", "https://login.example/token");
    let asked = asked(answer.headers());
    let source = source(client(dialect), answer);
    let error = source.token().await.expect_err("no answer is a token");
    check_error(&error, &source);

    let wait = from_now(error.retry_at().unwrap());
    let asked = asked.unwrap_or_default().min(BELIEVED);
    let longest = OWN_BACK_OFF.max(asked.mul_f64(1.1)).min(LONGEST_WAIT);
    assert!(
        (asked..=longest).contains(&wait),
        "{asked:?} was asked, {wait:?} is waited"
    );
}

/// The longest of what the headers ask for. A gateway may join several with commas, and a date has one of its own.
fn asked(headers: &HeaderMap) -> Option<Duration> {
    let values = headers.get_all(RETRY_AFTER).iter();
    let texts = values.filter_map(|value| value.to_str().ok());
    let parts = texts.flat_map(|text| {
        let parts: Vec<_> = text.split(',').map(str::trim).collect();
        let pairs = parts.windows(2).map(|pair| pair.join(", "));
        pairs
            .chain(parts.iter().map(ToString::to_string))
            .collect::<Vec<_>>()
    });
    parts.filter_map(|part| read(&part, headers)).max()
}

/// What RFC 9110 makes of one: seconds, or a date by the server's own clock.
fn read(text: &str, headers: &HeaderMap) -> Option<Duration> {
    let number = text.strip_prefix('+').unwrap_or(text);
    let is_plain = |byte: u8| byte.is_ascii_digit() || byte == b'.';
    if number.bytes().all(is_plain) && number.parse::<f64>().is_ok() {
        // A fraction too small for the type still counts.
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let whole = if whole.is_empty() { "0" } else { whole };
        let begun = u64::from(fraction.bytes().any(|digit| digit != b'0'));
        return Some(match whole.parse::<u64>() {
            Ok(whole) => Duration::from_secs(whole.saturating_add(begun)),
            Err(_) => BELIEVED,
        });
    }
    let at = moment(text)?;
    let date = headers.get(DATE).and_then(|date| date.to_str().ok());
    let now = date
        .and_then(moment)
        .unwrap_or(SystemTime::UNIX_EPOCH + NOW);
    Some(at.duration_since(now).unwrap_or_default())
}

/// A date, whose zone may be called `UTC`.
fn moment(text: &str) -> Option<SystemTime> {
    let text = text
        .strip_suffix("UTC")
        .map(|rest| format!("{rest}GMT"))
        .unwrap_or(text.to_owned());
    httpdate::parse_http_date(&text).ok()
}
