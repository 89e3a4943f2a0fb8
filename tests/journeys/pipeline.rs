//! The whole path, stage by stage, through the real API, with real sockets and a clock that stands until it is moved.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};
use standardwebhooks::Webhook;

use crate::support::host::TestHost;
use crate::support::receiver::{Received, Receiver, Reply};

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// What the official verifier says of a request.
fn verified(request: &Received, secret: &str) -> bool {
    let headers: http::HeaderMap =
        request.headers.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect();
    Webhook::new(secret).unwrap().verify(&request.body, &headers).is_ok()
}

/// `delivered 1`: the state of the one delivery, and how many attempts it took.
async fn state(host: &TestHost) -> String {
    let delivery = host.delivery().await;
    format!("{} {}", delivery["state"].as_str().unwrap(), delivery["attempts"].as_array().unwrap().len())
}

const SECRET: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";

#[tokio::test]
async fn an_event_reaches_its_subscription_signed_and_recorded() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    let subscription = host.subscribe(&receiver.url("/in?a=b"), json!({"secret": SECRET})).await;
    let event = host.post("deal.created", r#"{"value": 12.50, "n": 12345678901234567890, "h": 1e400}"#).await;
    host.settle().await;

    let request = receiver.take(1).await.remove(0);
    assert_eq!((request.method.as_str(), request.target.as_str()), ("POST", "/in?a=b"));
    assert_eq!(request.header("content-type"), Some("application/json"));
    assert_eq!(request.header("hookmill-event-id"), event["id"].as_str());
    assert!(request.text().ends_with(r#","data":{"value": 12.50, "n": 12345678901234567890, "h": 1e400}}"#));
    assert!(verified(&request, SECRET));

    let delivery = host.delivery().await;
    assert_eq!(delivery["state"], "delivered");
    assert_eq!(delivery["subscription_id"], subscription["id"]);
    assert_eq!(request.header("webhook-id"), delivery["id"].as_str());
    let attempt = &delivery["attempts"][0];
    assert_eq!(attempt["request"]["body"], request.text());
    assert_eq!(attempt["answer"]["status"], 204);
    assert_eq!(attempt["number"], 1);
}

#[tokio::test]
async fn json_form_and_text_are_signed_over_the_bytes_sent() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    for (path, content_type) in
        [("/json", "application/json"), ("/form", "application/x-www-form-urlencoded"), ("/text", "text/plain")]
    {
        let more = json!({"secret": SECRET, "content_type": content_type});
        host.subscribe(&receiver.url(path), more).await;
    }
    host.post("deal.created", r#"{"name":"Żółw & Syn","value":12.50}"#).await;
    host.settle().await;
    for request in receiver.take(3).await {
        assert!(verified(&request, SECRET), "{}", request.target);
        assert!(request.text().contains("12.50"), "{}", request.text());
        let mut altered = request.clone();
        altered.body[0] ^= 1;
        assert!(!verified(&altered, SECRET));
    }
}

#[tokio::test]
async fn both_secrets_verify_during_a_rotation() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    let newer = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo=";
    let subscription = host.subscribe(&receiver.url("/"), json!({"secret": SECRET})).await;
    let path = format!("/v1/spaces/acme/subscriptions/{}/rotate-secret", subscription["id"].as_str().unwrap());
    host.ok(Method::POST, &path, json!({"secret": newer})).await;
    host.post("deal.created", "{}").await;
    host.settle().await;
    let request = receiver.take(1).await.remove(0);
    assert!(verified(&request, SECRET) && verified(&request, newer));
}

#[tokio::test]
async fn a_delayed_delivery_goes_out_when_it_is_due_and_not_before() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    host.subscribe(&receiver.url("/"), json!({"delay_s": 30 * 24 * 3600})).await;
    host.post("deal.created", "{}").await;
    host.advance(30 * 24 * HOUR - SECOND).await;
    assert_eq!((state(&host).await, receiver.requests().len()), ("pending 0".to_owned(), 0));
    host.advance(SECOND).await;
    assert_eq!((state(&host).await, receiver.requests().len()), ("delivered 1".to_owned(), 1));
}

#[tokio::test]
async fn a_delayed_delivery_can_be_cancelled() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    host.subscribe(&receiver.url("/"), json!({"delay_s": 60})).await;
    host.post("deal.created", "{}").await;
    let id = host.delivery().await["id"].as_str().unwrap().to_owned();
    host.ok(Method::POST, &format!("/v1/spaces/acme/deliveries/{id}/cancel"), Value::Null).await;
    host.advance(MINUTE).await;
    assert_eq!((state(&host).await, receiver.requests().len()), ("cancelled 0".to_owned(), 0));
}

