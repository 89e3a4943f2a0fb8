//! The posted event: 1 KB of a CRM's deal, which contains the time of its posting.
//!
//! The time is in a text that no shape changes, so the receiver finds it in JSON and in a form.

use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;

/// The text before the time in a body.
const MARK: &[u8] = b"hm0t";

/// Digits of a time: nanoseconds since 1970 have 19 digits until the year 2286.
const DIGITS: usize = 19;

/// The event's data: 1,000 bytes with the time filled in.
pub(super) const DATA: &str = r#"{"id":"5b8f2a4e-0c1d-4f8e-9a63-7d1e2f3a4b5c","posted":"hm0t0000000000000000000","name":"Licences 2026, Nordwind Logistik GmbH","status":"won","value":{"amount":12.50,"currency":"EUR"},"probability":100,"owner":{"id":4711,"name":"Jana Kowalska","email":"jana.kowalska@example.com"},"company":{"id":"c-20931","name":"Nordwind Logistik GmbH","address":{"street":"Hafenstraße 12","city":"Hamburg","zip":"20457","country":"DE"},"industry":"Transport"},"contacts":[{"name":"Tomáš Novák","role":"buyer","phone":"+49 40 1234567"},{"name":"Aisha Rahman","role":"sponsor","phone":"+49 40 7654321"}],"stage":{"id":7,"name":"Closed won","pipeline":"Direct sales"},"tags":["renewal","2026","tier-1"],"custom":{"contract_no":"12345678901234567890","term_months":36,"auto_renew":true,"discount":0.075},"created_at":"2026-01-14T08:30:00Z","updated_at":"2026-04-29T11:13:55.021Z","note":"Signed on the second call; invoice to the office in Hamburg, copy to Prague."}"#;

/// Nanoseconds since 1970: the clock that the bench's processes share.
pub(super) fn now_ns() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(now.as_nanos()).unwrap_or(u64::MAX)
}

/// The body of a request: one event, or several as lines.
pub(super) struct Event {
    text: Vec<u8>,
    marks: Vec<usize>,
}

impl Event {
    /// Makes one event, or this many lines if `lines` is more than 0.
    pub(super) fn new(lines: usize) -> Self {
        let one = format!("{{\"type\":\"deal.won\",\"data\":{DATA}}}");
        let text = if lines == 0 { one } else { format!("{one}\n").repeat(lines) }.into_bytes();
        let marks = memchr::memmem::find_iter(&text, MARK).map(|at| at + MARK.len()).collect();
        Self { text, marks }
    }

    /// Returns its bytes with this time filled in.
    pub(super) fn at(&self, at_ns: u64) -> Bytes {
        let mut text = self.text.clone();
        let digits = format!("{at_ns:0DIGITS$}");
        for &mark in &self.marks {
            text[mark..mark + DIGITS].copy_from_slice(digits.as_bytes());
        }
        text.into()
    }
}

/// Finds the time in a body of any shape.
pub(super) fn posted_ns(body: &[u8]) -> Option<u64> {
    let at = memchr::memmem::find(body, MARK)? + MARK.len();
    std::str::from_utf8(body.get(at..at + DIGITS)?).ok()?.parse().ok()
}

/// Returns the median and the 99th percentile, in microseconds.
pub(super) fn percentiles(mut taken_us: Vec<u32>) -> (u32, u32) {
    taken_us.sort_unstable();
    let at = |part: usize| taken_us.get((taken_us.len() * part / 100).min(taken_us.len().saturating_sub(1)));
    (at(50).copied().unwrap_or(0), at(99).copied().unwrap_or(0))
}
