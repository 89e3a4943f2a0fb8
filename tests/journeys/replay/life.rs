//! Canceling, restarting, pausing and deleting in the middle of a replay.

use std::sync::Arc;

use futures::FutureExt as _;
use hookmill_model::{Event, EventId, EventType, SpaceId};
use hookmill_server::queues::Accepting;
use hookmill_store::{Identity, NewEvent};
use reqwest::{Client, Method};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::{SECOND, numbers, pass, post, replay, show, subscribe};
use crate::support::host::TestHost;
use crate::support::receiver::Receiver;

#[tokio::test]
async fn a_canceled_replay_sends_what_it_made_and_no_more() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    post(&host, "deal.won", 0..40).await;
    let path = subscribe(&host, &receiver.url("/"), json!({"in_flight_max": 1})).await;
    let path = replay(&host, &path, json!({"deliveries_per_s": 10})).await;
    pass(&mut host, SECOND).await;
    pass(&mut host, SECOND).await;
    let shown = show(&host, &path).await;
    assert_eq!((&shown["state"], &shown["deliveries"]), (&json!("running"), &json!(20)));
    assert!((0.3..0.7).contains(&shown["progress"].as_f64().unwrap()), "{shown}");
    assert!((1..=3).contains(&shown["remaining_s"].as_u64().unwrap()), "{shown}");
    let cancelled = host.ok(Method::POST, &format!("{path}/cancel"), Value::Null).await;
    assert_eq!((&cancelled["state"], &cancelled["remaining_s"]), (&json!("cancelled"), &Value::Null));
    for _ in 0..5 {
        pass(&mut host, SECOND).await;
    }
    assert_eq!(numbers(&receiver, "/"), (0..20).collect::<Vec<_>>());
    // Again changes nothing, nor does it for one that is done.
    assert_eq!(host.ok(Method::POST, &format!("{path}/cancel"), Value::Null).await, cancelled);
}

#[tokio::test]
async fn a_replay_goes_on_after_a_restart_and_sends_each_event_once() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    post(&host, "deal.won", 0..100).await;
    let subscription = subscribe(&host, &receiver.url("/"), json!({"in_flight_max": 1})).await;
    let path = replay(&host, &subscription, json!({"deliveries_per_s": 15})).await;
    let mut restarts = 0;
    while show(&host, &path).await["state"] == "running" {
        pass(&mut host, SECOND).await;
        host = host.restart().await;
        restarts += 1;
    }
    pass(&mut host, SECOND).await;
    assert_eq!(numbers(&receiver, "/"), (0..100).collect::<Vec<_>>());
    assert_eq!(show(&host, &path).await["deliveries"], 100);
    assert!(restarts >= 6, "{restarts}");
}

#[tokio::test]
async fn a_replay_waits_while_its_subscription_is_paused_and_fails_once_it_is_deleted() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    post(&host, "deal.won", 0..30).await;
    let subscription = subscribe(&host, &receiver.url("/"), json!({"in_flight_max": 1})).await;
    let path = replay(&host, &subscription, json!({"deliveries_per_s": 10})).await;
    pass(&mut host, SECOND).await;
    host.ok(Method::POST, &format!("{subscription}/pause"), Value::Null).await;
    for _ in 0..20 {
        pass(&mut host, SECOND).await;
    }
    let shown = show(&host, &path).await;
    assert_eq!((&shown["state"], &shown["reason"]), (&json!("running"), &json!("the subscription is not active")));
    assert_eq!(shown["deliveries"], 10);
    host.ok(Method::POST, &format!("{subscription}/activate"), Value::Null).await;
    for _ in 0..13 {
        pass(&mut host, SECOND).await;
    }
    assert_eq!(numbers(&receiver, "/"), (0..30).collect::<Vec<_>>());
    let shown = show(&host, &path).await;
    assert_eq!((&shown["state"], &shown["reason"]), (&json!("done"), &Value::Null));

    let path = replay(&host, &subscription, json!({"deliveries_per_s": 10})).await;
    pass(&mut host, SECOND).await;
    host.ok(Method::DELETE, &subscription, Value::Null).await;
    pass(&mut host, SECOND).await;
    let shown = show(&host, &path).await;
    assert_eq!((&shown["state"], &shown["reason"]), (&json!("failed"), &json!("the subscription was deleted")));
    assert_eq!(host.call(Method::GET, &format!("{subscription}/replays"), "").await.0, 404);
}

