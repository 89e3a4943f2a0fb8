//! Erasures over the API: one call, with progress, and nothing is left in the data directory.

use std::path::Path;
use std::time::Duration;

use hookmill_server::erasure::{self, Round};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::support::host::TestHost;
use crate::support::process::Process;
use crate::support::receiver::Receiver;

const ERASURES: &str = "/v1/spaces/acme/erasures";

const MARKER: &str = "erased-person-7361@example.com";

/// How often the marker is in the files of a directory.
fn found(dir: &Path) -> usize {
    let files = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file());
    let count = |path| {
        let bytes = std::fs::read(path).unwrap();
        bytes.windows(MARKER.len()).filter(|window| *window == MARKER.as_bytes()).count()
    };
    files.map(count).sum()
}

fn dir(host: &TestHost) -> &Path {
    &host.host.config.data_dir
}

async fn run(host: &TestHost) -> Round {
    erasure::run_once(&host.host).await.unwrap()
}

/// Asks for an erasure; returns its path and it.
async fn begin(host: &TestHost, target: Value) -> (String, Value) {
    let begun = host.ok(Method::POST, ERASURES, target).await;
    assert_eq!(begun["state"], "erasing");
    (format!("{ERASURES}/{}", begun["id"].as_str().unwrap()), begun)
}

async fn key(host: &TestHost, role: &str) -> String {
    let key = json!({"name": role, "role": role, "space": "acme"});
    host.ok(Method::POST, "/v1/keys", key).await["key"].as_str().unwrap().to_owned()
}

async fn status(host: &TestHost, key: &str, method: Method, path: &str, body: Value) -> StatusCode {
    let request = Client::new().request(method, format!("{}{path}", host.base)).bearer_auth(key);
    let request = request.header("content-type", "application/json").body(body.to_string());
    request.send().await.unwrap().status()
}

#[tokio::test]
async fn all_that_holds_a_value_is_erased_with_one_call_and_its_progress_can_be_read() {
    let receiver = Receiver::start().await;
    let mut host = TestHost::start().await;
    host.subscribe(&receiver.url("/"), json!({})).await;
    let person = json!({"contacts": [{"email": "a@example.com"}, {"email": MARKER}]}).to_string();
    for number in 0..60 {
        let other = json!({"contacts": [{"email": format!("other{number}@example.com")}], "filler": "y".repeat(number * 37)});
        host.post("lead.created", &other.to_string()).await;
        if number % 20 == 10 {
            host.post("lead.created", &person).await;
        }
    }
    host.settle().await;
    assert!(found(dir(&host)) > 3);
    let (path, begun) = begin(&host, json!({"path": "contacts.email", "value": MARKER})).await;
    assert_eq!((&begun["path"], &begun["value"], &begun["finished_at"]), (&json!("contacts.email"), &Value::Null, &Value::Null));

    assert_eq!(run(&host).await, Round::Idle);

    let done = host.ok(Method::GET, &path, Value::Null).await;
    assert_eq!(done["state"], "done");
    assert_eq!((&done["events_searched"], &done["events_erased"], &done["deliveries_erased"]), (&json!(63), &json!(3), &json!(3)));
    assert!(done["finished_at"].is_string());
    assert_eq!(found(dir(&host)), 0);
    let events = host.ok(Method::GET, "/v1/spaces/acme/events?limit=200", Value::Null).await;
    assert_eq!(events["data"].as_array().unwrap().len(), 60);
    assert_eq!(host.ok(Method::GET, ERASURES, Value::Null).await["data"], json!([done]));
}

#[tokio::test]
async fn an_erased_event_is_gone_with_its_deliveries_and_its_id_is_free_again() {
    let receiver = Receiver::start().await;
    let mut host = TestHost::start().await;
    host.subscribe(&receiver.url("/"), json!({})).await;
    let event = json!({"id": "order-1", "type": "deal.won", "data": {"email": MARKER}});
    host.ok(Method::POST, "/v1/spaces/acme/events", event.clone()).await;
    host.settle().await;
    let delivery = host.delivery().await["id"].as_str().unwrap().to_owned();

    begin(&host, json!({"event": "order-1"})).await;
    run(&host).await;

    assert_eq!(found(dir(&host)), 0);
    for path in ["events/order-1", &format!("deliveries/{delivery}")] {
        assert_eq!(host.call(Method::GET, &format!("/v1/spaces/acme/{path}"), "").await.0, 404);
    }
    let again = host.ok(Method::POST, "/v1/spaces/acme/events", event).await;
    assert_eq!(again["deliveries"], 1);
    host.settle().await;
    assert_eq!(receiver.requests().len(), 2);
}

