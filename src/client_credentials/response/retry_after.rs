//! Reads `Retry-After` and `Date`.

use std::time::{Duration, SystemTime};

use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{DATE, RETRY_AFTER},
};

/// The answer's own `Date`, cut to whole seconds by its format.
pub(super) fn date(headers: &HeaderMap) -> Option<SystemTime> {
    moment(text(headers, DATE)?)
}

/// What `Retry-After` says.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Stated {
    Wait(Duration),
    /// Neither seconds nor a date, but this many bytes of something else.
    Unreadable {
        length: usize,
    },
}

impl Stated {
    fn wait(&self) -> Option<Duration> {
        match self {
            Self::Wait(wait) => Some(*wait),
            Self::Unreadable { .. } => None,
        }
    }
}

/// `Retry-After` (RFC 9110 §10.2.3) in seconds or as a date. A date is read by the server's own clock where the answer
/// tells it, else by ours; one that has passed is no wait.
///
/// Of several the longest counts: a gateway may add its own to the server's, as a second line or after a comma.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Stated> {
    let values = headers.get_all(RETRY_AFTER).iter();
    let stated = values.map(|value| read(value, headers, now));
    stated.max_by_key(Stated::wait)
}

fn read(value: &HeaderValue, headers: &HeaderMap, now: SystemTime) -> Stated {
    let text = value.to_str().unwrap_or_default().trim();
    let until = |at: SystemTime| {
        let now = date(headers).unwrap_or(now);
        at.duration_since(now).unwrap_or_default()
    };
    let parts: Vec<_> = text.split(',').map(str::trim).collect();
    let alone = parts
        .iter()
        .filter_map(|part| seconds(part).or_else(|| moment(part).map(until)));
    // A date has a comma of its own.
    let dates = parts.windows(2).filter_map(|two| moment(&two.join(", ")));
    alone.chain(dates.map(until)).max().map_or(
        Stated::Unreadable {
            length: value.len(),
        },
        Stated::Wait,
    )
}

/// A date of RFC 9110 §5.6.7. Some servers write `UTC` in place of `GMT`.
fn moment(text: &str) -> Option<SystemTime> {
    match text.strip_suffix("UTC") {
        Some(rest) => httpdate::parse_http_date(&format!("{rest}GMT")).ok(),
        None => httpdate::parse_http_date(text).ok(),
    }
}

/// Digits, with a plus sign before and a fraction after them if need be. A fraction is rounded up, so that no request
/// comes too early.
fn seconds(text: &str) -> Option<Duration> {
    let text = text.strip_prefix('+').unwrap_or(text);
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let are_digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if whole.is_empty() && fraction.is_empty() || !are_digits(whole) || !are_digits(fraction) {
        return None;
    }
    let whole = match whole {
        "" => 0,
        // A number too large for the type is too large for any bound as well.
        _ => whole.parse().unwrap_or(u32::MAX),
    };
    let begun = fraction.bytes().any(|digit| digit != b'0');
    Some(Duration::from_secs(u64::from(whole) + u64::from(begun)))
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<&str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_dates_and_nonsense() {
        let now = httpdate::parse_http_date("Tue, 14 Nov 2023 22:13:20 GMT").unwrap();
        let earlier = Some("Tue, 14 Nov 2023 22:12:20 GMT");
        let unreadable = |text: &str| Some(Stated::Unreadable { length: text.len() });
        let wait = |seconds| Some(Stated::Wait(Duration::from_secs(seconds)));
        for (retry_after_text, date_text, expected) in [
            ("120", None, wait(120)),
            (" 120 ", None, wait(120)),
            ("\t120", None, wait(120)),
            ("+120", None, wait(120)),
            (" +2.70 ", None, wait(3)),
            ("2.7", None, wait(3)),
            ("2.000", None, wait(2)),
            ("2.", None, wait(2)),
            (".5", None, wait(1)),
            ("0.0001", None, wait(1)),
            ("0", None, wait(0)),
            ("007", None, wait(7)),
            ("99999999999999999999999", None, wait(u64::from(u32::MAX))),
            (
                "99999999999999999999999.9",
                None,
                wait(u64::from(u32::MAX) + 1),
            ),
            ("Tue, 14 Nov 2023 22:14:20 GMT", None, wait(60)),
            (" Tue, 14 Nov 2023 22:14:20 GMT ", None, wait(60)),
            ("Tue, 14 Nov 2023 22:14:20 GMT", earlier, wait(120)),
            ("Tue, 14 Nov 2023 22:14:20 GMT", Some("today"), wait(60)),
            ("Tue, 14 Nov 2000 22:14:20 GMT", None, wait(0)),
            ("Tue, 14 Nov 2023 22:14:20 UTC", None, wait(60)),
            ("1, 60", None, wait(60)),
            ("60,1", None, wait(60)),
            ("soon, 60", None, wait(60)),
            (" 5 ,, 7 , later", None, wait(7)),
            ("5, Tue, 14 Nov 2023 22:14:20 GMT", None, wait(60)),
            ("Tue, 14 Nov 2023 22:14:20 UTC, 5", None, wait(60)),
            ("Tue, 14 Nov 2023 22:14:20 GMT, 90, 5", None, wait(90)),
            ("soon, later", None, unreadable("soon, later")),
            (",", None, unreadable(",")),
            ("-5", None, unreadable("-5")),
            ("+-5", None, unreadable("+-5")),
            ("1.5.2", None, unreadable("1.5.2")),
            ("1e3", None, unreadable("1e3")),
            ("120s", None, unreadable("120s")),
            (".", None, unreadable(".")),
            ("", None, unreadable("")),
            ("soon", None, unreadable("soon")),
            (
                "Tue, 99 Nov 2023 22:14:20 GMT",
                None,
                unreadable("Tue, 99 Nov 2023 22:14:20 GMT"),
            ),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, retry_after_text.parse().unwrap());
            if let Some(date_text) = date_text {
                headers.insert(DATE, date_text.parse().unwrap());
            }
            let stated = retry_after(&headers, now);
            assert_eq!(stated, expected, "{retry_after_text:?} {date_text:?}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
        for (several, expected) in [
            (["1", "60"], wait(60)),
            (["60", "1"], wait(60)),
            (["soon", "60"], wait(60)),
            (["60", "soon"], wait(60)),
            (["5", "Tue, 14 Nov 2023 22:14:20 GMT"], wait(60)),
            (["soon", "later"], unreadable("later")),
        ] {
            let mut headers = HeaderMap::new();
            for text in several {
                headers.append(RETRY_AFTER, text.parse().unwrap());
            }
            assert_eq!(retry_after(&headers, now), expected, "{several:?}");
        }
        let bytes = http::HeaderValue::from_bytes(b"2\xe9").unwrap();
        let headers = HeaderMap::from_iter([(RETRY_AFTER, bytes)]);
        assert_eq!(retry_after(&headers, now), unreadable("2?"));
    }
}
