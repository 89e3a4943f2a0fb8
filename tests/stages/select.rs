//! Field selection: what a subscription does not want seen is gone, the rest stands as it was written.

use hookmill_model::{FieldSelection, PluginFaultCode};
use hookmill_server::stages::select::Selector;
use serde_json::value::RawValue;

use crate::support::cpu::cpu_time;

const NUMBERS: &str = r#"{"a":12.50,"b":1e400,"c":12345678901234567890,"d":-0,"e":1E+2,"f":0.10}"#;

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

fn selector(include: &[&str], exclude: &[&str]) -> Selector {
    Selector::compile(&selection(include, exclude)).unwrap()
}

fn selection(include: &[&str], exclude: &[&str]) -> FieldSelection {
    let owned = |paths: &[&str]| paths.iter().map(ToString::to_string).collect();
    FieldSelection { include: owned(include), exclude: owned(exclude) }
}

fn select(include: &[&str], exclude: &[&str], data: &str) -> String {
    selector(include, exclude).apply(&raw(data)).unwrap().get().to_owned()
}

#[test]
fn an_empty_selection_passes_the_same_bytes() {
    let data = raw("{ \"b\" : [1.0,\t2] , \"a\":\"\\u00e9\" }");
    let selected = selector(&[], &[]).apply(&data).unwrap();
    assert!(std::ptr::eq(data.get(), selected.get()));
}

