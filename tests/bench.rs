//! `hookmill bench`, short: what it measures is this machine's, so only that it measures is looked at here.

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
fn a_bench_measures_the_host_beside_the_floor_and_tells_which_goals_are_met() {
    let (succeeded, told, complaint) = bench(&["--at-least", "0"]);
    assert!(succeeded, "{complaint}");
    let told: Value = serde_json::from_str(&told).unwrap();
    let median = |name: &str, figure: &str| told["measured"][name][figure]["median"].as_f64().unwrap();
    for name in ["limit", "floor", "plain"] {
        assert!(median(name, "delivered_per_s") > 0.0, "{told}");
    }
    for figure in ["cpu_us", "written_bytes", "flushes_per_s", "peak_bytes", "half_p99_us", "trickle_p50_us"] {
        assert!(median("plain", figure) > 0.0, "{figure}: {told}");
    }
    let ratio = median("plain", "delivered_per_s") / median("floor", "delivered_per_s");
    assert!((median("plain", "of_floor") - ratio).abs() < 1e-9, "{told}");
    let goals = told["goals"].as_array().unwrap();
    assert!(goals.iter().any(|goal| goal["goal"].as_str().unwrap().contains("two threads")), "{told}");
    assert!(goals.iter().all(|goal| goal["met"].is_boolean() && goal["measured"].is_number()), "{told}");
}

#[test]
fn a_bench_fails_if_the_host_delivers_less_than_was_asked_for() {
    let (succeeded, _, complaint) = bench(&["--at-least", "1000"]);
    assert!(!succeeded);
    assert!(complaint.contains("plain delivers") && complaint.contains("at least 1000"), "{complaint}");
}
