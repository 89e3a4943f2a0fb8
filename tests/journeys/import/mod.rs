//! Import: the subscriptions that other systems' definitions become, and the report.

pub mod command;
mod doubts;

use hookmill_server::subscriptions::import::{self, DEFINITIONS_MAX, FILE_BYTES_MAX, ImportError, Imported, Note};
use serde_json::{Value, json};

/// The single resulting subscription, and the report.
fn one(imported: Result<Imported, ImportError>) -> (Value, Vec<String>) {
    let Imported { mut subscriptions, report } = imported.unwrap();
    assert_eq!(subscriptions.len(), 1, "{report:?}");
    assert!(report.iter().all(|note| !note.refused), "{report:?}");
    (subscriptions.remove(0).body, report.into_iter().map(|note| note.what).collect())
}

/// The reason why the single definition was refused.
fn refusal(imported: Result<Imported, ImportError>) -> String {
    let Imported { subscriptions, mut report } = imported.unwrap();
    assert_eq!((subscriptions, report.len()), (Vec::new(), 1));
    let Note { what, refused, .. } = report.remove(0);
    assert!(refused);
    what
}

/// A LeadSquared definition with these additional members.
fn leadsquared(members: Value) -> Value {
    let mut definition = json!({"URL": "https://api.example.com/leads?a=1", "WebhookEvent": 5});
    definition.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    definition
}

fn livespace(members: Value) -> Value {
    let mut definition = json!({"name": "Won", "url": "https://api.example.com/", "events": ["deal.created"]});
    definition.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    definition
}

fn workflow(trigger: Value) -> Value {
    json!({"name": "Won", "trigger": trigger, "effect": {"url": "https://api.example.com/"}})
}

fn breakcold(members: Value) -> Value {
    let mut definition = json!({"url": "https://api.example.com/", "events": ["lead.create"]});
    definition.as_object_mut().unwrap().extend(members.as_object().unwrap().clone());
    definition
}

#[test]
fn a_leadsquared_definition_is_converted_completely() {
    let definition = json!({
        "WebhookId": "b329c2b2-854c-11e6-8f87-22000aa8e760",
        "Description": "New lead data",
        "URL": "https://api.example.com/leads/add",
        "Method": "POST",
        "ContentType": "application/x-www-form-urlencoded",
        "WebhookEvent": "3",
        "IsSpecificLandingPage": false,
        "LandingPageUrls": null,
        "NotifyOnFailure": true,
        "WebhookProperties": null,
        "ExecutionDelay": 30,
        "Type": "Webhook",
        "CustomHeaders": [{"Key": "x-api-key", "Value": "j5Ft"}],
        "IsEnabled": true
    });
    let (body, report) = one(import::leadsquared(&definition));
    let expected = json!({
        "name": "New lead data",
        "profile": "leadsquared",
        "url": "https://api.example.com/leads/add",
        "event_types": ["Lead_Post_Create"],
        "method": "POST",
        "content_type": "application/x-www-form-urlencoded",
        "notify_on_failure": true,
        "delay_s": 30,
        "headers": [{"name": "x-api-key", "value": "j5Ft", "secret": true}],
        "query": [
            {"name": "entityType", "value": "Webhook"},
            {"name": "entityId", "value": "b329c2b2-854c-11e6-8f87-22000aa8e760"},
            {"name": "eventType", "value": "{event.type}"}
        ]
    });
    assert_eq!(body, expected);
    assert_eq!(report, Vec::<String>::new());
}

#[test]
fn a_leadsquared_event_is_found_by_number_by_number_as_text_and_by_title() {
    for event in [json!(34), json!("34"), json!("opportunity stage/status change")] {
        let (body, _) = one(import::leadsquared(&leadsquared(json!({"WebhookEvent": event}))));
        assert_eq!(body["event_types"], json!(["Opportunity_Post_StageStatusChange"]));
        assert_eq!(body["name"], "Opportunity Stage/Status Change to api.example.com");
    }
    let refusal = refusal(import::leadsquared(&leadsquared(json!({"WebhookEvent": 99}))));
    assert!(refusal.contains("`99`"), "{refusal}");
}

