//! Signatures of plugins: other code checks what ours signs, and ours what other code signs.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ed25519_dalek::{Signature, Signer as _, SigningKey, Verifier as _};
use hookmill_model::{Digest, PluginKey};
use hookmill_server::plugins::signature::{self, SigningKeyError, Unsigned, check};
use reqwest::{Client, Method, StatusCode};
use serde_json::{Value, json};
use sha2::Digest as _;

use crate::api::{TestApi, assert_problem};
use crate::support::host::TestHost;

/// Made by `openssl genpkey -algorithm ed25519`.
const PEM: &str = "-----BEGIN PRIVATE KEY-----
MC4CAQAwBQYDK2VwBCIEICWQC2rQfgoNPlv24A50fENBNhcrHp9+NQB3FPrP3+J8
-----END PRIVATE KEY-----
";
/// Its public half: `openssl pkey -pubout -outform DER | tail -c 32 | base64`.
const PUBLIC: &str = "whpk_vupSV56doZ2IsI/iSTp3ToXtqLi5F+LC2mZSgGbHSy4=";
const DIGEST: &str = "sha256:343e208a310ddfe694c85a38ed49106156cacfac9a211719b4471dce0c1fcd67";
/// What `openssl pkeyutl -sign -rawin` makes of that text.
const SIGNED: &str = "QbEJpy2Txu8m7IhExy6zLz388GFqdDW2o2AgKNb+T6aeJaheSs90WgN/wom9foGKiLPkX4yzp+vm1GLO6nUtDw==";

/// A component's signature, without any of our code.
pub fn by_hand(key: &SigningKey, component: &[u8]) -> String {
    let digest = sha2::Sha256::new_with_prefix(component).finalize();
    let text = format!("sha256:{}", hex::encode(digest));
    STANDARD.encode(key.sign(text.as_bytes()).to_bytes())
}

fn public(key: &SigningKey) -> PluginKey {
    PluginKey::from_bytes(key.verifying_key().as_bytes())
}

fn read(text: &str) -> Result<signature::SigningKey, SigningKeyError> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("key.pem");
    std::fs::write(&file, text).unwrap();
    signature::SigningKey::read(&file)
}

#[test]
fn openssls_key_signs_as_openssl_does() {
    let key = read(PEM).unwrap();
    assert_eq!(key.public_key().as_str(), PUBLIC);
    assert_eq!(key.sign(DIGEST.parse().unwrap()), SIGNED);
    assert_eq!(check(&[PUBLIC.parse().unwrap()], DIGEST.parse().unwrap(), Some(SIGNED)), Ok(()));
    assert!(!format!("{key:?}").contains("JZALatB"), "{key:?}");
}

#[test]
fn a_key_of_standard_webhooks_signs_and_other_code_checks_it() {
    let theirs = SigningKey::from_bytes(&[7; 32]);
    for bytes in [theirs.to_bytes().to_vec(), theirs.to_keypair_bytes().to_vec()] {
        let key = read(&format!("whsk_{}\n", STANDARD.encode(bytes))).unwrap();
        let digest = Digest::of(b"a component");
        let signature: [u8; 64] = STANDARD.decode(key.sign(digest)).unwrap().try_into().unwrap();
        let signed = digest.to_string();
        theirs.verifying_key().verify(signed.as_bytes(), &Signature::from_bytes(&signature)).unwrap();
        assert_eq!(key.public_key(), public(&theirs));
    }
}

#[test]
fn what_is_no_private_key_is_told_so_without_repeating_it() {
    for text in ["", "whsk_c2hvcnQ=", PUBLIC, "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----"] {
        let error = read(text).expect_err(text).to_string();
        assert!(error.contains("does not contain an Ed25519 private key") && !error.contains("AAAA"), "{error}");
    }
    let error = signature::SigningKey::read(std::path::Path::new("/nowhere/key")).expect_err("it is not there");
    assert!(matches!(error, SigningKeyError::File { .. }));
}

#[test]
fn only_a_signature_by_one_of_the_keys_over_this_component_counts() {
    let [one, two, stranger] = [1, 2, 3].map(|seed| SigningKey::from_bytes(&[seed; 32]));
    let keys = [public(&one), public(&two)];
    let (component, digest) = (b"a component", Digest::of(b"a component"));
    for key in [&one, &two] {
        assert_eq!(check(&keys, digest, Some(&by_hand(key, component))), Ok(()));
    }
    assert_eq!(check(&keys, digest, Some(&by_hand(&stranger, component))), Err(Unsigned::Wrong));
    assert_eq!(check(&keys, digest, Some(&by_hand(&one, b"another"))), Err(Unsigned::Wrong));
    assert_eq!(check(&keys, digest, None), Err(Unsigned::Missing));
    for malformed in ["", "x", "c2hvcnQ="] {
        assert_eq!(check(&keys, digest, Some(malformed)), Err(Unsigned::Malformed), "{malformed}");
    }
    assert_eq!(check(&[], digest, None), Ok(()));
}

