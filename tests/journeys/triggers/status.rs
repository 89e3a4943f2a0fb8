//! A status that went from one value to another.

use serde_json::{Value, json};

use super::{deliveries, workflow};
use crate::support::host::TestHost;

async fn on(status: Value) -> TestHost {
    let host = TestHost::start().await;
    workflow(&host, json!({"status": status})).await;
    host
}

#[tokio::test]
async fn a_change_from_one_status_to_another_is_read_from_the_previous_data() {
    let host = on(json!({"from": "open", "to": "won"})).await;
    for (previous, data, expected) in
        [("open", "won", 1), ("lost", "won", 0), ("open", "lost", 0), ("won", "won", 0), ("won", "open", 0)]
    {
        let members = format!(r#""data":{{"status":"{data}"}},"previous":{{"status":"{previous}"}}"#);
        assert_eq!(deliveries(&host, &members).await, expected, "{previous} -> {data}");
    }
}

#[tokio::test]
async fn a_change_to_a_status_needs_no_previous_data() {
    let host = on(json!({"to": "won"})).await;
    // The type of the event says that it is a change of status.
    assert_eq!(deliveries(&host, r#""data":{"status":"won"}"#).await, 1);
    assert_eq!(deliveries(&host, r#""data":{"status":"lost"}"#).await, 0);
    assert_eq!(deliveries(&host, r#""data":{"status":"won"},"changed_fields":["status"]"#).await, 1);
    assert_eq!(deliveries(&host, r#""data":{"status":"won"},"changed_fields":["value"]"#).await, 0);
    assert_eq!(deliveries(&host, r#""data":{"status":"won"},"previous":{"status":"won"}"#).await, 0);
    assert_eq!(deliveries(&host, r#""data":{"status":"won"},"previous":{"status":"open"}"#).await, 1);
}

#[tokio::test]
async fn a_status_that_it_came_from_is_known_only_from_the_previous_data() {
    let host = on(json!({"from": "open"})).await;
    assert_eq!(deliveries(&host, r#""data":{"status":"won"},"previous":{"status":"open"}"#).await, 1);
    assert_eq!(deliveries(&host, r#""data":{"status":"won"},"changed_fields":["status"]"#).await, 0);
    assert_eq!(deliveries(&host, r#""data":{"status":"won"}"#).await, 0);
}

#[tokio::test]
async fn a_status_may_stand_in_another_field_and_be_a_number() {
    let host = on(json!({"field": "state.code", "from": 1, "to": 2})).await;
    let members = r#""data":{"state":{"code":2},"status":"x"},"previous":{"state":{"code":1},"status":"y"}"#;
    assert_eq!(deliveries(&host, members).await, 1);
    let text = r#""data":{"state":{"code":"2"}},"previous":{"state":{"code":1}}"#;
    assert_eq!(deliveries(&host, text).await, 0);
}

#[tokio::test]
async fn a_field_or_the_status_is_enough() {
    let host = TestHost::start().await;
    workflow(&host, json!({"fields": ["value"], "status": {"to": "won"}})).await;
    assert_eq!(deliveries(&host, r#""data":{"status":"open"},"changed_fields":["value"]"#).await, 1);
    assert_eq!(deliveries(&host, r#""data":{"status":"won"},"changed_fields":["status"]"#).await, 1);
    assert_eq!(deliveries(&host, r#""data":{"status":"open"},"changed_fields":["status"]"#).await, 0);
}