#[tokio::test]
async fn an_event_that_was_being_accepted_when_the_replay_was_requested_is_not_missed() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    post(&host, "deal.won", 0..2).await;
    // As if a request had been matched before the subscription was there, and its commit took long.
    let accepting = host.host.accepting.begin(&SpaceId::parse("acme").unwrap());
    let (key, accepted_at) = (host.host.store.take_keys(1), host.clock.now());
    host.clock.advance(SECOND);
    let subscription = subscribe(&host, &receiver.url("/"), json!({"in_flight_max": 1})).await;
    let path = replay(&host, &subscription, json!({})).await;
    let steps = {
        let host = host.host.clone();
        tokio::spawn(async move { hookmill_server::replay::run_once(&host).await.unwrap() })
    };
    // Others are not held up.
    post(&host, "deal.won", 3..4).await;
    assert_eq!(show(&host, &path).await["examined"], 0);
    assert!(!steps.is_finished());
    let event = Event {
        space: SpaceId::parse("acme").unwrap(),
        id: EventId::with_key(accepted_at, key),
        kind: EventType::parse("deal.won").unwrap(),
        occurred_at: accepted_at,
        accepted_at,
        data: RawValue::from_string("2".to_owned()).unwrap().into(),
        changed_fields: None,
        previous: None,
    };
    let late = NewEvent { event: Arc::new(event), identity: Identity::Host { key }, values: Vec::new(), deliveries: Vec::new() };
    host.host.store.accept(vec![late]).await.unwrap();
    drop(accepting);
    steps.await.unwrap();
    for _ in 0..2 {
        pass(&mut host, SECOND).await;
    }
    let mut all = numbers(&receiver, "/");
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2, 3]);
    assert_eq!(show(&host, &path).await["deliveries"], 3);
}

#[test]
fn what_began_to_be_accepted_before_is_waited_for_and_what_begins_after_is_not() {
    let (accepting, space) = (Accepting::default(), SpaceId::parse("acme").unwrap());
    assert!(accepting.settled(&space).now_or_never().is_some());
    let (first, second) = (accepting.begin(&space), accepting.begin(&space));
    let mut settled = Box::pin(accepting.settled(&space));
    assert!(settled.as_mut().now_or_never().is_none());
    let later = accepting.begin(&space);
    // Another replay waits for all three; one of another space for none.
    let mut again = Box::pin(accepting.settled(&space));
    assert!(again.as_mut().now_or_never().is_none());
    assert!(accepting.settled(&SpaceId::parse("other").unwrap()).now_or_never().is_some());
    drop(first);
    assert!(settled.as_mut().now_or_never().is_none());
    drop(second);
    assert!(settled.now_or_never().is_some());
    assert!(again.as_mut().now_or_never().is_none());
    drop(later);
    assert!(again.now_or_never().is_some());
}

#[tokio::test]
async fn replays_are_listed_newest_first_and_another_space_does_not_see_them() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    host.ok(Method::POST, "/v1/spaces", json!({"id": "other"})).await;
    post(&host, "deal.won", 0..3).await;
    let subscription = subscribe(&host, &receiver.url("/"), json!({})).await;
    let mut made = Vec::new();
    for _ in 0..3 {
        made.insert(0, replay(&host, &subscription, json!({})).await);
        pass(&mut host, SECOND).await;
    }
    let list = format!("{subscription}/replays");
    let first = host.ok(Method::GET, &format!("{list}?limit=2"), Value::Null).await;
    let next = format!("{list}?cursor={}", first["next_cursor"].as_str().unwrap());
    let pages = [first, host.ok(Method::GET, &next, Value::Null).await];
    let shown: Vec<Value> = pages.iter().flat_map(|page| page["data"].as_array().unwrap().clone()).collect();
    let paths: Vec<_> = shown.iter().map(|replay| format!("{list}/{}", replay["id"].as_str().unwrap())).collect();
    assert_eq!(paths, made);
    assert_eq!(show(&host, &made[0]).await, shown[0]);

    let elsewhere = |path: &str| path.replace("/acme/", "/other/");
    let body = json!({"since": "2026-01-01T00:00:00Z"});
    for (method, path, body) in [
        (Method::GET, made[0].clone(), Value::Null),
        (Method::POST, format!("{}/cancel", made[0]), Value::Null),
        (Method::GET, list.clone(), Value::Null),
        (Method::POST, list.clone(), body.clone()),
    ] {
        let (status, problem) = host.call(method, &elsewhere(&path), body).await;
        assert_eq!((status.as_u16(), &problem["code"]), (404, &json!("not_found")), "{path}: {problem}");
    }
    // Of the same space, but of another subscription.
    let second = subscribe(&host, &receiver.url("/2"), json!({})).await;
    let id = shown[0]["id"].as_str().unwrap();
    assert_eq!(host.call(Method::GET, &format!("{second}/replays/{id}"), "").await.0, 404);
    // Who may read the space may not start any.
    let key = json!({"name": "k", "role": "read", "space": "acme"});
    let reader = host.ok(Method::POST, "/v1/keys", key).await["key"].as_str().unwrap().to_owned();
    for (method, path, status) in [
        (Method::GET, made[0].clone(), 200),
        (Method::GET, list.clone(), 200),
        (Method::POST, list.clone(), 403),
        (Method::POST, format!("{}/cancel", made[0]), 403),
    ] {
        let request = Client::new().request(method, format!("{}{path}", host.base)).bearer_auth(&reader);
        let request = request.header("content-type", "application/json").body(body.to_string());
        assert_eq!(request.send().await.unwrap().status(), status, "{path}");
    }
}
