//! Profiles: the data, and the catalog in a space.

use std::collections::BTreeSet;

use hookmill_server::subscriptions::profile::{self, Profile};
use reqwest::Method;
use serde_json::{Value, json};

use crate::api::TestApi;
use crate::support::host::TestHost;

const BREAKCOLD: &str = "\
    lead.create lead.update lead.delete lead.status.update lead.list.update lead.tags.update lead.track \
    lead.task.create lead.task.update lead.task.delete lead.note.create lead.note.update lead.note.delete \
    lead.linkedin.new lead.twitter.new lead.email.new campaign.create campaign.update campaign.delete \
    campaign.email.sent campaign.email.reply campaign.email.open campaign.email.click campaign.email.bounce \
    campaign.email.unsubscribe list.create list.update list.delete status.create status.update status.delete \
    tag.create tag.update tag.delete";

const LEADSQUARED: [&str; 36] = [
    "Account Activity Create",
    "Account Activity Update",
    "Account Create",
    "Account Delete",
    "Account Update",
    "Landing Page Submission",
    "Lead Activity Creation",
    "Lead Activity Update",
    "Lead Creation",
    "Lead Delete",
    "Lead Field Value Change",
    "Lead Merge",
    "Lead Ownership Change",
    "Lead Score Change",
    "Lead Stage Change",
    "Lead Update",
    "Leave Create",
    "Leave Delete",
    "Leave Update",
    "Opportunity Create",
    "Opportunity Delete",
    "Opportunity Field Value Change",
    "Opportunity Stage/Status Change",
    "Opportunity Update",
    "Product Create",
    "Product Delete",
    "Product Update",
    "Task Cancel",
    "Task Complete",
    "Task Create",
    "Task Reminder",
    "Task Update",
    "User Activate/Deactivate",
    "User Availability Status Change",
    "User Create",
    "User Update",
];

fn find(name: &str) -> &'static Profile {
    profile::find(name).unwrap()
}

fn names(profile: &Profile) -> Vec<&str> {
    profile.event_types().iter().map(|entry| entry.name.as_str()).collect()
}

#[test]
fn there_are_four_profiles_and_standard_is_the_first() {
    let names: Vec<_> = profile::all().iter().map(|profile| profile.name.as_str()).collect();
    assert_eq!(names, ["standard", "livespace", "breakcold", "leadsquared"]);
    assert!(profile::find("salesforce").is_none());
}

#[test]
fn generations_count_from_1_and_only_breakcold_has_two() {
    for profile in profile::all() {
        let generations: Vec<_> = (0..4).filter(|number| profile.defaults(*number).is_some()).collect();
        let expected: &[u32] = if profile.name == "breakcold" { &[1, 2] } else { &[1] };
        assert_eq!(generations, expected, "{}", profile.name);
    }
    assert_eq!(find("breakcold").defaults(1).unwrap()["pause_after_failures"], 10);
    assert_eq!(find("breakcold").defaults(2).unwrap()["pause_after_failures"], 50);
}

#[test]
fn the_standard_profile_sets_nothing() {
    assert!(find("standard").defaults(1).unwrap().is_empty());
    assert!(find("standard").event_types().is_empty());
}

#[test]
fn each_example_fits_its_schema_and_each_type_is_listed_once() {
    for profile in profile::all() {
        for entry in profile.event_types() {
            let validator = jsonschema::draft202012::options().should_validate_formats(true).build(&entry.schema);
            validator.unwrap().validate(&entry.example).unwrap_or_else(|err| panic!("{}: {err}", entry.name));
            assert!(!entry.description.is_empty(), "{}", entry.name);
        }
        let distinct: BTreeSet<_> = names(profile).into_iter().collect();
        assert_eq!(distinct.len(), profile.event_types().len(), "{}", profile.name);
    }
}

#[test]
fn the_schemas_reject_data_without_an_id() {
    for entry in profile::all().iter().flat_map(Profile::event_types) {
        assert!(!jsonschema::draft202012::is_valid(&entry.schema, &json!({})), "{}", entry.name);
    }
}

