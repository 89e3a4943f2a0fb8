//! Import of doubtful definitions.

use hookmill_server::subscriptions::import;
use serde_json::{Value, json};

#[test]
fn a_get_of_leadsquared_sends_its_data_as_form_fields() {
    let definition = json!({"Description": "d", "URL": "https://example.com/", "Method": "GET",
        "ContentType": "text/plain", "WebhookEvent": 2});
    let imported = import::leadsquared(&definition).unwrap();
    assert_eq!(imported.subscriptions[0].body["content_type"], "application/x-www-form-urlencoded");
    assert!(imported.report.iter().any(|note| note.what.contains("goes into the query")));
}

#[test]
fn an_unknown_condition_or_trigger_of_livespace_makes_a_draft() {
    let workflow = |trigger: Value, condition: Value| {
        let workflow = json!({"name": "w", "trigger": trigger, "condition": condition,
            "effect": {"url": "https://example.com/"}});
        import::livespace(&workflow).unwrap()
    };
    let field = |kind: &str| json!({"type": kind, "field": "x"});
    let process = |kind: &str| json!({"type": kind, "process_id": "p-1"});
    let meant = workflow(field("field"), process("process"));
    assert_eq!((meant.subscriptions.len(), meant.subscriptions[0].body.get("state")), (1, None));
    for other in
        [workflow(field("field_cleared"), process("process")), workflow(field("field"), process("process_is_not"))]
    {
        let active = other.subscriptions.iter().any(|converted| converted.body.get("state").is_none());
        assert!(!active && !other.report.is_empty(), "{:?}", other.report);
    }
}

#[test]
fn a_partially_masked_secret_is_ignored() {
    for secret in ["****9a2f", "wh_****723a", "••••"] {
        let endpoint = json!({"url": "https://example.com/", "events": ["lead.create"], "secret": secret});
        let imported = import::breakcold(&endpoint).unwrap();
        assert!(imported.subscriptions[0].body.get("secret").is_none(), "{secret}");
        assert!(!imported.report.is_empty(), "{secret}");
    }
}
