//! A delivery and its attempts for people.

use jiff::Timestamp;
use serde_json::Value;

use super::super::session::text;
use super::super::table::{Cell, DIM, facts};
use super::super::time::exact;
use super::state;
use crate::client::pretty::body;

/// Formats a delivery with its attempts.
pub(super) fn delivery(delivery: &Value, now: Timestamp) -> String {
    let of = |member: &str| text(delivery, member);
    let profile = of("profile_status");
    let profile = if profile.is_empty() { profile } else { format!(" ({profile})") };
    let others = delivery["event_count"].as_u64().unwrap_or(1).saturating_sub(1);
    let others = if others > 0 { format!(" and {others} more in the batch") } else { String::new() };
    let due = if delivery["state"] == "pending" { exact(&delivery["due_at"], now) } else { String::new() };
    let mut shown = facts(&[
        ("id", of("id")),
        ("state", format!("{}{profile}", Cell::state(state(delivery)).styled())),
        ("reason", of("reason")),
        ("subscription", of("subscription_id")),
        ("event", format!("{} {}{others}", of("event_id"), of("event_type"))),
        ("accepted", exact(&delivery["accepted_at"], now)),
        ("next attempt", due),
        ("completed", exact(&delivery["completed_at"], now)),
    ]);
    for attempt in delivery["attempts"].as_array().into_iter().flatten() {
        shown += &self::attempt(attempt, now);
    }
    shown += &next(delivery);
    shown.trim_end().to_owned()
}

fn attempt(attempt: &Value, now: Timestamp) -> String {
    let of = |member: &str| text(attempt, member);
    let ms = |member: &str| attempt[member].as_u64().unwrap_or_default().div_ceil(1000);
    let outcome = Cell::state(of("outcome")).styled();
    let mut shown = format!(
        "\nattempt {}  {outcome}  {}\n{DIM}{} ms late, transform {} ms, sending {} ms{DIM:#}\n",
        of("number"),
        exact(&attempt["started_at"], now),
        ms("late_us"),
        ms("transform_us"),
        ms("send_us")
    );
    let fault = [of("fault"), of("reason")].join(" ");
    if !fault.trim().is_empty() {
        shown += &format!("  {}\n", fault.trim());
    }
    let request = &attempt["request"];
    if request.is_object() {
        shown += &format!("  → {} {}\n{}", text(request, "method"), text(request, "url"), message(request));
    }
    let answer = &attempt["answer"];
    if answer.is_object() {
        let cut = if answer["truncated"] == true { "    … only the start was stored\n" } else { "" };
        shown += &format!("  ← {}\n{}{cut}", text(answer, "status"), message(answer));
    }
    let figures = &attempt["figures"];
    if figures["fuel_used"].as_u64().is_some_and(|fuel| fuel > 0) {
        let of = |member: &str| text(figures, member);
        shown += &format!(
            "  plugin: fuel {} of {}, memory {} of {} bytes\n",
            of("fuel_used"),
            of("fuel_max"),
            of("memory_bytes"),
            of("memory_bytes_max")
        );
    }
    for line in attempt["logs"].as_array().into_iter().flatten() {
        shown += &format!("  log {}: {}\n", text(line, "level"), text(line, "message"));
    }
    shown
}

/// Headers and body of a request or a response.
fn message(message: &Value) -> String {
    let mut shown = String::new();
    let mut content_type = String::new();
    for header in message["headers"].as_array().into_iter().flatten() {
        let (name, value) = (text(header, "name"), text(header, "value"));
        shown += &format!("    {DIM}{name}:{DIM:#} {value}\n");
        if name.eq_ignore_ascii_case("content-type") {
            content_type = value;
        }
    }
    let bytes = message["body"].as_str().unwrap_or_default();
    if message["body_encoding"] == "base64" {
        return shown + &format!("    (base64) {}\n", text(message, "body"));
    }
    body(bytes.as_bytes(), &content_type).lines().for_each(|line| shown += &format!("    {line}\n"));
    shown
}

/// What can be done now.
fn next(delivery: &Value) -> String {
    let id = text(delivery, "id");
    match delivery["state"].as_str().unwrap_or_default() {
        "failed" => format!(
            "\nnext: hookmill diagnose {}\n      hookmill deliveries resend {id}\n",
            text(delivery, "subscription_id")
        ),
        "held" => {
            format!("\nnext: hookmill subscriptions activate {}\n", text(delivery, "subscription_id"))
        }
        _ => String::new(),
    }
}
