//! Import, from the file to the request: subscriptions that `hookmill import` creates on a running host work.

use std::collections::BTreeSet;
use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::journeys::import::command::run;
use crate::support::host::TestHost;
use crate::support::receiver::{Receiver, Reply};

/// Runs the program on this export; returns its exit status and output.
fn import(host: &TestHost, system: &str, export: &Value) -> (i32, String) {
    let (output, stdout) = run(system, export, &["--url", &host.base, "--key", &host.key]);
    (output.status.code().unwrap(), stdout)
}

/// Imports the export, which must be converted completely, and again, which must create nothing.
async fn import_twice(host: &TestHost, system: &str, export: &Value) {
    let count = export.as_array().unwrap().len();
    let (code, stdout) = import(host, system, export);
    assert_eq!((code, stdout.matches(": created sub_").count()), (0, count), "{stdout}");
    let before = subscriptions(host).await;
    let (code, stdout) = import(host, system, export);
    assert_eq!((code, stdout.matches(": refused by the host: ").count()), (1, count), "{stdout}");
    assert_eq!(subscriptions(host).await, before);
    assert_eq!(before.len(), count);
}

async fn subscriptions(host: &TestHost) -> Vec<Value> {
    let list = host.ok(Method::GET, "/v1/spaces/acme/subscriptions", Value::Null).await;
    list["data"].as_array().unwrap().clone()
}

/// A host that trusts the receiver, which speaks TLS and responds with 200.
async fn start_tls() -> (TestHost, Receiver) {
    let receiver = Receiver::start_tls().await;
    receiver.otherwise(Reply::status(200));
    let trusted = receiver.certificate();
    (TestHost::start_with(|config| config.send.trusted_certificates = Some(trusted)).await, receiver)
}

