//! Fields that were filled in or changed.

use reqwest::Method;
use serde_json::{Value, json};

use super::{deliveries, workflow};
use crate::support::host::TestHost;
use crate::support::receiver::Receiver;

async fn on(fields: &[&str]) -> TestHost {
    let host = TestHost::start().await;
    workflow(&host, json!({"fields": fields})).await;
    host
}

#[tokio::test]
async fn a_field_that_the_event_names_as_changed_triggers() {
    let host = on(&["stage"]).await;
    assert_eq!(deliveries(&host, r#""data":{"stage":"b"},"changed_fields":["value","stage"]"#).await, 1);
    assert_eq!(deliveries(&host, r#""data":{"stage":"b"},"changed_fields":["value"]"#).await, 0);
    assert_eq!(deliveries(&host, r#""data":{"stage":"b"},"changed_fields":[]"#).await, 0);
}

#[tokio::test]
async fn a_field_that_differs_from_the_previous_data_triggers() {
    let host = on(&["stage"]).await;
    assert_eq!(deliveries(&host, r#""data":{"stage":"b"},"previous":{"stage":"a"}"#).await, 1);
    assert_eq!(deliveries(&host, r#""data":{"stage":"b","n":2},"previous":{"stage":"b","n":1}"#).await, 0);
}

#[tokio::test]
async fn where_the_changed_fields_are_named_the_previous_data_need_not_be_whole() {
    let host = on(&["email"]).await;
    let event = r#""data":{"name":"New","email":"a@b.example"},"previous":{"name":"Old"}"#;
    assert_eq!(deliveries(&host, &format!(r#"{event},"changed_fields":["name"]"#)).await, 0);
    assert_eq!(deliveries(&host, event).await, 1);
}

#[tokio::test]
async fn an_event_that_tells_of_no_change_triggers_no_field() {
    let host = on(&["stage"]).await;
    assert_eq!(deliveries(&host, r#""data":{"stage":"b"}"#).await, 0);
}

#[tokio::test]
async fn a_field_is_filled_in_if_it_was_null_or_not_there_and_emptied_the_other_way_round() {
    let host = on(&["stage"]).await;
    for (data, previous, expected) in [
        (r#"{"stage":"a"}"#, r#"{"stage":null}"#, 1),
        (r#"{"stage":"a"}"#, "{}", 1),
        // Nothing was told of what it was.
        (r#"{"stage":"a"}"#, "null", 0),
        (r#"{"stage":null}"#, r#"{"stage":"a"}"#, 1),
        ("{}", r#"{"stage":"a"}"#, 1),
        (r#"{"stage":null}"#, "{}", 0),
        ("{}", "{}", 0),
        (r#"{"stage":""}"#, "{}", 1),
    ] {
        let made = deliveries(&host, &format!(r#""data":{data},"previous":{previous}"#)).await;
        assert_eq!(made, expected, "{previous} -> {data}");
    }
}

#[tokio::test]
async fn a_field_within_a_field_is_found_by_its_path() {
    let host = on(&["custom_fields.invoice_email"]).await;
    let previous = r#""previous":{"custom_fields":{"invoice_email":null,"other":1}}"#;
    let filled = r#""data":{"custom_fields":{"invoice_email":"a@example.com","other":1}}"#;
    let beside = r#""data":{"custom_fields":{"invoice_email":null,"other":2}}"#;
    assert_eq!(deliveries(&host, &format!("{filled},{previous}")).await, 1);
    assert_eq!(deliveries(&host, &format!("{beside},{previous}")).await, 0);
    assert_eq!(deliveries(&host, &format!(r#"{filled},"previous":{{"custom_fields":7}}"#)).await, 1);
    assert_eq!(deliveries(&host, r#""data":{},"changed_fields":["custom_fields.invoice_email"]"#).await, 1);
    assert_eq!(deliveries(&host, r#""data":{},"changed_fields":["invoice_email"]"#).await, 0);
}

#[tokio::test]
async fn a_number_has_changed_if_it_is_written_in_another_way() {
    let host = on(&["value"]).await;
    assert_eq!(deliveries(&host, r#""data":{"value":12.50},"previous":{"value":12.50}"#).await, 0);
    assert_eq!(deliveries(&host, r#""data":{"value":12.51},"previous":{"value":12.50}"#).await, 1);
    let (huge, next) = ("12345678901234567890123", "12345678901234567890124");
    assert_eq!(deliveries(&host, &format!(r#""data":{{"value":{huge}}},"previous":{{"value":{huge}}}"#)).await, 0);
    assert_eq!(deliveries(&host, &format!(r#""data":{{"value":{next}}},"previous":{{"value":{huge}}}"#)).await, 1);
}

#[tokio::test]
async fn lists_and_objects_are_compared_whole() {
    let host = on(&["tags", "owner"]).await;
    let previous = r#""previous":{"tags":["a","b"],"owner":{"id":1,"name":"Anna"}}"#;
    for (data, expected) in [
        (r#"{"owner":{"name":"Anna","id":1},"tags":["a","b"]}"#, 0),
        (r#"{"tags":["b","a"],"owner":{"id":1,"name":"Anna"}}"#, 1),
        (r#"{"tags":["a","b"],"owner":{"id":2,"name":"Anna"}}"#, 1),
    ] {
        assert_eq!(deliveries(&host, &format!(r#""data":{data},{previous}"#)).await, expected, "{data}");
    }
}

#[tokio::test]
async fn any_of_several_fields_triggers_once() {
    let host = on(&["stage", "value"]).await;
    assert_eq!(deliveries(&host, r#""data":{},"changed_fields":["value"]"#).await, 1);
    assert_eq!(deliveries(&host, r#""data":{},"changed_fields":["stage","value"]"#).await, 1);
}

#[tokio::test]
async fn the_condition_is_asked_after_the_trigger() {
    let host = TestHost::start().await;
    let condition = r#"event.data.process.id == "p-1""#;
    let more = json!({"trigger": {"fields": ["stage"]}, "condition": condition});
    host.subscribe("http://127.0.0.1:9/", more).await;
    for (process, changed, expected) in [("p-1", "stage", 1), ("p-2", "stage", 0), ("p-1", "value", 0)] {
        let members = format!(r#""data":{{"process":{{"id":"{process}"}}}},"changed_fields":["{changed}"]"#);
        assert_eq!(deliveries(&host, &members).await, expected, "{process} {changed}");
    }
}

#[tokio::test]
async fn a_condition_sees_which_fields_changed_and_what_they_were() {
    let host = TestHost::start().await;
    let condition = r#""stage" in event.changed_fields && event.previous.value < event.data.value"#;
    host.subscribe("http://127.0.0.1:9/", json!({"condition": condition})).await;
    let rises = r#""data":{"value":12.50},"previous":{"value":12.25}"#;
    assert_eq!(deliveries(&host, &format!(r#"{rises},"changed_fields":["stage"]"#)).await, 1);
    assert_eq!(deliveries(&host, &format!(r#"{rises},"changed_fields":["value"]"#)).await, 0);
    assert_eq!(deliveries(&host, rises).await, 0);
    assert_eq!(deliveries(&host, r#""data":{"value":12.50},"changed_fields":["stage"]"#).await, 0);
}

#[tokio::test]
async fn a_triggered_workflow_sends_the_data_alone() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    host.subscribe(&receiver.url("/"), json!({"trigger": {"fields": ["value"]}})).await;
    assert_eq!(
        deliveries(&host, r#""data":{"value":12.50},"previous":{"value":null},"changed_fields":["value"]"#).await,
        1
    );
    host.settle().await;
    let request = receiver.take(1).await.remove(0);
    assert!(request.text().ends_with(r#""data":{"value":12.50}}"#), "{}", request.text());
}

#[tokio::test]
async fn an_event_is_shown_with_what_it_told_of_changes() {
    let host = TestHost::start().await;
    let event = r#"{"id":"e1","type":"deal.updated","data":{"n":1},"previous":{"n": 12.50},"changed_fields":["n"]}"#;
    host.call(Method::POST, "/v1/spaces/acme/events", event).await;
    let shown = host.ok(Method::GET, "/v1/spaces/acme/events/e1", Value::Null).await;
    assert_eq!(shown["changed_fields"], json!(["n"]));
    assert_eq!(shown["previous"].to_string(), r#"{"n":12.50}"#);
}

#[tokio::test]
async fn an_id_that_comes_again_with_other_changes_is_a_conflict() {
    let host = TestHost::start().await;
    let first = r#"{"id":"e1","type":"deal.updated","data":{"n":1},"previous":{"n":0},"changed_fields":["n"]}"#;
    for (changed, status) in [
        (first.to_owned(), 202),
        (first.replace(r#"{"n":0}"#, r#"{"n":0.0}"#), 409),
        (first.replace(r#""previous":{"n":0},"#, ""), 409),
        (first.replace(r#"["n"]"#, r#"["m"]"#), 409),
        (first.replace(r#"["n"]"#, r#"["n","m"]"#), 409),
        (first.to_owned(), 202),
    ] {
        let (answered, answer) = host.call(Method::POST, "/v1/spaces/acme/events", &changed).await;
        assert_eq!(answered, status, "{changed}");
        assert!(status == 202 || answer["code"] == "event_conflict", "{answer}");
    }
}
