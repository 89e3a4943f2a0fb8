//! Times as callers write them.

use jiff::Timestamp;

use crate::Invalid;

/// Regular expression of [`parse_time`]'s form, for descriptions.
pub const TIME_PATTERN: &str =
    r"^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d{1,9})?([Zz]|[+-]([01]\d|2[0-3]):[0-5]\d)$";

/// The form of a time up to its seconds.
const FORM: &[u8] = b"0000-00-00T00:00:00";

/// Parses an RFC 3339 time, whose year in UTC is 0000 to 9999.
///
/// # Errors
/// If it is not one.
pub fn parse_time(text: &str) -> Result<Timestamp, Invalid> {
    let invalid = || {
        Invalid::new(
            "expected an RFC 3339 time such as 2026-04-29T11:13:55.021Z, in the years 0000 to 9999 of UTC".to_owned(),
        )
    };
    if !has_form(text.as_bytes()) {
        return Err(invalid());
    }
    let first = Timestamp::constant(-62_167_219_200, 0);
    text.parse().ok().filter(|time| *time >= first).ok_or_else(invalid)
}

/// Whether the text has the form of RFC 3339. The parser of times accepts more: other ISO 8601 forms, signed years, and
/// offsets of more than a day.
fn has_form(text: &[u8]) -> bool {
    let Some((form, rest)) = text.split_at_checked(FORM.len()) else { return false };
    let matches = |(have, want): (&u8, &u8)| match want {
        b'0' => have.is_ascii_digit(),
        b'T' => matches!(have, b'T' | b't' | b' '),
        _ => have == want,
    };
    if !form.iter().zip(FORM).all(matches) {
        return false;
    }
    let offset = match rest.strip_prefix(b".") {
        Some(fraction) => {
            let digits = fraction.iter().take_while(|byte| byte.is_ascii_digit()).count();
            if !(1..=9).contains(&digits) {
                return false;
            }
            &fraction[digits..]
        }
        None => rest,
    };
    match offset {
        [b'Z' | b'z'] => true,
        [b'+' | b'-', hours @ .., b':', minutes_tens, minutes_ones] => {
            let hours =
                <[u8; 2]>::try_from(hours).is_ok_and(|hours| hours.iter().all(u8::is_ascii_digit) && hours <= *b"23");
            hours && matches!(minutes_tens, b'0'..=b'5') && minutes_ones.is_ascii_digit()
        }
        _ => false,
    }
}