#[test]
fn every_leadsquared_event_can_be_imported_by_its_title() {
    for entry in hookmill_server::subscriptions::profile::find("leadsquared").unwrap().event_types() {
        let (body, _) = one(import::leadsquared(&leadsquared(json!({"WebhookEvent": entry.title}))));
        assert_eq!(body["event_types"], json!([entry.name]));
    }
}

#[test]
fn of_two_headers_of_one_name_the_first_is_used_and_the_report_hides_both_values() {
    let headers = json!([{"Key": "x-api-key", "Value": "first"}, {"Key": "X-API-Key", "Value": "second"}]);
    let (body, report) = one(import::leadsquared(&leadsquared(json!({"CustomHeaders": headers}))));
    assert_eq!(body["headers"], json!([{"name": "x-api-key", "value": "first", "secret": true}]));
    assert_eq!(report.len(), 1);
    assert!(report[0].contains("header 2") && report[0].contains("`X-API-Key`"), "{report:?}");
    assert!(!report[0].contains("second"), "{report:?}");
}

#[test]
fn headers_that_the_host_would_refuse_are_ignored_and_reported() {
    let headers = json!([{"Key": "Host", "Value": "a"}, {"Key": "x-key", "Value": "***"}, {"Key": "x"}, "x: y"]);
    let (body, report) = one(import::leadsquared(&leadsquared(json!({"CustomHeaders": headers}))));
    assert_eq!(body.get("headers"), None);
    assert_eq!(report.len(), 4, "{report:?}");
}

#[test]
fn a_lapp_is_refused() {
    let refusal = refusal(import::leadsquared(&leadsquared(json!({"Type": "Lapp"}))));
    assert!(refusal.contains("Lapp"), "{refusal}");
}

#[test]
fn a_call_that_deletes_is_refused() {
    let refusal = refusal(import::leadsquared(&json!({"WebhookId": "b329c2b2"})));
    assert!(refusal.contains("deletes"), "{refusal}");
}

