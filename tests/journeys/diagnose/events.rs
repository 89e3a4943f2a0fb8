//! Diagnose: which of the last events matched, and why the others did not.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::{assert_found, diagnosed, of, path, put_event_type};
use crate::support::host::TestHost;
use crate::support::receiver::{Receiver, Reply};

#[tokio::test]
async fn why_the_last_events_did_not_match_is_told_with_examples() {
    let (host, receiver) = (TestHost::start().await, Receiver::start().await);
    let of_deals = |more: Value| {
        let mut all = json!({"event_types": ["deal.created"]});
        all.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        all
    };
    let plain = host.subscribe(&receiver.url("/plain"), of_deals(json!({}))).await;
    let diagnosis = diagnosed(&host, &plain).await;
    assert_found(&diagnosis, "events", "warning", &["there are no events in this space", "/v1/spaces/acme/events"]);

    host.post("lead.created", "{}").await;
    let diagnosis = diagnosed(&host, &plain).await;
    let words = ["1 events in this space, 0 match", "of another type: 1", "selects `deal.created`", "lead.created"];
    assert_found(&diagnosis, "events", "warning", &words);

    let event = host.post("deal.created", r#"{"value": 5}"#).await;
    assert_found(&diagnosed(&host, &plain).await, "events", "ok", &["2 events in this space, 1 match"]);

    let more = of_deals(json!({"condition": "event.data.value > 10"}));
    let conditional = host.subscribe(&receiver.url("/condition"), more).await;
    let id = event["id"].as_str().unwrap();
    let words = ["condition is false: 1", id, "`event.data.value > 10` with the data"];
    assert_found(&diagnosed(&host, &conditional).await, "events", "warning", &words);

    let more = of_deals(json!({"condition": "event.data.nothing > 10"}));
    let failing = host.subscribe(&receiver.url("/failing"), more).await;
    let words = ["condition cannot be evaluated: 1", "nothing", "has("];
    assert_found(&diagnosed(&host, &failing).await, "events", "warning", &words);

    let more = of_deals(json!({"trigger": {"fields": ["value"]}}));
    let triggered = host.subscribe(&receiver.url("/trigger"), more).await;
    let words = ["without a change that fires the trigger: 1", "changed_fields"];
    assert_found(&diagnosed(&host, &triggered).await, "events", "warning", &words);
}

#[tokio::test]
async fn a_draft_that_chose_no_events_is_told_to_choose_some() {
    let (host, receiver) = (TestHost::start().await, Receiver::start().await);
    let draft = host.subscribe(&receiver.url("/"), json!({"state": "draft", "event_types": []})).await;
    assert_found(&diagnosed(&host, &draft).await, "events", "problem", &["selects no event types", &path(&draft, "")]);
}

#[tokio::test]
async fn the_hosts_own_events_match_whoever_names_them_and_not_who_wants_all() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    receiver.otherwise(Reply::status(500));
    let all = host.subscribe(&receiver.url("/all"), json!({"retry": {"schedule_s": []}})).await;
    host.post("deal.created", "{}").await;
    for _ in 0..2 {
        host.advance(Duration::from_secs(3_600)).await;
    }
    let words = ["of the last 2 events in this space, 1 match", "(delivery.failed): operational events"];
    assert_found(&diagnosed(&host, &all).await, "events", "ok", &words);
    let failures = json!({"event_types": ["delivery.failed"], "state": "draft"});
    let failures = host.subscribe(&receiver.url("/failures"), failures).await;
    assert_found(&diagnosed(&host, &failures).await, "events", "ok", &["2 events in this space, 1 match"]);
}

#[tokio::test]
async fn of_many_events_twenty_are_judged_and_five_shown_those_first_that_came_closest() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    host.post("deal.created", r#"{"value": 11}"#).await;
    for _ in 0..19 {
        host.post("lead.created", "{}").await;
    }
    host.advance(Duration::from_secs(1)).await;
    let more = json!({"event_types": ["deal.created"], "condition": "event.data.value < 11"});
    let subscription = host.subscribe(&receiver.url("/"), more).await;
    let [found] = &of(&diagnosed(&host, &subscription).await, "events")[..] else { panic!("not one") };
    assert!(found.contains("of the last 20 events in this space, 0 match; of another type: 19"), "{found}");
    assert_eq!(found.matches("(lead.created): ").count(), 4, "{found}");
    assert_eq!(found.matches("(deal.created): the condition is false").count(), 1, "{found}");

    host.ok(Method::PATCH, &path(&subscription, ""), json!({"condition": null})).await;
    let [found] = &of(&diagnosed(&host, &subscription).await, "events")[..] else { panic!("not one") };
    assert!(found.contains("before the subscription was created, and so not sent: 1"), "{found}");
    host.post("lead.created", "{}").await;
    assert_found(&diagnosed(&host, &subscription).await, "events", "warning", &["last 20", "0 match"]);
}

#[tokio::test]
async fn a_type_that_the_catalog_does_not_know_is_told_with_the_nearest_one() {
    let (host, receiver) = (TestHost::start().await, Receiver::start().await);
    host.post("lead.created", "{}").await;
    let types = json!(["deal.craeted", "daels.*", "lead.*", "lead.created", "something.else", "delivery.failed", "*"]);
    let subscription = host.subscribe(&receiver.url("/"), json!({"event_types": types})).await;
    assert_eq!(of(&diagnosed(&host, &subscription).await, "events").len(), 1, "there is no catalog");
    for kind in ["deal.created", "deal.updated", "deal.status.changed"] {
        put_event_type(&host, kind, json!({})).await;
    }
    let found = of(&diagnosed(&host, &subscription).await, "events");
    assert_eq!(found.len(), 4, "{found:#?}");
    assert!(found[1].starts_with("warning: the subscription selects `deal.craeted`"), "{}", found[1]);
    assert!(found[1].contains("did you mean `deal.created`?"), "{}", found[1]);
    assert!(found[2].contains("did you mean `deal.*`?"), "{}", found[2]);
    assert!(found[3].contains("`something.else`") && !found[3].contains("did you mean"), "{}", found[3]);
}
