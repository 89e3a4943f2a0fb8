//! Posting and reading events.

use http::Method;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{TestApi, assert_problem};

const EVENTS: &str = "/v1/spaces/crm/events";

async fn count(api: &TestApi) -> usize {
    api.admin.get(EVENTS).await.expect(200)["data"].as_array().unwrap().len()
}

#[tokio::test]
async fn an_event_is_answered_with_what_it_made() {
    let api = TestApi::start().await;
    api.subscribe(json!({})).await;
    api.subscribe(json!({"event_types": ["lead.*"], "condition": "event.data.value > 10"})).await;
    api.subscribe(json!({"event_types": ["deal.*"]})).await;
    let body = json!({"type": "lead.created", "data": {"value": 11}, "occurred_at": "2026-04-29T13:13:55.0210+02:00"});
    let receipt = api.admin.post(EVENTS, body).await.expect(202);
    assert_eq!((&receipt["deliveries"], &receipt["occurred_at"]), (&json!(2), &json!("2026-04-29T11:13:55.021Z")));
    assert_eq!(api.deliveries().await.len(), 2);

    let id = receipt["id"].as_str().unwrap();
    assert!(id.starts_with("evt_"), "{id}");
    let read = api.admin.get(&format!("{EVENTS}/{id}")).await.expect(200);
    assert_eq!((&read["type"], &read["deliveries"]), (&json!("lead.created"), &json!(2)));
    assert_eq!(read["accepted_at"], receipt["accepted_at"]);
}

