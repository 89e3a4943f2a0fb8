//! What tenants write and the host evaluates: conditions, JSONPath and JSON Schemas, made up and mutated. Whatever they are, no
//! panic, no abort, and a result soon.
//!
//! The suite runs a short version, the same each time. The long one:
//! `HOOKMILL_FUZZ_ROUNDS=200000 cargo test --test tests stages::fuzz_programs -- --nocapture`.

use std::time::{Duration, Instant};

use hookmill_model::FieldSelection;
use hookmill_server::plugins::schema::{CheckError, Checker};
use hookmill_server::stages::matching::{Condition, ConditionError, EventFacts, environment};
use hookmill_server::stages::select::Selector;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{RngExt as _, SeedableRng as _};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::support::cpu::cpu_time;
use crate::support::fixtures::event;
use crate::support::host::BINARY;

/// CPU time: an evaluation that uses up its budget takes a tenth of this in a debug build, and a hundredth in a release build.
const SOON: Duration = Duration::from_secs(8);

fn rounds(least: usize) -> usize {
    std::env::var("HOOKMILL_FUZZ_ROUNDS").map_or(least, |rounds| rounds.parse().expect("a number"))
}

fn pick<'a>(rng: &mut StdRng, of: &[&'a str]) -> &'a str {
    of.choose(rng).expect("there is one")
}

/// Data with the members that made-up expressions read; now and then large.
fn data(rng: &mut StdRng, depth: u32) -> Value {
    let items = if rng.random_ratio(1, 20) { 3_000 } else { rng.random_range(0..5) };
    match rng.random_range(if depth == 0 { 0..4 } else { 0..8 }) {
        0 => json!(rng.random_range(-3..3)),
        1 => json!(rng.random_bool(0.5)),
        2 => json!("ab".repeat(items)),
        3 => Value::Null,
        4 => json!(1.5),
        5 => (0..items).map(|_| if items > 10 { json!("a") } else { data(rng, depth - 1) }).collect(),
        _ => ["a", "b", "l", "s"].into_iter().map(|name| (name.to_owned(), data(rng, depth - 1))).collect(),
    }
}

fn event_data(rng: &mut StdRng) -> String {
    let members: serde_json::Map<_, _> =
        ["a", "b", "l", "s"].into_iter().map(|name| (name.to_owned(), data(rng, 4))).collect();
    let mut data = Value::Object(members);
    if rng.random_ratio(1, 4) {
        data["l"] = (0..rng.random_range(0..4_000)).map(|number| json!(number)).collect();
        data["s"] = json!("ab".repeat(rng.random_range(0..10_000)));
    }
    data.to_string()
}

fn condition(rng: &mut StdRng, depth: u32, known: &[&str]) -> String {
    let atoms = ["event.data.l", "event.data.s", "event.data.a", "event", "event.data", "event.id", "event.previous.a"];
    let literals =
        ["1", "0.5", "2u", "'ab'", "b'x'", "null", "true", "[]", "{}", "[1, 'a']", "{'a': 1}", "-9223372036854775808"];
    if depth == 0 {
        return match rng.random_range(0..3) {
            0 => pick(rng, &literals).to_owned(),
            1 if !known.is_empty() => pick(rng, known).to_owned(),
            _ => pick(rng, &atoms).to_owned(),
        };
    }
    let mut one = || condition(rng, depth - 1, known);
    let (a, b, c) = (one(), one(), one());
    match rng.random_range(0..16) {
        0..4 => {
            let operator = pick(rng, &["==", "!=", "<", "<=", ">", ">=", "+", "-", "*", "/", "%", "in", "&&", "||"]);
            format!("({a} {operator} {b})")
        }
        4 => format!("({a} ? {b} : {c})"),
        5 => format!("{a}[{b}]"),
        6 => format!("{a}.{}", pick(rng, &["a", "l", "s", "data"])),
        7 => format!("[{a}, {b}]"),
        8 => format!("{{{a}: {b}, 'c': {c}}}"),
        9 => format!(
            "{}({a})",
            pick(rng, &["size", "string", "int", "double", "bytes", "dyn", "type", "timestamp", "duration", "!", "-"])
        ),
        10 => {
            format!("{a}.{}({b})", pick(rng, &["contains", "startsWith", "endsWith", "matches", "size", "getFullYear"]))
        }
        11 => format!(
            "{a}.matches('{}')",
            pick(rng, &["^a+$", "(a|b)*c", "(a*)*b", "[^x]{50}", "\\\\w+@", "(((a{9}){9}){9})"])
        ),
        12 => format!("has(event.data.{})", pick(rng, &["a", "l.b", "zz"])),
        _ if known.is_empty() => {
            let name = pick(rng, &["x", "event", "y"]);
            let body = condition(rng, depth - 1, &[name]);
            let kind = pick(rng, &["all", "exists", "exists_one", "filter", "map", "existsOne"]);
            format!("{a}.{kind}({name}, {body})")
        }
        _ => format!("({a} == {b})"),
    }
}

