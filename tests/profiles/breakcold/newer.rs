//! The newer generation: signed, three attempts, kept for 30 days.

use reqwest::Method;
use serde_json::{Value, json};

use super::{LEAD, SECOND, leads, path, read, secret};
use crate::support::host::TestHost;
use crate::support::receiver::{Receiver, Reply};
use crate::support::signature::hex_sha256;

const DAY_S: u32 = 24 * 3_600;
const DELIVERIES: &str = "/v1/spaces/acme/deliveries";

async fn start() -> (TestHost, Receiver, Value) {
    let (host, receiver) = (TestHost::start().await, Receiver::start().await);
    let subscription = super::subscribe(&host, &receiver.url("/in"), json!({"generation": 2})).await;
    (host, receiver, subscription)
}

#[tokio::test]
async fn a_request_carries_the_event_the_deliverys_id_the_time_and_a_signature() {
    let (mut host, receiver, subscription) = start().await;
    host.post("lead.tags.update", LEAD).await;
    host.settle().await;
    let request = receiver.take(1).await.remove(0);
    let timestamp = host.clock.now().as_second().to_string();
    let parts = [timestamp.as_bytes(), b".", &request.body];
    let signature = format!("sha256={}", hex_sha256(&secret(&host, &subscription).await, &parts));
    let delivery = host.delivery().await;
    for (name, value) in [
        ("x-webhook-event", "lead.tags.update"),
        ("x-webhook-delivery-id", delivery["id"].as_str().unwrap()),
        ("x-webhook-timestamp", &timestamp),
        ("x-webhook-signature", &signature),
    ] {
        assert_eq!(request.header(name), Some(value), "{name}");
    }
}