#[test]
fn a_public_key_is_32_bytes_and_not_the_private_one() {
    for (text, right) in [
        ("whpk_c2hvcnQ=", "a public key is whpk_"),
        ("vupSV56doZ2IsI/iSTp3ToXtqLi5F+LC2mZSgGbHSy4=", "a public key is whpk_"),
        ("whsk_vupSV56doZ2IsI/iSTp3ToXtqLi5F+LC2mZSgGbHSy4=", "this is a private key"),
    ] {
        let error = PluginKey::parse(text).expect_err(text).to_string();
        assert!(error.starts_with(right) && !error.contains("vupS"), "{error}");
    }
}

#[tokio::test]
async fn a_space_shows_its_keys_and_takes_ten_of_them() {
    let api = TestApi::start().await;
    let keys: Vec<_> = (0..11).map(|seed| public(&SigningKey::from_bytes(&[seed; 32]))).collect();
    let space = "/v1/spaces/crm";
    assert_eq!(api.admin.get(space).await.expect(200)["plugin_keys"], json!([]));
    let changed = api.admin.patch(space, json!({"plugin_keys": keys[..10]})).await.expect(200);
    assert_eq!(changed["plugin_keys"], json!(keys[..10]));
    assert_eq!(api.admin.patch(space, json!({"name": "CRM"})).await.expect(200)["plugin_keys"], json!(keys[..10]));
    assert_eq!(api.admin.patch(space, json!({"plugin_keys": null})).await.expect(200)["plugin_keys"], json!([]));
    for (wrong, field) in [
        (json!(keys), "/plugin_keys"),
        (json!([keys[0], keys[0]]), "/plugin_keys/1"),
        (json!([keys[0], "whpk_x"]), "/plugin_keys/1"),
    ] {
        let answer = api.admin.patch(space, json!({"plugin_keys": wrong})).await;
        assert_problem(&answer, 422, "field_invalid", Some(field));
        let answer = api.admin.post("/v1/spaces", json!({"id": "new", "plugin_keys": wrong})).await;
        assert_problem(&answer, 422, "field_invalid", Some(field));
    }
    let made = api.admin.post("/v1/spaces", json!({"id": "new", "plugin_keys": [keys[0]]})).await.expect(201);
    assert_eq!(made["plugin_keys"], json!([keys[0]]));
}

/// Uploads the echo with this signature.
async fn upload(host: &TestHost, signature: Option<&str>) -> (StatusCode, Value) {
    let client = Client::builder().no_proxy().build().unwrap();
    let mut request = client.post(format!("{}/v1/spaces/acme/plugins", host.base)).bearer_auth(&host.key);
    if let Some(signature) = signature {
        request = request.header("hookmill-plugin-signature", signature);
    }
    let request = request.header("content-type", "application/wasm").body(hookmill_guests::ECHO);
    let response = request.send().await.unwrap();
    (response.status(), response.json().await.unwrap())
}

#[tokio::test]
async fn a_space_with_keys_takes_only_what_one_of_them_signed() {
    let host = TestHost::start().await;
    let [one, stranger] = [1, 2].map(|seed| SigningKey::from_bytes(&[seed; 32]));
    host.ok(Method::PATCH, "/v1/spaces/acme", json!({"plugin_keys": [public(&one)]})).await;
    let (wrong, right) = (by_hand(&stranger, hookmill_guests::ECHO), by_hand(&one, hookmill_guests::ECHO));
    for (signature, reason) in [
        (None, "it has no signature"),
        (Some("nonsense"), "expected the 64 bytes of an Ed25519 signature"),
        (Some(wrong.as_str()), "its signature is by none of the plugin keys"),
    ] {
        let (status, problem) = upload(&host, signature).await;
        assert_eq!((status, &problem["code"]), (StatusCode::UNPROCESSABLE_ENTITY, &json!("plugin_unsigned")));
        assert!(problem["detail"].as_str().unwrap().contains(reason), "{problem}");
    }
    let (status, made) = upload(&host, Some(&right)).await;
    assert_eq!((status, &made["source"]), (StatusCode::CREATED, &Value::Null));
    assert_eq!(upload(&host, Some(&right)).await.0, StatusCode::OK);
    // Without keys, nobody asks.
    host.ok(Method::PATCH, "/v1/spaces/acme", json!({"plugin_keys": []})).await;
    assert_eq!(upload(&host, None).await.0, StatusCode::OK);
}