#[tokio::test]
async fn a_delivery_that_is_being_sent_is_waited_for_and_one_that_waits_is_never_sent() {
    let receiver = Receiver::start().await;
    let mut host = TestHost::start().await;
    host.subscribe(&receiver.url("/now"), json!({})).await;
    host.subscribe(&receiver.url("/later"), json!({"delay_s": 60})).await;
    let id = host.post("deal.won", &json!(MARKER).to_string()).await["id"].as_str().unwrap().to_owned();
    let (path, _) = begin(&host, json!({"event": id})).await;
    // It is in the inbox, under a lease.
    assert_eq!(run(&host).await, Round::Waits);
    assert_eq!(host.ok(Method::GET, &path, Value::Null).await["state"], "erasing");
    host.settle().await;
    assert_eq!(run(&host).await, Round::Idle);
    assert_eq!(host.ok(Method::GET, &path, Value::Null).await["deliveries_erased"], 2);
    assert_eq!(found(dir(&host)), 0);
    host.advance(Duration::from_secs(120)).await;
    let sent: Vec<_> = receiver.requests().into_iter().map(|request| request.target).collect();
    assert_eq!(sent, ["/now"]);
}

#[tokio::test]
async fn a_batch_that_waits_is_sent_without_the_erased_event() {
    let receiver = Receiver::start().await;
    let mut host = TestHost::start().await;
    let batched = json!({"profile": "leadsquared", "event_types": ["SalesActivity_Post_Create"], "batch": {"window_s": 60, "max": 10}});
    host.subscribe(&receiver.url("/"), batched).await;
    let mut ids = Vec::new();
    for number in 0..4 {
        let data = json!({"RelatedProspectId": format!("p{number}"), "ActivityEvent": 200, "note": format!("n{number}-{MARKER}")});
        let posted = host.post("SalesActivity_Post_Create", &data.to_string()).await;
        ids.push(posted["id"].as_str().unwrap().to_owned());
    }
    // The first, which the delivery is named after, and one of the others.
    for id in [&ids[0], &ids[2]] {
        begin(&host, json!({"event": id})).await;
        run(&host).await;
    }
    host.advance(Duration::from_secs(61)).await;
    let requests = receiver.requests();
    assert_eq!(requests.len(), 1);
    let notes: Vec<_> = (0..4).filter(|number| requests[0].text().contains(&format!("n{number}-"))).collect();
    assert_eq!(notes, [1, 3]);
    // What is left of it can be erased, too.
    for id in [&ids[1], &ids[3]] {
        begin(&host, json!({"event": id})).await;
    }
    run(&host).await;
    assert_eq!(found(dir(&host)), 0);
}

#[tokio::test]
async fn only_who_manages_a_space_erases_and_what_is_wrong_is_named() {
    let host = TestHost::start().await;
    for role in ["read", "produce"] {
        let key = key(&host, role).await;
        let target = json!({"path": "a", "value": 1});
        assert_eq!(status(&host, &key, Method::POST, ERASURES, target).await, 403);
        assert_eq!(status(&host, &key, Method::GET, ERASURES, Value::Null).await, 403);
    }
    let manager = key(&host, "manage").await;
    assert_eq!(status(&host, &manager, Method::POST, ERASURES, json!({"path": "a", "value": 1})).await, 202);
    assert_eq!(status(&host, &manager, Method::DELETE, "/v1/spaces/acme", Value::Null).await, 403);
    for (wrong, field) in [
        (json!({}), ""),
        (json!({"event": "e", "path": "a"}), ""),
        (json!({"path": "a"}), "/value"),
        (json!({"value": 1}), "/path"),
        (json!({"path": "a..b", "value": 1}), "/path"),
        (json!({"path": "a", "value": {"b": 1}}), "/value"),
        (json!({"path": "a", "value": "x".repeat(1_025)}), "/value"),
        (json!({"delivery": "dlv_1"}), "/delivery"),
    ] {
        let (status, answer) = host.call(Method::POST, ERASURES, wrong.to_string()).await;
        assert_eq!((status.as_u16(), &answer["field"]), (422, &json!(field)), "{wrong}: {answer}");
    }
    for unknown in [json!({"event": "nothing"}), json!({"delivery": "dlv_01K9ZQ4S1N8M0V6T3X5B7C2D4E"})] {
        assert_eq!(host.call(Method::POST, ERASURES, unknown.to_string()).await.0, 404);
    }
    assert_eq!(host.call(Method::GET, &format!("{ERASURES}/ers_01K9ZQ4S1N8M0V6T3X5B7C2D4E"), "").await.0, 404);
}

