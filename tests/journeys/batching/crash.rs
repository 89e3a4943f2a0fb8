//! A thousand activities in three minutes, with and without a crash between them.

use std::collections::BTreeSet;
use std::ops::Range;

use hookmill_server::config::Config;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::{ACTIVITY, MINUTE, Poster, STEP, activity, carried, crash_image, deliveries, leadsquared, numbers, start};
use crate::support::host::TestHost;
use crate::support::receiver::{Receiver, Reply};

/// One every [`STEP`], for three minutes.
const EVENTS: usize = 1_000;

#[tokio::test]
async fn a_thousand_activities_in_three_minutes_are_three_requests() {
    let (mut host, receiver) = start().await;
    leadsquared(&host, &receiver.url("/"), json!({})).await;
    for number in 0..EVENTS {
        host.post(ACTIVITY, &activity(number)).await;
        host.advance(STEP).await;
    }
    host.advance(MINUTE).await;
    let batches = carried(&receiver);
    assert_eq!(batches.len(), 3);
    assert_eq!(batches.concat(), (0..EVENTS).collect::<Vec<_>>());
    // A batch opens with its first event and is closed a minute later.
    assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [334, 334, 332]);
    let deliveries = deliveries(&host).await;
    assert_eq!(deliveries.iter().map(|delivery| &delivery["event_count"]).collect::<Vec<_>>(), [334, 334, 332]);
    assert!(deliveries.iter().all(|delivery| delivery["profile_status"] == "Success"), "{deliveries:?}");
}

#[tokio::test]
async fn a_crash_with_a_batch_half_full_and_one_in_flight_loses_and_doubles_nothing() {
    const FIRST: usize = 334;
    const CRASH_AT: usize = 500;
    let (mut host, receiver) = start().await;
    leadsquared(&host, &receiver.url("/"), json!({})).await;
    for number in 0..FIRST - 1 {
        host.post(ACTIVITY, &activity(number)).await;
        host.advance(STEP).await;
    }
    let image = crash(&mut host, &receiver, FIRST - 1..CRASH_AT).await;
    let config = Config { data_dir: image.path().to_owned(), ..host.host.config.clone() };
    let (clock, key) = (host.clock.clone(), host.key.clone());
    drop(host);

    let mut host = TestHost::open(image, config, clock, Some(key)).await;
    host.settle().await;
    assert_eq!(receiver.requests().len(), 2, "what was in flight goes out again, what is half full does not");
    for number in CRASH_AT..EVENTS {
        host.post(ACTIVITY, &activity(number)).await;
        host.advance(STEP).await;
    }
    host.advance(MINUTE).await;
    check(&host, &receiver).await;
}

/// Posts the last activity of the first batch, which the host begins to send, and the others while it is sent; returns
/// what a crash then leaves.
async fn crash(host: &mut TestHost, receiver: &Receiver, mut numbers: Range<usize>) -> TempDir {
    let (poster, data_dir) = (Poster::of(host), host.host.config.data_dir.clone());
    receiver.script("/", [Reply::Hang]);
    poster.post(numbers.next().unwrap()).await;
    let meanwhile = async {
        receiver.take(1).await;
        for number in numbers {
            poster.post(number).await;
        }
        crash_image(&data_dir)
    };
    tokio::select! {
        () = host.settle() => panic!("the receiver did not hold the first batch up"),
        image = meanwhile => image,
    }
}

/// Each activity is in one batch, and only the batch that was in flight came twice, as the same delivery.
async fn check(host: &TestHost, receiver: &Receiver) {
    let requests = receiver.requests();
    assert_eq!(requests.len(), 4);
    assert_eq!((&requests[0].body, &requests[0].target), (&requests[1].body, &requests[1].target));
    assert_eq!(requests[1..].iter().flat_map(numbers).collect::<Vec<_>>(), (0..EVENTS).collect::<Vec<_>>());

    let deliveries = deliveries(host).await;
    assert_eq!(deliveries.len(), 3);
    let mut events = BTreeSet::new();
    for delivery in &deliveries {
        let delivery = host.delivery_of(delivery["id"].as_str().unwrap()).await;
        assert_eq!((&delivery["profile_status"], &delivery["attempt_count"]), (&json!("Success"), &json!(1)));
        events.extend(delivery["event_ids"].as_array().unwrap().iter().map(Value::to_string));
    }
    let counts: u64 = deliveries.iter().map(|delivery| delivery["event_count"].as_u64().unwrap()).sum();
    assert_eq!((counts, events.len()), (EVENTS as u64, EVENTS));
}
