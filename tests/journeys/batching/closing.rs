//! When a batch closes, and what goes into it.

use reqwest::Method;
use serde_json::{Value, json};

use super::{ACTIVITY, MINUTE, Poster, SECOND, activity, carried, deliveries, leadsquared, numbers, start};
use crate::support::host::TestHost;
use crate::support::receiver::{Received, Reply};

/// Posts activities of these numbers.
async fn post(host: &TestHost, numbers: impl IntoIterator<Item = usize>) {
    for number in numbers {
        host.post(ACTIVITY, &activity(number)).await;
    }
}

fn small() -> Value {
    json!({"batch": {"window_s": 60, "max": 3}})
}

#[tokio::test]
async fn a_full_batch_goes_at_once_and_the_next_event_opens_another() {
    let (mut host, receiver) = start().await;
    leadsquared(&host, &receiver.url("/"), small()).await;
    post(&host, 0..4).await;
    host.settle().await;
    assert_eq!(carried(&receiver), [[0, 1, 2]]);
    host.advance(MINUTE).await;
    assert_eq!(carried(&receiver), [vec![0, 1, 2], vec![3]]);
}

#[tokio::test]
async fn an_event_at_the_end_of_the_window_opens_another_batch() {
    let (mut host, receiver) = start().await;
    leadsquared(&host, &receiver.url("/"), json!({})).await;
    post(&host, [0]).await;
    host.clock.advance(MINUTE - SECOND);
    post(&host, [1]).await;
    host.clock.advance(SECOND);
    post(&host, [2]).await;
    host.settle().await;
    assert_eq!(carried(&receiver), [[0, 1]]);
    host.advance(MINUTE).await;
    assert_eq!(carried(&receiver), [vec![0, 1], vec![2]]);
}

#[tokio::test]
async fn the_execution_delay_begins_where_the_batch_ends() {
    let (mut host, receiver) = start().await;
    leadsquared(&host, &receiver.url("/"), json!({"delay_s": 30})).await;
    post(&host, [0]).await;
    host.advance(59 * SECOND).await;
    post(&host, [1]).await;
    host.advance(2 * SECOND).await;
    // The window is over, so this one is of the next batch although the first one still waits.
    post(&host, [2]).await;
    host.advance(28 * SECOND).await;
    assert_eq!(receiver.requests().len(), 0);
    host.advance(SECOND).await;
    assert_eq!(carried(&receiver), [[0, 1]]);
    host.advance(61 * SECOND).await;
    assert_eq!(carried(&receiver), [vec![0, 1], vec![2]]);
}

#[tokio::test]
async fn the_execution_delay_of_a_full_batch_begins_at_once() {
    let (mut host, receiver) = start().await;
    leadsquared(&host, &receiver.url("/"), json!({"delay_s": 30, "batch": {"window_s": 60, "max": 3}})).await;
    post(&host, 0..3).await;
    host.advance(29 * SECOND).await;
    assert_eq!(receiver.requests().len(), 0);
    host.advance(SECOND).await;
    assert_eq!(carried(&receiver), [[0, 1, 2]]);
}

#[tokio::test]
async fn neither_types_nor_subscriptions_are_mixed() {
    let (mut host, receiver) = start().await;
    for path in ["/a", "/b"] {
        leadsquared(&host, &receiver.url(path), json!({})).await;
    }
    for number in 0..4 {
        let kind = ["SalesActivity_Post_Create", "AccountActivity_Post_Create"][number % 2];
        host.post(kind, &activity(number)).await;
    }
    host.advance(MINUTE).await;
    let of = |request: &Received| {
        let (path, query) = request.target.split_once('?').unwrap();
        format!("{path} {} {:?}", query.rsplit('=').next().unwrap(), numbers(request))
    };
    let mut requests: Vec<_> = receiver.requests().iter().map(of).collect();
    requests.sort_unstable();
    let expected = ["/a", "/b"].map(|path| {
        [format!("{path} AccountActivity_Post_Create [1, 3]"), format!("{path} SalesActivity_Post_Create [0, 2]")]
    });
    assert_eq!(requests, expected.concat());
}

#[tokio::test]
async fn a_batch_that_was_sent_before_its_end_takes_no_more_events() {
    let (mut host, receiver) = start().await;
    receiver.script("/", [Reply::status(500)]);
    leadsquared(&host, &receiver.url("/"), json!({})).await;
    post(&host, 0..2).await;
    let id = deliveries(&host).await[0]["id"].as_str().unwrap().to_owned();
    host.ok(Method::POST, &format!("/v1/spaces/acme/deliveries/{id}/resend"), Value::Null).await;
    host.settle().await;
    assert_eq!(carried(&receiver), [[0, 1]]);
    post(&host, [2]).await;
    host.advance(MINUTE).await;
    let mut batches = carried(&receiver);
    batches.sort_unstable();
    assert_eq!(batches, [vec![0, 1], vec![0, 1], vec![2]]);
}

#[tokio::test]
async fn a_batch_that_is_being_sent_takes_no_more_events() {
    let (mut host, receiver) = start().await;
    receiver.script("/", [Reply::Hang]);
    leadsquared(&host, &receiver.url("/"), json!({"timeout_ms": 1_000})).await;
    post(&host, 0..2).await;
    // Deliveries of one millisecond are in no order.
    host.clock.advance(SECOND);
    let id = deliveries(&host).await[0]["id"].as_str().unwrap().to_owned();
    host.ok(Method::POST, &format!("/v1/spaces/acme/deliveries/{id}/resend"), Value::Null).await;
    let later = Poster::of(&host);
    let meanwhile = async {
        receiver.take(1).await;
        later.post(2).await;
    };
    tokio::join!(host.settle(), meanwhile);
    let counts: Vec<_> = deliveries(&host).await.iter().map(|delivery| delivery["event_count"].clone()).collect();
    assert_eq!(counts, [2, 1]);
    host.advance(MINUTE).await;
    let mut batches = carried(&receiver);
    batches.sort_unstable();
    assert_eq!(batches, [vec![0, 1], vec![0, 1], vec![2]]);
}

