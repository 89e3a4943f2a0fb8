//! Pages cover a list without gaps or repetitions.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::TestApi;

/// Reads `id` or `name` of all entries, page by page.
async fn all(api: &TestApi, path: &str, limit: usize) -> Vec<String> {
    let mut found = Vec::new();
    let mut cursor = String::new();
    loop {
        let separator = if path.contains('?') { '&' } else { '?' };
        let page = api.admin.get(&format!("{path}{separator}limit={limit}{cursor}")).await.expect(200);
        let data = page["data"].as_array().unwrap();
        assert!(data.len() <= limit);
        found
            .extend(data.iter().map(|entry| {
                entry.get("id").or_else(|| entry.get("name")).and_then(Value::as_str).unwrap().to_owned()
            }));
        match page["next_cursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
        assert_eq!(data.len(), limit, "only the last page is short");
    }
}

async fn assert_pages(api: &TestApi, path: &str, count: usize) {
    let whole = all(api, path, 200).await;
    assert_eq!(whole.len(), count, "{path}");
    assert_eq!(whole.iter().collect::<BTreeSet<_>>().len(), count, "{path}");
    for limit in [1, 2, 3, count] {
        assert_eq!(all(api, path, limit).await, whole, "{path} by {limit}");
    }
}

#[tokio::test]
async fn pages_cover_every_list() {
    let api = TestApi::start().await;
    for n in 0..6 {
        api.admin.post("/v1/spaces", json!({"id": format!("space-{n}")})).await.expect(201);
        api.admin.post("/v1/keys", json!({"name": "x", "role": "admin"})).await.expect(201);
        api.admin.put(&format!("/v1/spaces/crm/event-types/type.{n}"), json!({})).await.expect(200);
        // Only the last subscription matches events of this type.
        let kind = if n == 5 { "*" } else { "other" };
        api.subscribe(json!({"event_types": [kind], "delay_s": 60})).await;
    }
    for n in 0..7 {
        let event = json!({"type": "x", "data": n, "id": format!("own-{}", (n * 5) % 7)});
        api.admin.post("/v1/spaces/crm/events", event).await.expect(202);
    }
    assert_pages(&api, "/v1/spaces", 7).await;
    assert_pages(&api, "/v1/keys", 7).await;
    assert_pages(&api, "/v1/spaces/crm/event-types", 6).await;
    assert_pages(&api, "/v1/spaces/crm/subscriptions", 6).await;
    assert_pages(&api, "/v1/spaces/crm/events", 7).await;
    assert_pages(&api, "/v1/spaces/crm/deliveries", 7).await;
    assert_pages(&api, "/v1/spaces/crm/deliveries?state=pending", 7).await;
    assert_eq!(all(&api, "/v1/spaces/crm/deliveries?state=failed", 50).await, Vec::<String>::new());
    assert_eq!(all(&api, "/v1/spaces/crm/deliveries?event=own-3", 50).await.len(), 1);
    assert_eq!(all(&api, "/v1/spaces/crm/deliveries?until=2020-01-01T00:00:00Z", 50).await.len(), 0);
    assert_eq!(all(&api, "/v1/spaces/crm/deliveries?since=2020-01-01T00:00:00Z", 50).await.len(), 7);
}
