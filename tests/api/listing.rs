//! The list of subscriptions: its filters, its orders, and its pages.

use serde_json::{Value, json};

use super::{TestApi, assert_problem};

const SUBSCRIPTIONS: &str = "/v1/spaces/crm/subscriptions";

/// The names in the list, page by page.
async fn names(api: &TestApi, query: &str, limit: usize) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = api.admin.get(&format!("{SUBSCRIPTIONS}?limit={limit}{query}{cursor}")).await.expect(200);
        let data = page["data"].as_array().unwrap();
        found.extend(data.iter().map(|entry| entry["name"].as_str().unwrap().to_owned()));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
        assert_eq!(data.len(), limit, "only the last page is short");
    }
}

async fn assert_names(api: &TestApi, query: &str, expected: &[&str]) {
    for limit in [1, 2, 50] {
        assert_eq!(names(api, query, limit).await, expected, "{query} by {limit}");
    }
}

#[tokio::test]
async fn a_list_is_filtered_by_text_state_event_type_and_plugin() {
    let api = TestApi::start().await;
    super::plugins::keep(&api, None, "slack", "1.0.0", json!({})).await;
    let lead = api
        .subscribe(json!({"name": "Łódź Leads", "event_types": ["lead.*"], "url": "https://HOOKS.example.com/Abc",
            "trigger": {"fields": ["owner"]}}))
        .await;
    api.subscribe(json!({"name": "Deals", "event_types": ["deal.won"], "state": "draft", "plugin": {"name": "slack"}}))
        .await;
    let all = api.subscribe(json!({"name": "All of it", "url": "https://other.example/abc"})).await;
    let path = format!("{SUBSCRIPTIONS}/{}/pause", all["id"].as_str().unwrap());
    api.admin.post(&path, json!({})).await.expect(200);

    assert_names(&api, "&sort=name", &["All of it", "Deals", "Łódź Leads"]).await;
    assert_names(&api, "&sort=name&q=", &["All of it", "Deals", "Łódź Leads"]).await;
    assert_names(&api, "&sort=name&q=%C5%82%C3%93D", &["Łódź Leads"]).await;
    assert_names(&api, "&sort=name&q=ABC", &["All of it", "Łódź Leads"]).await;
    assert_names(&api, &format!("&sort=name&q={}", lead["id"].as_str().unwrap()), &["Łódź Leads"]).await;
    assert_names(&api, "&sort=name&q=nowhere", &[]).await;
    assert_names(&api, "&sort=name&state=draft", &["Deals"]).await;
    assert_names(&api, "&sort=name&state=paused", &["All of it"]).await;
    assert_names(&api, "&sort=name&event_type=lead.created", &["All of it", "Łódź Leads"]).await;
    assert_names(&api, "&sort=name&event_type=deal.won", &["All of it", "Deals"]).await;
    assert_names(&api, "&sort=name&plugin=slack", &["Deals"]).await;
    assert_names(&api, "&sort=name&plugin=zapier", &[]).await;
    assert_names(&api, "&sort=name&triggered=true", &["Łódź Leads"]).await;
    assert_names(&api, "&sort=name&triggered=false", &["All of it", "Deals", "Łódź Leads"]).await;
    assert_names(&api, "&sort=name&event_type=lead.created&state=active&q=abc", &["Łódź Leads"]).await;

    for (query, parameter) in [
        ("state=deleted", "state"),
        ("state=", "state"),
        ("sort=url", "sort"),
        ("event_type=a..b", "event_type"),
        ("plugin=A", "plugin"),
        ("triggered=yes", "triggered"),
        ("cursor=x", "cursor"),
        ("sort=name&cursor=x", "cursor"),
        (&format!("sort=name&cursor={}", lead["id"].as_str().unwrap()), "cursor"),
        (&format!("q={}", "x".repeat(201)), "q"),
        ("name=x", "name"),
    ] {
        let answer = api.admin.get(&format!("{SUBSCRIPTIONS}?{query}")).await;
        assert_problem(&answer, 400, "parameter_invalid", None);
        assert_eq!(answer.json()["parameter"], parameter, "{query}");
    }
}

#[tokio::test]
async fn a_list_is_sorted_by_creation_and_by_name_in_both_directions() {
    let api = TestApi::start().await;
    let mut made = Vec::new();
    for name in ["beta", "Alpha", "gamma", "alpha", "Beta"] {
        made.push((api.subscribe(json!({ "name": name })).await["id"].as_str().unwrap().to_owned(), name));
    }
    // Two of the same millisecond have no order but that of their ids.
    made.sort_unstable();
    let mut expected: Vec<_> = made.iter().map(|(_, name)| *name).collect();
    assert_names(&api, "&sort=created", &expected).await;
    expected.sort_by_key(|name| name.to_lowercase());
    assert_names(&api, "&sort=name", &expected).await;
    assert_names(&api, "&sort=name&q=alph", &expected[..2]).await;
    expected.reverse();
    assert_names(&api, "&sort=-name", &expected).await;
    made.reverse();
    assert_names(&api, "&sort=-created", &made.iter().map(|(_, name)| *name).collect::<Vec<_>>()).await;
}

#[tokio::test]
async fn a_page_of_large_subscriptions_ends_early_and_the_next_one_goes_on() {
    let api = TestApi::start().await;
    super::plugins::keep(&api, None, "slack", "1.0.0", json!({})).await;
    for name in ["c", "a", "b", "e", "d", "f"] {
        let plugin = json!({"name": "slack", "config": {"text": "x".repeat(250_000)}});
        api.subscribe(json!({"name": name, "plugin": plugin})).await;
    }
    for (sort, expected) in [("created", "cabedf"), ("name", "abcdef")] {
        let first = api.admin.get(&format!("{SUBSCRIPTIONS}?sort={sort}")).await.expect(200);
        let cursor = first["next_cursor"].as_str().unwrap();
        let second = api.admin.get(&format!("{SUBSCRIPTIONS}?sort={sort}&cursor={cursor}")).await.expect(200);
        assert_eq!(second["next_cursor"], Value::Null);
        let pages = [&first, &second].map(|page| page["data"].as_array().unwrap().clone());
        assert_eq!(pages.each_ref().map(Vec::len), [4, 2]);
        let names: String = pages.iter().flatten().map(|entry| entry["name"].as_str().unwrap()).collect();
        assert_eq!(names, expected);
    }
}

#[tokio::test]
async fn a_space_lists_its_own_subscriptions_and_no_deleted_ones() {
    let api = TestApi::start().await;
    api.admin.post("/v1/spaces", json!({"id": "other"})).await.expect(201);
    api.admin.post("/v1/spaces/other/subscriptions", super::subscription(json!({"name": "theirs"}))).await.expect(201);
    let made = api.subscribe(json!({"name": "mine"})).await;
    for query in ["", "&sort=name", "&q=example"] {
        assert_names(&api, query, &["mine"]).await;
    }
    api.admin.delete(&format!("{SUBSCRIPTIONS}/{}", made["id"].as_str().unwrap())).await.expect(204);
    for query in ["", "&sort=name", "&q=example"] {
        assert_names(&api, query, &[]).await;
    }
}
