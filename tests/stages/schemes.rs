//! Signing schemes: what really went out is accepted by code that is not the host's.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, VerifyingKey};
use reqwest::Method;
use ring::hmac::{Algorithm, HMAC_SHA1_FOR_LEGACY_USE_ONLY, HMAC_SHA256, HMAC_SHA512};
use serde_json::{Value, json};

use crate::support::host::TestHost;
use crate::support::receiver::{Received, Receiver};
use crate::support::signature::mac;

const SUBSCRIPTIONS: &str = "/v1/spaces/acme/subscriptions";
const WHSEC: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
const DATA: &str = r#"{"name":"Żółw & Syn","value":12.50}"#;

/// One signed request as its receiver has it.
struct Sent {
    request: Received,
    /// As it was requested.
    url: String,
    subscription: Value,
    host: TestHost,
}

/// Sends an event under a subscription with these members.
async fn sent(more: Value) -> Sent {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    let subscription = host.subscribe(&receiver.url("/in?key=a%20b"), more).await;
    host.post("deal.created", DATA).await;
    host.settle().await;
    let request = receiver.take(1).await.remove(0);
    Sent { url: receiver.url(&request.target), request, subscription, host }
}

impl Sent {
    fn header(&self, name: &str) -> &str {
        self.request.header(name).unwrap_or_else(|| panic!("no {name} in {:?}", self.request.headers))
    }

    async fn secret(&self) -> Value {
        let path = format!("{SUBSCRIPTIONS}/{}/secret", self.subscription["id"].as_str().unwrap());
        self.host.ok(Method::GET, &path, Value::Null).await
    }

    /// What Standard Webhooks signs.
    fn standard(&self) -> Vec<u8> {
        let start = format!("{}.{}.", self.header("webhook-id"), self.header("webhook-timestamp"));
        [start.as_bytes(), &self.request.body].concat()
    }
}

/// Whether `signature` is the MAC of `message`: with this key, and with no other and of no other bytes.
fn proves(algorithm: Algorithm, key: &[u8], message: &[u8], signature: &[u8]) -> bool {
    let verify = |key: &[u8], message: &[u8]| {
        ring::hmac::verify(&ring::hmac::Key::new(algorithm, key), message, signature).is_ok()
    };
    let mut flipped = message.to_vec();
    let flips = (0..message.len()).any(|at| {
        flipped[at] ^= 1;
        let passes = verify(key, &flipped);
        flipped[at] ^= 1;
        passes
    });
    verify(key, message) && !verify(b"another secret", message) && !flips
}

/// A signature in hexadecimal behind a prefix.
fn from_hex(header: &str, prefix: &str) -> Vec<u8> {
    hex::decode(header.strip_prefix(prefix).expect(header)).expect(header)
}

/// Whether a `v1,…` proves the message with this `whsec_…`.
fn v1(signature: &str, secret: &str, message: &[u8]) -> bool {
    let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
    proves(HMAC_SHA256, &key, message, &STANDARD.decode(signature.strip_prefix("v1,").expect(signature)).unwrap())
}

/// Whether a `v1a,…` proves the message with this `whpk_…`.
fn v1a(signature: &str, public_key: &str, message: &[u8]) -> bool {
    let key = STANDARD.decode(public_key.strip_prefix("whpk_").unwrap()).unwrap();
    let key = VerifyingKey::from_bytes(&key.try_into().unwrap()).unwrap();
    let signature = STANDARD.decode(signature.strip_prefix("v1a,").expect(signature)).unwrap();
    let signature = Signature::from_slice(&signature).unwrap();
    let mut flipped = message.to_vec();
    *flipped.last_mut().unwrap() ^= 1;
    key.verify_strict(message, &signature).is_ok() && key.verify_strict(&flipped, &signature).is_err()
}

#[tokio::test]
async fn standard_v1_is_an_hmac_over_id_timestamp_and_body() {
    let sent = sent(json!({"secret": WHSEC})).await;
    assert!(v1(sent.header("webhook-signature"), WHSEC, &sent.standard()));
    assert_eq!(sent.header("webhook-timestamp"), sent.host.clock.now().as_second().to_string());
}

#[tokio::test]
async fn standard_v1a_is_verified_with_the_public_key_that_the_api_shows() {
    let sent = sent(json!({"signing": {"scheme": "standard", "algorithm": "ed25519"}})).await;
    let secret = sent.secret().await;
    assert!(secret["secret"].as_str().unwrap().starts_with("whsk_"));
    assert!(v1a(sent.header("webhook-signature"), secret["public_key"].as_str().unwrap(), &sent.standard()));
}

