//! Sign: turns the exact bytes of a request into the headers of its subscription's signing scheme.
//!
//! The standard scheme (Standard Webhooks 1.0.0) signs `id.timestamp.body`, with the delivery's id, the attempt's unix
//! seconds and the body as it is sent, whatever its content type. A GET is signed over its empty body, so its query is
//! not covered. While a secret is being rotated there is one signature for each secret, newest first, separated by one
//! space.
//!
//! The other schemes put one HMAC into one header, over a template: its URL is the requested one, including the appended
//! query. They do not support rotation, so the newest secret signs.
//!
//! The caller passes the timestamp: this module reads no clock, and a receiver rejects a timestamp that is 5 minutes off,
//! so each attempt needs its own.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac};
use http::{HeaderMap, HeaderName, HeaderValue};
use ring::signature::{Ed25519KeyPair, KeyPair as _};

use hookmill_model::{DeliveryId, HmacAlgorithm, HmacScheme, Piece, Secret, SignatureEncoding, Signing};

/// The header with the delivery's id, the same on every attempt.
pub const WEBHOOK_ID: HeaderName = HeaderName::from_static("webhook-id");
/// The header with the attempt's unix seconds.
pub const WEBHOOK_TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
/// The header with the signatures.
pub const WEBHOOK_SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// The slots of an [`HmacScheme`]'s signed template.
pub const SIGNED_SLOTS: [&str; 4] = ["url", "timestamp", "id", "body"];
/// The slots of an [`HmacScheme`]'s prefix.
pub const PREFIX_SLOTS: [&str; 1] = ["timestamp"];

/// The content that a signature covers.
#[derive(Clone, Copy, Debug)]
pub struct SignedContent<'a> {
    /// The delivery.
    pub id: DeliveryId,
    /// The attempt's unix seconds.
    pub timestamp_s: i64,
    /// The requested URL.
    pub url: &'a str,
    /// The body as it is sent.
    pub body: &'a [u8],
}

/// Returns the headers that prove to the receiver who sent the request, and when.
pub fn sign(signing: &Signing, secrets: &[Secret], signed: &SignedContent<'_>) -> HeaderMap {
    match (signing, signing.hmac()) {
        (Signing::Standard { .. }, _) => standard(secrets, signed),
        (_, Some(scheme)) => secrets.first().map(|secret| hmac(scheme, secret, signed)).unwrap_or_default(),
        (_, None) => HeaderMap::new(),
    }
}

fn standard(secrets: &[Secret], signed: &SignedContent<'_>) -> HeaderMap {
    let id = signed.id.to_string();
    let signatures = signatures(&id, signed.timestamp_s, signed.body, secrets);
    let mut headers = HeaderMap::with_capacity(3);
    headers.insert(WEBHOOK_ID, value(&id));
    headers.insert(WEBHOOK_TIMESTAMP, value(&signed.timestamp_s.to_string()));
    headers.insert(WEBHOOK_SIGNATURE, value(&signatures));
    headers
}

/// Returns the value of `webhook-signature`: `v1,` or `v1a,` by the kind of secret, and base64, for each secret in order.
pub fn signatures(id: &str, timestamp_s: i64, body: &[u8], secrets: &[Secret]) -> String {
    let one = |secret: &Secret| {
        let start = format!("{id}.{timestamp_s}.");
        if let Some(pair) = ed25519(secret) {
            let signature = pair.sign(&[start.as_bytes(), body].concat());
            return Some(format!("v1a,{}", STANDARD.encode(signature)));
        }
        let key = secret.decode("whsec_")?;
        let signature = mac::<Hmac<sha2::Sha256>>(&key, [start.as_bytes(), body].into_iter());
        Some(format!("v1,{}", STANDARD.encode(signature)))
    };
    secrets.iter().filter_map(one).collect::<Vec<_>>().join(" ")
}

/// Returns the public half of an Ed25519 key, `whpk_…`, for the receiver to verify with; none for a shared secret.
pub fn public_key(secret: &Secret) -> Option<String> {
    ed25519(secret).map(|pair| format!("whpk_{}", STANDARD.encode(pair.public_key())))
}

/// Returns the key pair of `whsk_…`: 32 bytes, or 64 with the public half appended.
fn ed25519(secret: &Secret) -> Option<Ed25519KeyPair> {
    let bytes = secret.decode("whsk_")?;
    Ed25519KeyPair::from_seed_unchecked(bytes.get(..32)?).ok()
}

fn hmac(scheme: &HmacScheme, secret: &Secret, signed: &SignedContent<'_>) -> HeaderMap {
    let (id, timestamp) = (signed.id.to_string(), signed.timestamp_s.to_string());
    let pieces = scheme.signed.pieces().iter().map(|piece| match piece {
        Piece::Text(text) => text.as_bytes(),
        Piece::Slot(slot) => match slot.as_str() {
            "url" => signed.url.as_bytes(),
            "timestamp" => timestamp.as_bytes(),
            "id" => id.as_bytes(),
            _ => signed.body,
        },
    });
    let key = secret.reveal().as_bytes();
    let signature = match scheme.algorithm {
        HmacAlgorithm::Sha1 => mac::<Hmac<sha1::Sha1>>(key, pieces),
        HmacAlgorithm::Sha256 => mac::<Hmac<sha2::Sha256>>(key, pieces),
        HmacAlgorithm::Sha512 => mac::<Hmac<sha2::Sha512>>(key, pieces),
    };
    let signature = match scheme.encoding {
        SignatureEncoding::Hex => hex::encode(signature),
        SignatureEncoding::Base64 => STANDARD.encode(signature),
    };
    let prefix = scheme.prefix.fill(|_| timestamp.as_str().into());
    let mut headers = HeaderMap::with_capacity(2);
    headers.insert(name(&scheme.header), value(&format!("{prefix}{signature}")));
    if let Some(header) = &scheme.timestamp_header {
        headers.insert(name(header), value(&timestamp));
    }
    headers
}

fn mac<'a, M: Mac + hmac::digest::KeyInit>(key: &[u8], pieces: impl Iterator<Item = &'a [u8]>) -> Vec<u8> {
    let mut mac = <M as Mac>::new_from_slice(key).expect("HMAC takes a key of any length");
    pieces.for_each(|piece| mac.update(piece));
    mac.finalize().into_bytes().to_vec()
}

fn name(header: &str) -> HeaderName {
    HeaderName::from_bytes(header.as_bytes()).expect("it was checked when the subscription was saved")
}

fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("ids, numbers, signatures and checked prefixes are visible ASCII")
}