#[tokio::test]
async fn a_batch_waits_while_its_subscription_is_paused_and_events_pass_it_by() {
    let (mut host, receiver) = start().await;
    let made = leadsquared(&host, &receiver.url("/"), json!({})).await;
    let path = format!("/v1/spaces/acme/subscriptions/{}", made["id"].as_str().unwrap());
    post(&host, [0]).await;
    host.ok(Method::POST, &format!("{path}/pause"), Value::Null).await;
    assert_eq!(host.post(ACTIVITY, &activity(1)).await["deliveries"], 0);
    host.advance(2 * MINUTE).await;
    assert_eq!(receiver.requests().len(), 0);

    host.ok(Method::POST, &format!("{path}/activate"), Value::Null).await;
    post(&host, [2]).await;
    host.settle().await;
    assert_eq!(carried(&receiver), [[0]], "its window was over");
    host.advance(MINUTE).await;
    assert_eq!(carried(&receiver), [[0], [2]]);
}

#[tokio::test]
async fn a_batch_goes_on_after_a_pause_within_its_window() {
    let (mut host, receiver) = start().await;
    let made = leadsquared(&host, &receiver.url("/"), json!({})).await;
    let path = format!("/v1/spaces/acme/subscriptions/{}", made["id"].as_str().unwrap());
    post(&host, [0]).await;
    host.ok(Method::POST, &format!("{path}/pause"), Value::Null).await;
    host.advance(10 * SECOND).await;
    host.ok(Method::POST, &format!("{path}/activate"), Value::Null).await;
    post(&host, [1]).await;
    host.advance(MINUTE).await;
    let mut sent = carried(&receiver).concat();
    sent.sort_unstable();
    assert_eq!(sent, [0, 1]);
}

#[tokio::test]
async fn a_batch_that_failed_is_tried_again_with_the_same_events() {
    let (mut host, receiver) = start().await;
    receiver.script("/", [Reply::status(500)]);
    leadsquared(&host, &receiver.url("/"), json!({})).await;
    post(&host, 0..3).await;
    host.advance(MINUTE).await;
    post(&host, 3..5).await;
    host.advance(MINUTE).await;
    let mut batches = carried(&receiver);
    batches.sort_unstable();
    assert_eq!(batches, [vec![0, 1, 2], vec![0, 1, 2], vec![3, 4]]);
    let deliveries = deliveries(&host).await;
    let shown: Vec<_> =
        deliveries.iter().map(|delivery| (&delivery["profile_status"], &delivery["attempt_count"])).collect();
    assert_eq!(shown, [(&json!("Success"), &json!(2)), (&json!("Success"), &json!(1))]);
}

#[tokio::test]
async fn four_mebibytes_of_data_close_a_batch() {
    let (mut host, receiver) = start().await;
    leadsquared(&host, &receiver.url("/"), json!({})).await;
    // Four of them are just below the limit, five above it.
    let filler = "x".repeat(1_000_000);
    for number in 0..5 {
        let data = format!(r#"{{"ProspectActivityId":"a-{number}","Note":"{filler}"}}"#);
        host.post(ACTIVITY, &data).await;
    }
    host.advance(MINUTE).await;
    let mut batches = carried(&receiver);
    batches.sort_unstable();
    assert_eq!(batches, [vec![0, 1, 2, 3], vec![4]]);
}

#[tokio::test]
async fn each_event_of_a_batch_finds_its_delivery() {
    let (mut host, receiver) = start().await;
    leadsquared(&host, &receiver.url("/"), json!({})).await;
    let mut events = Vec::new();
    for number in 0..3 {
        let receipt = host.post(ACTIVITY, &activity(number)).await;
        assert_eq!(receipt["deliveries"], 1);
        events.push(receipt["id"].clone());
    }
    host.advance(MINUTE).await;
    let delivery = host.delivery().await;
    assert_eq!((&delivery["event_count"], &delivery["event_ids"]), (&json!(3), &json!(events)));
    for event in &events {
        let event = event.as_str().unwrap();
        let found = host.ok(Method::GET, &format!("/v1/spaces/acme/deliveries?event={event}"), Value::Null).await;
        assert_eq!(found["data"].as_array().unwrap().len(), 1);
        assert_eq!(found["data"][0]["id"], delivery["id"]);
        let shown = host.ok(Method::GET, &format!("/v1/spaces/acme/events/{event}"), Value::Null).await;
        assert_eq!(shown["deliveries"], 1);
    }
}

#[tokio::test]
async fn a_repeated_event_does_not_stand_in_a_batch_twice() {
    let (mut host, receiver) = start().await;
    leadsquared(&host, &receiver.url("/"), json!({})).await;
    let event = format!(r#"{{"id":"e1","type":"{ACTIVITY}","data":{}}}"#, activity(0));
    for _ in 0..2 {
        let (status, receipt) = host.call(Method::POST, "/v1/spaces/acme/events", &event).await;
        assert_eq!((status.as_u16(), &receipt["deliveries"]), (202, &json!(1)));
    }
    host.advance(MINUTE).await;
    assert_eq!(carried(&receiver), [[0]]);
}