#[tokio::test]
async fn a_rotation_from_v1_to_v1a_signs_with_both() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    let subscription = host.subscribe(&receiver.url("/"), json!({"secret": WHSEC})).await;
    let path = format!("{SUBSCRIPTIONS}/{}/rotate-secret", subscription["id"].as_str().unwrap());
    let private = format!("whsk_{}", STANDARD.encode([7; 32]));
    let rotated = host.ok(Method::POST, &path, json!({"secret": private})).await;
    host.post("deal.created", DATA).await;
    host.settle().await;
    let request = receiver.take(1).await.remove(0);
    let sent = Sent { url: receiver.url("/"), request, subscription, host };
    let [newer, older] = sent.header("webhook-signature").split(' ').collect::<Vec<_>>()[..] else { panic!("two") };
    assert!(v1a(newer, rotated["public_key"].as_str().unwrap(), &sent.standard()));
    assert!(v1(older, WHSEC, &sent.standard()));
}

#[tokio::test]
async fn livespaces_is_an_hmac_over_url_and_body() {
    let sent = sent(json!({"signing": {"scheme": "livespace"}, "secret": "s3cret"})).await;
    let message = [sent.url.as_bytes(), &sent.request.body].concat();
    assert!(proves(HMAC_SHA256, b"s3cret", &message, &from_hex(sent.header("x-livespace-signature"), "")));
}

#[tokio::test]
async fn the_url_that_is_signed_is_the_one_requested_with_what_was_appended() {
    let query = json!([{"name": "type", "value": "{event.type}"}, {"name": "who", "value": "a&b c"}]);
    let sent = sent(json!({"signing": {"scheme": "livespace"}, "secret": "s3cret", "query": query})).await;
    assert_eq!(sent.request.target, "/in?key=a%20b&type=deal.created&who=a%26b%20c");
    let message = [sent.url.as_bytes(), &sent.request.body].concat();
    assert!(proves(HMAC_SHA256, b"s3cret", &message, &from_hex(sent.header("x-livespace-signature"), "")));
}

#[tokio::test]
async fn breakcolds_is_an_hmac_over_timestamp_and_body() {
    let sent = sent(json!({"signing": {"scheme": "breakcold"}, "secret": "s3cret"})).await;
    let timestamp = sent.header("x-webhook-timestamp");
    assert_eq!(timestamp, sent.host.clock.now().as_second().to_string());
    let message = [timestamp.as_bytes(), b".", &sent.request.body].concat();
    assert!(proves(HMAC_SHA256, b"s3cret", &message, &from_hex(sent.header("x-webhook-signature"), "sha256=")));
}

/// Sends under a general HMAC scheme with these members.
async fn hmac(mut members: Value) -> Sent {
    members["scheme"] = json!("hmac");
    sent(json!({"signing": members, "secret": "s3cret"})).await
}

#[tokio::test]
async fn githubs_is_an_hmac_over_the_body() {
    let sent = hmac(json!({"header": "X-Hub-Signature-256", "prefix": "sha256="})).await;
    let signature = from_hex(sent.header("x-hub-signature-256"), "sha256=");
    assert!(proves(HMAC_SHA256, b"s3cret", &sent.request.body, &signature));
}

#[tokio::test]
async fn githubs_older_one_is_of_sha1() {
    let sent = hmac(json!({"header": "X-Hub-Signature", "prefix": "sha1=", "algorithm": "sha1"})).await;
    let signature = from_hex(sent.header("x-hub-signature"), "sha1=");
    assert!(proves(HMAC_SHA1_FOR_LEGACY_USE_ONLY, b"s3cret", &sent.request.body, &signature));
}

#[tokio::test]
async fn shopifys_is_in_base64() {
    let sent = hmac(json!({"header": "X-Shopify-Hmac-SHA256", "encoding": "base64"})).await;
    let signature = STANDARD.decode(sent.header("x-shopify-hmac-sha256")).unwrap();
    assert!(proves(HMAC_SHA256, b"s3cret", &sent.request.body, &signature));
}

#[tokio::test]
async fn stripes_has_the_timestamp_beside_the_signature() {
    let scheme = json!({"header": "Stripe-Signature", "prefix": "t={timestamp},v1=", "signed": "{timestamp}.{body}"});
    let sent = hmac(scheme).await;
    let timestamp = sent.host.clock.now().as_second().to_string();
    let signature = from_hex(sent.header("stripe-signature"), &format!("t={timestamp},v1="));
    let message = [timestamp.as_bytes(), b".", &sent.request.body].concat();
    assert!(proves(HMAC_SHA256, b"s3cret", &message, &signature));
}

