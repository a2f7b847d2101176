//! Time stamps of the plainest form, read without the library that the crate reads them with.

use std::time::Duration;

/// The time since 1970 of a `2023-11-14T23:13:20.000Z`, or with an offset for the `Z`; nothing for a stamp of another
/// form, of a day that not every month has, or of a year before 1970 or from 9999 on.
pub fn stamp(text: &str) -> Option<Duration> {
    let (date, time) = text.split_once('T')?;
    let day = day(date)?;
    let (time, offset) = offset(time)?;
    let (time, nanos) = fraction(time)?;
    let [hours, minutes, seconds] = numbers(time, ':', [2, 2, 2])?;
    if hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    let seconds = day * 86_400 + hours * 3600 + minutes * 60 + seconds - offset * 60;
    Some(Duration::new(u64::try_from(seconds).ok()?, nanos))
}

/// Days since 1970, by counting leap years.
fn day(date: &str) -> Option<i64> {
    const BEFORE: [i64; 12] = [0, 31, 59, 90, 120, 151, 181, 212, 243, 273, 304, 334];
    let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
    if !(1970..9999).contains(&year) || !(1..=12).contains(&month) || !(1..=28).contains(&day) {
        return None;
    }
    let leap = year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
    let leaps = |year: i64| year / 4 - year / 100 + year / 400;
    let leap_days = leaps(year - 1) - leaps(1969) + i64::from(leap && month > 2);
    let month = usize::try_from(month).ok()?;
    Some((year - 1970) * 365 + leap_days + BEFORE[month - 1] + day - 1)
}

/// The time without its offset, and the offset in minutes.
fn offset(time: &str) -> Option<(&str, i64)> {
    if let Some(time) = time.strip_suffix('Z') {
        return Some((time, 0));
    }
    let at = time.rfind(['+', '-'])?;
    let [hours, minutes] = numbers(&time[at + 1..], ':', [2, 2])?;
    let sign = if time[at..].starts_with('-') { -1 } else { 1 };
    let plain = hours < 15 && minutes < 60;
    plain.then(|| (&time[..at], sign * (hours * 60 + minutes)))
}

fn fraction(time: &str) -> Option<(&str, u32)> {
    let Some((time, digits)) = time.split_once('.') else {
        return Some((time, 0));
    };
    let plain = (1..=9).contains(&digits.len()) && digits.bytes().all(|it| it.is_ascii_digit());
    plain.then(|| (time, format!("{digits:0<9}").parse().unwrap()))
}

/// Numbers of just so many digits each.
fn numbers<const N: usize>(text: &str, separator: char, digits: [usize; N]) -> Option<[i64; N]> {
    let parts: Vec<&str> = text.split(separator).collect();
    let parts: [&str; N] = parts.try_into().ok()?;
    let mut numbers = [0; N];
    for ((number, part), digits) in numbers.iter_mut().zip(parts).zip(digits) {
        if part.len() != digits || !part.bytes().all(|it| it.is_ascii_digit()) {
            return None;
        }
        *number = part.parse().ok()?;
    }
    Some(numbers)
}
