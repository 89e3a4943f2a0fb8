use serde_json::json;

use super::{TestApi, assert_problem};

const SPACE: &str = "/v1/spaces/crm";

#[tokio::test]
async fn a_space_shows_its_administrators_wherever_it_is_shown() {
    let api = TestApi::start().await;
    let both = json!(["ada@acme.example", "ops+hooks@sub.acme.example"]);
    let made = api.admin.post("/v1/spaces", json!({"id": "acme", "administrators": both})).await.expect(201);
    assert_eq!(made["administrators"], both);
    assert_eq!(api.admin.get("/v1/spaces/acme").await.expect(200), made);
    let list = api.admin.get("/v1/spaces").await.expect(200);
    assert_eq!(list["data"][0], made);
    assert_eq!(list["data"][1]["administrators"], json!([]));
}

#[tokio::test]
async fn a_patch_of_a_space_changes_what_it_names_and_null_restores_the_default() {
    let api = TestApi::start().await;
    let manager = api.with_role("manage").await;
    let changed = manager.patch(SPACE, json!({"administrators": ["ada@acme.example"]})).await.expect(200);
    assert_eq!((&changed["name"], &changed["administrators"]), (&json!("crm"), &json!(["ada@acme.example"])));
    let changed = manager.patch(SPACE, json!({"name": "Acme"})).await.expect(200);
    assert_eq!((&changed["name"], &changed["administrators"]), (&json!("Acme"), &json!(["ada@acme.example"])));
    assert_eq!(api.admin.get(SPACE).await.expect(200), changed);
    let changed = manager.patch(SPACE, json!({"name": null, "administrators": null})).await.expect(200);
    assert_eq!((&changed["name"], &changed["administrators"]), (&json!("crm"), &json!([])));
    assert_eq!(manager.patch(SPACE, json!({})).await.expect(200), changed);
}

#[tokio::test]
async fn a_wrong_member_of_a_space_is_named_and_nothing_is_changed() {
    let api = TestApi::start().await;
    let many: Vec<_> = (0..51).map(|number| format!("a{number}@acme.example")).collect();
    for (members, code, field) in [
        (json!({"administrators": "ada@acme.example"}), "field_invalid", "/administrators"),
        (json!({"administrators": ["ada@acme.example", "bob"]}), "field_invalid", "/administrators/1"),
        (json!({"administrators": ["Ada <ada@acme.example>"]}), "field_invalid", "/administrators/0"),
        (
            json!({"administrators": ["ada@acme.example\r\nBcc: eve@evil.example"]}),
            "field_invalid",
            "/administrators/0",
        ),
        (json!({"administrators": ["ada@żółw.example"]}), "field_invalid", "/administrators/0"),
        (json!({"administrators": ["a@b.example", "A@b.example"]}), "field_invalid", "/administrators/1"),
        (json!({"administrators": many}), "field_invalid", "/administrators"),
        (json!({"name": "two\nlines"}), "field_invalid", "/name"),
        (json!({"owner": "ada@acme.example"}), "field_unknown", "/owner"),
    ] {
        assert_problem(&api.admin.patch(SPACE, members.clone()).await, 422, code, Some(field));
        let mut new = members;
        new["id"] = json!("other");
        assert_problem(&api.admin.post("/v1/spaces", new).await, 422, code, Some(field));
    }
    assert_problem(&api.admin.patch(SPACE, json!({"id": "other"})).await, 422, "field_unknown", Some("/id"));
    assert_eq!(api.admin.get(SPACE).await.expect(200)["administrators"], json!([]));
    assert_eq!(api.admin.get("/v1/spaces").await.expect(200)["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_space_is_changed_only_with_the_role_manage() {
    let api = TestApi::start().await;
    for role in ["read", "produce"] {
        let answer = api.with_role(role).await.patch(SPACE, json!({"name": "Mine"})).await;
        assert_problem(&answer, 403, "forbidden", None);
    }
    let answer = api.admin.patch("/v1/spaces/none", json!({"name": "Mine"})).await;
    assert_problem(&answer, 404, "not_found", None);
}
