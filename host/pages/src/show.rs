//! Times, numbers and sizes as people read them. The exact value stands beside each, in a tooltip.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// A value behind as many references as a template has it.
pub(crate) trait Value<T> {
    /// Returns the value.
    fn value(&self) -> T;
}

impl<T, V: Value<T>> Value<T> for &V {
    fn value(&self) -> T {
        (**self).value()
    }
}

macro_rules! values {
    ($($of:ty => $to:ty),*) => {
        $(impl Value<$to> for $of {
            fn value(&self) -> $to {
                (*self).into()
            }
        })*
    };
}

values!(u64 => u64, u32 => u64, u16 => u64, f64 => f64, Timestamp => Timestamp);

/// Returns a time relative to now: `just now`, `3 min ago`, `in 2 h`, `yesterday`'s and older ones as dates.
pub(crate) fn relative(at: impl Value<Timestamp>, now: impl Value<Timestamp>) -> String {
    let (at, now): (Timestamp, Timestamp) = (at.value(), now.value());
    let seconds = now.duration_since(at).as_secs();
    let (ahead, s) = (seconds < 0, seconds.unsigned_abs());
    let text = match s {
        0..=4 => return "just now".to_owned(),
        5..=59 => format!("{s} s"),
        60..=3_599 => format!("{} min", s / 60),
        3_600..=86_399 => format!("{} h", s / 3_600),
        86_400..=604_799 => format!("{} d", s / 86_400),
        _ => return at.to_zoned(TimeZone::UTC).strftime("%Y-%m-%d").to_string(),
    };
    if ahead { format!("in {text}") } else { format!("{text} ago") }
}

/// Returns a time to the second, UTC.
pub(crate) fn exact(at: impl Value<Timestamp>) -> String {
    at.value().to_zoned(TimeZone::UTC).strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// Returns a number with its digits in groups of three.
pub(crate) fn number(n: impl Value<u64>) -> String {
    let digits = n.value().to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Returns a size: `812 B`, `12.4 KiB`, `3.0 MiB`.
pub(crate) fn bytes(n: impl Value<u64>) -> String {
    let n = n.value();
    const UNITS: [&str; 4] = ["KiB", "MiB", "GiB", "TiB"];
    if n < 1_024 {
        return format!("{n} B");
    }
    let mut size = n as f64 / 1_024.0;
    let mut unit = 0;
    while size >= 1_024.0 && unit + 1 < UNITS.len() {
        size /= 1_024.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

/// Returns a duration in microseconds: `85 µs`, `4.2 ms`, `1.3 s`.
pub(crate) fn micros(n: impl Value<u64>) -> String {
    let n = n.value();
    match n {
        0..1_000 => format!("{n} µs"),
        1_000..100_000 => format!("{:.1} ms", n as f64 / 1e3),
        100_000..1_000_000 => format!("{} ms", n / 1_000),
        _ => format!("{:.1} s", n as f64 / 1e6),
    }
}

/// Returns a duration in milliseconds as [`micros`] does.
pub(crate) fn millis(n: impl Value<f64>) -> String {
    micros((n.value() * 1e3) as u64)
}

/// Returns a duration in whole seconds: `45 s`, `5 min`, `2 h`, `3 d`.
pub(crate) fn seconds(n: impl Value<u64>) -> String {
    let whole = n.value();
    match whole {
        0..60 => format!("{whole} s"),
        60..3_600 => format!("{} min", whole / 60),
        3_600..86_400 => format!("{} h", whole / 3_600),
        _ => format!("{} d", whole / 86_400),
    }
}

/// Returns a part of a whole: `12 %`, `0.4 %`.
pub(crate) fn share(part: impl Value<u64>, whole: impl Value<u64>) -> String {
    let (part, whole) = (part.value(), whole.value());
    let percent = if whole == 0 { 0.0 } else { part as f64 * 100.0 / whole as f64 };
    if percent > 0.0 && percent < 0.1 {
        return "< 0.1 %".to_owned();
    }
    if percent > 0.0 && percent < 10.0 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_as_people_say_them() {
        let now: Timestamp = "2026-11-30T12:00:00Z".parse().expect("a time");
        let at = |text: &str| relative(text.parse::<Timestamp>().expect("a time"), now);
        assert_eq!(at("2026-11-30T11:59:57Z"), "just now");
        assert_eq!(at("2026-11-30T11:57:00Z"), "3 min ago");
        assert_eq!(at("2026-11-30T14:00:01Z"), "in 2 h");
        assert_eq!(at("2026-11-01T14:00:00Z"), "2026-11-01");
        assert_eq!(exact(now), "2026-11-30 12:00:00 UTC");
    }

    #[test]
    fn numbers_and_sizes_are_rounded_to_what_can_be_read() {
        assert_eq!([0_u64, 999, 1_000, 12_345_678].map(number), ["0", "999", "1,000", "12,345,678"]);
        assert_eq!([812_u64, 12_700, 3 << 20].map(bytes), ["812 B", "12.4 KiB", "3.0 MiB"]);
        assert_eq!([85_u64, 4_210, 250_000, 1_300_000].map(micros), ["85 µs", "4.2 ms", "250 ms", "1.3 s"]);
        assert_eq!([45_u64, 300, 7_200, 259_200].map(seconds), ["45 s", "5 min", "2 h", "3 d"]);
    }
}
