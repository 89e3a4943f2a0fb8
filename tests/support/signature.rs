//! Signatures computed anew, by other code than that which made them.

use ring::hmac::{Algorithm, HMAC_SHA256, Key, sign};

/// The HMAC of these parts, one behind the other.
pub fn mac(algorithm: Algorithm, key: &str, parts: &[&[u8]]) -> Vec<u8> {
    sign(&Key::new(algorithm, key.as_bytes()), &parts.concat()).as_ref().to_vec()
}

/// HMAC-SHA256 in hexadecimal.
pub fn hex_sha256(key: &str, parts: &[&[u8]]) -> String {
    hex::encode(mac(HMAC_SHA256, key, parts))
}