#[tokio::test]
async fn a_failing_receiver_gets_ten_attempts_on_the_default_schedule() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    receiver.otherwise(Reply::status(500));
    host.subscribe(&receiver.url("/"), json!({"retry": {"jitter_percent": 0}, "secret": SECRET})).await;
    host.post("deal.created", "{}").await;
    host.settle().await;
    let schedule = [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400];
    for (number, wait_s) in (1..).zip(schedule) {
        assert_eq!(state(&host).await, format!("pending {number}"));
        host.advance(Duration::from_secs(wait_s) - SECOND).await;
        assert_eq!(state(&host).await, format!("pending {number}"), "came early");
        host.advance(SECOND).await;
    }
    assert_eq!(state(&host).await, "failed 10");
    let requests = receiver.requests();
    assert!(requests.iter().all(|request| request.header("webhook-id") == requests[0].header("webhook-id")));
    assert!(requests.windows(2).all(|two| two[0].header("webhook-timestamp") < two[1].header("webhook-timestamp")));
}

#[tokio::test]
async fn retry_after_puts_the_next_attempt_off() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    receiver.script("/", [Reply::header(429, "retry-after", "60")]);
    host.subscribe(&receiver.url("/"), json!({"retry": {"jitter_percent": 0}})).await;
    host.post("deal.created", "{}").await;
    host.settle().await;
    host.advance(59 * SECOND).await;
    assert_eq!(state(&host).await, "pending 1");
    host.advance(SECOND).await;
    assert_eq!(state(&host).await, "delivered 2");
}

#[tokio::test]
async fn a_410_pauses_the_subscription_and_activation_sends_what_was_held() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    receiver.script("/", [Reply::status(410)]);
    let subscription = host.subscribe(&receiver.url("/"), json!({"delay_s": 1})).await;
    let path = format!("/v1/spaces/acme/subscriptions/{}", subscription["id"].as_str().unwrap());
    host.post("deal.created", "{}").await;
    host.advance(SECOND).await;
    let paused = host.ok(Method::GET, &path, Value::Null).await;
    assert_eq!((&paused["state"], &paused["pause_reason"]), (&json!("paused"), &json!("gone")));
    assert_eq!(paused["failure_streak"], 1);

    let passed_by = host.post("deal.created", "{}").await;
    assert_eq!(passed_by["deliveries"], 0);
    host.ok(Method::POST, &format!("{path}/activate"), Value::Null).await;
    host.post("deal.created", "{}").await;
    host.advance(SECOND).await;
    assert_eq!(receiver.requests().len(), 2);
}

#[tokio::test]
async fn deliveries_of_a_paused_subscription_wait_until_it_is_activated() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    let subscription = host.subscribe(&receiver.url("/"), json!({"delay_s": 10})).await;
    let path = format!("/v1/spaces/acme/subscriptions/{}", subscription["id"].as_str().unwrap());
    host.post("deal.created", "{}").await;
    host.ok(Method::POST, &format!("{path}/pause"), Value::Null).await;
    host.advance(MINUTE).await;
    assert_eq!(state(&host).await, "held 0");
    host.ok(Method::POST, &format!("{path}/activate"), Value::Null).await;
    host.settle().await;
    assert_eq!(state(&host).await, "delivered 1");
    assert_eq!(receiver.requests().len(), 1);
}

#[tokio::test]
async fn deliveries_of_a_deleted_subscription_are_cancelled() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    let subscription = host.subscribe(&receiver.url("/"), json!({"delay_s": 10})).await;
    let path = format!("/v1/spaces/acme/subscriptions/{}", subscription["id"].as_str().unwrap());
    host.post("deal.created", "{}").await;
    host.ok(Method::DELETE, &path, Value::Null).await;
    host.advance(MINUTE).await;
    assert_eq!((state(&host).await, receiver.requests().len()), ("cancelled 0".to_owned(), 0));
}