#[test]
fn specific_landing_pages_become_a_condition() {
    let urls = json!(["https://pages.example.com/a", "https://pages.example.com/b\"c"]);
    let members = json!({"WebhookEvent": 1, "IsSpecificLandingPage": true, "LandingPageUrls": urls});
    let (body, report) = one(import::leadsquared(&leadsquared(members)));
    let expected = r#"event.data.LandingPageUrl in ["https://pages.example.com/a", "https://pages.example.com/b\"c"]"#;
    assert_eq!(body["condition"], expected);
    assert_eq!((body.get("state"), report.len()), (None, 0));

    let members = json!({"WebhookEvent": 1, "LandingPageUrls": "https://a.example/, https://b.example/"});
    let (body, _) = one(import::leadsquared(&leadsquared(members)));
    assert_eq!(body["condition"], r#"event.data.LandingPageUrl in ["https://a.example/", "https://b.example/"]"#);
}

#[test]
fn landing_pages_that_cannot_be_converted_make_a_draft() {
    let too_many: Vec<_> = (0..500).map(|number| format!("https://pages.example.com/{number}")).collect();
    for urls in [json!(too_many), json!([])] {
        let members = json!({"WebhookEvent": 1, "IsSpecificLandingPage": true, "LandingPageUrls": urls});
        let (body, report) = one(import::leadsquared(&leadsquared(members)));
        assert_eq!((&body["state"], body.get("condition")), (&json!("draft"), None));
        assert!(report[0].contains("landing pages"), "{report:?}");
    }
}

#[test]
fn landing_pages_of_another_event_are_reported() {
    let members = json!({"LandingPageUrls": ["https://pages.example.com/a"]});
    let (body, report) = one(import::leadsquared(&leadsquared(members)));
    assert_eq!(body.get("condition"), None);
    assert_eq!(report.len(), 1);
}

#[test]
fn unknown_members_are_named_in_the_report() {
    let members = json!({"WebhookProperties": {"a": 1}, "Retention": 7, "CreatedBy": null});
    let (_, report) = one(import::leadsquared(&leadsquared(members)));
    assert_eq!(report, ["ignored, no equivalent: `WebhookProperties`, `Retention`"]);
    let (_, report) = one(import::livespace(&livespace(json!({"team": "x"}))));
    assert_eq!(report, ["ignored, no equivalent: `team`"]);
    let (_, report) = one(import::breakcold(&breakcold(json!({"failures": 3}))));
    assert_eq!(report, ["ignored, no equivalent: `failures`"]);
}

#[test]
fn a_disabled_definition_becomes_a_draft() {
    for off in [json!({"IsEnabled": false}), json!({"Status": "Inactive"}), json!({"Status": 0})] {
        assert_eq!(one(import::leadsquared(&leadsquared(off))).0["state"], "draft");
    }
    for off in [json!({"active": false}), json!({"is_active": "no"})] {
        assert_eq!(one(import::livespace(&livespace(off))).0["state"], "draft");
    }
    for off in [json!({"is_paused": true}), json!({"isPaused": 1}), json!({"paused": true, "active": true})] {
        assert_eq!(one(import::breakcold(&breakcold(off))).0["state"], "draft");
    }
    for on in [json!({"is_paused": false}), json!({"active": true}), json!({})] {
        assert_eq!(one(import::breakcold(&breakcold(on))).0.get("state"), None);
    }
}

#[test]
fn a_value_that_cannot_be_read_makes_a_draft() {
    for odd in [json!({"active": "perhaps"}), json!({"fields": [{"name": "owners"}]}), json!({"secret": [1]})] {
        let (body, report) = one(import::livespace(&livespace(odd)));
        assert_eq!((&body["state"], report.len()), (&json!("draft"), 1), "{report:?}");
    }
}

#[test]
fn the_list_response_of_leadsquared_is_an_export_and_members_next_to_the_list_are_reported() {
    let list = json!({"RecordCount": 2, "List": [leadsquared(json!({})), leadsquared(json!({"WebhookEvent": 6}))]});
    let Imported { subscriptions, report } = import::leadsquared(&list).unwrap();
    assert_eq!(subscriptions.len(), 2);
    assert_eq!(subscriptions[1].body["event_types"], json!(["Lead_Post_Update"]));
    assert_eq!((report.len(), report[0].which.as_str(), report[0].refused), (1, "the file", false));
    assert!(report[0].what.contains("`RecordCount`"));
    let webhooks = json!({"Webhooks": [leadsquared(json!({}))]});
    assert_eq!(import::leadsquared(&webhooks).unwrap().subscriptions.len(), 1);
}

#[test]
fn a_definition_that_cannot_be_converted_does_not_stop_the_others() {
    let export = json!([
        leadsquared(json!({"Description": "First"})),
        7,
        leadsquared(json!({"URL": null})),
        leadsquared(json!({"URL": "ftp://example.com/"})),
        leadsquared(json!({"Method": "DELETE"})),
        leadsquared(json!({"Description": "Last"})),
    ]);
    let Imported { subscriptions, report } = import::leadsquared(&export).unwrap();
    let which: Vec<_> = subscriptions.iter().map(|converted| converted.which.as_str()).collect();
    assert_eq!(which, [r#"definition 1 "First""#, r#"definition 6 "Last""#]);
    assert_eq!(report.iter().filter(|note| note.refused).count(), 4, "{report:?}");
    assert_eq!(report[0].which, "definition 2");
}

#[test]
fn a_long_description_becomes_a_name_of_one_line_and_a_description() {
    let text = format!("{}\n{}", "n".repeat(300), "d".repeat(3_000));
    let (body, report) = one(import::leadsquared(&leadsquared(json!({"Description": text}))));
    assert_eq!(body["name"].as_str().unwrap(), "n".repeat(200));
    assert_eq!(body["description"].as_str().unwrap().len(), 2_000);
    assert_eq!(report.len(), 1);
}

#[test]
fn an_invalid_delay_or_content_type_makes_a_draft() {
    for odd in [json!({"ExecutionDelay": -1}), json!({"ExecutionDelay": "soon"}), json!({"ContentType": "text/xml"})] {
        let (body, report) = one(import::leadsquared(&leadsquared(odd)));
        assert_eq!((&body["state"], report.len()), (&json!("draft"), 1), "{report:?}");
    }
}

#[test]
fn a_livespace_subscription_is_converted_with_its_fields() {
    let (body, report) = one(import::livespace(&livespace(json!({
        "events": ["deal.created", "deal.status_changed", "deal.created"],
        "active": true,
        "secret": "s3cret",
        "fields": ["id", "owners", "custom_fields.invoice_email"]
    }))));
    let expected = json!({
        "name": "Won",
        "profile": "livespace",
        "url": "https://api.example.com/",
        "event_types": ["deal.created", "deal.status_changed"],
        "fields": {"include": ["$[\"id\"]", "$[\"owners\"]", "$[\"custom_fields\"][\"invoice_email\"]"]},
        "secret": "s3cret"
    });
    assert_eq!(body, expected);
    assert_eq!(report, Vec::<String>::new());
}

#[test]
fn unknown_events_are_reported_and_a_definition_without_events_is_refused() {
    let (body, report) = one(import::livespace(&livespace(json!({"events": ["deal.created", "deal.deleted"]}))));
    assert_eq!(body["event_types"], json!(["deal.created"]));
    assert!(report[0].contains("`deal.deleted`"), "{report:?}");
    refusal(import::livespace(&livespace(json!({"events": ["deal.deleted"]}))));
    refusal(import::breakcold(&breakcold(json!({"events": []}))));
}

#[test]
fn a_masked_secret_is_ignored() {
    let (body, report) = one(import::livespace(&livespace(json!({"secret": "••••••"}))));
    assert_eq!(body.get("secret"), None);
    assert!(report[0].contains("secret"), "{report:?}");
}

#[test]
fn a_workflow_on_a_status_becomes_a_trigger() {
    for trigger in
        [json!({"type": "status", "from": "open", "to": "won"}), json!({"status": {"from": "open", "to": "won"}})]
    {
        let (body, report) = one(import::livespace(&workflow(trigger)));
        assert_eq!(body["event_types"], json!(["deal.status_changed"]));
        assert_eq!(body["trigger"], json!({"status": {"field": "status", "from": "open", "to": "won"}}));
        assert_eq!((body["url"].as_str(), report.len()), (Some("https://api.example.com/"), 0));
    }
    let (body, _) = one(import::livespace(&workflow(json!({"type": "status_changed"}))));
    assert_eq!((&body["event_types"], body.get("trigger")), (&json!(["deal.status_changed"]), None));
}

#[test]
fn a_workflow_on_a_field_becomes_a_trigger_of_any_event_of_deals() {
    let (body, _) = one(import::livespace(&workflow(json!({"field": "custom_fields.invoice_email"}))));
    assert_eq!(body["event_types"], json!(["deal.*"]));
    assert_eq!(body["trigger"], json!({"fields": ["custom_fields.invoice_email"]}));
    let refusal = refusal(import::livespace(&workflow(json!({"type": "task_done"}))));
    assert!(refusal.contains("trigger"), "{refusal}");
}

#[test]
fn the_sales_process_of_a_workflow_becomes_a_condition() {
    for (condition, expected) in [
        (json!({"process": {"id": "p-1", "name": "Sales"}}), r#"event.data.process.id == "p-1""#),
        (json!([{"type": "process", "process_id": 7}]), "event.data.process.id == 7"),
        (json!({"process": {"name": "Sales \"B2B\""}}), r#"event.data.process.name == "Sales \"B2B\"""#),
        (json!({"process_ids": ["p-1", "p-2"]}), r#"event.data.process.id in ["p-1", "p-2"]"#),
    ] {
        let mut workflow = workflow(json!({"field": "stage"}));
        workflow["condition"] = condition;
        let (body, report) = one(import::livespace(&workflow));
        assert_eq!((body["condition"].as_str(), report), (Some(expected), Vec::new()));
    }
}

#[test]
fn any_other_condition_makes_a_draft() {
    for condition in [
        json!({"field": "value", "operator": ">", "value": 1000}),
        json!({"process_id": "p-1", "operator": "not"}),
        json!("value > 1000"),
    ] {
        let mut workflow = workflow(json!({"field": "stage"}));
        workflow["condition"] = condition;
        let (body, report) = one(import::livespace(&workflow));
        assert_eq!(body["state"], "draft");
        assert!(report.iter().any(|what| what.contains("`condition")), "{report:?}");
    }
}

#[test]
fn subscriptions_and_workflows_of_one_export_are_both_converted() {
    let export = json!({"subscriptions": [livespace(json!({}))], "workflows": [workflow(json!({"field": "stage"}))]});
    assert_eq!(import::livespace(&export).unwrap().subscriptions.len(), 2);
}

#[test]
fn an_effect_that_does_not_send_data_is_refused() {
    let mut workflow = workflow(json!({"field": "stage"}));
    workflow["effect"]["type"] = json!("create_task");
    let refusal = refusal(import::livespace(&workflow));
    assert!(refusal.contains("`create_task`"), "{refusal}");
}

#[test]
fn a_breakcold_endpoint_is_of_the_first_generation_unless_it_has_members_of_the_second() {
    let (body, report) = one(import::breakcold(&breakcold(json!({"secret": "wh_a46f35f22d9723a"}))));
    let expected = json!({
        "name": "Breakcold to api.example.com",
        "profile": "breakcold",
        "generation": 1,
        "url": "https://api.example.com/",
        "event_types": ["lead.create"],
        "secret": "wh_a46f35f22d9723a"
    });
    assert_eq!((body, report), (expected, Vec::new()));

    let (body, _) = one(import::breakcold(&breakcold(json!({"workspaceId": "eb8e"}))));
    assert_eq!(body["generation"], 2);
    assert_eq!(body["plugin"], json!({"name": "breakcold", "config": {"generation": 2, "id_space": "eb8e"}}));
    let (body, _) = one(import::breakcold(&breakcold(json!({"id_space": "eb8e"}))));
    assert_eq!(body["plugin"], json!({"name": "breakcold", "config": {"generation": 1, "id_space": "eb8e"}}));
    refusal(import::breakcold(&breakcold(json!({"generation": 3}))));
}

#[test]
fn the_object_types_of_a_newer_breakcold_endpoint_select_its_events() {
    let (body, _) = one(import::breakcold(&breakcold(json!({"events": null, "objectTypes": ["lead", "tag"]}))));
    assert_eq!((&body["generation"], &body["event_types"]), (&json!(2), &json!(["lead.*", "tag.*"])));
    let members = json!({"events": ["lead.create", "tag.create"], "objectTypes": ["tag"]});
    let (body, _) = one(import::breakcold(&breakcold(members)));
    assert_eq!(body["event_types"], json!(["tag.create"]));
}

#[test]
fn an_export_is_json_of_bounded_size() {
    assert!(matches!(import::read(b"{"), Err(ImportError::NoJson(_))));
    assert!(matches!(import::read(&vec![b' '; FILE_BYTES_MAX + 1]), Err(ImportError::TooLarge)));
    assert_eq!(import::read(b"\xEF\xBB\xBF[]").unwrap(), json!([]));
    assert!(matches!(import::breakcold(&json!(7)), Err(ImportError::NoDefinitions)));
    let definitions = vec![json!({}); DEFINITIONS_MAX + 1];
    assert!(matches!(import::breakcold(&json!(definitions)), Err(ImportError::TooMany(10_001))));
}