#[test]
fn include_keeps_what_is_found_at_its_place_and_in_its_order() {
    let data = r#"{"z":1,"lead":{"name":"Zoë","tags":["a","b","c"],"password":"x"},"a":[{"p":1,"q":2},{"p":3},4]}"#;
    assert_eq!(
        select(&["$.a[*].p", "$.lead.name", "$.lead.tags[1:]"], &[], data),
        r#"{"lead":{"name":"Zoë","tags":["b","c"]},"a":[{"p":1},{"p":3}]}"#
    );
    assert_eq!(select(&["$['z','lead']"], &["$.lead['tags','password']"], data), r#"{"z":1,"lead":{"name":"Zoë"}}"#);
}

#[test]
fn exclude_removes_without_holes_and_leaves_what_stood_around() {
    let data = r#"{"a":[1,2,3],"b":{"password":"x"},"c":{"d":{"password":{"deep":1},"e":[]}}}"#;
    assert_eq!(select(&[], &["$..password", "$.a[0]", "$.a[2]"], data), r#"{"a":[2],"b":{},"c":{"d":{"e":[]}}}"#);
}

#[test]
fn exclude_wins_over_include() {
    assert_eq!(select(&["$.a", "$.a.b"], &["$.a.b"], r#"{"a":{"b":1,"c":2}}"#), r#"{"a":{"c":2}}"#);
    assert_eq!(select(&["$.a.b"], &["$.a.b"], r#"{"a":{"b":1,"c":2}}"#), "{}");
}

#[test]
fn a_selection_that_finds_nothing_leaves_empty_data() {
    assert_eq!(select(&["$.x"], &[], r#"{"a":1}"#), "{}");
    assert_eq!(select(&["$.x"], &[], "[1]"), "[]");
    assert_eq!(select(&["$.x"], &[], "1"), "null");
    assert_eq!(select(&[], &["$"], r#"{"a":1}"#), "{}");
}

#[test]
fn of_paths_that_cannot_be_compiled_nothing_is_selected() {
    let why = Selector::compile(&selection(&["$["], &[])).unwrap_err();
    let fault = Selector::invalid(why).apply(&raw(r#"{"a":1}"#)).unwrap_err();
    assert!(fault.message.starts_with("the field selection is invalid: `$[` is not JSONPath"), "{}", fault.message);
}

#[test]
fn nested_paths_are_parsed_soon_and_on_a_small_stack() {
    let started = cpu_time();
    // Each level of filters doubled the time of parsing: 6 s for 20, hours for 30.
    for (open, close, times) in
        [("@[?", "]", 200), ("(", ")", 500), ("!(", ")", 330), ("value(", ")", 140), ("(", ")", 15)]
    {
        let path = format!("$[?{}@.a{}]", open.repeat(times), close.repeat(times));
        let _ = Selector::compile(&selection(&[&path], &[]));
        let _ = Selector::compile(&selection(&[&path[..path.len() / 2]], &[]));
    }
    let took = cpu_time() - started;
    assert!(took < std::time::Duration::from_secs(2), "{took:?}");
}

#[test]
fn what_is_selected_stands_as_it_was_written() {
    assert_eq!(select(&["$.*"], &[], NUMBERS), NUMBERS);
    assert_eq!(select(&[], &["$.nothing"], NUMBERS), NUMBERS);
    assert_eq!(select(&[], &["$.a"], NUMBERS), NUMBERS.replacen(r#""a":12.50,"#, "", 1));
    assert_eq!(select(&["$.o"], &[], r#"{ "x":1, "o": { "k" : "\u00e9\/" } }"#), r#"{"o":{ "k" : "\u00e9\/" }}"#);
}

#[test]
fn names_are_escaped_again() {
    let data = r#"{"a\"b":{"\n":1,"x":2},"é":3}"#;
    assert_eq!(select(&[], &["$..x"], data), r#"{"a\"b":{"\n":1},"é":3}"#);
}

#[test]
fn of_a_repeated_name_the_last_value_counts() {
    assert_eq!(select(&[], &["$.b"], r#"{"a":1,"b":0,"a":2}"#), r#"{"a":2}"#);
}

#[test]
fn filters_compare_numbers_by_value() {
    let data = r#"[{"p":12.50},{"p":13},{"p":1e2},{"p":12345678901234567890},{"p":1e400}]"#;
    assert_eq!(select(&["$[?@.p == 12.5]"], &[], data), r#"[{"p":12.50}]"#);
    assert_eq!(select(&["$[?@.p >= 100]"], &[], data), r#"[{"p":1e2},{"p":12345678901234567890},{"p":1e400}]"#);
    assert_eq!(select(&["$[?@.p == 12345678901234567890]"], &[], data), r#"[{"p":12345678901234567890}]"#);
    assert_eq!(select(&["$[?@.p < 13 && @.p > 1]"], &[], data), r#"[{"p":12.50}]"#);
}

#[test]
fn a_wrong_path_is_refused_with_its_text_and_the_place() {
    for path in ["", "lead", "$.", "$[", "$.a b", "$[?match(@.a, 'x')]"] {
        let error = Selector::compile(&selection(&["$.ok"], &[path])).unwrap_err();
        assert!(error.0.contains(&format!("`{path}` is not JSONPath")), "{error}");
    }
    let long = format!("$.{}", "a".repeat(1024));
    assert!(Selector::compile(&selection(&[&long], &[])).unwrap_err().0.contains("longer than"));
}

#[test]
fn paths_that_would_be_too_much_work_are_refused() {
    for path in ["$..*..*", "$..[?@..a]", "$[?@.*]", "$[?@[?@.a]]", "$[?@['a','b']]", "$[?@.a,?@.b]"] {
        let error = Selector::compile(&selection(&[path], &[])).unwrap_err();
        assert!(error.0.contains(path) && error.0.contains("too expensive"), "{error}");
    }
    let doubling = format!("$..*{}", "[*,*]".repeat(5));
    assert!(Selector::compile(&selection(&[&doubling], &[])).unwrap_err().0.contains("combinations"));
    assert!(Selector::compile(&selection(&["$['a','b']['c','d']"; 26], &[])).is_err());
    assert!(Selector::compile(&selection(&["$.a"; 100], &[])).is_ok());
    assert!(Selector::compile(&selection(&["$.a"; 60], &["$.b"; 41])).is_err());
}

#[test]
fn quoted_text_does_not_count_as_work() {
    let path = r#"$['a,b?..*', "it\"s,"][?@.x == '..*,?@']"#;
    assert!(Selector::compile(&selection(&[path; 25], &[])).is_ok());
    assert!(Selector::compile(&selection(&[path; 26], &[])).is_err());
}

#[test]
fn data_that_cannot_be_taken_apart_is_a_fault_and_no_panic() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    for data in [deep.as_str(), r#"{"a":"\ud800"}"#] {
        let fault = selector(&["$.a"], &[]).apply(&raw(data)).unwrap_err();
        assert_eq!(fault.code, PluginFaultCode::InvalidOutput);
        assert!(!fault.retry);
    }
}

#[test]
fn paths_that_search_too_much_in_this_event_are_a_fault() {
    let wide = raw(&format!("[{}0]", "0,".repeat(60_000)));
    assert!(selector(&["$..*"; 10], &[]).apply(&wide).is_ok());
    assert!(selector(&["$..*"; 20], &[]).apply(&wide).unwrap_err().message.contains("would visit more than"));
    let items = raw(&format!(r#"[{}{{"a":1}}]"#, r#"{"a":1},"#.repeat(130_000)));
    let started = cpu_time();
    let fault = selector(&["$[?@.a == 2]"; 50], &[]).apply(&items).unwrap_err();
    assert!(fault.message.contains("has 260003"), "{}", fault.message);
    // The paths alone took 2.3 s in a release build, and twenty times as long in a debug build.
    let took = cpu_time() - started;
    assert!(took < std::time::Duration::from_secs(2), "{took:?}");
}

#[test]
fn paths_that_do_not_search_may_read_large_events() {
    let large = raw(&format!(r#"{{"a":{{"b":1}},"l":[{}0]}}"#, "0,".repeat(400_000)));
    assert_eq!(selector(&["$.a.b"; 100], &[]).apply(&large).unwrap().get(), r#"{"a":{"b":1}}"#);
}