fn mutated(rng: &mut StdRng, text: &str) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    for _ in 0..rng.random_range(1..4) {
        let (from, to) = (rng.random_range(0..=chars.len()), rng.random_range(0..=chars.len()));
        let (from, to) = (from.min(to), from.max(to));
        match rng.random_range(0..4) {
            0 => drop(chars.drain(from..to)),
            1 => chars
                .insert(from, *"()[]{}'\"\\.?:,@$*!-+/r\u{0}é".chars().collect::<Vec<_>>().choose(rng).expect("some")),
            2 => chars = [&chars[..to], &chars[from..]].concat(),
            _ => chars = chars[from..to].repeat(rng.random_range(1..50)),
        }
    }
    chars.into_iter().take(4_200).collect()
}

#[test]
fn no_condition_panics_aborts_or_takes_long() {
    let (mut rng, env) = (StdRng::seed_from_u64(12), environment());
    let (mut parsed, mut held, mut over, mut slowest) = (0, 0, 0, Duration::ZERO);
    let rounds = rounds(400);
    for round in 0..rounds {
        let depth = rng.random_range(1..7);
        let mut source = condition(&mut rng, depth, &[]);
        if rng.random_ratio(1, 3) {
            source = mutated(&mut rng, &source);
        }
        let started = cpu_time();
        let condition = Condition::parse(&source);
        let took = cpu_time() - started;
        assert!(took < SOON, "{round}: parsing took {took:?}: {source}");
        let Ok(condition) = condition else { continue };
        parsed += 1;
        let event = event("deal.won", &event_data(&mut rng));
        let facts = EventFacts::of(&event, &env);
        let started = cpu_time();
        match condition.holds(&facts) {
            Ok(_) => held += 1,
            Err(ConditionError::OverBudget) => over += 1,
            Err(err) => assert!(err.to_string().len() < 700, "{round}: {err}"),
        }
        let took = cpu_time() - started;
        slowest = slowest.max(took);
        assert!(took < SOON, "{round}: {took:?}: {source}");
    }
    println!("{rounds} conditions: {parsed} parsed, {held} with a result, {over} over budget, slowest {slowest:?}");
    assert!(parsed > rounds / 5 && held > rounds / 50, "{parsed} {held}");
}

fn path(rng: &mut StdRng) -> String {
    let mut path = "$".to_owned();
    for _ in 0..rng.random_range(0..7) {
        path += pick(
            rng,
            &[
                ".a",
                ".l",
                "..*",
                "..a",
                "[*]",
                "[0]",
                "[-1]",
                "[0:2]",
                "[::2]",
                "['a','b']",
                "[?@.a==1]",
                "[?@.a>@.b]",
                "[?@.l]",
                "[?length(@.s)>1]",
                "[?count(@.*)>1]",
                "[?!(@.a&&$.b)]",
                "[?@==$]",
                "[*,*]",
                "[?match(@.s,'a')]",
                "[?value(@.a)==1]",
            ],
        );
    }
    path
}

