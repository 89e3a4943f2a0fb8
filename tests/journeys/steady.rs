//! Forgetting and erasing beside a steady load: posts take hardly longer.
//!
//! The suite runs a short version, whose times are only printed: other tests share the machine. The measured one:
//! `HOOKMILL_STEADY_EVENTS=20000 cargo test --test tests steady:: -- --nocapture`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hookmill_model::{DeliveryState, Outcome, SentRequest, SubscriptionId};
use hookmill_server::{erasure, retention};
use hookmill_store::Store;
use jiff::Timestamp;
use reqwest::{Client, Method};
use serde_json::json;
use tokio::time::Instant;

use crate::store::{To as _, answered, event_at, record};
use crate::support::host::TestHost;
use crate::support::receiver::Receiver;

/// Posts in a second.
const RATE: u32 = 100;

/// Posts that may wait for their responses.
const POSTERS: u32 = 16;

const EMAIL: &str = "person@example.com";

/// Stores events of 1 KB that were accepted then, each with a delivery and its attempt.
async fn stored(store: &Arc<dyn Store>, subscription: SubscriptionId, count: usize, at: Timestamp) {
    let space = "acme".parse().unwrap();
    for first in (0..count).step_by(100) {
        let events = (first..first + 100).map(|number| {
            let data = json!({"email": EMAIL, "number": number, "filler": "x".repeat(900)}).to_string();
            event_at(&space, &format!("{at}-{number}").replace(' ', ""), &data, at).to(subscription, at)
        });
        store.accept(events.collect()).await.unwrap();
        let leased =
            store.lease_due(at, at + Duration::from_secs(60), vec![(subscription, 100)], usize::MAX).await.unwrap();
        let records = leased.iter().map(|delivery| {
            let mut made = record(delivery, Some(Outcome::Succeeded(answered(200))), DeliveryState::Delivered);
            made.at = at;
            made.attempt.as_mut().unwrap().request = Some(SentRequest {
                method: "POST".to_owned(),
                url: "https://example.com/".to_owned(),
                headers: vec![("content-type".to_owned(), "application/json".to_owned())],
                body: delivery.event.data.get().to_owned().into(),
                signature_headers: 0,
                sealed: vec![],
            });
            made
        });
        store.record(records.collect::<Vec<_>>().into()).await.unwrap();
    }
}

/// Posts at the rate until told to stop; returns how long each post took from when it should have been made.
async fn load(base: String, key: String, stop: Arc<AtomicBool>) -> Vec<Duration> {
    let client = Client::builder().no_proxy().build().unwrap();
    let begin = Instant::now();
    let posters = (0..POSTERS).map(|poster| {
        let (client, base, key, stop) = (client.clone(), base.clone(), key.clone(), stop.clone());
        tokio::spawn(async move {
            let mut times = Vec::new();
            let body = json!({"type": "steady.load", "data": {"filler": "y".repeat(900)}}).to_string();
            for number in (poster..).step_by(POSTERS as usize) {
                let due = begin + number * Duration::from_secs(1) / RATE;
                tokio::time::sleep_until(due).await;
                if stop.load(Ordering::Relaxed) {
                    break;
                }
                let request = client.post(format!("{base}/v1/spaces/acme/events")).bearer_auth(&key);
                let answer =
                    request.header("content-type", "application/json").body(body.clone()).send().await.unwrap();
                assert_eq!(answer.status(), 202);
                times.push(due.elapsed());
            }
            times
        })
    });
    let mut all: Vec<_> = futures::future::join_all(posters).await.into_iter().flat_map(Result::unwrap).collect();
    all.sort_unstable();
    all
}

/// The load's times while some work is done.
async fn beside(host: &TestHost, work: impl Future<Output = ()>) -> Vec<Duration> {
    let stop = Arc::new(AtomicBool::new(false));
    let load = tokio::spawn(load(host.base.clone(), host.key.clone(), stop.clone()));
    work.await;
    stop.store(true, Ordering::Relaxed);
    load.await.unwrap()
}

fn p(times: &[Duration], part: f64) -> f64 {
    times[((times.len() - 1) as f64 * part) as usize].as_secs_f64() * 1e3
}

#[tokio::test(flavor = "multi_thread")]
async fn posts_take_hardly_longer_while_history_is_forgotten_and_erased() {
    let measured = std::env::var("HOOKMILL_STEADY_EVENTS").map(|count| count.parse().expect("HOOKMILL_STEADY_EVENTS"));
    let count = *measured.as_ref().unwrap_or(&500);
    let receiver = Receiver::start().await;
    let host = TestHost::start().await;
    let subscription = host.subscribe(&receiver.url("/"), json!({"event_types": ["lead.create"]})).await;
    let subscription = subscription["id"].as_str().unwrap().parse().unwrap();
    let now = host.clock.now();
    for days in [31, 1] {
        stored(&host.host.store, subscription, count, now - days * Duration::from_secs(24 * 60 * 60)).await;
    }
    let seconds = if measured.is_ok() { 15 } else { 1 };
    beside(&host, tokio::time::sleep(Duration::from_secs(2))).await;
    let quiet = beside(&host, tokio::time::sleep(Duration::from_secs(seconds))).await;

    let began = Instant::now();
    let forgetting = beside(&host, async { assert_eq!(retention::run_once(&host.host).await.unwrap(), count) }).await;
    let forgot = began.elapsed();

    let began = Instant::now();
    let erasing = beside(&host, async {
        host.ok(Method::POST, "/v1/spaces/acme/erasures", json!({"path": "email", "value": EMAIL})).await;
        erasure::run_once(&host.host).await.unwrap();
    });
    let erasing = erasing.await;
    let erased = began.elapsed();

    let events = host.database().query_row("SELECT count(*) FROM attempts", [], |row| row.get::<_, i64>(0)).unwrap();
    assert_eq!(events, 0);
    for (what, times, took) in [
        ("quiet", &quiet, Duration::from_secs(seconds)),
        ("forgetting", &forgetting, forgot),
        ("erasing", &erasing, erased),
    ] {
        println!(
            "{what}: {count} events in {took:.1?}; {} posts, p50 {:.1} ms, p99 {:.1} ms, {:.2} times the quiet p99",
            times.len(),
            p(times, 0.5),
            p(times, 0.99),
            p(times, 0.99) / p(&quiet, 0.99),
        );
        if measured.is_ok() {
            assert!(p(times, 0.99) < 2.0 * p(&quiet, 0.99).max(5.0), "{what}");
        }
    }
}