#[tokio::test]
async fn the_body_has_event_id_timestamp_workspace_event_and_data() {
    let (mut host, receiver, subscription) = start().await;
    let data = LEAD.trim();
    let event =
        format!(r#"{{"id":"lead-7","type":"lead.create","occurred_at":"2023-04-29T11:13:55.021Z","data":{data}}}"#);
    host.call(Method::POST, "/v1/spaces/acme/events", event).await;
    host.settle().await;
    let request = receiver.take(1).await.remove(0);
    let head = r#"{"eventId":"lead-7","timestamp":"2023-04-29T11:13:55.021Z","workspaceId":"eb8edc65-129a-4cb6-abbe-6bf8979c0658","event":"lead.create","data":"#;
    assert_eq!(request.text(), format!("{head}{data}}}"));
    assert!(!request.text().contains(&secret(&host, &subscription).await));
}

#[tokio::test]
async fn any_2xx_is_success_and_nothing_else() {
    let (mut host, receiver, _) = start().await;
    for (status, state) in
        [(200, "delivered"), (201, "delivered"), (299, "delivered"), (302, "pending"), (400, "pending")]
    {
        receiver.script("/in", [Reply::status(status)]);
        let event = host.post("lead.create", "{}").await;
        host.settle().await;
        let of_event = format!("{DELIVERIES}?event={}", event["id"].as_str().unwrap());
        let list = host.ok(Method::GET, &of_event, Value::Null).await;
        assert_eq!(list["data"][0]["state"], state, "{status}");
    }
}

#[tokio::test]
async fn the_answer_must_come_within_10_seconds() {
    let (mut host, receiver, subscription) = start().await;
    assert_eq!(subscription["timeout_ms"], 10_000);
    // One second stands for ten: this wait is real.
    host.ok(Method::PATCH, &path(&subscription), json!({"timeout_ms": 1_000})).await;
    receiver.script("/in", [Reply::Hang]);
    leads(&mut host, 1).await;
    let delivery = host.delivery().await;
    assert_eq!((&delivery["state"], &delivery["attempts"][0]["fault"]), (&json!("pending"), &json!("timeout")));
}

#[tokio::test]
async fn there_are_three_attempts_5_and_30_seconds_apart() {
    let (mut host, receiver, _) = start().await;
    receiver.otherwise(Reply::status(500));
    leads(&mut host, 1).await;
    for (wait_s, before) in [(5, 1), (30, 2)] {
        host.advance((wait_s - 1) * SECOND).await;
        assert_eq!(receiver.requests().len(), before);
        host.advance(SECOND).await;
        assert_eq!(receiver.requests().len(), before + 1);
    }
    assert_eq!(host.delivery().await["state"], "failed");
    let requests = receiver.requests();
    let of = |name: &str| requests.iter().map(|request| request.header(name).unwrap()).collect::<Vec<_>>();
    let ids = of("x-webhook-delivery-id");
    assert!(ids.iter().all(|id| *id == ids[0]), "{ids:?}");
    assert!(of("x-webhook-timestamp").is_sorted_by(|one, next| one < next), "each attempt has its own time");
}

#[tokio::test]
async fn fifty_failures_in_a_row_disable_it() {
    let (mut host, receiver, subscription) = start().await;
    receiver.otherwise(Reply::status(503));
    for (count, state) in [(49, "active"), (1, "paused")] {
        leads(&mut host, count).await;
        host.advance(5 * SECOND).await;
        host.advance(30 * SECOND).await;
        assert_eq!(read(&host, &subscription).await["state"], state);
    }
    assert_eq!(receiver.requests().len(), 150);
    let paused = read(&host, &subscription).await;
    assert_eq!((&paused["pause_reason"], &paused["failed_deliveries"]), (&json!("failures"), &json!(50)));
    assert!(paused["pause_detail"].as_str().unwrap().starts_with("50 deliveries in a row failed"), "{paused}");
}

#[tokio::test]
async fn the_history_is_kept_for_30_days() {
    let (mut host, _receiver, _) = start().await;
    leads(&mut host, 1).await;
    let id = host.delivery().await["id"].as_str().unwrap().to_owned();
    host.clock.advance(30 * DAY_S * SECOND - SECOND);
    assert_eq!(host.forget().await, 0);
    assert_eq!(host.delivery().await["attempts"].as_array().unwrap().len(), 1);
    host.clock.advance(DAY_S * SECOND);
    assert_eq!(host.forget().await, 1);
    let (status, _) = host.call(Method::GET, &format!("{DELIVERIES}/{id}"), "").await;
    assert_eq!(status.as_u16(), 404);
}

#[tokio::test]
async fn deliveries_can_be_filtered_by_object_type() {
    let (host, _receiver, _) = start().await;
    let posted = ["lead.create", "lead.task.create", "campaign.email.open", "tag.delete"];
    for kind in posted {
        host.post(kind, "{}").await;
    }
    for (filter, expected) in [
        ("lead.*", &["lead.create", "lead.task.create"][..]),
        ("campaign.*", &["campaign.email.open"]),
        ("tag.delete", &["tag.delete"]),
        ("list.*", &[]),
    ] {
        let list = host.ok(Method::GET, &format!("{DELIVERIES}?event_type={filter}"), Value::Null).await;
        let rows = list["data"].as_array().unwrap();
        let mut kinds: Vec<_> = rows.iter().map(|row| row["event_type"].as_str().unwrap()).collect();
        kinds.sort_unstable();
        assert_eq!(kinds, expected, "{filter}");
    }
}

#[tokio::test]
async fn an_endpoint_can_be_for_one_object_type() {
    let (host, receiver) = (TestHost::start().await, Receiver::start().await);
    let more = json!({"generation": 2, "event_types": ["lead.*"]});
    super::subscribe(&host, &receiver.url("/in"), more).await;
    for (kind, deliveries) in [("lead.create", 1), ("lead.task.update", 1), ("list.create", 0), ("campaign.update", 0)]
    {
        assert_eq!(host.post(kind, "{}").await["deliveries"], deliveries, "{kind}");
    }
}
