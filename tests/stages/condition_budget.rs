//! Conditions that strangers write to take much: what is refused when it is saved, and what is ended when it runs.

use std::time::Duration;

use hookmill_server::stages::matching::{Budget, Condition, ConditionError, EventFacts, environment};

use crate::support::cpu::cpu_time;
use crate::support::fixtures::event;

fn refused(condition: &str) -> String {
    Condition::parse(condition).unwrap_err().to_string()
}

/// Evaluates a condition; returns the CPU time as well.
fn run(condition: &str, data: &str) -> (Result<bool, ConditionError>, Duration) {
    let condition = Condition::parse(condition).unwrap();
    let event = event("deal.won", data);
    let facts = EventFacts::of(&event, &environment());
    let started = cpu_time();
    let held = condition.holds(&facts);
    (held, cpu_time() - started)
}

fn list(items: usize) -> String {
    format!(r#"{{"half":0.5,"l":[{}0],"s":"{}"}}"#, "123456,".repeat(items), "a".repeat(items))
}

#[test]
fn a_condition_deeper_or_larger_than_its_limits_is_refused() {
    assert!(refused(&format!("{}1 > 0", "1+".repeat(1_600))).contains("levels deep, at most 64"));
    assert!(refused(&format!("{}1{} == 1", "[".repeat(70), "]".repeat(70))).contains("levels deep"));
    assert!(refused(&format!("event{} == 1", ".a".repeat(100))).contains("levels deep"));
    assert!(refused(&format!("event.id in [{}'a']", "'a',".repeat(1_000))).contains("at most 1000"));
    assert!(Condition::parse(&format!("{}1 > 0", "1+".repeat(60))).is_ok());
    assert!(Condition::parse(&format!("event.id == 'a'{}", " || event.id == 'b'".repeat(150))).is_ok());
}

#[test]
fn no_nesting_overflows_the_parser() {
    for (open, close) in
        [("(", ")"), ("[", "]"), ("{1:", "}"), ("f(", ")"), ("a[", "]"), ("!", ""), ("-", ""), ("a?b:", "")]
    {
        let times = 4_000 / (open.len() + close.len());
        let nested = format!("{}1{}", open.repeat(times), close.repeat(times));
        // The parser folds pairs of signs, so some are fine.
        let _ = Condition::parse(&nested);
        assert!(Condition::parse(&open.repeat(4_000 / open.len())).is_err(), "{open}");
    }
}

#[test]
fn what_is_within_the_limits_runs_on_a_small_stack() {
    let deep = format!("{}1 > 0 && {}event.data.b", "1+".repeat(58), "!".repeat(60));
    let nested = format!("{}event.data.b{}", "[".repeat(28), "][0]".repeat(28));
    for condition in [deep, nested] {
        // As large as the smallest stack on which conditions are evaluated.
        let thread = std::thread::Builder::new().stack_size(2 << 20);
        let ran = thread.spawn(move || run(&condition, r#"{"b":true}"#).0).unwrap().join().unwrap();
        assert_eq!(ran, Ok(true));
    }
}

#[test]
fn work_that_grows_with_the_square_of_the_event_is_ended() {
    for condition in [
        "event.data.l.all(x, x in event.data.l)",
        "event.data.l.all(x, x != 7 && event.data.l == event.data.l)",
        "event.data.l.exists(x, event.data.s.contains('b'))",
        "event.data.l.exists(x, event.data.s.startsWith(event.data.s + 'b'))",
        "event.data.l.exists(x, event == x)",
        "event.data.l.exists(x, event < x)",
        "event.data.l.exists(x, event - event == 0)",
        "event.data.l.exists(x, event.data.missing == x)",
        "event.data.l.exists(x, event.data.s.matches('^(a|b)*c$'))",
        "event.data.l.exists_one(x, size(event.data.s) == x)",
        "event.data.l.filter(x, event.data.l == [x]).size() > 0",
        "event.data.l.map(x, string(event.data.s)) == []",
        "event.data.l.map(x, event.data.l.size() > 0, [x, event.data.l]) == []",
    ] {
        let (held, took) = run(condition, &list(50_000));
        assert_eq!(held, Err(ConditionError::OverBudget), "{condition}");
        // Twenty times less in a release build.
        assert!(took < Duration::from_secs(2), "{condition}: {took:?}");
    }
}

#[test]
fn an_index_that_is_none_is_not_answered_with_a_copy_of_the_list() {
    let (held, took) = run("event.data.l.exists(x, event.data.l[event.data.half] == x)", &list(10_000));
    assert!(held.unwrap_err().to_string().contains("(dyn, double)"));
    assert!(took < Duration::from_secs(1), "{took:?}");
}

#[test]
fn memory_is_bounded() {
    for condition in [
        "size(event.data.l.map(x, event.data.l + event.data.l)) > 0",
        "size(event.data.l.map(x, [event])) > 0",
        "size(event.data.l.map(x, {'a': event})) > 0",
        "event.data.l.map(x, event.data.s + event.data.s).size() > 0",
    ] {
        assert_eq!(run(condition, &list(2_000)).0, Err(ConditionError::OverBudget), "{condition}");
    }
    let doubling = (0..20).fold("event.data.l".to_owned(), |all, _| format!("{all}.map(x, [x, x])"));
    assert_eq!(run(&format!("size({doubling}) > 0"), &list(2_000)).0, Err(ConditionError::OverBudget));
}

#[test]
fn what_conditions_are_for_is_within_the_budget() {
    let items = (0..2_000).map(|n| format!(r#"{{"sku":"A-{n}","price":{n}.50,"tags":["new","sale"]}}"#));
    let data = format!(
        r#"{{"items":[{}],"watched":["A-77","A-1999"],"email":"someone@example.com","note":"{}"}}"#,
        items.collect::<Vec<_>>().join(","),
        "x".repeat(500_000)
    );
    for condition in [
        "event.data.items.exists(i, i.sku in event.data.watched)",
        "event.data.items.all(i, i.price >= 0.5 && 'new' in i.tags)",
        "event.data.items.filter(i, i.price > 1990.0).size() == 10",
        "event.data.items.map(i, i.sku).exists(s, s.endsWith('-77'))",
        "event.data.items.exists_one(i, i.sku == 'A-5')",
        r"event.data.email.matches('^[\\w.+-]+@example\\.com$')",
        "event.data.note.contains('x') && size(event.data.note) == 500000",
        "event.data == event.data",
    ] {
        assert_eq!(run(condition, &data).0, Ok(true), "{condition}");
    }
}

#[test]
fn an_error_does_not_repeat_the_event() {
    let (held, _) = run("event.data + 1 == 2", &list(50_000));
    let reason = held.unwrap_err().to_string();
    assert!(reason.len() <= 510, "{} bytes", reason.len());
}

#[test]
fn a_pattern_is_a_literal_of_bounded_size() {
    assert!(refused("event.data.a.matches(event.data.b)").contains("must be a literal"));
    assert!(refused("event.data.a.matches('a' + 'b')").contains("must be a literal"));
    assert!(refused("event.data.a.matches('(a')").contains("not a regular expression"));
    assert!(refused("event.data.a.matches('(a{100}){100}')").contains("10000 places"));
    assert!(refused("matches('a')").contains("takes a text and a pattern"));
    assert_eq!(run("matches(event.data.a, '^x+$')", r#"{"a":"xxx"}"#).0, Ok(true));
    let wrong = run("event.data.a.matches('^x+$')", r#"{"a":1}"#).0.unwrap_err().to_string();
    assert!(wrong.contains("`matches` needs a string, not a int"), "{wrong}");
}

#[test]
fn a_small_budget_ends_early_and_says_what_was_used() {
    let condition = Condition::parse("event.data.l.all(x, x > 0)").unwrap();
    let event = event("deal.won", &list(100));
    let facts = EventFacts::of(&event, &environment());
    let small = Budget { steps: 50, ..Budget::FULL };
    let (held, steps) = condition.holds_within(&facts, small);
    assert_eq!((held, steps), (Err(ConditionError::OverBudget), 50));
    let (held, steps) = condition.holds_within(&facts, Budget::FULL);
    assert!(held == Ok(false) && (500..5_000).contains(&steps), "{held:?} {steps}");
}