#[tokio::test]
async fn data_comes_back_as_the_very_text_that_was_posted() {
    let api = TestApi::start().await;
    let data = r#"{ "price":12.50, "big" : 12345678901234567890,"huge":1e400,  "a":1,"a":2, "t":"\u00e9\/" }"#;
    let receipt = api.admin.post_text(EVENTS, &format!(r#"{{"data":{data},"type":"x"}}"#)).await.expect(202);
    let read = api.admin.get(&format!("{EVENTS}/{}", receipt["id"].as_str().unwrap())).await;
    assert!(read.text.ends_with(&format!(r#""data":{data}}}"#)), "{}", read.text);
    for data in ["null", "12.50", "\"text\"", "[]", "true"] {
        let receipt = api.admin.post_text(EVENTS, &format!(r#"{{"type":"x","data":{data}}}"#)).await.expect(202);
        let read = api.admin.get(&format!("{EVENTS}/{}", receipt["id"].as_str().unwrap())).await;
        assert!(read.text.ends_with(&format!(r#""data":{data}}}"#)), "{}", read.text);
    }
}

#[tokio::test]
async fn the_same_event_again_is_answered_as_before_and_another_of_its_id_is_a_conflict() {
    let api = TestApi::start().await;
    api.subscribe(json!({})).await;
    let first = api.admin.post(EVENTS, json!({"id": "crm-1", "type": "lead.created", "data": {"a": 1}})).await;
    let again = api.admin.post(EVENTS, json!({"type": "lead.created", "data": {"a": 1}, "id": "crm-1"})).await;
    assert_eq!((again.status, &again.text), (202, &first.text));
    for other in [
        json!({"id": "crm-1", "type": "lead.created", "data": {"a": 2}}),
        json!({"id": "crm-1", "type": "lead.updated", "data": {"a": 1}}),
        json!({"id": "crm-1", "type": "lead.created", "data": {"a": 1}, "occurred_at": "2026-04-29T11:13:55Z"}),
    ] {
        assert_problem(&api.admin.post(EVENTS, other).await, 409, "event_conflict", None);
    }
    assert_eq!((count(&api).await, api.deliveries().await.len()), (1, 1));
}

#[tokio::test]
async fn a_wrong_event_is_refused_by_the_member_that_is_wrong() {
    let api = TestApi::start().await;
    let deep = |levels: usize| format!(r#"{{"type":"x","data":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
    for (body, status, code, field) in [
        (r#"{"type":"x","data":"#.to_owned(), 400, "json_invalid", None),
        (r#"{"type":"x","data":1} 2"#.to_owned(), 400, "json_invalid", None),
        (String::new(), 400, "json_invalid", None),
        ("[\"x\",1]".to_owned(), 422, "field_invalid", Some("")),
        (r#"{"type":"x"}"#.to_owned(), 422, "field_missing", Some("/data")),
        (r#"{"data":1}"#.to_owned(), 422, "field_missing", Some("/type")),
        (r#"{"type":"x","data":1,"typ":"y"}"#.to_owned(), 422, "field_unknown", Some("/typ")),
        (r#"{"type":"x","type":"x","data":1}"#.to_owned(), 422, "field_invalid", Some("")),
        (r#"{"type":"lead created","data":1}"#.to_owned(), 422, "field_invalid", Some("/type")),
        (r#"{"type":7,"data":1}"#.to_owned(), 422, "field_invalid", Some("/type")),
        (r#"{"type":"x","data":1,"id":"a b"}"#.to_owned(), 422, "field_invalid", Some("/id")),
        (r#"{"type":"x","data":1,"occurred_at":"yesterday"}"#.to_owned(), 422, "field_invalid", Some("/occurred_at")),
        (
            r#"{"type":"x","data":1,"occurred_at":"-000001-01-01T00:00:00Z"}"#.to_owned(),
            422,
            "field_invalid",
            Some("/occurred_at"),
        ),
        (r#"{"type":"x","data":"\ud800"}"#.to_owned(), 422, "field_invalid", Some("/data")),
        (deep(128), 422, "field_invalid", Some("/data")),
        (deep(100_000), 422, "field_invalid", Some("/data")),
    ] {
        let answer = api.admin.post_text(EVENTS, &body).await;
        assert_problem(&answer, status, code, field);
        if let Some(field) = field {
            assert!(answer.json()["detail"].as_str().unwrap().contains(field), "{}", answer.text);
        }
    }
    assert_eq!(count(&api).await, 0);
    api.admin.post_text(EVENTS, &deep(127)).await.expect(202);
}

#[tokio::test]
async fn what_is_too_large_is_refused_with_the_limit() {
    let api = TestApi::with(|config| {
        config.accept.event_bytes_max = 1_000;
        config.accept.batch_events_max = 3;
        config.accept.batch_bytes_max = 5_000;
        config.accept.body_bytes_max = 2_000;
    })
    .await;
    let event = |bytes: usize| format!(r#"{{"type":"x","data":"{}"}}"#, "x".repeat(bytes - 2));
    let answer = api.admin.post_text(EVENTS, &event(1_001)).await;
    assert_problem(&answer, 413, "too_large", Some("/data"));
    assert!(answer.text.contains("1000 bytes"), "{}", answer.text);
    assert_problem(&api.admin.post_text(EVENTS, &event(80_000)).await, 413, "too_large", None);
    let post = |body: String| api.admin.send(Method::POST, EVENTS, Some("application/x-ndjson"), body.into());
    assert_problem(&post("{}\n".repeat(4)).await, 413, "too_large", None);
    assert_problem(&post(" ".repeat(5_001)).await, 413, "too_large", None);
    let long = json!({"id": "big", "name": "x".repeat(2_000)});
    assert_problem(&api.admin.post("/v1/spaces", long).await, 413, "too_large", None);
    assert_eq!(count(&api).await, 0);
    api.admin.post_text(EVENTS, &event(1_000)).await.expect(202);
}

#[tokio::test]
async fn a_body_of_unknown_length_is_cut_off_at_the_limit() {
    let api = TestApi::with(|config| config.accept.body_bytes_max = 10_000).await;
    let address = api.admin.url("").replace("http://", "");
    let mut socket = TcpStream::connect(&address).await.unwrap();
    let head = format!(
        "POST /v1/spaces HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {}\r\ncontent-type: application/json\r\n\
         transfer-encoding: chunked\r\n\r\n",
        api.admin.key()
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    for _ in 0..11 {
        socket.write_all(format!("3e8\r\n{}\r\n", " ".repeat(1_000)).as_bytes()).await.unwrap();
    }
    // The body never ends.
    let mut status = [0; 12];
    socket.read_exact(&mut status).await.unwrap();
    assert_eq!(&status, b"HTTP/1.1 413");
}

#[tokio::test]
async fn good_lines_are_accepted_beside_bad_ones() {
    let api = TestApi::start().await;
    api.subscribe(json!({})).await;
    let lines = [
        r#"{"type":"lead.created","data":{"n":1.0},"id":"a"}"#,
        "",
        r#"{"type":"lead created","data":1}"#,
        r#"{"type":"lead.created","data":{"n":1.0},"id":"a"}"#,
        r#"{"type":"lead.created","data":{"n":2},"id":"a"}"#,
        "not json",
        "  {\"type\":\"deal.won\",\"data\":[]}\r",
    ];
    let body = lines.join("\n");
    let answer = api.admin.send(Method::POST, EVENTS, Some("application/x-ndjson; charset=utf-8"), body.into()).await;
    let results = answer.expect(207)["results"].clone();
    let shown: Vec<_> = results
        .as_array()
        .unwrap()
        .iter()
        .map(|result| {
            (result["line"].as_u64().unwrap(), result["status"].as_u64().unwrap(), result["problem"]["code"].as_str())
        })
        .collect();
    assert_eq!(
        shown,
        [
            (1, 202, None),
            (3, 422, Some("field_invalid")),
            (4, 202, None),
            (5, 409, Some("event_conflict")),
            (6, 400, Some("json_invalid")),
            (7, 202, None),
        ]
    );
    assert_eq!(results[0]["accepted_at"], results[2]["accepted_at"]);
    assert_eq!(results[1]["problem"]["field"], "/type");
    assert_eq!((count(&api).await, api.deliveries().await.len()), (2, 2));
}

#[tokio::test]
async fn lines_that_are_all_good_are_answered_202_and_none_at_all_is_refused() {
    let api = TestApi::start().await;
    let post = |body: &str| api.admin.send(Method::POST, EVENTS, Some("application/x-ndjson"), body.into());
    let results = post("{\"type\":\"a\",\"data\":1}\n{\"type\":\"b\",\"data\":2}\n").await.expect(202);
    let ids: Vec<_> = results["results"].as_array().unwrap().iter().map(|result| result["id"].clone()).collect();
    assert_eq!(ids.len(), 2);
    for (id, data) in ids.iter().zip([1, 2]) {
        let read = api.admin.get(&format!("{EVENTS}/{}", id.as_str().unwrap())).await.expect(200);
        assert_eq!(read["data"], data);
    }
    assert_problem(&post("\n\n").await, 422, "field_invalid", Some(""));
    assert_eq!(count(&api).await, 2);
}

#[tokio::test]
async fn an_unknown_event_is_not_found() {
    let api = TestApi::start().await;
    assert_problem(&api.admin.get(&format!("{EVENTS}/nothing")).await, 404, "not_found", None);
    let wrong = api.admin.get(&format!("{EVENTS}/a%20b")).await;
    assert_problem(&wrong, 400, "parameter_invalid", None);
    assert_eq!(wrong.json()["parameter"], json!("event"));
    assert_eq!(wrong.json()["field"], Value::Null);
}
