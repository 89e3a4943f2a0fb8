//! Match: types, wildcards and conditions.

use hookmill_model::{EventType, Pattern, SubscriptionId};
use hookmill_server::stages::matching::{Condition, ConditionError, EventFacts, Index, environment};

use crate::support::fixtures::{event, start};

fn patterns(texts: &[&str]) -> Vec<Pattern> {
    texts.iter().map(|text| Pattern::parse(text).unwrap()).collect()
}

fn wants(patterns_of_it: &[&str], kind: &str) -> bool {
    let id = SubscriptionId::new(start());
    let mut index = Index::default();
    index.insert(id, &patterns(patterns_of_it));
    let found = index.candidates(&EventType::parse(kind).unwrap());
    assert!(found.len() <= 1, "found more than once: {found:?}");
    found == [id]
}

#[test]
fn an_exact_type_matches_itself_alone() {
    assert!(wants(&["lead.create"], "lead.create"));
    assert!(!wants(&["lead.create"], "lead.created"));
    assert!(!wants(&["lead.create"], "lead.create.now"));
    assert!(!wants(&["lead.create"], "lead"));
}

#[test]
fn a_wildcard_matches_everything_below_its_words() {
    assert!(wants(&["lead.*"], "lead.create"));
    assert!(wants(&["lead.*"], "lead.task.create"));
    assert!(wants(&["lead.task.*"], "lead.task.create"));
    assert!(!wants(&["lead.task.*"], "lead.create"));
    assert!(!wants(&["lead.*"], "lead"));
    assert!(!wants(&["lead.*"], "leads.create"));
    assert!(wants(&["*"], "anything"));
}

#[test]
fn a_subscription_that_matches_in_several_ways_is_found_once() {
    assert!(wants(&["*", "lead.*", "lead.create", "lead.create"], "lead.create"));
}

#[test]
fn a_removed_subscription_is_found_no_more() {
    let id = SubscriptionId::new(start());
    let mut index = Index::default();
    let patterns = patterns(&["*", "lead.*", "lead.create"]);
    index.insert(id, &patterns);
    index.remove(id, &patterns);
    assert!(index.candidates(&EventType::parse("lead.create").unwrap()).is_empty());
}

#[test]
fn a_pattern_with_a_star_in_the_middle_is_refused() {
    for text in ["", "lead.*.create", "*.create", "lead*", "lead.", ".", "lead..create", "lead create", "lead.**"] {
        assert!(Pattern::parse(text).is_err(), "{text:?} was taken");
    }
}

const DEAL: &str = r#"{"status":"won","value":12.50,"count":12345678901234567890,"huge":1e400,"owner":{"name":"Åsa"},
    "tags":["a","b"],"process":"sales","none":null}"#;

fn holds(condition: &str) -> Result<bool, ConditionError> {
    let event = event("deal.status_changed", DEAL);
    Condition::parse(condition).unwrap().holds(&EventFacts::of(&event, &environment()))
}

#[test]
fn a_condition_reads_the_event() {
    for condition in [
        "event.data.status == 'won'",
        "event.data.value > 12",
        "event.data.value == 12.5 && event.data.process in ['sales', 'partners']",
        "event.data.count > 12345678901234567889u",
        "event.data.owner.name == 'Åsa'",
        "event.data.tags.exists(tag, tag == 'b')",
        "size(event.data.tags) == 2",
        "event.type == 'deal.status_changed' && event.id == 'evt_1'",
        "event.occurred_at.startsWith('2026-01-02')",
        "timestamp(event.occurred_at) > timestamp('2025-12-31T00:00:00Z')",
        "has(event.data.owner) && !has(event.data.missing)",
        "event.data.none == null",
        "event.data.huge > 1.0",
        "event.data.status.matches('^w.n$')",
    ] {
        assert_eq!(holds(condition), Ok(true), "{condition}");
    }
    assert_eq!(holds("event.data.status == 'lost'"), Ok(false));
}

#[test]
fn a_condition_that_cannot_be_told_says_why() {
    assert!(holds("event.data.missing == 1").unwrap_err().to_string().contains("missing"));
    assert!(holds("event.data.status").unwrap_err().to_string().contains("expected a bool"));
}

#[test]
fn a_condition_that_cannot_work_is_refused_with_a_reason() {
    for (condition, why) in [
        ("event.data.status ==", "not a CEL expression"),
        ("evnt.data.status == 'won'", "unknown variable `evnt`"),
        ("event.data.tags.all(t, event.data.tags.all(u, t == u))", "another loop"),
        ("event.data.tags.map(t, [t].map(u, u)) == []", "another loop"),
        (&"x".repeat(5_000), "4096 bytes"),
    ] {
        let err = Condition::parse(condition).unwrap_err().to_string();
        assert!(err.contains(why), "{condition}: {err}");
    }
}

#[test]
fn loops_beside_each_other_are_fine() {
    assert_eq!(holds("event.data.tags.exists(t, t == 'a') && event.data.tags.all(t, t != 'c')"), Ok(true));
}
