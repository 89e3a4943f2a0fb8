//! The contents of the demo: the events, the subscriptions, and the requests that each receiver must get.

use serde_json::{Value, json};

use super::receiver::Received;

/// The posted events by type: real shapes of three CRMs, with numbers that a careless program rounds.
pub(super) const EVENTS: [(&str, &str); 3] = [
    ("lead.create", include_str!("breakcold-lead.json")),
    ("deal.status_changed", include_str!("livespace-deal.json")),
    ("activity.create", include_str!("leadsquared-activity.json")),
];

/// One subscription, and its expected requests.
pub(super) struct Chapter {
    pub(super) name: &'static str,
    pub(super) path: &'static str,
    /// The subscription as posted, without name, URL and secret.
    pub(super) subscription: Value,
    /// The number of requests to its receiver.
    pub(super) requests: usize,
    /// Checks a request; the error states what is wrong.
    pub(super) check: fn(&Received) -> Result<(), String>,
}

/// All chapters, in order.
pub(super) fn chapters() -> Vec<Chapter> {
    vec![
        Chapter {
            name: "Zapier: flat JSON",
            path: "/zapier",
            subscription: json!({"event_types": ["deal.*"], "plugin": {"name": "zapier"}}),
            requests: 1,
            check: zapier,
        },
        Chapter {
            name: "Make: form-encoded",
            path: "/make",
            subscription: json!({"event_types": ["lead.create"], "plugin": {"name": "make"},
                "content_type": "application/x-www-form-urlencoded"}),
            requests: 1,
            check: make,
        },
        Chapter {
            name: "n8n: nested JSON",
            path: "/n8n",
            subscription: json!({"event_types": ["*"], "condition": "event.type == 'deal.status_changed'",
                "plugin": {"name": "n8n"}}),
            requests: 1,
            check: n8n,
        },
        Chapter {
            name: "Plain text, a custom header",
            path: "/text",
            subscription: json!({"event_types": ["activity.*"], "content_type": "text/plain",
                "headers": [{"name": "x-crm", "value": "leadsquared"}],
                "fields": {"include": ["$.ActivityNote", "$.Score"]}}),
            requests: 1,
            check: text,
        },
        Chapter {
            name: "Two seconds later",
            path: "/later",
            subscription: json!({"event_types": ["lead.create"], "delay_s": 2}),
            requests: 1,
            check: later,
        },
        Chapter {
            name: "A receiver that fails twice",
            path: "/fails-twice",
            subscription: json!({"event_types": ["activity.create"],
                "retry": {"schedule_s": [1, 1, 1], "jitter_percent": 0}}),
            requests: 3,
            check: fails_twice,
        },
        Chapter {
            name: "A jq program, no toolchain",
            path: "/jq",
            subscription: json!({"event_types": ["deal.status_changed"], "plugin": {"name": "jq",
                "config": {"program": ".data | {deal: .name, total: .value, to: .custom_fields.invoice_email}"}}}),
            requests: 1,
            check: jq,
        },
    ]
}

fn ensure(holds: bool, otherwise: impl Into<String>) -> Result<(), String> {
    if holds { Ok(()) } else { Err(otherwise.into()) }
}

fn content_type(request: &Received, expected: &str) -> Result<(), String> {
    let got = request.header("content-type");
    ensure(got == expected, format!("content-type is `{got}`, not `{expected}`"))
}

fn body(request: &Received) -> Result<&str, String> {
    str::from_utf8(&request.body).map_err(|_| "the body is not UTF-8".to_owned())
}

fn json_body(request: &Received) -> Result<Value, String> {
    content_type(request, "application/json")?;
    serde_json::from_str(body(request)?).map_err(|err| format!("the body is not JSON: {err}"))
}

/// Checks that the body contains each part literally.
fn contains(request: &Received, parts: &[&str]) -> Result<(), String> {
    let body = body(request)?;
    parts.iter().try_for_each(|part| ensure(body.contains(part), format!("`{part}` is not in the body")))
}

fn zapier(request: &Received) -> Result<(), String> {
    let json = json_body(request)?;
    let members = json.as_object().ok_or("the body is not an object")?;
    ensure(members.values().all(|value| !value.is_object()), "the object contains an object")?;
    contains(request, &["12.50", "12345678901234567890", "Anna Kowalska"])
}

fn make(request: &Received) -> Result<(), String> {
    content_type(request, "application/x-www-form-urlencoded")?;
    let jean =
        url::form_urlencoded::parse(&request.body).any(|(key, value)| key.contains("first_name") && value == "Jean");
    ensure(jean, "no field first_name=Jean")
}

fn n8n(request: &Received) -> Result<(), String> {
    ensure(json_body(request)?["data"]["process"]["name"] == "Sales", "data.process.name is not Sales")?;
    // n8n rounds integers above 2^53, so they are sent as text.
    contains(request, &["\"12345678901234567890\""])
}

fn text(request: &Received) -> Result<(), String> {
    content_type(request, "text/plain; charset=utf-8")?;
    ensure(request.header("x-crm") == "leadsquared", "the custom header is missing")?;
    ensure(!body(request)?.contains("RelatedProspectId"), "the body contains a field that was not selected")?;
    contains(request, &["Asked for a quote", "\"Score\":10"])
}

fn later(request: &Received) -> Result<(), String> {
    let json = json_body(request)?;
    ensure(json["type"] == "lead.create" && json["data"]["first_name"] == "Jean", "not the lead")?;
    // Verbatim: white space included.
    contains(request, &[include_str!("breakcold-lead.json").trim_end()])
}

fn fails_twice(request: &Received) -> Result<(), String> {
    ensure(json_body(request)?["data"]["ActivityEvent"] == 30, "not the activity")
}

fn jq(request: &Received) -> Result<(), String> {
    json_body(request)?;
    contains(request, &["12.50", "faktury@example.com"])
}
