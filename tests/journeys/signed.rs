//! A request that was sent, signed again for a person, and its body as a file.

use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookmill_guests::ROGUE;
use reqwest::Method;
use ring::hmac::{HMAC_SHA256, Key, sign};
use serde_json::{Value, json};

use crate::support::host::TestHost;
use crate::support::receiver::{Received, Receiver};

const SECRET: &str = "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// Whether a request has the signature of the standard scheme.
fn is_signed(request: &Received) -> bool {
    let [id, timestamp, signature] =
        ["webhook-id", "webhook-timestamp", "webhook-signature"].map(|name| request.header(name).unwrap());
    let content = [format!("{id}.{timestamp}.").as_bytes(), &request.body].concat();
    let mac = sign(&Key::new(HMAC_SHA256, &STANDARD.decode(SECRET).unwrap()), &content);
    signature == format!("v1,{}", STANDARD.encode(mac))
}

/// Sends a signed request, as a person would.
async fn send(signed: &Value) {
    let method = signed["method"].as_str().unwrap().parse().unwrap();
    let body = STANDARD.decode(signed["body_base64"].as_str().unwrap()).unwrap();
    let mut request = reqwest::Client::new().request(method, signed["url"].as_str().unwrap()).body(body);
    for header in signed["headers"].as_array().unwrap() {
        request = request.header(header["name"].as_str().unwrap(), header["value"].as_str().unwrap());
    }
    request.send().await.unwrap();
}

#[tokio::test]
async fn a_request_is_signed_again_with_the_present_time_and_sent_by_hand() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    let more = json!({"secret": format!("whsec_{SECRET}"), "headers": [
        {"name": "x-app", "value": "crm"}, {"name": "x-token", "value": "hunter2-hunter2", "secret": true}]});
    host.subscribe(&receiver.url("/in?a=b"), more).await;
    host.post("deal.won", r#"{"value":12.50}"#).await;
    let sign = format!("/v1/spaces/acme/deliveries/{}/sign", host.delivery().await["id"].as_str().unwrap());
    let (status, problem) = host.call(Method::POST, &sign, "").await;
    assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("delivery_state")), "nothing was sent yet");
    host.settle().await;
    host.clock.advance(Duration::from_secs(3_600));
    let signed = host.ok(Method::POST, &sign, Value::Null).await;
    assert_eq!((&signed["url"], &signed["masked"]), (&json!(receiver.url("/in?a=b")), &json!(true)));
    assert!(!signed.to_string().contains("hunter2"), "{signed}");
    send(&signed).await;

    let [first, again] = &receiver.take(2).await[..] else { panic!("two requests") };
    assert!(is_signed(first) && is_signed(again));
    assert_eq!((&first.body, &first.target, &first.method), (&again.body, &again.target, &again.method));
    for name in ["webhook-id", "content-type", "hookmill-event-id", "hookmill-event-type", "hookmill-attempt", "x-app"]
    {
        assert_eq!(first.header(name), again.header(name), "{name}");
    }
    let times = [first, again].map(|request| request.header("webhook-timestamp").unwrap().parse::<i64>().unwrap());
    assert_eq!(times[1] - times[0], 3_600);
    assert_eq!([first, again].map(|request| request.header("x-token").unwrap()), ["hunter2-hunter2", "***"]);
    assert_eq!(host.delivery().await["attempts"].as_array().unwrap().len(), 1, "nothing is recorded");
}

#[tokio::test]
async fn sealed_secrets_are_masked_in_what_is_signed_and_in_the_file_and_the_signature_covers_the_masks() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    host.upload(ROGUE).await;
    let more = json!({"plugin": {"name": "rogue", "config": "tell:json:key"}, "sealed_secrets": {"key": "s3cret-key"},
        "secret": format!("whsec_{SECRET}")});
    let subscription = host.subscribe(&receiver.url("/"), more).await;
    host.post("deal.won", r#"{"value":12.50}"#).await;
    host.settle().await;
    let first = receiver.take(1).await.remove(0);
    assert!(first.text().contains("s3cret-key"), "{}", first.text());
    let delivery = format!("/v1/spaces/acme/deliveries/{}", host.delivery().await["id"].as_str().unwrap());
    let signed = host.ok(Method::POST, &format!("{delivery}/sign"), Value::Null).await;
    assert_eq!(signed["masked"], true);
    send(&signed).await;
    let again = receiver.take(1).await.remove(0);
    assert_eq!(again.text(), first.text().replace("s3cret-key", "***"));
    assert_eq!(again.header("x-secret"), Some("Key ***"));
    assert!(is_signed(&again));

    let path = format!("{}{delivery}/attempts/1/body", host.base);
    let file = reqwest::Client::new().get(path).bearer_auth(&host.key).send().await.unwrap();
    assert_eq!(file.text().await.unwrap(), again.text());

    let path = format!("/v1/spaces/acme/subscriptions/{}", subscription["id"].as_str().unwrap());
    host.ok(Method::DELETE, &path, Value::Null).await;
    let (status, problem) = host.call(Method::POST, &format!("{delivery}/sign"), "").await;
    assert_eq!((status.as_u16(), &problem["code"]), (409, &json!("subscription_state")));
}
