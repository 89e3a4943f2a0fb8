//! Workflows: subscriptions with a trigger, possibly a condition, and sending data as their effect.

use reqwest::Method;
use serde_json::{Value, json};

use super::{SUBSCRIPTIONS, activate, body, deal, path, plain, read, start, subscribed};
use crate::support::host::TestHost;
use crate::support::receiver::{Received, Receiver};

/// All events of deals: each may report a changed field.
fn on(trigger: Value) -> Value {
    json!({"event_types": ["deal.*"], "trigger": trigger})
}

fn on_field(field: &str) -> Value {
    on(json!({"fields": [field]}))
}

fn on_status(from: Option<&str>, to: Option<&str>) -> Value {
    on(json!({"status": {"from": from, "to": to}}))
}

/// Posts a change of a deal; returns how many subscriptions it triggered.
async fn change(host: &TestHost, change: Value) -> u64 {
    let mut event = json!({"type": "deal.updated"});
    event.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
    host.ok(Method::POST, "/v1/spaces/acme/events", event).await["deliveries"].as_u64().unwrap()
}

async fn came(host: &mut TestHost, receiver: &Receiver) -> Received {
    host.settle().await;
    receiver.take(1).await.remove(0)
}

#[tokio::test]
async fn a_workflow_fires_when_its_field_was_filled_in() {
    let (mut host, receiver) = start().await;
    subscribed(&host, &receiver, "/in", on_field("custom_fields.invoice_email")).await;
    let filled = json!({"custom_fields": {"invoice_email": "a@example.com"}});
    for empty in [json!({}), json!({"custom_fields": {"invoice_email": null}})] {
        assert_eq!(change(&host, json!({"data": filled, "previous": empty})).await, 1, "{empty}");
        assert_eq!(body(&came(&mut host, &receiver).await)["data"], filled);
    }
}

#[tokio::test]
async fn a_workflow_fires_when_its_field_was_changed() {
    let (host, receiver) = start().await;
    subscribed(&host, &receiver, "/in", on_field("value")).await;
    let data = json!({"value": 12.50, "stage": "Offer"});
    assert_eq!(change(&host, json!({"data": data, "previous": {"value": 10, "stage": "Offer"}})).await, 1);
    assert_eq!(change(&host, json!({"data": data, "changed_fields": ["stage", "value"]})).await, 1);
    assert_eq!(change(&host, json!({"data": data, "previous": {"value": 12.50, "stage": "Lead"}})).await, 0);
    assert_eq!(change(&host, json!({"data": data, "changed_fields": ["stage"]})).await, 0);
}

#[tokio::test]
async fn a_workflow_fires_when_the_deals_status_changed_as_configured() {
    let (host, receiver) = start().await;
    subscribed(&host, &receiver, "/any", on_status(None, None)).await;
    subscribed(&host, &receiver, "/won", on_status(None, Some("won"))).await;
    subscribed(&host, &receiver, "/open-won", on_status(Some("open"), Some("won"))).await;
    for (from, to, fired) in [("open", "won", 3), ("lost", "won", 2), ("open", "lost", 1), ("won", "won", 0)] {
        let told = json!({"data": {"status": to}, "previous": {"status": from}});
        assert_eq!(change(&host, told).await, fired, "{from} to {to}");
    }
    let told = json!({"type": "deal.status_changed", "data": {"status": "won"}});
    assert_eq!(change(&host, told).await, 2, "the type says that it changed, and nobody from what");
}

