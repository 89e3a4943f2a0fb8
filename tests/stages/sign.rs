//! Sign: the official verifier takes what the host signs, whatever the content type.

use hookmill_model::{DeliveryId, Secret, Signing};
use hookmill_server::stages::sign::{SignedContent, sign, signatures};
use http::HeaderMap;
use jiff::Timestamp;
use standardwebhooks::Webhook;

const JSON: &str = r#"{"type":"lead.create","data":{"name":"Zoë 🦀","price":12.50}}"#;
const FORM: &str = "type=lead.create&data%5Bname%5D=Zo%C3%AB%20%F0%9F%A6%80";
const TEXT: &str = "Zoë bought 3 × 🦀\n";

fn verifies(secret: &Secret, body: &[u8], headers: &HeaderMap) -> bool {
    Webhook::new(secret.reveal()).unwrap().verify(body, headers).is_ok()
}

fn signed(body: &str, secrets: &[Secret]) -> HeaderMap {
    let now = Timestamp::now();
    let (id, timestamp_s) = (DeliveryId::new(now), now.as_second());
    let signed = SignedContent { id, timestamp_s, url: "https://example.com/", body: body.as_bytes() };
    sign(&Signing::default(), secrets, &signed)
}

#[test]
fn the_published_vector_is_reproduced() {
    let secret = Secret::parse("whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD").unwrap();
    let body = br#"{"email":"test@example.com","username":"test_user"}"#;
    let signature = signatures("msg_27UH4WbU6Z5A5EzD8u03UvzRbpk", 1_649_367_553, body, &[secret]);
    assert_eq!(signature, "v1,tZ1I4/hDygAJgO5TYxiSd6Sd0kDW6hPenDe+bTa3Kkw=");
}

#[test]
fn the_official_verifier_takes_json_form_and_text() {
    let secret = Secret::generate();
    for body in [JSON, FORM, TEXT, ""] {
        let headers = signed(body, std::slice::from_ref(&secret));
        assert!(verifies(&secret, body.as_bytes(), &headers), "{body}");
    }
}

#[test]
fn one_flipped_bit_is_refused_wherever_it_is() {
    let secret = Secret::generate();
    let headers = signed(JSON, std::slice::from_ref(&secret));
    for at in 0..JSON.len() {
        let mut body = JSON.as_bytes().to_vec();
        body[at] ^= 1;
        assert!(!verifies(&secret, &body, &headers), "byte {at}");
    }
}

#[test]
fn during_a_rotation_both_secrets_verify_and_the_newest_stands_first() {
    let [new, old, other] = [Secret::generate(), Secret::generate(), Secret::generate()];
    let headers = signed(TEXT, &[new.clone(), old.clone()]);
    assert!(verifies(&new, TEXT.as_bytes(), &headers));
    assert!(verifies(&old, TEXT.as_bytes(), &headers));
    assert!(!verifies(&other, TEXT.as_bytes(), &headers));

    let all = headers["webhook-signature"].to_str().unwrap();
    let alone = |secret| {
        let timestamp_s = headers["webhook-timestamp"].to_str().unwrap().parse().unwrap();
        signatures(headers["webhook-id"].to_str().unwrap(), timestamp_s, TEXT.as_bytes(), &[secret])
    };
    assert_eq!(all, format!("{} {}", alone(new), alone(old)));
}

#[test]
fn another_id_or_another_time_is_another_signature() {
    let secrets = [Secret::generate()];
    let first = signatures("dlv_1", 1_700_000_000, TEXT.as_bytes(), &secrets);
    assert_ne!(first, signatures("dlv_2", 1_700_000_000, TEXT.as_bytes(), &secrets));
    assert_ne!(first, signatures("dlv_1", 1_700_000_001, TEXT.as_bytes(), &secrets));
}
