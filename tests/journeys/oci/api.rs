//! Pulling into a space.

use hookmill_model::{Digest, PluginKey};
use serde_json::json;

use super::registry::Registry;
use super::{push_echo, registries};
use crate::api::{TestApi, assert_problem};

const PULL: &str = "/v1/spaces/crm/pull-plugin";

async fn api() -> TestApi {
    TestApi::with(|config| config.oci.allow_networks = registries().policy.allow_networks).await
}

#[tokio::test]
async fn a_plugin_is_pulled_into_a_space_and_shows_where_it_came_from() {
    let Some(registry) = Registry::start() else { return };
    let at = format!("oci://{}/by-hand", registry.address);
    let pushed = push_echo(&format!("{at}:1.0.0"), None).await.unwrap();
    let api = api().await;
    let pull = async |reference: &str| api.admin.post(PULL, json!({"reference": reference})).await;
    let made = pull(&format!("{at}:1.0.0")).await.expect(201);
    assert_eq!(made["source"], format!("{at}@{}", pushed.manifest));
    assert_eq!(made["digest"], Digest::of(hookmill_guests::ECHO).to_string());
    assert_eq!(
        (&made["name"], &made["version"], &made["bundled"]),
        (&json!("by-hand"), &json!("1.0.0"), &json!(false))
    );
    assert_eq!(pull(made["source"].as_str().unwrap()).await.expect(200), made);
    assert_eq!(api.admin.get("/v1/spaces/crm/plugins/by-hand/1.0.0").await.expect(200), made);

    assert_problem(&pull("by-hand:1.0.0").await, 422, "field_invalid", Some("/reference"));
    assert_problem(&pull(&format!("{at}:9")).await, 422, "plugin_pull_failed", None);
    for role in ["read", "produce"] {
        let answer = api.with_role(role).await.post(PULL, json!({"reference": format!("{at}:1.0.0")})).await;
        assert_problem(&answer, 403, "forbidden", None);
    }
}

#[tokio::test]
async fn a_host_pulls_from_no_private_address_unless_its_operator_allows_it() {
    let Some(registry) = Registry::start() else { return };
    let reference = format!("oci://{}/by-hand:1.0.0", registry.address);
    push_echo(&reference, None).await.unwrap();
    let api = TestApi::start().await;
    let answer = api.admin.post(PULL, json!({"reference": reference})).await;
    assert_problem(&answer, 422, "plugin_pull_failed", None);
    assert!(answer.text.contains("resolves only to addresses that"), "{}", answer.text);
}

#[tokio::test]
async fn a_component_over_the_hosts_limit_is_not_pulled() {
    let Some(registry) = Registry::start() else { return };
    let reference = format!("oci://{}/by-hand:1.0.0", registry.address);
    push_echo(&reference, None).await.unwrap();
    let api = TestApi::with(|config| {
        config.oci.allow_networks = registries().policy.allow_networks;
        config.plugin.component_bytes_max = 1_000;
    })
    .await;
    assert_problem(&api.admin.post(PULL, json!({"reference": reference})).await, 413, "too_large", None);
}

#[tokio::test]
async fn a_space_with_keys_pulls_only_what_one_of_them_signed() {
    let Some(registry) = Registry::start() else { return };
    let api = api().await;
    let key = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
    let public = PluginKey::from_bytes(key.verifying_key().as_bytes());
    api.admin.patch("/v1/spaces/crm", json!({"plugin_keys": [public]})).await.expect(200);
    let signature = crate::journeys::signature::by_hand(&key, hookmill_guests::ECHO);
    let [bare, signed] = ["bare", "signed"].map(|tag| format!("oci://{}/by-hand:{tag}", registry.address));
    push_echo(&bare, None).await.unwrap();
    push_echo(&signed, Some(&signature)).await.unwrap();

    let answer = api.admin.post(PULL, json!({"reference": bare})).await;
    assert_problem(&answer, 422, "plugin_unsigned", None);
    api.admin.post(PULL, json!({"reference": signed})).await.expect(201);
    // Signed beside the registry, by whoever trusts what is in it.
    api.admin.post(PULL, json!({"reference": bare, "signature": signature})).await.expect(200);
}