#[test]
fn no_selection_panics_aborts_or_takes_long() {
    let mut rng = StdRng::seed_from_u64(13);
    let (mut compiled, mut slowest) = (0, Duration::ZERO);
    let rounds = rounds(1_000);
    for round in 0..rounds {
        let mut paths = |most: usize| -> Vec<String> {
            let count = rng.random_range(0..most);
            let paths = (0..count).map(|_| {
                let path = path(&mut rng);
                if rng.random_ratio(1, 4) { mutated(&mut rng, &path) } else { path }
            });
            paths.collect()
        };
        let selection = FieldSelection { include: paths(6), exclude: paths(4) };
        let Ok(selector) = Selector::compile(&selection) else { continue };
        compiled += 1;
        let data = RawValue::from_string(event_data(&mut rng)).unwrap();
        let started = cpu_time();
        if let Ok(selected) = selector.apply(&data) {
            serde_json::from_str::<Value>(selected.get()).unwrap();
        }
        let took = cpu_time() - started;
        slowest = slowest.max(took);
        assert!(took < SOON, "{round}: {took:?}: {selection:?}");
    }
    println!("{rounds} selections: {compiled} compiled, slowest {slowest:?}");
    assert!(compiled > rounds / 10, "{compiled}");
}

fn schema(rng: &mut StdRng, depth: u32) -> Value {
    if depth == 0 {
        return [
            json!(true),
            json!({}),
            json!({"type": "string"}),
            json!({"const": "ab"}),
            json!({"$ref": "#"}),
            json!(7),
        ]
        .choose(rng)
        .expect("some")
        .clone();
    }
    let (one, other) = (schema(rng, depth - 1), schema(rng, depth - 1));
    let name = pick(rng, &["a", "b", "l", "s"]);
    match rng.random_range(0..12) {
        0 => json!({"allOf": [one, other]}),
        1 => json!({"anyOf": [one, other]}),
        2 => json!({"oneOf": [one, other], "not": {"const": 1}}),
        3 => json!({"if": one, "then": other, "else": {"$ref": "#"}}),
        4 => json!({"properties": {name: one}, "additionalProperties": other, "required": [name]}),
        5 => json!({"items": one, "uniqueItems": true, "contains": other}),
        6 => {
            json!({"$defs": {"x": one, "y": {"allOf": [{"$ref": "#/$defs/x"}, {"$ref": "#/$defs/y"}]}}, "$ref": "#/$defs/y"})
        }
        7 => json!({"unevaluatedProperties": one, "allOf": [other, {"$ref": "#"}]}),
        8 => json!({"patternProperties": {"^(a|b)*$": one}, "propertyNames": other}),
        9 => {
            json!({"$dynamicAnchor": "n", "properties": {name: {"$dynamicRef": "#n"}}, "dependentSchemas": {name: one}})
        }
        10 => json!({"pattern": "(a{99}){99}", "format": "date-time"}),
        _ => {
            json!({"$ref": pick(rng, &["#/$defs/none", "https://example.com/x", "#a", "#/properties/a", ""]), "properties": {"a": one}})
        }
    }
}

#[tokio::test]
async fn no_schema_panics_aborts_or_takes_long() {
    let mut rng = StdRng::seed_from_u64(14);
    let (mut saved, mut fit, mut too_much, mut slowest) = (0, 0, 0, Duration::ZERO);
    let checker = Checker { program: BINARY.as_ref(), turns: None };
    let rounds = rounds(60);
    for round in 0..rounds {
        let depth = rng.random_range(0..6);
        let schema = schema(&mut rng, depth);
        let started = Instant::now();
        match checker.check_schema(&schema).await {
            Ok(()) => saved += 1,
            Err(CheckError::NoSchema(why)) => assert!(why.len() < 2_500, "{why}"),
            Err(CheckError::TooMuch) => too_much += 1,
            Err(err) => panic!("{round}: {err:?}: {schema}"),
        }
        let value: Value = serde_json::from_str(&event_data(&mut rng)).unwrap();
        match checker.check(&schema, &value).await {
            Ok(()) => fit += 1,
            Err(CheckError::TooMuch) => too_much += 1,
            Err(CheckError::Unfit { .. } | CheckError::NoSchema(_)) => {}
            Err(err) => panic!("{round}: {err:?}: {schema}"),
        }
        slowest = slowest.max(started.elapsed());
        // Each of the two checks is ended by its CPU time, and at last by the clock.
        assert!(started.elapsed() < Duration::from_secs(60), "{round}: {:?}: {schema}", started.elapsed());
    }
    println!("{rounds} schemas: {saved} saved, {fit} fit, {too_much} too much, slowest {slowest:?}");
    assert!(saved > 0 && fit > 0, "{saved} {fit}");
}
