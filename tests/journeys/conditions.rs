//! Conditions that harm nobody else, whatever stands in them and in the rows.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};

use crate::support::host::TestHost;
use crate::support::receiver::Receiver;

/// Writes a condition past the API, as an earlier version may have saved it.
fn write_condition(host: &TestHost, id: &str, condition: &str) {
    let sql = "UPDATE subscriptions SET definition = json_set(definition, '$.condition', ?2) WHERE id = ?1";
    assert_eq!(host.database().execute(sql, [id, condition]).unwrap(), 1);
}

async fn show(host: &TestHost, id: &str) -> Value {
    host.ok(Method::GET, &format!("/v1/spaces/acme/subscriptions/{id}"), Value::Null).await
}

#[tokio::test]
async fn a_host_starts_whatever_condition_stands_in_a_row_and_sets_it_aside() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    let deep = format!("{}1 > 0", "1+".repeat(1_600));
    let nested = format!("{}1{}", "(".repeat(2_000), ")".repeat(2_000));
    let mut ids = Vec::new();
    for condition in [deep.as_str(), nested.as_str(), "event.data.a ==", "event.data.l.all(x, [x].all(y, y))"] {
        let bad = json!({"event_types": ["deal.*", "subscription.paused"], "condition": "true"});
        let created = host.subscribe(&receiver.url(&format!("/bad/{}", ids.len())), bad).await;
        let id = created["id"].as_str().unwrap().to_owned();
        write_condition(&host, &id, condition);
        ids.push(id);
    }
    host.subscribe(&receiver.url("/good"), json!({"event_types": ["deal.*", "subscription.paused"]})).await;
    host = host.restart().await;
    for number in 1..=10 {
        host.post("deal.won", "{}").await;
        assert_eq!(show(&host, &ids[0]).await["state"], if number < 10 { "active" } else { "paused" });
    }
    host = host.restart().await;
    host.settle().await;

    let requests = receiver.requests();
    assert_eq!(requests.iter().filter(|request| request.target == "/good").count(), 10 + ids.len());
    let told = requests.iter().filter(|request| request.text().contains("\"reason\":\"condition\"")).count();
    assert_eq!(told, ids.len());
    assert_eq!(requests.iter().filter(|request| request.target.starts_with("/bad")).count(), 0);

    for id in &ids {
        let shown = show(&host, id).await;
        assert_eq!((&shown["state"], &shown["pause_reason"]), (&json!("paused"), &json!("condition")));
        let detail = shown["pause_detail"].as_str().unwrap();
        assert!(detail.starts_with("the condition failed for 10 events in a row: "), "{detail}");
        let path = format!("/v1/spaces/acme/subscriptions/{id}/diagnose");
        let found = host.ok(Method::POST, &path, json!({})).await.to_string();
        assert!(found.contains("the condition cannot be evaluated: "), "{found}");
    }
}

#[tokio::test]
async fn a_condition_that_uses_up_its_budget_pauses_its_subscription() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    let heavy = json!({"condition": "event.data.l.all(x, x in event.data.l)"});
    let heavy = host.subscribe(&receiver.url("/heavy"), heavy).await;
    let id = heavy["id"].as_str().unwrap();
    let large = format!(r#"{{"l":[{}0]}}"#, (1..5_000).map(|n| format!("{n},")).collect::<String>());
    for _ in 0..9 {
        host.post("deal.won", &large).await;
    }
    // Nine in a row, and one that is small enough.
    host.post("deal.won", r#"{"l":[1,2,3]}"#).await;
    host.settle().await;
    assert_eq!(receiver.requests().len(), 1);
    for _ in 0..9 {
        host.post("deal.won", &large).await;
    }
    assert_eq!(show(&host, id).await["state"], "active");
    host.post("deal.won", &large).await;
    let shown = show(&host, id).await;
    assert_eq!((&shown["state"], &shown["pause_reason"]), (&json!("paused"), &json!("condition")));
    assert!(shown["pause_detail"].as_str().unwrap().contains("too much work or memory"), "{shown}");

    // Activated again, it starts from nothing.
    host.ok(Method::POST, &format!("/v1/spaces/acme/subscriptions/{id}/activate"), Value::Null).await;
    host.post("deal.won", &large).await;
    assert_eq!(show(&host, id).await["state"], "active");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn conditions_of_one_space_that_take_all_they_may_do_not_hold_up_another_space() {
    let (host, receiver) = (TestHost::start().await, Receiver::start().await);
    host.ok(Method::POST, "/v1/spaces", json!({"id": "quiet", "name": "Quiet"})).await;
    for condition in [
        "event.data.l.all(x, x in event.data.l)",
        "event.data.l.exists(x, event.data.s.matches('^(a|b)*c$'))",
        "size(event.data.l.map(x, event.data.l + event.data.l)) == 0",
    ] {
        for number in 0..5 {
            let url = receiver.url(&format!("/heavy/{number}"));
            host.subscribe(&url, json!({"condition": condition})).await;
        }
    }
    let numbers: String = (1..90_000).map(|n| format!("{n},")).collect();
    let large = format!(r#"{{"type":"deal.won","data":{{"l":[{numbers}0],"s":"{}"}}}}"#, "ab".repeat(50_000));
    let noise = async {
        let started = Instant::now();
        let posts = (0..4).map(|_| host.call(Method::POST, "/v1/spaces/acme/events", &large));
        (futures::future::join_all(posts).await, started.elapsed())
    };
    let quiet = async {
        let mut slowest = Duration::ZERO;
        for _ in 0..40 {
            let started = Instant::now();
            let posted = host.call(Method::POST, "/v1/spaces/quiet/events", r#"{"type":"a","data":{}}"#).await;
            assert_eq!(posted.0, 202, "{}", posted.1);
            slowest = slowest.max(started.elapsed());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        slowest
    };
    let ((noise, all), slowest) = tokio::join!(noise, quiet);
    assert!(noise.iter().all(|(status, _)| *status == 202));
    // Before there was a budget, the two workers were taken for minutes.
    assert!(slowest < all / 4, "the quiet space's slowest of 40 posts took {slowest:?}, the noise {all:?}");
}