#[test]
fn livespace_has_two_events_of_deals_with_all_fields_of_a_deal() {
    let profile = find("livespace");
    assert_eq!(names(profile), ["deal.created", "deal.status_changed"]);
    for entry in profile.event_types() {
        let parts =
            ["id", "name", "status", "owners", "value", "products", "costs", "tags", "process", "custom_fields"];
        assert!(parts.iter().all(|part| entry.example.get(part).is_some()), "{}", entry.example);
        assert!(entry.example.to_string().contains(r#""value":12.50,"#), "{}", entry.example);
    }
}

#[test]
fn breakcold_has_all_its_events_and_the_lead_of_its_sample() {
    let profile = find("breakcold");
    assert_eq!(names(profile), BREAKCOLD.split_whitespace().collect::<Vec<_>>());
    let sample: Value = serde_json::from_str(include_str!("../../cli/src/demo/breakcold-lead.json")).unwrap();
    assert_eq!(profile.event_types()[0].example, sample);
}

/// The naming rule of the file: the kind of object, `Post`, and the change.
fn leadsquared_type(title: &str) -> String {
    let title = title.replace("Creation", "Create").replace("Lead Activity", "Sales Activity");
    let about = ["Account Activity", "Sales Activity", "Landing Page"].into_iter().find(|two| title.starts_with(two));
    let about = about.unwrap_or_else(|| title.split(' ').next().unwrap());
    format!("{about}_Post_{}", &title[about.len()..]).replace([' ', '/'], "")
}

#[test]
fn leadsquared_has_all_36_events_named_as_their_event_type_parameter() {
    let profile = find("leadsquared");
    let titles: Vec<_> = profile.event_types().iter().map(|entry| entry.title.as_deref().unwrap()).collect();
    assert_eq!(titles, LEADSQUARED);
    assert_eq!(names(profile), LEADSQUARED.map(leadsquared_type));
    assert!(names(profile).contains(&"SalesActivity_Post_Update"));
}

#[test]
fn leadsquared_has_the_published_numbers() {
    let mut codes: Vec<_> = find("leadsquared").event_types().iter().filter_map(|entry| entry.code).collect();
    codes.sort_unstable();
    assert_eq!(codes, [1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 26, 31, 32, 33, 34, 35]);
}

#[tokio::test]
async fn the_api_lists_the_profiles_with_their_defaults_for_any_key() {
    let api = TestApi::start().await;
    let producer = api.with_role("produce").await;
    let list = producer.get("/v1/profiles").await.expect(200);
    assert_eq!(list["data"].as_array().unwrap().len(), 4);
    let breakcold = &list["data"][2];
    assert_eq!(breakcold["generations"][1]["generation"], 2);
    assert_eq!(breakcold["generations"][1]["defaults"]["keep_days"], 30);
    assert_eq!(breakcold.get("event_types"), None);
    assert_eq!(api.admin.without_key().get("/v1/profiles").await.status, 401);
}

#[tokio::test]
async fn the_api_shows_a_profile_with_its_catalog() {
    let api = TestApi::start().await;
    let shown = api.admin.get("/v1/profiles/leadsquared").await.expect(200);
    assert_eq!(shown["event_types"].as_array().unwrap().len(), 36);
    let stage = shown["event_types"].as_array().unwrap().iter().find(|entry| entry["code"] == 5).unwrap();
    assert_eq!(stage["title"], "Lead Stage Change");
    assert_eq!(stage["name"], "Lead_Post_StageChange");
    let unknown = api.admin.get("/v1/profiles/salesforce").await;
    crate::api::assert_problem(&unknown, 404, "not_found", None);
}

#[tokio::test]
async fn loading_a_catalog_requires_a_managing_key_and_an_existing_profile() {
    let api = TestApi::start().await;
    let path = "/v1/spaces/crm/load-event-types";
    let reader = api.with_role("read").await;
    assert_eq!(reader.post(path, json!({"profile": "livespace"})).await.status, 403);
    let unknown = api.admin.post(path, json!({"profile": "salesforce"})).await;
    crate::api::assert_problem(&unknown, 422, "field_invalid", Some("/profile"));
    let loaded = api.with_role("manage").await.post(path, json!({"profile": "breakcold"})).await.expect(200);
    assert_eq!(loaded, json!({"loaded": 34}));
}

const TYPES: &str = "/v1/spaces/acme/event-types";

async fn load(host: &TestHost, profile: &str) -> Value {
    host.ok(Method::POST, "/v1/spaces/acme/load-event-types", json!({"profile": profile})).await
}

#[tokio::test]
async fn one_call_loads_a_whole_catalog() {
    let host = TestHost::start().await;
    for profile in profile::all() {
        assert_eq!(load(&host, &profile.name).await["loaded"], profile.event_types().len());
    }
    let list = host.ok(Method::GET, &format!("{TYPES}?limit=200"), Value::Null).await;
    let mut expected: Vec<_> = profile::all().iter().flat_map(names).collect();
    expected.sort_unstable();
    let list = list["data"].as_array().unwrap();
    assert_eq!(list.iter().map(|entry| entry["name"].as_str().unwrap()).collect::<Vec<_>>(), expected);
    let deal = list.iter().find(|entry| entry["name"] == "deal.status_changed").unwrap();
    assert!(deal["example"].to_string().contains(r#""value":12.50,"#), "{deal}");
    assert_eq!(deal["schema"], find("livespace").event_types()[1].schema);
}

#[tokio::test]
async fn loading_again_changes_only_what_differs_from_the_catalog() {
    let host = TestHost::start().await;
    load(&host, "livespace").await;
    let before = host.ok(Method::GET, TYPES, Value::Null).await;
    host.clock.advance(std::time::Duration::from_secs(60));
    let own = host.ok(Method::PUT, &format!("{TYPES}/deal.created"), json!({"description": "ours"})).await;
    assert_ne!(own["description"], before["data"][0]["description"]);
    load(&host, "livespace").await;
    let after = host.ok(Method::GET, TYPES, Value::Null).await;
    assert_eq!(after["data"][0]["description"], before["data"][0]["description"]);
    assert_eq!(after["data"][0]["example"], before["data"][0]["example"]);
    assert_eq!(after["data"][1], before["data"][1], "what was not changed is not written anew");
}

#[tokio::test]
async fn members_override_the_profile_and_null_restores_its_default() {
    let host = TestHost::start().await;
    let made = host
        .subscribe(
            "http://127.0.0.1:9/",
            json!({"profile": "breakcold", "generation": 2, "timeout_ms": 2000, "retry": {"schedule_s": [7]},
                "plugin": {"name": "breakcold", "config": {"id_space": "s1"}}}),
        )
        .await;
    assert_eq!((&made["timeout_ms"], &made["pause_after_failures"]), (&json!(2000), &json!(50)));
    assert_eq!(made["retry"], json!({"schedule_s": [7], "jitter_percent": 0}));
    assert_eq!(made["plugin"]["config"], json!({"id_space": "s1", "generation": 2}));

    let path = format!("/v1/spaces/acme/subscriptions/{}", made["id"].as_str().unwrap());
    let patch = json!({"timeout_ms": null, "retry": {"schedule_s": null}, "signing": {"scheme": "none"}});
    let changed = host.ok(Method::PATCH, &path, patch).await;
    assert_eq!((&changed["timeout_ms"], &changed["signing"]), (&json!(10_000), &json!({"scheme": "none"})));
    assert_eq!(changed["retry"]["schedule_s"], json!([5, 30]));

    // Another plugin has none of the profile's settings.
    let changed = host.ok(Method::PATCH, &path, json!({"plugin": {"name": "zapier"}})).await;
    assert_eq!((&changed["plugin"]["name"], &changed["plugin"]["config"]), (&json!("zapier"), &json!({})));
    for patch in [json!({"profile": null}), json!({"generation": null}), json!({"generation": 1})] {
        let (status, problem) = host.call(Method::PATCH, &path, &patch).await;
        assert_eq!(status, 422, "{patch}: {problem}");
    }
}

#[tokio::test]
async fn a_null_in_a_plugins_configuration_is_kept() {
    let host = TestHost::start().await;
    let name = host.upload(hookmill_guests::ECHO).await["name"].clone();
    let config = json!({"a": null, "b": {"c": null}});
    let plugin = json!({"name": name, "config": config});
    let made = host.subscribe("http://127.0.0.1:9/", json!({"plugin": plugin})).await;
    assert_eq!(made["plugin"]["config"], config);
    let path = format!("/v1/spaces/acme/subscriptions/{}", made["id"].as_str().unwrap());
    let changed = host.ok(Method::PATCH, &path, json!({"name": "other"})).await;
    assert_eq!(changed["plugin"]["config"], config);
}