#[tokio::test]
async fn a_workflow_can_be_limited_to_one_sales_process() {
    let (mut host, receiver) = start().await;
    let mut workflow = on_status(None, Some("won"));
    workflow["condition"] = json!(r#"event.data.process.name == "Sales""#);
    subscribed(&host, &receiver, "/in", workflow).await;
    let won = |process: &str| json!({"data": {"status": "won", "process": {"name": process}}, "previous": {"status": "open"}});
    assert_eq!(change(&host, won("Service")).await, 0);
    assert_eq!(change(&host, won("Sales")).await, 1);
    assert_eq!(body(&came(&mut host, &receiver).await)["data"]["process"]["name"], "Sales");
}

#[tokio::test]
async fn a_webhook_is_sent_when_trigger_and_condition_hold_and_not_on_every_change() {
    let (mut host, receiver) = start().await;
    let mut workflow = on_field("stage");
    workflow["condition"] = json!("event.data.value > 100.0");
    subscribed(&host, &receiver, "/in", workflow).await;
    for (stage, value, fired) in [("Offer", 99.5, 0), ("Lead", 100.5, 0), ("Offer", 100.5, 1)] {
        let told = json!({"data": {"stage": stage, "value": value}, "previous": {"stage": "Lead", "value": 1}});
        assert_eq!(change(&host, told).await, fired, "{stage} {value}");
    }
    host.settle().await;
    assert_eq!(receiver.requests().len(), 1 + 1, "the handshake and one webhook");
}

#[tokio::test]
async fn the_effect_is_the_deals_data_at_the_url() {
    let (mut host, receiver) = start().await;
    subscribed(&host, &receiver, "/effect", on_status(Some("open"), Some("won"))).await;
    let data: Value = serde_json::from_str(&deal()).unwrap();
    let mut won = data.clone();
    won["status"] = json!("won");
    let mut open = data;
    open["status"] = json!("open");
    change(&host, json!({"data": won, "previous": open})).await;
    let request = came(&mut host, &receiver).await;
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/effect"));
    assert_eq!(body(&request)["data"], won);
}

#[tokio::test]
async fn a_field_is_used_in_one_workflow_and_the_second_names_the_first() {
    let (host, receiver) = start().await;
    let mut named = on_field("custom_fields.invoice_email");
    named["name"] = json!("Invoices");
    let first = subscribed(&host, &receiver, "/first", named).await;
    let mut second = plain(&receiver.url("/second"));
    second["event_types"] = json!(["deal.*"]);
    second["trigger"] = json!({"fields": ["value", "custom_fields.invoice_email"]});
    let (status, problem) = host.call(Method::POST, SUBSCRIPTIONS, &second).await;
    assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("trigger_taken")), "{problem}");
    let detail = problem["detail"].as_str().unwrap();
    for part in ["`custom_fields.invoice_email`", "`Invoices`", first["id"].as_str().unwrap()] {
        assert!(detail.contains(part), "{detail}");
    }
    host.ok(Method::DELETE, &path(&first), Value::Null).await;
    assert_eq!(host.ok(Method::POST, SUBSCRIPTIONS, second).await["state"], "active");
}

#[tokio::test]
async fn a_workflow_is_created_and_edited() {
    let (host, receiver) = start().await;
    let workflow = subscribed(&host, &receiver, "/in", on_field("stage")).await;
    assert_eq!(read(&host, &workflow).await["trigger"], json!({"fields": ["stage"], "status": null}));
    let edited =
        host.ok(Method::PATCH, &path(&workflow), json!({"name": "Value", "trigger": {"fields": ["value"]}})).await;
    assert_eq!((&edited["name"], &edited["state"]), (&json!("Value"), &json!("active")));
    let data = json!({"stage": "Offer", "value": 2});
    assert_eq!(change(&host, json!({"data": data, "changed_fields": ["stage"]})).await, 0);
    assert_eq!(change(&host, json!({"data": data, "changed_fields": ["value"]})).await, 1);
}

#[tokio::test]
async fn a_workflow_is_deactivated_and_activated_again() {
    let (host, receiver) = start().await;
    let workflow = subscribed(&host, &receiver, "/in", on_field("stage")).await;
    let told = json!({"data": {"stage": "Offer"}, "changed_fields": ["stage"]});
    host.ok(Method::POST, &format!("{}/pause", path(&workflow)), Value::Null).await;
    assert_eq!(change(&host, told.clone()).await, 0);
    assert_eq!(activate(&host, &workflow).await.1["state"], "active");
    assert_eq!(change(&host, told).await, 1);
}

#[tokio::test]
async fn a_workflow_is_deleted() {
    let (host, receiver) = start().await;
    let workflow = subscribed(&host, &receiver, "/in", on_field("stage")).await;
    host.ok(Method::DELETE, &path(&workflow), Value::Null).await;
    assert_eq!(change(&host, json!({"data": {"stage": "Offer"}, "changed_fields": ["stage"]})).await, 0);
    assert_eq!(host.ok(Method::GET, SUBSCRIPTIONS, Value::Null).await["data"], json!([]));
}

#[tokio::test]
async fn a_workflow_is_tested_with_the_catalogs_deal_whatever_its_trigger() {
    let (mut host, receiver) = start().await;
    host.ok(Method::POST, "/v1/spaces/acme/load-event-types", json!({"profile": "livespace"})).await;
    let mut workflow = on_field("stage");
    workflow["state"] = json!("draft");
    let mut draft = plain(&receiver.url("/in"));
    draft.as_object_mut().unwrap().extend(workflow.as_object().unwrap().clone());
    let workflow = host.ok(Method::POST, SUBSCRIPTIONS, draft).await;
    let test = format!("{}/test", path(&workflow));
    host.ok(Method::POST, &test, json!({"type": "deal.created"})).await;
    let request = came(&mut host, &receiver).await;
    assert_eq!(body(&request)["data"].to_string(), deal());
    assert_eq!(host.delivery().await["test"], true);
    assert_eq!(read(&host, &workflow).await["state"], "draft");
}
