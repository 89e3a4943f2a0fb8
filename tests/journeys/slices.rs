//! Requests with many deliveries: bounded, and committed in slices.

use std::sync::atomic::{AtomicBool, Ordering};

use reqwest::{Client, Method};
use serde_json::{Value, json};

use crate::support::host::TestHost;

async fn subscribe(host: &TestHost, space: &str, numbers: std::ops::Range<usize>) {
    for number in numbers {
        let url = format!("http://127.0.0.1:9/{number}");
        let subscription = json!({"name": url, "url": url, "event_types": ["*"]});
        host.ok(Method::POST, &format!("/v1/spaces/{space}/subscriptions"), subscription).await;
    }
}

/// Posts so many events in one request.
async fn post_lines(host: &TestHost, space: &str, count: usize) -> (u16, Value) {
    let lines = "{\"type\":\"deal.created\",\"data\":{}}\n".repeat(count);
    let request = Client::builder().no_proxy().build().unwrap().post(format!("{}/v1/spaces/{space}/events", host.base));
    let request = request.bearer_auth(&host.key).header("content-type", "application/x-ndjson").body(lines);
    let response = request.send().await.unwrap();
    (response.status().as_u16(), serde_json::from_str(&response.text().await.unwrap()).unwrap())
}

#[tokio::test]
async fn lines_beyond_the_deliveries_of_one_request_are_refused_with_the_bound() {
    let host = TestHost::start_with(|config| config.accept.batch_deliveries_max = 10).await;
    subscribe(&host, "acme", 0..2).await;
    let (status, answer) = post_lines(&host, "acme", 8).await;
    assert_eq!(status, 207);
    let statuses: Vec<_> = answer["results"].as_array().unwrap().iter().map(|line| line["status"].clone()).collect();
    assert_eq!(statuses, [202, 202, 202, 202, 202, 413, 413, 413]);
    let problem = &answer["results"][5]["problem"];
    assert_eq!(problem["code"], "too_large");
    assert!(problem["detail"].as_str().unwrap().contains("more than 10 deliveries"), "{problem}");

    // One event cannot be divided.
    subscribe(&host, "acme", 2..22).await;
    let (status, answer) = post_lines(&host, "acme", 2).await;
    assert_eq!((status, &answer["results"][0]["deliveries"]), (207, &json!(22)));
}

#[tokio::test]
async fn a_request_is_committed_in_slices() {
    let host = TestHost::start_with(|config| config.accept.commit_deliveries_max = 8).await;
    subscribe(&host, "acme", 0..2).await;
    let before = host.host.store.commits();
    let (status, answer) = post_lines(&host, "acme", 20).await;
    assert_eq!((status, answer["results"].as_array().unwrap().len()), (202, 20));
    assert_eq!(host.host.store.commits() - before, 5);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn others_are_answered_while_a_large_request_is_committed() {
    let host = TestHost::start_with(|config| config.accept.commit_deliveries_max = 50).await;
    host.ok(Method::POST, "/v1/spaces", json!({"id": "noisy", "name": "Noisy"})).await;
    subscribe(&host, "noisy", 0..10).await;
    let over = AtomicBool::new(false);
    let large = async {
        let (status, _) = post_lines(&host, "noisy", 1_000).await;
        over.store(true, Ordering::Relaxed);
        status
    };
    let others = async {
        let mut answered = 0;
        while !over.load(Ordering::Relaxed) {
            host.post("deal.created", "{}").await;
            answered += 1;
        }
        answered
    };
    let (status, answered) = tokio::join!(large, others);
    assert_eq!(status, 202);
    assert!(answered > 20, "{answered} events of the other space were answered meanwhile");
}
