//! The tables of rules: each rule of the three systems has a test, and the test exists.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The tables, each with as many rules as it knows, so that a lost row is noticed.
const TABLES: [(&str, usize); 3] = [("breakcold.md", 34), ("leadsquared.md", 74), ("livespace.md", 57)];

/// The tests of this binary that run, as libtest prints them.
fn tests() -> BTreeSet<String> {
    &listed(&[]) - &listed(&["--ignored"])
}

fn listed(which: &[&str]) -> BTreeSet<String> {
    let mut list = Command::new(std::env::current_exe().unwrap());
    let output = list.args(["--list", "--format", "terse"]).args(which).output().unwrap();
    let output = String::from_utf8(output.stdout).unwrap();
    output.lines().filter_map(|line| line.strip_suffix(": test")).map(str::to_owned).collect()
}

/// What is wrong with a table of `rules` rows, in words.
fn faults(table: &str, rules: usize, tests: &BTreeSet<String>) -> Vec<String> {
    // The first two lines are the header and the line under it.
    let rows: Vec<_> = table.lines().filter(|line| line.starts_with('|')).skip(2).collect();
    let mut faults: Vec<_> =
        (1..).zip(&rows).filter_map(|(number, row)| Some(format!("{}: `{row}`", fault(number, row, tests)?))).collect();
    if rows.len() != rules {
        faults.push(format!("it has {} rules and should have {rules}", rows.len()));
    }
    faults
}

/// What is wrong with the row that should have this number.
fn fault(number: usize, row: &str, tests: &BTreeSet<String>) -> Option<&'static str> {
    let cells: Vec<_> = row.split('|').map(str::trim).collect();
    let &["", shown, rule, test, ""] = cells.as_slice() else { return Some("no three cells") };
    let test = test.trim_matches('`');
    match () {
        () if shown != number.to_string() => Some("not the next number"),
        () if rule.is_empty() => Some("no rule"),
        () if test.is_empty() => Some("no test"),
        () if !tests.contains(test) => Some("no such test"),
        () => None,
    }
}

#[test]
fn every_rule_has_a_test_that_exists() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/profiles/rules");
    let tests = tests();
    let mut wrong = Vec::new();
    for (name, rules) in TABLES {
        let table = fs::read_to_string(folder.join(name)).expect(name);
        wrong.extend(faults(&table, rules, &tests).into_iter().map(|fault| format!("{name}: {fault}")));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_table_is_known() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../tests/profiles/rules");
    let files = fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let known: BTreeSet<_> = TABLES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(files.collect::<BTreeSet<_>>(), known, "TABLES names every table with its number of rules");
}

const HEAD: &str = "Text.\n\n| No. | Rule | Test |\n|---|---|---|\n";

fn faults_of(rows: &str, rules: usize) -> Vec<String> {
    faults(&format!("{HEAD}{rows}"), rules, &BTreeSet::from(["a::b".to_owned()]))
}

#[test]
fn a_row_without_a_test_that_exists_is_reported() {
    assert_eq!(faults_of("| 1 | Yes. | `a::b` |\n", 1), [""; 0]);
    assert_eq!(faults_of("| 1 | Yes. | `a::c` |\n", 1), ["no such test: `| 1 | Yes. | `a::c` |`"]);
    assert_eq!(faults_of("| 1 | Yes. | |\n", 1), ["no test: `| 1 | Yes. | |`"]);
    assert_eq!(faults_of("| 1 | | `a::b` |\n", 1), ["no rule: `| 1 | | `a::b` |`"]);
    assert_eq!(faults_of("| 1 | Yes. |\n", 1), ["no three cells: `| 1 | Yes. |`"]);
}

#[test]
fn a_lost_row_and_a_wrong_number_are_reported() {
    assert_eq!(faults_of("| 1 | Yes. | `a::b` |\n", 2), ["it has 1 rules and should have 2"]);
    let skipped = faults_of("| 1 | Yes. | `a::b` |\n| 3 | No. | `a::b` |\n", 2);
    assert_eq!(skipped, ["not the next number: `| 3 | No. | `a::b` |`"]);
}

#[test]
fn the_tests_of_this_binary_are_listed_by_their_paths() {
    let tests = tests();
    assert!(tests.contains("profiles::rules::every_rule_has_a_test_that_exists"), "{} tests", tests.len());
    assert!(!tests.contains("profiles::rules::no_such_test"));
}
