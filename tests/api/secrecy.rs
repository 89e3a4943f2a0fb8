//! What keeps secrets secret at the API: errors, caches, and changes that move a subscription.

use serde_json::json;

use super::{TestApi, assert_problem, subscription};

const SUBSCRIPTIONS: &str = "/v1/spaces/crm/subscriptions";
const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

#[tokio::test]
async fn a_secret_of_the_wrong_type_is_not_repeated() {
    let api = TestApi::start().await;
    for (member, field) in [
        (json!({"secret": 1_234_567}), "/secret"),
        (json!({"secret": 1234567.5}), "/secret"),
        (json!({"secret": ["hunter1234567"]}), "/secret"),
        (json!({"sealed_secrets": "hunter1234567"}), "/sealed_secrets"),
        (json!({"sealed_secrets": {"key": 1_234_567}}), "/sealed_secrets/key"),
        (json!({"headers": "hunter1234567, expected a sequence"}), "/headers"),
        (json!({"headers": [{"name": "a", "value": 1_234_567, "secret": true}]}), "/headers/0/value"),
        (json!({"headers": [{"name": "a", "value": "b", "secret": "hunter1234567"}]}), "/headers/0/secret"),
    ] {
        let answer = api.admin.post(SUBSCRIPTIONS, subscription(member)).await;
        assert_problem(&answer, 422, "field_invalid", Some(field));
        assert!(!answer.text.contains("1234567"), "{}", answer.text);
        assert!(answer.text.contains("invalid type: "), "{}", answer.text);
    }
    let answer = api.admin.post("/v1/keys", json!({"name": 1_234_567, "role": "admin"})).await;
    assert!(!answer.text.contains("1234567"), "{}", answer.text);
}

#[tokio::test]
async fn no_error_repeats_a_value_that_may_be_a_secret() {
    const MARK: &str = "hunter1234567, expected a `secret`";
    let api = TestApi::start().await;
    let made = api.subscribe(json!({})).await;
    let path = format!("{SUBSCRIPTIONS}/{}", made["id"].as_str().unwrap());
    let mut answers = Vec::new();
    for definition in [
        json!({"secret": MARK}),
        json!({"secret": {"hunter": MARK}}),
        json!({"secret": "whsec_hunter1234567"}),
        json!({"secret": "hunter1234567", "signing": {"scheme": "ed25519"}}),
        json!({"signing": MARK}),
        json!({"signing": {"scheme": MARK}}),
        json!({"signing": {"scheme": "hmac", "algorithm": MARK}}),
        json!({"sealed_secrets": {"key": MARK}}),
        json!({"sealed_secrets": {"key": [MARK]}}),
        json!({"sealed_secrets": [MARK]}),
        json!({"headers": [MARK]}),
        json!({"headers": [{"name": "a", "value": [MARK], "secret": true}]}),
        json!({"headers": [{"name": "a", "value": "hunter1234567\n", "secret": true}]}),
        json!({"headers": [{"name": "a", "value": "b", "secret": MARK}]}),
        json!({"method": MARK}),
        json!({"state": MARK}),
        json!({"content_type": MARK}),
        json!({"plugin": {"name": "zapier", "on_failure": MARK}}),
        json!({"trigger": {"on": MARK}}),
        json!({"handshake": {"kind": MARK}}),
        json!({"url": "https://user:hunter1234567@example.com/"}),
        json!({"url": "https://user:hunter1234567@exa mple.com/"}),
    ] {
        answers.push((definition.clone(), api.admin.post(SUBSCRIPTIONS, subscription(definition.clone())).await));
        answers.push((definition.clone(), api.admin.patch(&path, definition).await));
    }
    for wrong in [json!(MARK), json!([MARK]), json!({"hunter": MARK}), json!(-1_234_567), json!("whsec_hunter1234567")]
    {
        let body = json!({"secret": wrong});
        answers.push((body.clone(), api.admin.post(&format!("{path}/rotate-secret"), body).await));
        let body = json!({"name": "a", "role": wrong});
        answers.push((body.clone(), api.admin.post("/v1/keys", body).await));
        for body in [json!({"plugin_keys": wrong}), json!({"plugin_keys": [wrong]})] {
            answers.push((body.clone(), api.admin.patch("/v1/spaces/crm", body).await));
        }
    }
    let private = format!("hmsk_{}", "hunter1234567".repeat(4));
    let body = json!({"plugin_keys": [private]});
    answers.push((body.clone(), api.admin.patch("/v1/spaces/crm", body).await));
    let key = "hmk_00000000000000000000000000_hunter1234567";
    answers.push((json!("key"), api.admin.delete(&format!("/v1/keys/{key}")).await));
    answers.push((json!("key"), api.admin.with_key(key).get("/v1/keys").await));
    for (given, answer) in answers {
        assert!((400..500).contains(&answer.status), "{given}: {}", answer.text);
        assert!(!answer.text.contains("1234567"), "{given}: {}", answer.text);
    }
}

#[tokio::test]
async fn no_answer_is_to_be_stored() {
    let api = TestApi::start().await;
    let made = api.subscribe(json!({"secret": SECRET})).await;
    let path = format!("{SUBSCRIPTIONS}/{}", made["id"].as_str().unwrap());
    let key = api.admin.post("/v1/keys", json!({"name": "a", "role": "admin"})).await;
    assert!(key.text.contains("\"key\""), "{}", key.text);
    for answer in [
        key,
        api.admin.get(&format!("{path}/secret")).await,
        api.admin.post(&format!("{path}/rotate-secret"), json!({})).await,
        api.admin.get(&format!("{SUBSCRIPTIONS}/sub_00000000000000000000000000")).await,
    ] {
        assert_eq!(answer.headers["cache-control"], "no-store", "{}", answer.text);
    }
}

#[tokio::test]
async fn a_subscription_that_moves_to_another_host_needs_its_secrets_anew() {
    let api = TestApi::start().await;
    let headers = json!([
        {"name": "x-app", "value": "crm"},
        {"name": "x-token", "value": "hunter2", "secret": true},
        {"name": "x-other", "value": "hunter3", "secret": true},
    ]);
    let made = api.subscribe(json!({"headers": headers, "sealed_secrets": {"key": "hunter4"}})).await;
    let path = format!("{SUBSCRIPTIONS}/{}", made["id"].as_str().unwrap());
    let manager = api.with_role("manage").await;
    for url in ["https://evil.example/1", "http://hooks.example.com/1", "https://hooks.example.com:8443/1"] {
        let answer = manager.patch(&path, json!({"url": url})).await;
        assert_problem(&answer, 422, "field_invalid", Some("/headers/1/value"));
        for member in ["/headers/1/value", "/headers/2/value", "/sealed_secrets/key"] {
            assert!(answer.text.contains(member), "{}", answer.text);
        }
    }
    // Another path of the same host is the same owner's.
    manager.patch(&path, json!({"url": "https://hooks.example.com/2"})).await.expect(200);
    let url = "https://elsewhere.example/1";
    let only = json!({"url": url, "headers": [{"name": "x-token", "value": "new", "secret": true}]});
    assert_problem(&manager.patch(&path, only.clone()).await, 422, "field_invalid", Some("/sealed_secrets/key"));
    let mut all = only;
    all["sealed_secrets"] = json!({"key": "new-too"});
    assert_eq!(manager.patch(&path, all).await.expect(200)["url"], url);
    // Without any, it moves as it likes.
    manager.patch(&path, json!({"headers": [], "sealed_secrets": {"key": null}})).await.expect(200);
    manager.patch(&path, json!({"url": "https://hooks.example.com/3"})).await.expect(200);
}
