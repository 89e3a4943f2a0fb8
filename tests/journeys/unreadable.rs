//! Rows that cannot be read: they are set aside, and the host starts and serves everything else.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::host::TestHost;
use crate::support::receiver::Receiver;

const SPACE: &str = "/v1/spaces/acme";

/// A member of all that a listing has.
async fn all(host: &TestHost, list: &str, member: &str) -> Vec<String> {
    let list = host.ok(Method::GET, list, Value::Null).await;
    list["data"].as_array().unwrap().iter().map(|entry| entry[member].as_str().unwrap().to_owned()).collect()
}

/// The member of the only entry of a listing.
async fn only(host: &TestHost, list: &str, member: &str) -> String {
    let mut found = all(host, &format!("{list}?limit=1"), member).await;
    assert_eq!(found, all(host, list, member).await);
    found.remove(0)
}

/// The detail of the error at a path.
async fn refused(host: &TestHost, path: &str) -> String {
    let (status, answer) = host.call(Method::GET, path, "").await;
    assert_eq!((status.as_u16(), &answer["code"]), (500, &json!("internal")), "{answer}");
    answer["detail"].as_str().unwrap().to_owned()
}

fn paths(receiver: &Receiver) -> Vec<String> {
    receiver.requests().into_iter().map(|request| request.target).collect()
}

#[tokio::test]
async fn a_host_starts_whatever_stands_in_its_rows_and_what_it_cannot_read_waits() {
    let receiver = Receiver::start().await;
    let host = TestHost::start().await;
    let broken = host.subscribe(&receiver.url("/broken"), json!({"delay_s": 60})).await;
    let other = host.subscribe(&receiver.url("/other"), json!({"delay_s": 60})).await;
    let whole = host.subscribe(&receiver.url("/whole"), json!({"delay_s": 60})).await;
    let [broken, other, whole] = [broken, other, whole].map(|made| made["id"].as_str().unwrap().to_owned());
    host.ok(Method::POST, "/v1/spaces", json!({"id": "beside", "name": "Beside"})).await;
    host.ok(Method::POST, "/v1/keys", json!({"name": "k", "role": "read", "space": "acme"})).await;
    for kind in ["deal.lost", "deal.won"] {
        host.ok(Method::PUT, &format!("{SPACE}/event-types/{kind}"), json!({"schema": {"type": "object"}})).await;
    }
    host.post("deal.won", "{}").await;
    let database = host.database();
    database.pragma_update(None, "ignore_check_constraints", true).unwrap();
    let definition = "SELECT definition FROM subscriptions WHERE id = ?1";
    let before: String = database.query_row(definition, [&broken], |row| row.get(0)).unwrap();
    let put = "UPDATE subscriptions SET definition = ?2 WHERE id = ?1";
    assert_eq!(database.execute(put, [&broken, "{\"no JSON"]).unwrap(), 1);
    let wrong = "UPDATE subscriptions SET definition = json_set(definition, '$.method', 'whsec_hidden') WHERE id = ?1";
    assert_eq!(database.execute(wrong, [&other]).unwrap(), 1);
    for (sql, rows) in [
        ("UPDATE event_types SET schema = '{' WHERE name = 'deal.lost'", 1),
        ("UPDATE keys SET role = 'emperor' WHERE name = 'k'", 1),
        ("UPDATE spaces SET quotas = '[' WHERE id = 'beside'", 1),
        ("UPDATE plugins SET content_types = '{' WHERE name = 'zapier'", 1),
    ] {
        assert_eq!(database.execute(sql, []).unwrap(), rows, "{sql}");
    }
    drop(database);

    let mut host = host.restart().await;
    assert_eq!(only(&host, &format!("{SPACE}/subscriptions"), "id").await, whole.clone());
    assert_eq!(only(&host, &format!("{SPACE}/event-types"), "name").await, "deal.won");
    assert_eq!(only(&host, "/v1/spaces", "id").await, "acme");
    for id in [&broken, &other] {
        let detail = refused(&host, &format!("{SPACE}/subscriptions/{id}")).await;
        assert!(detail.starts_with(&format!("the row of the subscription `{id}` cannot be read")), "{detail}");
    }
    let detail = refused(&host, "/v1/spaces/beside").await;
    assert!(detail.starts_with("the row of the space `beside` cannot be read"), "{detail}");
    assert!(!all(&host, &format!("{SPACE}/plugins"), "name").await.contains(&"zapier".to_owned()));
    let metrics = reqwest::get(format!("{}/metrics", host.base)).await.unwrap().text().await.unwrap();
    for line in ["subscription\"} 2", "\"event type\"} 1", "\"key\"} 1", "\"space\"} 1", "\"plugin\"} 1"] {
        assert!(metrics.contains(line) && metrics.contains("hookmill_unreadable_rows{kind="), "{line}: {metrics}");
    }

    host.advance(Duration::from_secs(61)).await;
    assert_eq!(paths(&receiver), ["/whole"]);

    host.database().execute(put, [&broken, &before]).unwrap();
    let mut host = host.restart().await;
    host.advance(Duration::from_secs(61)).await;
    assert_eq!(paths(&receiver), ["/whole", "/broken"]);
}
