//! Sign: the exact bytes of a body become the three headers of Standard Webhooks 1.0.0.
//!
//! What is signed is `id.timestamp.body`, with the delivery's id, the attempt's unix seconds and the body as it goes
//! out, whatever its content type. A GET is signed over its empty body, so its query is not covered. While a secret
//! is being rotated there is one signature for each, newest first, with one space between them.
//!
//! The timestamp is the caller's: this module reads no clock, and a receiver refuses one that is 5 minutes off, so
//! each attempt needs its own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use http::{HeaderMap, HeaderName, HeaderValue};
use sha2::Sha256;

use crate::model::{DeliveryId, Secret};

/// The header with the delivery's id, the same on every attempt.
pub const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
/// The header with the attempt's unix seconds.
pub const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
/// The header with the signatures.
pub const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// The three headers that prove to the receiver who sent `body`, and when.
pub fn sign(id: DeliveryId, timestamp_s: i64, body: &[u8], secrets: &[Secret]) -> HeaderMap {
    let id = id.to_string();
    let signatures = signatures(&id, timestamp_s, body, secrets);
    let value = |text: &str| HeaderValue::from_str(text).expect("ids, numbers and base64 are visible ASCII");
    let mut headers = HeaderMap::with_capacity(3);
    headers.insert(WEBHOOK_ID, value(&id));
    headers.insert(WEBHOOK_TIMESTAMP, value(&timestamp_s.to_string()));
    headers.insert(WEBHOOK_SIGNATURE, value(&signatures));
    headers
}

/// The value of `webhook-signature`: `v1,` and base64 of HMAC-SHA256, once for each secret, in their order.
pub fn signatures(id: &str, timestamp_s: i64, body: &[u8], secrets: &[Secret]) -> String {
    let one = |secret: &Secret| {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.bytes()).expect("HMAC takes a key of any length");
        mac.update(format!("{id}.{timestamp_s}.").as_bytes());
        mac.update(body);
        format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
    };
    secrets.iter().map(one).collect::<Vec<_>>().join(" ")
}
