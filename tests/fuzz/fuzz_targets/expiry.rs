//! A stated expiry, in any format, makes a lifetime within bounds or an error; the plain cases make exactly what they
//! say. The first line is the format, the second the answer's `Date`, the rest the expiry as JSON.
#![no_main]

use std::time::{Duration, SystemTime};

use http::{HeaderValue, Response, header::DATE};
use http_body_util::Full;
use libfuzzer_sys::{Corpus, fuzz_target};
use serde_json::Value;
use tower_oauth::client_credentials::{Dialect, ExpiryFormat};
use tower_oauth_fuzz::{Answer, NOW, check_error, client, from_now, run, source, split, stamp};

const LONGEST_LIFE: Duration = Duration::from_secs(366 * 24 * 3600);

/// Up to here, a double holds any whole number. The crate reads numbers as doubles.
const LARGEST_EXACT: u64 = 1 << 53;

/// The lifetime of a token whose answer's word cannot be read.
const DEFAULT_LIFE: Duration = Duration::from_secs(300);

fuzz_target!(|text: &[u8]| -> Corpus {
    let (format, rest) = split(text, b"\n");
    let (date, value) = split(rest, b"\n");
    let (Some(format), Ok(date)) = (named(format), HeaderValue::from_bytes(date)) else {
        return Corpus::Reject;
    };
    let Ok(stated) = serde_json::from_slice(value) else {
        return Corpus::Reject;
    };
    let expected = expected(format, &stated, remote(&date));
    run(check(format, answer(&date, value), expected));
    Corpus::Keep
});

fn named(format: &[u8]) -> Option<ExpiryFormat> {
    Some(match format {
        b"auto" => ExpiryFormat::Auto,
        b"seconds" => ExpiryFormat::Seconds,
        b"milliseconds" => ExpiryFormat::Milliseconds,
        b"ignored" => ExpiryFormat::Ignored,
        b"epoch_seconds" => ExpiryFormat::EpochSeconds,
        b"rfc3339" => ExpiryFormat::Rfc3339,
        minutes => ExpiryFormat::LocalTime {
            utc_offset_minutes: std::str::from_utf8(minutes)
                .ok()?
                .parse()
                .ok()
                .filter(|minutes: &i16| minutes.unsigned_abs() <= 900)?,
        },
    })
}

async fn check(format: ExpiryFormat, answer: Answer, expected: Expected) {
    let mut dialect = Dialect::new("fuzz", "https://login.example/token");
    dialect.response.expiry_format = format;
    dialect.max_lifetime = Some(LONGEST_LIFE);
    let source = source(client(dialect), answer);
    match source.token().await {
        Ok(token) => {
            let life = from_now(token.expires_at());
            assert!(
                !life.is_zero() && life <= LONGEST_LIFE,
                "lives for {life:?}"
            );
            if let Some(expected) = expected {
                assert_eq!(Some(life), expected.map(|it| it.min(LONGEST_LIFE)));
            }
        }
        Err(error) => {
            check_error(&error, &source);
            assert!(error.is_malformed(), "{error}");
            assert_eq!(expected.flatten(), None, "{error}");
        }
    }
}

fn answer(date: &HeaderValue, value: &[u8]) -> Answer {
    let body = [br#"{"access_token":"abc","expires_in":"#, value, b"}"].concat();
    let mut answer = Response::new(Full::from(body));
    answer.headers_mut().insert(DATE, date.clone());
    answer
}

fn remote(date: &HeaderValue) -> Option<SystemTime> {
    httpdate::parse_http_date(date.to_str().ok()?).ok()
}

/// The lifetime of a plain case, `Some(None)` where it has none; `None` where the case is not plain.
type Expected = Option<Option<Duration>>;

fn expected(format: ExpiryFormat, value: &Value, remote: Option<SystemTime>) -> Expected {
    let number = value.as_u64().or_else(|| plain_digits(value.as_str()?));
    let moment = match (format, number) {
        (ExpiryFormat::Ignored, _) => return Some(Some(DEFAULT_LIFE)),
        (ExpiryFormat::Seconds, Some(number @ ..=LARGEST_EXACT)) => return Some(seconds(number)),
        (ExpiryFormat::Auto, Some(number)) if has_two_meanings(number) => {
            return Some(Some(DEFAULT_LIFE));
        }
        (ExpiryFormat::Auto, Some(number @ ..1_500_000_000)) => return Some(seconds(number)),
        (ExpiryFormat::Auto, Some(number @ ..100_000_000_000)) => Duration::from_secs(number),
        (ExpiryFormat::EpochSeconds, Some(number @ ..253_402_300_800)) => {
            Duration::from_secs(number)
        }
        (ExpiryFormat::Auto | ExpiryFormat::Rfc3339, None) => stamp(value.as_str()?)?,
        (ExpiryFormat::LocalTime { utc_offset_minutes }, None) => {
            let (sign, minutes) = match utc_offset_minutes {
                ..0 => ('-', utc_offset_minutes.unsigned_abs()),
                _ => ('+', utc_offset_minutes.unsigned_abs()),
            };
            let (hours, minutes) = (minutes / 60, minutes % 60);
            stamp(&format!("{}{sign}{hours:02}:{minutes:02}", value.as_str()?))?
        }
        _ => return None,
    };
    let moment = SystemTime::UNIX_EPOCH + moment;
    let local = SystemTime::UNIX_EPOCH + NOW;
    let remote = remote.map(|remote| remote + Duration::from_secs(1));
    let lifetimes = [Some(local), remote].into_iter().flatten();
    let lifetimes = lifetimes.filter_map(|now| moment.duration_since(now).ok());
    Some(lifetimes.filter(|lifetime| !lifetime.is_zero()).min())
}

/// A lifetime in milliseconds, or else one of more than a day in seconds that is not of whole days, or a moment.
fn has_two_meanings(number: u64) -> bool {
    let is_odd_lifetime = number < 1_500_000_000 && !number.is_multiple_of(86_400);
    let is_hours = number.is_multiple_of(3_600_000);
    (86_401..100_000_000_000).contains(&number) && (is_odd_lifetime || is_hours)
}

fn seconds(number: u64) -> Option<Duration> {
    (number > 0).then(|| Duration::from_secs(number))
}

fn plain_digits(text: &str) -> Option<u64> {
    let plain = (1..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().unwrap())
}