#[tokio::test]
async fn a_deleted_space_is_gone_at_once_and_then_from_the_disk_also_after_a_restart() {
    let receiver = Receiver::start().await;
    let mut host = TestHost::start().await;
    host.ok(Method::PATCH, "/v1/spaces/acme", json!({"name": MARKER})).await;
    host.ok(Method::PUT, "/v1/spaces/acme/event-types/deal.won", json!({"description": MARKER})).await;
    host.subscribe(&receiver.url("/"), json!({"name": MARKER})).await;
    host.subscribe(&receiver.url("/later"), json!({"name": MARKER, "delay_s": 60})).await;
    for _ in 0..5 {
        host.post("deal.won", &json!(MARKER).to_string()).await;
    }
    host.settle().await;
    let manager = key(&host, "manage").await;
    let erasure = host.ok(Method::DELETE, "/v1/spaces/acme", Value::Null).await;
    let path = format!("/v1/erasures/{}", erasure["id"].as_str().unwrap());
    assert_eq!(status(&host, &manager, Method::GET, "/v1/spaces/acme", Value::Null).await, 401);
    assert_eq!(host.call(Method::GET, "/v1/spaces/acme", "").await.0, 404);
    assert_eq!(host.call(Method::DELETE, "/v1/spaces/acme", "").await.0, 404);
    let event = json!({"type": "deal.won", "data": {}}).to_string();
    assert_eq!(host.call(Method::POST, "/v1/spaces/acme/events", event).await.0, 404);

    let mut host = host.restart().await;
    assert_eq!(host.call(Method::GET, "/v1/spaces/acme", "").await.0, 404);
    run(&host).await;
    host.advance(Duration::from_secs(120)).await;

    let done = host.ok(Method::GET, &path, Value::Null).await;
    assert_eq!((&done["state"], &done["events_erased"], &done["deliveries_erased"]), (&json!("done"), &json!(5), &json!(10)));
    assert_eq!(found(dir(&host)), 0);
    assert_eq!(receiver.requests().len(), 5);
    host.ok(Method::POST, "/v1/spaces", json!({"id": "acme"})).await;
    assert_eq!(host.ok(Method::GET, "/v1/spaces/acme/events", Value::Null).await["data"], json!([]));
}

#[tokio::test]
async fn an_erasure_survives_kill_9() {
    let dir = tempfile::tempdir().unwrap();
    let host = Process::start(dir.path()).await;
    let key = host.key.clone().unwrap();
    let call = async |host: &Process, method: Method, path: &str, body: String| {
        let (status, answer) = host.call(&key, method, path, body).await.unwrap();
        assert!(status.is_success(), "{answer}");
        answer
    };
    call(&host, Method::POST, "/v1/spaces", json!({"id": "acme"}).to_string()).await;
    for number in 0..400 {
        let email = if number % 4 == 0 { MARKER } else { "other@example.com" };
        let event = json!({"type": "lead.created", "data": {"email": email, "filler": "z".repeat(number)}});
        call(&host, Method::POST, "/v1/spaces/acme/events", event.to_string()).await;
    }
    let begun = call(&host, Method::POST, ERASURES, json!({"path": "email", "value": MARKER}).to_string()).await;
    let path = format!("{ERASURES}/{}", begun["id"].as_str().unwrap());
    let mut host = host;
    for milliseconds in [0, 3, 10] {
        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
        host.kill().await;
        host = Process::start(dir.path()).await;
    }
    let done = loop {
        let now = call(&host, Method::GET, &path, String::new()).await;
        if now["state"] == "done" {
            break now;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!((&done["events_searched"], &done["events_erased"]), (&json!(400), &json!(100)));
    host.terminate().await;
    assert_eq!(found(dir.path()), 0);
}
