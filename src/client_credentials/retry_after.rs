//! When a server wants to be asked again.

use std::time::{Duration, SystemTime};

use http::{
    HeaderMap, HeaderName,
    header::{DATE, RETRY_AFTER},
};

/// The answer's own `Date`, cut to whole seconds by its format.
pub(super) fn date(headers: &HeaderMap) -> Option<SystemTime> {
    httpdate::parse_http_date(text(headers, DATE)?).ok()
}

/// `Retry-After` (RFC 9110 §10.2.3) in seconds or as a date. A date is read by the server's own clock where the answer
/// tells it, else by ours; one that has passed is no wait. What is neither is as if it were absent.
pub(super) fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = text(headers, RETRY_AFTER)?.trim();
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        // A number too large for the type is too large for any bound as well.
        let seconds = text.parse().unwrap_or(u32::MAX);
        return Some(Duration::from_secs(seconds.into()));
    }
    let at = httpdate::parse_http_date(text).ok()?;
    let now = date(headers).unwrap_or(now);
    Some(at.duration_since(now).unwrap_or_default())
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
        for (retry_after_text, date_text, expected) in [
            ("120", None, Some(120)),
            (" 120 ", None, Some(120)),
            ("0", None, Some(0)),
            ("99999999999999999999999", None, Some(u64::from(u32::MAX))),
            ("Tue, 14 Nov 2023 22:14:20 GMT", None, Some(60)),
            ("Tue, 14 Nov 2023 22:14:20 GMT", earlier, Some(120)),
            ("Tue, 14 Nov 2023 22:14:20 GMT", Some("today"), Some(60)),
            ("Tue, 14 Nov 2000 22:14:20 GMT", None, Some(0)),
            ("-5", None, None),
            ("1.5", None, None),
            ("", None, None),
            ("soon", None, None),
            ("Tue, 99 Nov 2023 22:14:20 GMT", None, None),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, retry_after_text.parse().unwrap());
            if let Some(date_text) = date_text {
                headers.insert(DATE, date_text.parse().unwrap());
            }
            assert_eq!(
                retry_after(&headers, now),
                expected.map(Duration::from_secs),
                "{retry_after_text:?} {date_text:?}"
            );
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }
}
