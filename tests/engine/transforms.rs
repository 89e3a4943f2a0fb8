//! Transforms that succeed, and are reproducible.

use std::sync::Arc;

use bytes::Bytes;
use hookmill_engine::Limits;
use hookmill_engine::{PluginDecision, PluginRun};
use hookmill_model::{Body, LogLevel, PluginFaultCode};

use crate::engine::fixture::{DATA, DELIVERY, engine, is_echo, load, rogue, tell, tell_on, transform};

fn body(transformed: PluginRun) -> Body {
    match transformed.result.expect("it works") {
        PluginDecision::Deliver(draft) => draft.body,
        PluginDecision::Skip(reason) => panic!("skipped: {reason}"),
    }
}

#[tokio::test]
async fn data_comes_back_byte_for_byte() {
    assert!(is_echo(&tell("echo").await));
}

#[tokio::test]
async fn every_kind_of_body_comes_back() {
    let fields = vec![("a b".to_owned(), "ü&".to_owned()), ("a b".to_owned(), String::new())];
    assert_eq!(body(tell("form").await), Body::Form(fields));
    let binary = Body::Binary { content_type: "application/xml; charset=utf-8".to_owned(), bytes: vec![0, 255] };
    assert_eq!(body(tell("binary:application/xml; charset=utf-8").await), binary);
    assert!(matches!(body(tell("text").await), Body::Text(_)));
}

#[tokio::test]
async fn a_plugin_sees_its_delivery_and_nothing_of_the_machine() {
    let Body::Text(seen) = body(tell("text").await) else { panic!("no text") };
    for told in [DELIVERY, "sub_01K9ZQ4S1N8M0V6T3X5B7C2D4E", "To the ERP", "acme", "lead.create", "evt-1", "attempt: 2"]
    {
        assert!(seen.contains(told), "{told} is missing in {seen}");
    }
    // The clock stands at the event's time; no environment, no arguments.
    assert!(seen.contains("\"2026-04-29T11:13:55.021Z\"") && seen.contains(" 1777461235.021s "), "{seen}");
    assert!(seen.ends_with(" [] []"), "{seen}");
}

#[tokio::test]
async fn a_skip_and_a_failure_keep_their_reasons() {
    assert_eq!(tell("skip:no phone").await.result, Ok(PluginDecision::Skip("no phone".to_owned())));
    for (word, retry) in [("fail:no phone", false), ("fail-retry:no phone", true)] {
        let fault = tell(word).await.result.expect_err("it fails");
        assert_eq!((fault.code, fault.message.as_str(), fault.retry), (PluginFaultCode::Failed, "no phone", retry));
    }
    let long = tell(&format!("fail:{}", "ü".repeat(2_000))).await.result.expect_err("it fails").message;
    assert!(long.len() <= 1024 && long.ends_with("ü…"), "{long}");
}

#[tokio::test]
async fn standard_output_and_error_go_to_the_log_line_by_line() {
    let logs = tell("output").await.logs;
    let lines: Vec<_> = logs.iter().map(|line| (line.level, line.message.as_str())).collect();
    assert_eq!(
        lines,
        [
            (LogLevel::Info, "told to output"),
            (LogLevel::Info, "to the output"),
            (LogLevel::Warn, "to the error"),
            (LogLevel::Info, "unfinished"),
        ]
    );
}

#[tokio::test]
async fn the_same_input_gives_the_same_result_for_the_same_fuel() {
    let engine = engine();
    let plugin = rogue(&engine).await;
    let run = |count| {
        let (engine, plugin) = (engine.clone(), Arc::clone(&plugin));
        async move {
            let mut all = Vec::new();
            for _ in 0..count {
                let PluginRun { result, logs, figures, .. } = tell_on(&engine, &plugin, "text").await;
                all.push((result, logs, figures.fuel_used, figures.memory_bytes));
            }
            all
        }
    };
    let other = std::thread::spawn({
        let run = run(20);
        move || tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(run)
    });
    let mut all = run(20).await;
    all.extend(other.join().expect("it does not panic"));
    assert!(all[0].2 > 10_000);
    assert!(all.iter().all(|one| *one == all[0]));
}

#[tokio::test]
async fn figures_tell_the_most_memory_that_an_instance_had() {
    let limits = Limits::default();
    let idle = tell("echo").await.figures;
    let input_bytes = (DATA.len() + r#""echo""#.len()) as u64;
    assert_eq!(idle.fuel_max, limits.fuel_base + limits.fuel_per_byte * input_bytes);
    assert_eq!(idle.memory_bytes % (64 << 10), 0, "memories are whole pages");
    // 32 MiB that it fills until its fuel ends.
    let filled = tell("fill").await.figures;
    assert!((32 << 20..40 << 20).contains(&(filled.memory_bytes - idle.memory_bytes)), "{filled:?}, {idle:?}");
    // All available memory, one MiB at a time: refused memory does not count.
    let hogged = tell("hog").await.figures;
    assert!(hogged.memory_bytes > limits.memory_bytes_max as u64 * 9 / 10, "{hogged:?}");
    assert!(hogged.memory_bytes <= hogged.memory_bytes_max, "{hogged:?}");
}

#[tokio::test]
async fn a_component_without_wasi_works() {
    let engine = engine();
    let plugin = load(&engine, hookmill_guests::ECHO).await;
    let given = transform(&engine, &plugin, "{}", "[1.0]").await;
    assert!(given.figures.fuel_used < 1_000, "{}", given.figures.fuel_used);
    assert_eq!(body(given), Body::Json("[1.0]".to_owned()));
}

#[tokio::test]
async fn a_component_works_by_the_version_of_the_contract_that_it_was_built_for() {
    for component in [hookmill_guests::LOGGING, hookmill_guests::LOGGING_1_0_0] {
        let engine = engine();
        let plugin = load(&engine, component).await;
        let given = transform(&engine, &plugin, "{}", "[1.0]").await;
        assert_eq!((given.logs.len(), given.logs[0].message.as_str()), (1, "by-hand"));
        assert_eq!(body(given), Body::Json("[1.0]".to_owned()));
        let inspected = engine.inspect(Bytes::from_static(component)).await.expect("it is a plugin");
        assert_eq!(inspected.summary, "Made by hand.");
    }
    let names = |component: &[u8]| {
        let is_there = |name: &str| component.windows(name.len()).any(|bytes| bytes == name.as_bytes());
        ["log@1.0.0", "transformer@1.0.0", "log@1.1.0", "transformer@1.1.0"].map(is_there)
    };
    assert_eq!(names(hookmill_guests::LOGGING), [false, false, true, true]);
    assert_eq!(names(hookmill_guests::LOGGING_1_0_0), [true, true, false, false]);
}

#[tokio::test]
async fn a_component_describes_itself() {
    let inspected = engine().inspect(Bytes::from_static(hookmill_guests::ROGUE)).await.expect("it is a plugin");
    assert_eq!(inspected.digest, hookmill_model::Digest::of(hookmill_guests::ROGUE));
    assert_eq!((inspected.name.as_str(), inspected.version.to_string().as_str()), ("rogue", "1.0.0"));
    assert_eq!(inspected.summary, "Does what it is told, mostly wrong.");
    assert_eq!(inspected.content_types, ["application/json"]);
    assert_eq!(inspected.config_schema, serde_json::json!({"type": "string"}));
    let by_hand = engine().inspect(Bytes::from_static(hookmill_guests::ECHO)).await.expect("it is a plugin");
    assert_eq!((by_hand.name.as_str(), by_hand.summary.as_str()), ("by-hand", "Made by hand."));
}
