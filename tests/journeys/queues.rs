//! What waits for each subscription, as lists show it: kept counts that are those of the rows.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use reqwest::Method;
use serde_json::{Value, json};

use crate::support::host::TestHost;
use crate::support::receiver::{Receiver, Reply};

const SUBSCRIPTIONS: &str = "/v1/spaces/acme/subscriptions";

/// The queues in the list, by name; each subscription itself shows the same.
async fn queues(host: &TestHost) -> BTreeMap<String, Value> {
    let list = host.ok(Method::GET, SUBSCRIPTIONS, Value::Null).await;
    let mut queues = BTreeMap::new();
    for entry in list["data"].as_array().unwrap() {
        let path = format!("{SUBSCRIPTIONS}/{}", entry["id"].as_str().unwrap());
        assert_eq!(host.ok(Method::GET, &path, Value::Null).await["queue"], entry["queue"]);
        queues.insert(entry["name"].as_str().unwrap().to_owned(), entry["queue"].clone());
    }
    queues
}

/// Asserts that the counts are those of the rows, and returns them as `waiting/retrying`.
async fn counted(host: &TestHost) -> BTreeMap<String, String> {
    let db = host.database();
    let rows = "
        SELECT count(*) FILTER (WHERE w.state = 'pending' AND attempts = 0),
            count(*) FILTER (WHERE w.state = 'pending' AND attempts > 0), min(due_at) FILTER (WHERE w.state = 'pending')
        FROM subscriptions AS s LEFT JOIN waiting AS w ON w.subscription = s.key WHERE s.definition ->> 'name' = ?1";
    let mut shown = BTreeMap::new();
    for (name, queue) in queues(host).await {
        let row = db.query_row(rows, [&name], |row| {
            Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?, row.get::<_, Option<i64>>(2)?))
        });
        let (waiting, retrying, due_at) = row.unwrap();
        let due_at = due_at.map(|at| Timestamp::from_microsecond(at).unwrap());
        assert_eq!(queue, json!({"waiting": waiting, "retrying": retrying, "next_due_at": due_at}), "{name}");
        shown.insert(name, format!("{waiting}/{retrying}"));
    }
    shown
}

fn shows(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(name, counts)| ((*name).to_owned(), (*counts).to_owned())).collect()
}

async fn act(host: &TestHost, made: &Value, action: &str) {
    host.ok(Method::POST, &format!("{SUBSCRIPTIONS}/{}/{action}", made["id"].as_str().unwrap()), json!({})).await;
}

#[tokio::test]
async fn counts_follow_every_way_into_and_out_of_the_queue_and_survive_a_restart() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    receiver.otherwise(Reply::status(500));
    let retry = json!({"schedule_s": [60, 60], "jitter_percent": 0});
    let late = host.subscribe(&receiver.url("/late"), json!({"name": "late", "delay_s": 600})).await;
    let broken = host.subscribe(&receiver.url("/broken"), json!({"name": "broken", "retry": retry})).await;
    host.subscribe(&receiver.url("/batch"), json!({"name": "batch", "batch": {"window_s": 900, "max": 10}})).await;
    for _ in 0..3 {
        host.post("deal.won", "1").await;
    }
    // In memory, and not in rows.
    assert_eq!(queues(&host).await["broken"], json!({"waiting": 3, "retrying": 0, "next_due_at": null}));
    host.settle().await;
    assert_eq!(counted(&host).await, shows(&[("late", "3/0"), ("broken", "0/3"), ("batch", "1/0")]));
    host.advance(Duration::from_secs(60)).await;
    assert_eq!(counted(&host).await["broken"], "0/3");
    let mut host = host.restart().await;
    assert_eq!(counted(&host).await, shows(&[("late", "3/0"), ("broken", "0/3"), ("batch", "1/0")]));
    // Held when due, and then free again.
    act(&host, &broken, "pause").await;
    act(&host, &late, "pause").await;
    host.advance(Duration::from_secs(600)).await;
    assert_eq!(counted(&host).await, shows(&[("late", "0/0"), ("broken", "0/0"), ("batch", "1/0")]));
    let mut host = host.restart().await;
    act(&host, &broken, "activate").await;
    act(&host, &late, "activate").await;
    assert_eq!(counted(&host).await, shows(&[("late", "3/0"), ("broken", "0/3"), ("batch", "1/0")]));
    host.settle().await;
    // Failed for good; those of `late` and the batch are retried.
    assert_eq!(counted(&host).await, shows(&[("late", "0/3"), ("broken", "0/0"), ("batch", "1/0")]));
    let list = host.ok(Method::GET, "/v1/spaces/acme/deliveries?state=failed", Value::Null).await;
    let failed: Vec<_> = list["data"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect();
    assert_eq!(failed.len(), 3);
    for id in &failed[..2] {
        host.ok(Method::POST, &format!("/v1/spaces/acme/deliveries/{id}/resend"), json!({})).await;
    }
    assert_eq!(counted(&host).await["broken"], "0/2");
    host.ok(Method::POST, &format!("/v1/spaces/acme/deliveries/{}/cancel", failed[0]), json!({})).await;
    assert_eq!(counted(&host).await["broken"], "0/1");
    // A replay makes new ones.
    act(&host, &late, "pause").await;
    host.ok(Method::DELETE, &format!("{SUBSCRIPTIONS}/{}", late["id"].as_str().unwrap()), Value::Null).await;
    assert_eq!(counted(&host).await, shows(&[("broken", "0/1"), ("batch", "1/0")]));
    receiver.otherwise(Reply::status(204));
    host.advance(Duration::from_secs(900)).await;
    assert_eq!(counted(&host).await, shows(&[("broken", "0/0"), ("batch", "0/0")]));
}

#[tokio::test]
async fn a_list_is_sorted_by_last_attempt_and_by_failures_before_and_after_a_restart() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    receiver.script("/one", [Reply::status(500)]);
    receiver.script("/two", [Reply::status(500), Reply::status(500)]);
    let retry = json!({"schedule_s": [86_400], "jitter_percent": 0});
    for (name, kind) in [("two", "b"), ("never", "z"), ("fine", "c"), ("one", "a")] {
        let more = json!({"name": name, "event_types": [kind], "retry": retry});
        host.subscribe(&receiver.url(&format!("/{name}")), more).await;
        host.clock.advance(Duration::from_secs(1));
    }
    for kind in ["b", "b", "a", "c"] {
        host.post(kind, "1").await;
        host.settle().await;
        host.clock.advance(Duration::from_secs(1));
    }
    let mut host = host;
    for _ in 0..2 {
        for (sort, expected) in [
            ("last_triggered", ["never", "two", "one", "fine"]),
            ("-last_triggered", ["fine", "one", "two", "never"]),
            ("-failures", ["two", "one", "fine", "never"]),
        ] {
            let (mut found, mut cursor) = (Vec::new(), String::new());
            for _ in 0..4 {
                let path = format!("{SUBSCRIPTIONS}?sort={sort}&limit=1{cursor}");
                let page = host.ok(Method::GET, &path, Value::Null).await;
                found.push(page["data"][0]["name"].as_str().unwrap().to_owned());
                cursor = format!("&cursor={}", page["next_cursor"].as_str().unwrap_or_default());
            }
            assert_eq!(found, expected, "{sort}");
            assert_eq!(cursor, "&cursor=");
        }
        host = host.restart().await;
    }
}
