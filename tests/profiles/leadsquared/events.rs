//! The event in a request: the parameters, the data, and batched activities.

use std::collections::HashMap;

use hookmill_server::subscriptions::profile;
use serde_json::json;
use url::Url;

use super::{CREATED, LEAD, MINUTE, SECOND, start, webhook};
use crate::support::receiver::Received;

const ACTIVITY: &str = "SalesActivity_Post_Update";

/// Parameters of a request's query, in order.
fn query(request: &Received) -> Vec<(String, String)> {
    let url = Url::parse(&format!("http://receiver{}", request.target)).unwrap();
    url.query_pairs().into_owned().collect()
}

#[tokio::test]
async fn three_parameters_identify_the_webhook_and_the_event() {
    let (mut host, receiver) = start().await;
    let made = webhook(&host, &receiver.url("/leads/add"), json!({"event_types": [ACTIVITY]})).await;
    host.post(ACTIVITY, "{}").await;
    host.advance(MINUTE).await;
    let id = made["id"].as_str().unwrap();
    let target = format!("/leads/add?entityType=Webhook&entityId={id}&eventType=SalesActivity_Post_Update");
    assert_eq!(receiver.take(1).await[0].target, target);
}

/// The text has `webhook`, its example `Webhook`.
#[tokio::test]
async fn the_entity_type_is_webhook_with_a_capital() {
    let (mut host, receiver) = start().await;
    webhook(&host, &receiver.url("/"), json!({})).await;
    host.post(CREATED, LEAD).await;
    host.settle().await;
    assert_eq!(query(&receiver.take(1).await[0])[0], ("entityType".to_owned(), "Webhook".to_owned()));
}

#[tokio::test]
async fn a_rule_or_an_automation_can_take_the_place_of_the_webhook() {
    let (mut host, receiver) = start().await;
    for (path, kind) in [("/rule", "rule"), ("/automation", "automation")] {
        let parameters = json!([{"name": "entityType", "value": kind}, {"name": "entityId", "value": "b329c2b2"}]);
        webhook(&host, &receiver.url(path), json!({"query": parameters})).await;
    }
    host.post(CREATED, LEAD).await;
    host.settle().await;
    let mut targets: Vec<_> = receiver.take(2).await.into_iter().map(|request| request.target).collect();
    targets.sort_unstable();
    assert_eq!(
        targets,
        ["/automation?entityType=automation&entityId=b329c2b2", "/rule?entityType=rule&entityId=b329c2b2"]
    );
}

#[tokio::test]
async fn an_existing_query_is_kept() {
    let (mut host, receiver) = start().await;
    webhook(&host, &receiver.url("/add?key=a%20b&entityType=own&empty="), json!({})).await;
    host.post(CREATED, LEAD).await;
    host.settle().await;
    let request = receiver.take(1).await.remove(0);
    assert!(
        request.target.starts_with("/add?key=a%20b&entityType=own&empty=&entityType=Webhook&"),
        "{}",
        request.target
    );
    assert_eq!(query(&request).len(), 6);
}

#[tokio::test]
async fn values_of_parameters_are_encoded() {
    let (mut host, receiver) = start().await;
    let parameters = json!([{"name": "eventType", "value": "{event.type}"}, {"name": "q & a", "value": "ą+b=c d#?"}]);
    webhook(&host, &receiver.url("/"), json!({"event_types": ["Lead/Web_Post_Create"], "query": parameters})).await;
    host.post("Lead/Web_Post_Create", LEAD).await;
    host.settle().await;
    let request = receiver.take(1).await.remove(0);
    assert_eq!(request.target, "/?eventType=Lead%2FWeb_Post_Create&q%20%26%20a=%C4%85%2Bb%3Dc%20d%23%3F");
    assert_eq!(query(&request)[1], ("q & a".to_owned(), "ą+b=c d#?".to_owned()));
}

#[tokio::test]
async fn activities_within_a_minute_are_one_request() {
    let (mut host, receiver) = start().await;
    webhook(&host, &receiver.url("/"), json!({"event_types": ["*"]})).await;
    for number in 1..=3 {
        host.post(ACTIVITY, &format!(r#"{{"ProspectActivityId":"a-{number}","Score":12.50}}"#)).await;
        host.advance(19 * SECOND).await;
    }
    assert_eq!(receiver.requests().len(), 0);
    host.advance(3 * SECOND).await;
    let all = [1, 2, 3].map(|number| format!(r#"{{"ProspectActivityId":"a-{number}","Score":12.50}}"#)).join(",");
    assert_eq!(receiver.take(1).await[0].text(), format!("[{all}]"));
    host.advance(10 * MINUTE).await;
    assert_eq!(receiver.requests().len(), 1);
}

#[tokio::test]
async fn an_activity_alone_is_a_list_of_one() {
    let (mut host, receiver) = start().await;
    webhook(&host, &receiver.url("/"), json!({"event_types": [ACTIVITY]})).await;
    host.post(ACTIVITY, r#"{"ProspectActivityId":"a-1"}"#).await;
    host.advance(MINUTE).await;
    assert_eq!(receiver.take(1).await[0].text(), r#"[{"ProspectActivityId":"a-1"}]"#);
}

/// A list has no names for a query, a form has.
#[tokio::test]
async fn a_get_carries_activities_in_the_query_as_a_form() {
    let (mut host, receiver) = start().await;
    let form = json!({"event_types": [ACTIVITY], "method": "GET", "content_type": "application/x-www-form-urlencoded"});
    webhook(&host, &receiver.url("/"), form).await;
    for number in 1..=2 {
        host.post(ACTIVITY, &format!(r#"{{"Id":"a-{number}","Score":12.50}}"#)).await;
    }
    host.advance(MINUTE).await;
    let fields = query(&receiver.take(1).await[0]).split_off(3);
    let expected = [("0[Id]", "a-1"), ("0[Score]", "12.50"), ("1[Id]", "a-2"), ("1[Score]", "12.50")];
    assert_eq!(fields, expected.map(|(name, value)| (name.to_owned(), value.to_owned())));
}

#[tokio::test]
async fn other_events_are_sent_alone_and_at_once() {
    let (mut host, receiver) = start().await;
    webhook(&host, &receiver.url("/"), json!({})).await;
    for _ in 0..2 {
        host.post(CREATED, LEAD).await;
    }
    host.settle().await;
    assert!(receiver.take(2).await.iter().all(|request| request.text() == LEAD));
}

#[tokio::test]
async fn every_event_of_the_catalog_arrives_under_its_event_type() {
    let (mut host, receiver) = start().await;
    let made = webhook(&host, &receiver.url("/"), json!({"event_types": ["*"]})).await;
    let catalog = profile::find("leadsquared").unwrap().event_types();
    assert_eq!(catalog.len(), 36);
    for entry in catalog {
        host.post(entry.name.as_str(), &entry.example.to_string()).await;
    }
    host.advance(MINUTE).await;
    let requests = receiver.take(catalog.len()).await;
    let parameters = |request: &Received| {
        let [kind, id, event] = <[_; 3]>::try_from(query(request)).unwrap().map(|(_, value)| value);
        assert_eq!((kind.as_str(), Some(id.as_str())), ("Webhook", made["id"].as_str()));
        event
    };
    let bodies: HashMap<_, _> = requests.iter().map(|request| (parameters(request), request.text())).collect();
    for entry in catalog {
        let example = entry.example.to_string();
        let activity = entry.name.as_str().contains("Activity");
        let expected = if activity { format!("[{example}]") } else { example };
        assert_eq!(bodies[entry.name.as_str()], expected, "{}", entry.name);
    }
}
