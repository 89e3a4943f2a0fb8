//! Times as people say them.

use jiff::{SignedDuration, Timestamp};
use serde_json::Value;

const MINUTE: u64 = 60;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// Formats a time relative to the present: `3 min ago`, `in 2 h`; empty if there is none.
pub(crate) fn relative(at: &Value, now: Timestamp) -> String {
    let Some(at) = at.as_str().and_then(|text| text.parse::<Timestamp>().ok()) else { return String::new() };
    let seconds = now.as_second() - at.as_second();
    let distance = seconds.unsigned_abs();
    let (amount, unit) = match distance {
        0..2 => return "now".to_owned(),
        2..MINUTE => (distance, "s"),
        MINUTE..HOUR => (distance / MINUTE, "min"),
        // Two days in hours still tell a night from a day.
        HOUR..172_800 => (distance / HOUR, "h"),
        _ => (distance / DAY, "d"),
    };
    if seconds > 0 { format!("{amount} {unit} ago") } else { format!("in {amount} {unit}") }
}

/// Formats a time with its distance: `2026-11-30T16:00:00Z (3 min ago)`; empty if there is none.
pub(super) fn exact(at: &Value, now: Timestamp) -> String {
    match at.as_str() {
        Some(text) => format!("{text} ({})", relative(at, now)),
        None => String::new(),
    }
}

/// Parses a time: RFC 3339, or how long ago it is, such as `90s`, `15m`, `2h` or `7d`.
///
/// # Errors
/// If it is neither.
pub(super) fn since(text: &str, now: Timestamp) -> anyhow::Result<Timestamp> {
    if let Ok(at) = text.parse() {
        return Ok(at);
    }
    let ago = || {
        let (amount, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
        let unit = match unit {
            "s" => 1,
            "m" => MINUTE,
            "h" => HOUR,
            "d" => DAY,
            _ => return None,
        };
        let seconds = amount.parse::<u32>().ok()?.checked_mul(unit.try_into().ok()?)?;
        now.checked_sub(SignedDuration::from_secs(seconds.into())).ok()
    };
    ago().ok_or_else(|| {
        let expected = "expected 2026-11-30T16:00:00Z, or how long ago: 90s, 15m, 2h, 7d";
        crate::remote::Usage(format!("invalid time `{text}`: {expected}")).into()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_told_by_their_distance() {
        let now: Timestamp = "2026-11-30T16:00:00Z".parse().expect("valid");
        let told = |at: &str| relative(&Value::from(at), now);
        assert_eq!(told("2026-11-30T15:59:59Z"), "now");
        assert_eq!(told("2026-11-30T15:59:18Z"), "42 s ago");
        assert_eq!(told("2026-11-30T15:57:00Z"), "3 min ago");
        assert_eq!(told("2026-11-30T18:00:00Z"), "in 2 h");
        assert_eq!(told("2026-11-01T16:00:00Z"), "29 d ago");
        assert_eq!(relative(&Value::Null, now), "");
    }

    #[test]
    fn a_time_is_given_exactly_or_by_its_distance() {
        let now: Timestamp = "2026-11-30T16:00:00Z".parse().expect("valid");
        assert_eq!(since("2h", now).expect("valid").to_string(), "2026-11-30T14:00:00Z");
        assert_eq!(since("2026-11-30T12:00:00+02:00", now).expect("valid").to_string(), "2026-11-30T10:00:00Z");
        for wrong in ["", "h", "2", "2 weeks", "yesterday", "-1h", "99999999999d", "2ü"] {
            assert!(since(wrong, now).is_err(), "{wrong}");
        }
    }
}