#[tokio::test(flavor = "multi_thread")]
async fn imported_webhooks_of_leadsquared_send() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    receiver.otherwise(Reply::status(200));
    let export = json!([
        {
            "WebhookId": "b329c2b2-854c-11e6-8f87-22000aa8e760",
            "Description": "New lead data",
            "URL": receiver.url("/leads/add?a=b"),
            "Method": "POST",
            "ContentType": "application/x-www-form-urlencoded",
            "WebhookEvent": 3,
            "NotifyOnFailure": true,
            "CustomHeaders": [{"Key": "x-api-key", "Value": "j5Ft"}]
        },
        {"Description": "Activities", "URL": receiver.url("/activities"), "WebhookEvent": "2", "ExecutionDelay": 5}
    ]);
    import_twice(&host, "leadsquared", &export).await;

    host.post("Lead_Post_Create", r#"{"ProspectID":"0f1e","Score":12.50}"#).await;
    host.settle().await;
    let request = receiver.take(1).await.remove(0);
    let target = "/leads/add?a=b&entityType=Webhook&entityId=b329c2b2-854c-11e6-8f87-22000aa8e760\
                  &eventType=Lead_Post_Create";
    assert_eq!((request.target.as_str(), request.text()), (target, "ProspectID=0f1e&Score=12.50"));
    assert_eq!(request.header("x-api-key"), Some("j5Ft"));

    host.post("SalesActivity_Post_Create", r#"{"ProspectActivityId":"a-1"}"#).await;
    host.advance(Duration::from_secs(65)).await;
    assert_eq!(receiver.take(1).await[0].text(), r#"[{"ProspectActivityId":"a-1"}]"#);
}

/// By its number in LeadSquared's API.
#[tokio::test(flavor = "multi_thread")]
async fn every_number_of_leadsquared_becomes_a_subscription_to_its_event() {
    let host = TestHost::start().await;
    let numbered = hookmill_server::subscriptions::profile::find("leadsquared").unwrap().event_types();
    let numbered: Vec<_> = numbered.iter().filter_map(|entry| Some((entry.code?, entry.name.as_str()))).collect();
    let definition = |(code, _): &(u32, &str)| json!({"Description": code.to_string(), "URL": "http://127.0.0.1:9/", "WebhookEvent": code});
    let (code, stdout) = import(&host, "leadsquared", &numbered.iter().map(definition).collect());
    assert_eq!(code, 0, "{stdout}");
    // Subscriptions created in the same millisecond have no order.
    let made: BTreeSet<_> = subscriptions(&host)
        .await
        .iter()
        .map(|made| (made["name"].to_string(), made["event_types"].to_string()))
        .collect();
    let expected = numbered.iter().map(|(code, name)| (format!(r#""{code}""#), format!(r#"["{name}"]"#)));
    assert_eq!(made, expected.collect());
    assert_eq!(made.len(), 18);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lapp_is_reported_and_the_other_webhooks_are_created() {
    let host = TestHost::start().await;
    let export = json!([
        {"Type": "Lapp", "Description": "Code", "WebhookEvent": 3},
        {"Type": "Webhook", "Description": "Leads", "URL": "http://127.0.0.1:9/", "WebhookEvent": 3}
    ]);
    let (code, stdout) = import(&host, "leadsquared", &export);
    assert_eq!(code, 1);
    assert!(stdout.contains(r#"definition 1 "Code": not imported: a Lapp is code"#), "{stdout}");
    assert_eq!(subscriptions(&host).await[0]["name"], "Leads");
}

#[tokio::test(flavor = "multi_thread")]
async fn imported_subscriptions_and_workflows_of_livespace_send() {
    let (mut host, receiver) = start_tls().await;
    let workflow = json!({
        "name": "Invoice",
        "trigger": {"field": "custom_fields.invoice_email"},
        "condition": {"process": {"id": "p-1"}},
        "effect": {"type": "webhook", "url": receiver.url("/workflow")}
    });
    let subscription = json!({
        "name": "Deals", "url": receiver.url("/deals"), "events": ["deal.created"], "active": true, "secret": "s3cret"
    });
    import_twice(&host, "livespace", &json!([subscription, workflow])).await;
    let handshakes = receiver.take(2).await;
    assert!(handshakes.iter().all(|request| request.method == "POST" && request.body.is_empty()));

    host.post("deal.created", r#"{"id":"d-1","value":12.50}"#).await;
    let filled = r#"{"type":"deal.updated","data":{"id":"d-2","process":{"id":"p-1"}},
        "changed_fields":["custom_fields.invoice_email"]}"#;
    for (event, deliveries) in [(filled.to_owned(), 1), (filled.replace("p-1", "p-2"), 0)] {
        let (_, receipt) = host.call(Method::POST, "/v1/spaces/acme/events", event).await;
        assert_eq!(receipt["deliveries"], deliveries);
    }
    host.settle().await;
    let mut requests = receiver.take(2).await;
    requests.sort_by(|one, other| one.target.cmp(&other.target));
    let [deal, workflow] = <[_; 2]>::try_from(requests).unwrap();
    assert_eq!((deal.target.as_str(), workflow.target.as_str()), ("/deals", "/workflow"));
    assert!(deal.text().ends_with(r#""webhook_delivery_attempt":1,"data":{"id":"d-1","value":12.50}}"#));
    assert!(deal.header("x-livespace-signature").is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn imported_endpoints_of_breakcold_send() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    let export = json!([
        {"url": receiver.url("/1"), "events": ["lead.create"], "secret": "wh_a46f35f22d9723a", "id_space": "eb8e"},
        {"url": receiver.url("/2"), "events": ["lead.create"], "generation": 2, "workspaceId": "eb8e"},
        {"url": receiver.url("/3"), "events": ["lead.create"], "is_paused": true}
    ]);
    import_twice(&host, "breakcold", &export).await;
    host.post("lead.create", r#"{"id":"l-1","contract_value":12.50}"#).await;
    host.settle().await;
    let mut requests = receiver.take(2).await;
    requests.sort_by(|one, other| one.target.cmp(&other.target));
    let first: Value = serde_json::from_slice(&requests[0].body).unwrap();
    assert_eq!((&first["secret"], &first["id_space"]), (&json!("wh_a46f35f22d9723a"), &json!("eb8e")));
    assert_eq!(first["payload"].to_string(), r#"{"id":"l-1","contract_value":12.50}"#);
    let second: Value = serde_json::from_slice(&requests[1].body).unwrap();
    assert_eq!((&second["workspaceId"], &second["event"]), (&json!("eb8e"), &json!("lead.create")));
    assert!(requests[1].header("x-webhook-signature").unwrap().starts_with("sha256="));
}