#[tokio::test]
async fn sha512_over_everything_with_a_header_for_the_timestamp() {
    let signed = "{id}|{timestamp}|{url}|{body}";
    let scheme = json!({"header": "X-Sign", "algorithm": "sha512", "signed": signed, "timestamp_header": "X-Time"});
    let sent = hmac(scheme).await;
    let id = sent.host.delivery().await["id"].as_str().unwrap().to_owned();
    let timestamp = sent.header("x-time");
    assert_eq!(timestamp, sent.host.clock.now().as_second().to_string());
    let start = format!("{id}|{timestamp}|{}|", sent.url);
    let message = [start.as_bytes(), &sent.request.body].concat();
    let signature = from_hex(sent.header("x-sign"), "");
    assert!(proves(HMAC_SHA512, b"s3cret", &message, &signature));
    assert_eq!(signature, mac(HMAC_SHA512, "s3cret", &[&message]));
}

#[tokio::test]
async fn none_signs_nothing() {
    let sent = sent(json!({"signing": {"scheme": "none"}})).await;
    let signs = |name: &str| name.contains("sign") || name.starts_with("webhook-") || name.contains("timestamp");
    assert!(!sent.request.headers.iter().any(|(name, _)| signs(name)), "{:?}", sent.request.headers);
}

#[tokio::test]
async fn a_retry_is_signed_with_its_own_time_and_the_newest_secret() {
    let (mut host, receiver) = (TestHost::start().await, Receiver::start().await);
    let signing =
        json!({"signing": {"scheme": "breakcold"}, "secret": "old", "retry": {"schedule_s": [5], "jitter_percent": 0}});
    let subscription = host.subscribe(&receiver.url("/"), signing).await;
    receiver.script("/", [crate::support::receiver::Reply::status(500)]);
    host.post("deal.created", DATA).await;
    host.settle().await;
    let path = format!("{SUBSCRIPTIONS}/{}/rotate-secret", subscription["id"].as_str().unwrap());
    host.ok(Method::POST, &path, json!({"secret": "new"})).await;
    host.advance(std::time::Duration::from_secs(5)).await;
    let requests = receiver.take(2).await;
    for (request, secret) in requests.iter().zip(["old", "new"]) {
        let timestamp = request.header("x-webhook-timestamp").unwrap();
        let message = [timestamp.as_bytes(), b".", &request.body].concat();
        let signature = from_hex(request.header("x-webhook-signature").unwrap(), "sha256=");
        assert!(proves(HMAC_SHA256, secret.as_bytes(), &message, &signature), "{secret}");
    }
    assert_ne!(requests[0].header("x-webhook-timestamp"), requests[1].header("x-webhook-timestamp"));
}

#[tokio::test]
async fn each_bad_scheme_is_refused_by_the_name_of_its_member() {
    let host = TestHost::start().await;
    let hmac = |member: &str, value: Value| {
        let mut scheme = json!({"scheme": "hmac", "header": "X-Sign"});
        scheme[member] = value;
        scheme
    };
    for (signing, field) in [
        (json!({"scheme": "rot13"}), "/signing/scheme"),
        (json!({"algorithm": "hmac-sha256"}), "/signing/scheme"),
        (json!({"scheme": "standard", "algorithm": "md5"}), "/signing"),
        (json!({"scheme": "hmac"}), "/signing/header"),
        (hmac("header", json!("no header")), "/signing/header"),
        (hmac("header", json!("webhook-signature")), "/signing/header"),
        (hmac("header", json!("Content-Length")), "/signing/header"),
        (hmac("prefix", json!("{body}")), "/signing/prefix"),
        (hmac("prefix", json!("a\r\nb: ")), "/signing/prefix"),
        (hmac("prefix", json!("{timestamp")), "/signing/prefix"),
        (hmac("signed", json!("{timestamp}")), "/signing/signed"),
        (hmac("signed", json!("{body}{secret}")), "/signing/signed"),
        (hmac("timestamp_header", json!("Host")), "/signing/timestamp_header"),
        (hmac("algorithm", json!("md5")), "/signing/algorithm"),
        (hmac("encoding", json!("base32")), "/signing/encoding"),
        (hmac("salt", json!("x")), "/signing/salt"),
    ] {
        let subscription = json!({"name": "x", "url": "http://127.0.0.1:1/", "event_types": ["*"], "signing": signing});
        let (status, problem) = host.call(Method::POST, SUBSCRIPTIONS, &subscription).await;
        let shown = (status.as_u16(), problem["field"].as_str());
        assert_eq!(shown, (422, Some(field)), "{subscription} {problem}");
    }
}
