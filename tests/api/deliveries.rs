//! Reading, canceling and resending deliveries.

use bytes::Bytes;
use hookmill_model::{
    Answer, Attempt, DeliveryState, Figures, LogLevel, LogLine, Outcome, PausePolicy, PluginFault, PluginFaultCode,
    SentRequest,
};
use hookmill_store::{Record, Recorded};
use serde_json::{Value, json};

use super::{TestApi, assert_problem};

const DELIVERIES: &str = "/v1/spaces/crm/deliveries";

async fn post(api: &TestApi) -> String {
    api.admin.post("/v1/spaces/crm/events", json!({"type": "lead.created", "data": 1})).await.expect(202);
    format!("{DELIVERIES}/{}", api.deliveries().await[0].id)
}

/// Leases the newest delivery and records an attempt.
async fn record(api: &TestApi, request: Option<SentRequest>, outcome: Outcome, state: DeliveryState) {
    let newest = api.deliveries().await.remove(0);
    let (delivery, _) = api.host.store.delivery(&"crm".parse().unwrap(), newest.id).await.unwrap().unwrap();
    let now = api.host.clock.now();
    let attempt = Attempt {
        delivery_id: delivery.id,
        number: delivery.attempts + 1,
        due_at: delivery.due_at,
        started_at: delivery.due_at + std::time::Duration::from_micros(1_500),
        send_us: 9,
        request,
        outcome,
        plugin_digest: None,
        plugin_fault: None,
        figures: Figures { fuel_used: 42, fuel_max: 43, memory_bytes: 44, memory_bytes_max: 45, transform_us: 7 },
        logs: vec![LogLine { level: LogLevel::Warn, message: "odd".to_owned() }],
    };
    let record = Record {
        delivery_id: delivery.id,
        subscription_id: delivery.subscription_id,
        leased_until: delivery.leased_until.unwrap(),
        attempt: Some(attempt),
        state,
        due_at: now,
        at: now,
        reason: Some("because".to_owned()),
        pinned: None,
        pause_policy: PausePolicy::default(),
        current_plugin: false,
        test: false,
    };
    assert_eq!(api.host.store.record(vec![record].into()).await.unwrap(), [Recorded::Written { paused: false }]);
}

fn sent(body: &'static [u8]) -> SentRequest {
    SentRequest {
        method: "POST".to_owned(),
        url: "https://hooks.example.com/1".to_owned(),
        headers: vec![("x-token".to_owned(), "***".to_owned())],
        body: Bytes::from_static(body),
        signature_headers: 1,
        sealed: vec![],
    }
}

fn answer(status: u16, body: &'static [u8]) -> Answer {
    let headers = vec![("content-type".to_owned(), "text/plain".to_owned())];
    Answer { status, headers, body: Bytes::from_static(body), truncated: false }
}

#[tokio::test]
async fn a_delivery_is_shown_with_its_requests_and_responses() {
    let api = TestApi::start().await;
    let subscription = api.subscribe(json!({})).await;
    let path = post(&api).await;
    record(&api, Some(sent(b"{\"n\":12.50}")), Outcome::Rejected(answer(500, b"no")), DeliveryState::Failed).await;
    let read = api.admin.get(&path).await.expect(200);
    assert_eq!((&read["state"], &read["attempt_count"]), (&json!("failed"), &json!(1)));
    assert_eq!(read["subscription_id"], subscription["id"]);
    assert_eq!(read.get("profile_status"), None, "the profile `standard` has no names for states");
    let attempt = &read["attempts"][0];
    assert_eq!(attempt["outcome"], "rejected");
    assert_eq!(attempt["late_us"], 1_500);
    let figures =
        json!({"fuel_used": 42, "fuel_max": 43, "memory_bytes": 44, "memory_bytes_max": 45, "transform_us": 7});
    assert_eq!(attempt["figures"], figures);
    assert_eq!((&attempt["fuel_used"], &attempt["transform_us"]), (&json!(42), &json!(7)));
    assert_eq!(attempt["request"]["body"], "{\"n\":12.50}");
    assert_eq!(attempt["request"]["body_encoding"], "text");
    assert_eq!(attempt["request"]["headers"], json!([{"name": "x-token", "value": "***"}]));
    assert_eq!((&attempt["answer"]["status"], &attempt["answer"]["body"]), (&json!(500), &json!("no")));
    assert_eq!(attempt["logs"], json!([{"level": "warn", "message": "odd"}]));

    let path = format!("/v1/spaces/crm/subscriptions/{}", subscription["id"].as_str().unwrap());
    let subscription = api.admin.get(&path).await.expect(200);
    assert_eq!(
        (&subscription["failure_streak"], &subscription["last_triggered_at"]),
        (&json!(1), &attempt["started_at"])
    );
}

#[tokio::test]
async fn a_binary_body_is_shown_in_base64() {
    let api = TestApi::start().await;
    api.subscribe(json!({})).await;
    let path = post(&api).await;
    let outcome = Outcome::Succeeded(answer(200, b"\xff\x00"));
    record(&api, Some(sent(b"\x80")), outcome, DeliveryState::Delivered).await;
    let attempt = api.admin.get(&path).await.expect(200)["attempts"][0].clone();
    assert_eq!((&attempt["request"]["body"], &attempt["request"]["body_encoding"]), (&json!("gA=="), &json!("base64")));
    assert_eq!((&attempt["answer"]["body"], &attempt["answer"]["body_encoding"]), (&json!("/wA="), &json!("base64")));
    assert_eq!((&attempt["outcome"], &attempt["reason"]), (&json!("succeeded"), &Value::Null));
}