#[tokio::test]
async fn a_failed_delivery_can_be_sent_again_by_hand() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    receiver.script("/", [Reply::status(500)]);
    host.subscribe(&receiver.url("/"), json!({"retry": {"schedule_s": []}})).await;
    host.post("deal.created", "{}").await;
    host.settle().await;
    assert_eq!(state(&host).await, "failed 1");
    let id = host.delivery().await["id"].as_str().unwrap().to_owned();
    host.ok(Method::POST, &format!("/v1/spaces/acme/deliveries/{id}/resend"), Value::Null).await;
    host.settle().await;
    assert_eq!(state(&host).await, "delivered 2");
}

#[tokio::test]
async fn conditions_and_field_selection_come_before_the_shape() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    let more = json!({"event_types": ["deal.*"], "condition": "event.data.value > 100.0",
        "fields": {"exclude": ["$.secret"]}});
    host.subscribe(&receiver.url("/"), more).await;
    assert_eq!(host.post("deal.created", r#"{"value":12.50,"secret":1}"#).await["deliveries"], 0);
    assert_eq!(host.post("lead.created", r#"{"value":1000,"secret":1}"#).await["deliveries"], 0);
    assert_eq!(host.post("deal.created", r#"{"value":100.50,"secret":1}"#).await["deliveries"], 1);
    host.settle().await;
    let request = receiver.take(1).await.remove(0);
    assert!(request.text().ends_with(r#""data":{"value":100.50}}"#), "{}", request.text());
}

#[tokio::test]
async fn a_get_carries_its_fields_in_the_query() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    let more = json!({"method": "GET", "content_type": "application/x-www-form-urlencoded", "secret": SECRET});
    host.subscribe(&receiver.url("/in?key=1"), more).await;
    host.post("deal.created", r#"{"value":12.50}"#).await;
    host.settle().await;
    let request = receiver.take(1).await.remove(0);
    assert_eq!((request.method.as_str(), request.body.len()), ("GET", 0));
    let url = url::Url::parse(&format!("http://x{}", request.target)).unwrap();
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    assert!(pairs.contains(&("key".into(), "1".into())) && pairs.contains(&("data[value]".into(), "12.50".into())));
    assert!(verified(&request, SECRET));
}

#[tokio::test]
async fn secret_headers_are_sent_but_kept_nowhere_in_the_history() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    let headers = json!([{"name": "x-api-key", "value": "hunter2", "secret": true}, {"name": "x-open", "value": "y"}]);
    host.subscribe(&receiver.url("/"), json!({"headers": headers})).await;
    host.post("deal.created", "{}").await;
    host.settle().await;
    assert_eq!(receiver.take(1).await[0].header("x-api-key"), Some("hunter2"));
    let delivery = host.delivery().await.to_string();
    assert!(!delivery.contains("hunter2") && delivery.contains("x-api-key"), "{delivery}");
}

#[tokio::test]
async fn a_hanging_receiver_does_not_hold_up_another_subscription() {
    let receiver = Receiver::start().await;
    let mut host = TestHost::start_with(|config| {
        config.deliver.in_flight_max = 8;
        config.deliver.in_flight_per_subscription_max = 4;
        config.deliver.waiting_per_subscription_max = 4;
    })
    .await;
    host.subscribe(&receiver.url("/hangs"), json!({"timeout_ms": 60_000})).await;
    host.subscribe(&receiver.url("/fine"), json!({})).await;
    receiver.script("/hangs", std::iter::repeat_n(Reply::Hang, 20));
    for _ in 0..20 {
        host.post("deal.created", "{}").await;
    }
    let fine = async {
        let mut requests = Vec::new();
        while requests.iter().filter(|request: &&Received| request.target == "/fine").count() < 20 {
            requests.extend(receiver.take(1).await);
        }
        requests.iter().filter(|request| request.target == "/hangs").count()
    };
    let hung = tokio::select! {
        hung = fine => hung,
        () = host.deliver() => panic!("some hang"),
    };
    assert!(hung <= 4, "{hung} requests to the hanging receiver went before the last to the other");
}

#[tokio::test]
async fn a_backlog_beyond_memory_waits_in_rows_and_is_delivered() {
    let receiver = Receiver::start().await;
    let mut host = TestHost::start_with(|config| {
        config.deliver.waiting_max = 10;
        config.deliver.waiting_per_subscription_max = 3;
    })
    .await;
    host.subscribe(&receiver.url("/"), json!({})).await;
    for _ in 0..100 {
        host.post("deal.created", "{}").await;
    }
    host.settle().await;
    assert_eq!(receiver.requests().len(), 100);
}

#[tokio::test]
async fn a_test_send_goes_to_its_subscription_alone() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    host.subscribe(&receiver.url("/other"), json!({})).await;
    let subscription = host.subscribe(&receiver.url("/tested"), json!({"event_types": ["lead.create"]})).await;
    let path = format!("/v1/spaces/acme/subscriptions/{}/test", subscription["id"].as_str().unwrap());
    host.ok(Method::POST, &path, json!({"type": "lead.create", "data": {"test": true}})).await;
    host.settle().await;
    let requests = receiver.requests();
    assert_eq!(requests.len(), 1);
    assert_eq!(requests[0].target, "/tested");
}

#[tokio::test]
async fn a_pause_with_two_reasons_at_once_is_one_in_memory_too() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    receiver.otherwise(Reply::status(410));
    host.subscribe(&receiver.url("/"), json!({"pause_after_failures": 1})).await;
    host.post("lead.create", "1").await;
    host.settle().await;
    let list = host.ok(Method::GET, "/v1/spaces/acme/subscriptions", Value::Null).await;
    assert_eq!((&list["data"][0]["state"], &list["data"][0]["pause_reason"]), (&json!("paused"), &json!("gone")));
    assert_eq!(host.post("lead.create", "2").await["deliveries"], 0);
}

#[tokio::test]
async fn a_410_is_a_failure_like_any_where_that_is_asked_for() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    receiver.otherwise(Reply::status(410));
    let retry = json!({"schedule_s": [1], "jitter_percent": 0});
    host.subscribe(&receiver.url("/"), json!({"pause_on_gone": false, "retry": retry})).await;
    host.post("lead.create", "1").await;
    host.settle().await;
    host.advance(SECOND).await;
    let delivery = host.delivery().await;
    assert_eq!((&delivery["state"], &delivery["attempt_count"]), (&json!("failed"), &json!(2)));
    let list = host.ok(Method::GET, "/v1/spaces/acme/subscriptions", Value::Null).await;
    assert_eq!(list["data"][0]["state"], "active");
}

#[tokio::test]
async fn an_exact_resend_that_fails_is_tried_again_exactly_and_shows_one_signature() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    let made = host.subscribe(&receiver.url("/"), json!({"retry": {"schedule_s": [0, 1], "jitter_percent": 0}})).await;
    host.post("lead.create", "1").await;
    host.settle().await;
    let path = format!("/v1/spaces/acme/subscriptions/{}", made["id"].as_str().unwrap());
    host.ok(Method::PATCH, &path, json!({"content_type": "text/plain"})).await;
    receiver.script("/", [Reply::status(500)]);
    let retry = format!("/v1/spaces/acme/deliveries/{}/resend", host.delivery().await["id"].as_str().unwrap());
    host.ok(Method::POST, &retry, json!({"mode": "verbatim"})).await;
    host.settle().await;
    host.advance(SECOND).await;
    let requests = receiver.requests();
    assert_eq!(requests.len(), 3);
    for request in &requests {
        assert_eq!(request.header("content-type"), Some("application/json"));
    }
    let delivery = host.delivery().await;
    let headers = delivery["attempts"][2]["request"]["headers"].as_array().unwrap().clone();
    let signatures = headers.iter().filter(|header| header["name"] == "webhook-signature").count();
    assert_eq!((&delivery["state"], signatures), (&json!("delivered"), 1));
}

#[tokio::test]
async fn an_exact_resend_carries_no_signature_of_an_earlier_scheme() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    let scheme =
        |header: &str| json!({"scheme": "hmac", "header": header, "timestamp_header": format!("{header}-Time")});
    let made = host.subscribe(&receiver.url("/"), json!({"signing": scheme("X-Old")})).await;
    host.post("lead.create", "1").await;
    host.settle().await;
    let path = format!("/v1/spaces/acme/subscriptions/{}", made["id"].as_str().unwrap());
    host.ok(Method::PATCH, &path, json!({"signing": scheme("X-New")})).await;
    let retry = format!("/v1/spaces/acme/deliveries/{}/resend", host.delivery().await["id"].as_str().unwrap());
    host.ok(Method::POST, &retry, json!({"mode": "verbatim"})).await;
    host.settle().await;
    let requests = receiver.requests();
    for (name, times) in [("x-old", [1, 0]), ("x-old-time", [1, 0]), ("x-new", [0, 1]), ("x-new-time", [0, 1])] {
        let there = requests.iter().map(|request| usize::from(request.header(name).is_some()));
        assert_eq!(there.collect::<Vec<_>>(), times, "{name}");
    }
}
