//! `hookmill bench`, shortened. Its figures are the machine's, so only their presence is checked.

use std::process::Command;

use serde_json::Value;

use crate::support::host::BINARY;

fn bench(more: &[&str]) -> (bool, String, String) {
    let mut command = Command::new(BINARY);
    command.args(["bench", "--only", "plain", "--repetitions", "1", "--seconds", "0.3", "--json"]).args(more);
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.success(), text(&output.stdout), text(&output.stderr))
}

#[test]
fn a_bench_compares_the_host_with_the_floor_and_reports_which_goals_are_met() {
    let (succeeded, stdout, stderr) = bench(&["--at-least", "0"]);
    assert!(succeeded, "{stderr}");
    let report: Value = serde_json::from_str(&stdout).unwrap();
    let median = |name: &str, figure: &str| report["measured"][name][figure]["median"].as_f64().unwrap();
    for name in ["limit", "floor", "plain"] {
        assert!(median(name, "delivered_per_s") > 0.0, "{report}");
    }
    for figure in ["cpu_us", "written_bytes", "flushes_per_s", "peak_bytes", "half_p99_us", "trickle_p50_us"] {
        assert!(median("plain", figure) > 0.0, "{figure}: {report}");
    }
    let ratio = median("plain", "delivered_per_s") / median("floor", "delivered_per_s");
    assert!((median("plain", "of_floor") - ratio).abs() < 1e-9, "{report}");
    let goals = report["goals"].as_array().unwrap();
    assert!(goals.iter().any(|goal| goal["goal"].as_str().unwrap().contains("two threads")), "{report}");
    assert!(goals.iter().all(|goal| goal["met"].is_boolean() && goal["measured"].is_number()), "{report}");
}

#[test]
fn a_bench_fails_if_the_host_delivers_less_than_required() {
    let (succeeded, _, stderr) = bench(&["--at-least", "1000"]);
    assert!(!succeeded);
    assert!(stderr.contains("plain delivers") && stderr.contains("at least 1000"), "{stderr}");
}

#[test]
fn a_bench_of_history_measures_each_search_and_finds_what_was_filled_in() {
    let (succeeded, stdout, stderr) = bench(&["--history", "4000"]);
    assert!(succeeded, "{stderr}");
    let report: Value = serde_json::from_str(&stdout).unwrap();
    let searches = report["searches"].as_array().unwrap();
    assert!(searches.iter().all(|row| row["median_ms"].is_number() && row["met"].is_boolean()), "{report}");
    let found = |name: &str| {
        let row = searches.iter().find(|row| row["search"] == name).unwrap();
        row["found"].as_u64().unwrap()
    };
    assert_eq!((found("all"), found("producer's event id"), found("status 418 (none has it)")), (50, 1, 0));
    for name in ["failed", "status 5xx", "fault `timeout`", "reason `refused`", "deal", "events: deal"] {
        assert!((1..=50).contains(&found(name)), "{name}: {report}");
    }
}