#[tokio::test]
async fn a_plugins_fault_is_named() {
    let api = TestApi::start().await;
    api.subscribe(json!({})).await;
    let path = post(&api).await;
    let fault = PluginFault { code: PluginFaultCode::OutOfFuel, message: "it looped".to_owned(), retry: false };
    record(&api, None, Outcome::PluginFailed(fault), DeliveryState::Failed).await;
    let attempt = api.admin.get(&path).await.expect(200)["attempts"][0].clone();
    assert_eq!((&attempt["outcome"], &attempt["fault"]), (&json!("plugin_failed"), &json!("out_of_fuel")));
    assert_eq!((&attempt["reason"], &attempt["request"]), (&json!("it looped"), &Value::Null));
}

#[tokio::test]
async fn a_delayed_delivery_is_cancelled_and_sent_by_a_resend() {
    let api = TestApi::start().await;
    api.subscribe(json!({"delay_s": 3_600})).await;
    let path = post(&api).await;
    let cancelled = api.admin.post_text(&format!("{path}/cancel"), "").await.expect(200);
    assert_eq!(cancelled["state"], "cancelled");
    let again = api.admin.post_text(&format!("{path}/cancel"), "").await;
    assert_problem(&again, 409, "delivery_state", None);
    let retried = api.admin.post_text(&format!("{path}/resend"), "").await.expect(202);
    assert_eq!((&retried["state"], &retried["completed_at"]), (&json!("pending"), &Value::Null));
    assert!(api.deliveries().await[0].due_at <= api.host.clock.now());
}

#[tokio::test]
async fn a_delivery_that_is_being_sent_can_be_neither_cancelled_nor_resent() {
    let api = TestApi::start().await;
    api.subscribe(json!({})).await;
    let path = post(&api).await;
    for command in ["cancel", "resend"] {
        let answer = api.admin.post_text(&format!("{path}/{command}"), "").await;
        assert_problem(&answer, 409, "delivery_in_flight", None);
    }
}

#[tokio::test]
async fn deliveries_of_a_deleted_subscription_are_readable_but_cannot_be_resent() {
    let api = TestApi::start().await;
    let subscription = api.subscribe(json!({"delay_s": 60})).await;
    let path = post(&api).await;
    let subscription = format!("/v1/spaces/crm/subscriptions/{}", subscription["id"].as_str().unwrap());
    assert_eq!(api.admin.delete(&subscription).await.status, 204);
    assert_eq!(api.admin.get(&path).await.expect(200)["state"], "cancelled");
    assert_problem(&api.admin.post_text(&format!("{path}/resend"), "").await, 409, "subscription_state", None);
}

#[tokio::test]
async fn an_unknown_delivery_is_not_found() {
    let api = TestApi::start().await;
    api.admin.post("/v1/spaces", json!({"id": "other"})).await.expect(201);
    api.subscribe(json!({"delay_s": 60})).await;
    let path = post(&api).await;
    // One in another space is not found either.
    for path in [format!("{DELIVERIES}/dlv_01K9ZQ4S1N8M0V6T3X5B7C2D4E"), path.replace("/crm/", "/other/")] {
        assert_problem(&api.admin.get(&path).await, 404, "not_found", None);
        assert_problem(&api.admin.post_text(&format!("{path}/cancel"), "").await, 404, "not_found", None);
        assert_problem(&api.admin.post_text(&format!("{path}/resend"), "").await, 404, "not_found", None);
    }
}

#[tokio::test]
async fn a_body_that_was_sent_is_downloaded_byte_for_byte() {
    let api = TestApi::start().await;
    api.subscribe(json!({})).await;
    let path = post(&api).await;
    let mut json = sent(b"{\"n\":12.50}");
    json.headers.insert(0, ("content-type".to_owned(), "application/json".to_owned()));
    record(&api, Some(json), Outcome::Rejected(answer(500, b"no")), DeliveryState::Failed).await;
    let file = api.admin.get(&format!("{path}/attempts/1/body")).await;
    assert_eq!((file.status, file.text.as_str()), (200, "{\"n\":12.50}"));
    let id = path.rsplit('/').next().unwrap();
    assert_eq!(file.headers["content-disposition"], format!("attachment; filename=\"{id}-1.json\""));
    assert_eq!(file.headers["x-content-type-options"], "nosniff");

    let path = post(&api).await;
    record(&api, Some(sent(b"\xff\x00\r\n")), Outcome::Rejected(answer(500, b"no")), DeliveryState::Failed).await;
    let url = api.admin.url(&format!("{path}/attempts/1/body"));
    let file = reqwest::Client::new().get(url).bearer_auth(api.admin.key()).send().await.unwrap();
    assert_eq!(file.bytes().await.unwrap(), b"\xff\x00\r\n"[..]);

    let path = post(&api).await;
    record(&api, None, Outcome::Skipped("no".to_owned()), DeliveryState::Skipped).await;
    for missing in [format!("{path}/attempts/1/body"), format!("{path}/attempts/2/body")] {
        assert_problem(&api.admin.get(&missing).await, 404, "not_found", None);
    }
    let answer = api.admin.get(&format!("{path}/attempts/x/body")).await;
    assert_problem(&answer, 400, "parameter_invalid", None);
    assert_problem(&api.admin.post(&format!("{path}/sign"), json!({})).await, 409, "delivery_state", None);
    let reader = api.with_role("read").await;
    assert_eq!(reader.get(&format!("{path}/attempts/1/body")).await.status, 404);
    assert_eq!(reader.post(&format!("{path}/sign"), json!({})).await.status, 403);
}
