//! Every misbehavior ends within its limit and leaves its name, its backtrace and its log.

use std::sync::Arc;
use std::time::Duration;

use hookmill_engine::Limits;
use hookmill_model::{Digest, LogLevel, PluginFaultCode};

use crate::engine::fixture::{DATA, engine, engine_with, fault, is_echo, kept, load, rogue, tell, tell_on, transform};

/// Runs the rogue with `word`: it fails with this code, the message contains these parts, and its first log line is there.
async fn expect(word: &str, code: PluginFaultCode, parts: &[&str]) {
    let (fault, logs) = fault(word).await;
    assert_eq!((fault.code, fault.retry), (code, false), "{word}: {}", fault.message);
    for part in parts {
        assert!(fault.message.contains(part), "{word}: no `{part}` in: {}", fault.message);
    }
    let first = word.split(':').next().expect("a word");
    assert_eq!(logs[0].message, format!("told to {first}"), "{word}");
}

#[tokio::test]
async fn an_endless_loop_runs_out_of_fuel() {
    let fuel = 100_000_000 + 2_000 * (DATA.len() + "'spin'".len());
    let parts = [&*format!("used all of its {fuel} units of fuel"), "(in hookmill_rogue::misbehave"];
    expect("spin", PluginFaultCode::OutOfFuel, &parts).await;
}

#[tokio::test]
async fn moving_memory_costs_fuel_by_the_byte() {
    expect("fill", PluginFaultCode::OutOfFuel, &["units of fuel"]).await;
}

#[tokio::test]
async fn a_memory_hog_is_told_its_limit() {
    expect("hog", PluginFaultCode::OutOfMemory, &["bytes of memory; a plugin may have 67108864", "hookmill_rogue"])
        .await;
}

#[tokio::test]
async fn endless_recursion_is_told_from_other_traps() {
    expect("recurse", PluginFaultCode::StackOverflow, &["too deep", "(in hookmill_rogue::recurse ×"]).await;
    let engine = engine();
    let plugin = load(&engine, hookmill_guests::RECURSION).await;
    let fault = transform(&engine, &plugin, "{}", "{}").await.result.expect_err("it recurses");
    assert_eq!((fault.code, fault.message.contains("too deep")), (PluginFaultCode::StackOverflow, true), "{fault:?}");
}

#[tokio::test]
async fn a_panic_leaves_its_text_in_the_log() {
    expect("panic:no such field", PluginFaultCode::Trapped, &["panicked or aborted", "hookmill_rogue::misbehave"])
        .await;
    for word in ["panic:no such field", "panic-hook:no such field"] {
        let (_, logs) = fault(word).await;
        assert!(logs.iter().any(|line| line.message.contains("no such field")), "{word}: {logs:?}");
    }
    expect("abort", PluginFaultCode::Trapped, &["panicked or aborted", "hookmill_rogue::misbehave"]).await;
    expect("exit", PluginFaultCode::Trapped, &["called `exit` with failure"]).await;
}

#[tokio::test]
async fn a_huge_output_is_refused() {
    let limits = Limits::default();
    let over = limits.output_bytes_max + 1;
    let code = PluginFaultCode::OutputTooLarge;
    expect(&format!("huge:{over}"), code, &["the body has 6291457 bytes; 6291456 are allowed"]).await;
    expect(&format!("huge:{}", over * 5), code, &["returned more data than"]).await;
    expect(&format!("huge-form:{}", over / 6), code, &["the encoded form has 6291458 bytes"]).await;
    expect("fields:700000", code, &["returned more data than"]).await;
    expect("query:1366", code, &["the query has 8198 bytes; 8192 are allowed"]).await;
    assert!(tell(&format!("huge:{}", over - 1)).await.result.is_ok());
    assert!(tell("query:1365").await.result.is_ok());
}

#[tokio::test]
async fn a_text_that_is_no_utf8_is_invalid_output() {
    expect("utf8", PluginFaultCode::InvalidOutput, &["not UTF-8", "index 1"]).await;
    expect("log-utf8", PluginFaultCode::InvalidOutput, &["not UTF-8", "(in "]).await;
}

#[tokio::test]
async fn a_value_that_the_contract_does_not_know_is_invalid_output() {
    let engine = engine();
    let plugin = load(&engine, hookmill_guests::NINTH_BODY).await;
    let fault = transform(&engine, &plugin, "{}", "{}").await.result.expect_err("there is no ninth body");
    assert_eq!(fault.code, PluginFaultCode::InvalidOutput, "{fault:?}");
    let plugin = load(&engine, hookmill_guests::NO_MEMORY).await;
    let fault = transform(&engine, &plugin, "{}", "{}").await.result.expect_err("there is no such memory");
    assert_eq!(fault.code, PluginFaultCode::InvalidOutput, "{fault:?}");
}

#[tokio::test]
async fn a_body_that_is_no_json_is_refused() {
    for text in ["", "{", "{'a':01}", "{} {}", "NaN", "'", "[1,]"] {
        expect(&format!("json:{text}"), PluginFaultCode::InvalidOutput, &["is declared as JSON but is not valid"])
            .await;
    }
    for text in
        ["1e999999", "-0.0", " [1.10] ", "{'a':1,'a':2}", &format!("{}1{}", "[".repeat(5_000), "]".repeat(5_000))]
    {
        assert!(tell(&format!("json:{text}")).await.result.is_ok(), "{text}");
    }
}

#[tokio::test]
async fn forbidden_headers_are_refused_by_name() {
    for name in [
        "webhook-id",
        "Webhook-Signature",
        "hookmill-event",
        "Host",
        "content-length",
        "Content-Type",
        "connection",
        "keep-alive",
        "proxy-authorization",
        "TE",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ] {
        let parts = [&*format!("a plugin cannot set the header `{name}`")];
        expect(&format!("header:{name}=x"), PluginFaultCode::ForbiddenHeader, &parts).await;
    }
}

#[tokio::test]
async fn headers_that_would_break_a_request_are_refused() {
    let code = PluginFaultCode::ForbiddenHeader;
    for value in ["a\\r\\nx-evil: 1", "a\\nb", "a\\rb", "a\\0b", "ü", "\u{7f}"] {
        expect(&format!("header:x-ok={value}"), code, &["in the value of the header `x-ok`"]).await;
    }
    for name in ["", "x y", "x:y", "x\\ny", "ü"] {
        expect(&format!("header:{name}=1"), code, &["invalid header name"]).await;
    }
    assert!(tell("header:X-Ok=a\tb ~!").await.result.is_ok());
}

#[tokio::test]
async fn too_many_or_too_large_headers_are_refused() {
    let code = PluginFaultCode::OutputTooLarge;
    expect("headers:65", code, &["there are 65 headers; 64 are allowed"]).await;
    expect("header-name:129", code, &["the header name has 129 bytes; 128 are allowed"]).await;
    expect("header-value:8193", code, &["header `x-long` has 8193 bytes; 8192 are allowed"]).await;
    expect("headers-sum:8000", code, &["the header section has 40015 bytes; 32768 are allowed"]).await;
    for word in ["headers:64", "header-name:128", "header-value:8192"] {
        assert!(tell(word).await.result.is_ok(), "{word}");
    }
}

#[tokio::test]
async fn an_unknown_method_or_content_type_is_invalid_output() {
    let code = PluginFaultCode::InvalidOutput;
    expect("method:DELETE", code, &["invalid method `DELETE`: expected POST, PUT, PATCH or GET"]).await;
    expect("binary:xml", code, &["invalid content type `xml`"]).await;
    expect("binary:text/plain\\nx: 1", code, &["invalid content type"]).await;
    assert!(tell("method:PUT").await.result.is_ok());
}

#[tokio::test]
async fn a_log_flood_is_cut_and_ends() {
    let (fault, logs) = fault("flood").await;
    assert_eq!(fault.code, PluginFaultCode::OutOfFuel);
    assert_eq!((logs.len(), logs[998].message.as_str()), (1_001, "never enough"));
    let note = logs.last().expect("there is a note");
    assert_eq!(note.level, LogLevel::Warn);
    assert!(
        note.message.contains("whole lines were dropped: a transform may log 16384 bytes in 1000 lines"),
        "{note:?}"
    );
    expect("flood-long", PluginFaultCode::OutOfFuel, &["units of fuel"]).await;
}

#[tokio::test]
async fn a_long_line_is_cut_where_the_limit_is() {
    let transformed = tell("log-long:20000").await;
    assert!(is_ok_with_note(&transformed, "3632 bytes and 0 whole lines were dropped"), "{:?}", transformed.logs);
    assert_eq!(transformed.logs[1].message.len(), 16_384 - "told to log-long".len());
    let transformed = tell("log-many:5000").await;
    assert!(is_ok_with_note(&transformed, "and 4001 whole lines were dropped"), "{:?}", transformed.logs.last());
    assert_eq!(tell("log-many:10").await.logs.len(), 11);
}

fn is_ok_with_note(transformed: &hookmill_engine::PluginRun, note: &str) -> bool {
    transformed.result.is_ok() && transformed.logs.last().is_some_and(|line| line.message.contains(note))
}

#[tokio::test]
async fn calls_to_the_host_cost_fuel() {
    for word in ["clock", "sleep", "print"] {
        expect(word, PluginFaultCode::OutOfFuel, &["units of fuel"]).await;
    }
}

#[tokio::test]
async fn files_are_out_of_reach() {
    let (fault, logs) = fault("file").await;
    assert_eq!(fault.code, PluginFaultCode::Trapped);
    assert!(logs.iter().any(|line| line.message.contains("a file")), "{logs:?}");
}

#[tokio::test]
async fn a_start_function_that_never_ends_is_ended() {
    let engine = engine();
    let plugin = load(&engine, hookmill_guests::NEVER_STARTS).await;
    let fault = transform(&engine, &plugin, "{}", "{}").await.result.expect_err("it never starts");
    assert_eq!(fault.code, PluginFaultCode::OutOfFuel);
}

#[tokio::test]
async fn a_table_that_grows_too_far_is_told_its_limit() {
    let engine = engine();
    let start = "(table 1 funcref)
        (func $start (drop (table.grow (ref.null func) (i32.const 30000))))
        (start $start)";
    let component = wat::parse_str(starting(start)).expect("well-formed text");
    let plugin = engine.load(Digest::of(&component), component.into()).await.expect("it is a plugin");
    let fault = transform(&engine, &plugin, "{}", "{}").await.result.expect_err("it traps");
    assert_eq!(fault.code, PluginFaultCode::OutOfMemory);
    assert!(fault.message.starts_with("asked for a table of 30001 elements; a plugin may have 20000"), "{fault:?}");
}

/// A component whose core module has these fields, and whose transformer does nothing.
fn starting(fields: &str) -> String {
    format!(
        r#"(component
            (core module $m (func (export "f")) {fields})
            (core instance $i (instantiate $m))
            (func $f (canon lift (core func $i "f")))
            (instance $transformer (export "describe" (func $f)) (export "transform" (func $f)))
            (export "hookmill:plugin/transformer@1.0.0" (instance $transformer)))"#
    )
}

/// Two components, one of which repeatedly passes 16 MB to the other when it starts.
const COMPOSED: &str = r#"(component
    (component $callee
        (core module $m
            (memory (export "memory") 256)
            (func (export "f") (param i32 i32))
            (func (export "realloc") (param i32 i32 i32 i32) (result i32) (i32.const 0)))
        (core instance $i (instantiate $m))
        (func (export "f") (param "s" string)
            (canon lift (core func $i "f") (memory $i "memory") (realloc (func $i "realloc")))))
    (instance $callee (instantiate $callee))
    (component $caller
        (import "f" (func $f (param "s" string)))
        (core module $memory (memory (export "memory") 256))
        (core instance $memory (instantiate $memory))
        (core func $f (canon lower (func $f) (memory $memory "memory")))
        (core module $m
            (import "" "f" (func $f (param i32 i32)))
            (func $start (loop $again (call $f (i32.const 0) (i32.const 16777000)) (br $again)))
            (start $start))
        (core instance (instantiate $m (with "" (instance (export "f" (func $f)))))))
    (instance (instantiate $caller (with "f" (func $callee "f"))))
    (core module $m (func (export "f")))
    (core instance $i (instantiate $m))
    (func $f (canon lift (core func $i "f")))
    (instance $transformer (export "describe" (func $f)) (export "transform" (func $f)))
    (export "hookmill:plugin/transformer@1.0.0" (instance $transformer)))"#;

#[tokio::test]
async fn components_that_copy_from_one_to_another_let_others_run_and_end() {
    let engine = engine_with(&Limits { wall_clock_ms_max: 500, ..Limits::default() }, &kept());
    let component = wat::parse_str(COMPOSED).expect("well-formed text");
    let plugin = engine.load(Digest::of(&component), component.into()).await.expect("it is a plugin");
    let transformed = transform(&engine, &plugin, "{}", "{}").await;
    assert_eq!(transformed.result.expect_err("it never ends").code, PluginFaultCode::TimedOut);
    assert!(transformed.figures.transform_us < 4_000_000, "it took {} µs", transformed.figures.transform_us);
}

fn endless_fuel(transforms_max: u32) -> Limits {
    Limits { fuel_base: u64::MAX / 2, wall_clock_ms_max: 60_000, transforms_max, ..Limits::default() }
}

#[tokio::test]
async fn a_guest_that_outlasts_the_clock_is_ended_and_may_try_again() {
    let limits = Limits { wall_clock_ms_max: 500, ..endless_fuel(1) };
    let engine = engine_with(&limits, &kept());
    let plugin = rogue(&engine).await;
    // Each must release its slot: there is only one.
    for word in ["spin", "flood", "sleep", "spin"] {
        let transformed = tell_on(&engine, &plugin, word).await;
        let fault = transformed.result.expect_err("it never ends");
        assert_eq!((fault.code, fault.retry), (PluginFaultCode::TimedOut, true), "{word}");
        assert_eq!(fault.message, "took longer than 500 ms");
        assert_eq!(transformed.logs[0].message, format!("told to {word}"));
        assert!(transformed.figures.transform_us < 5_000_000, "{word} took {} µs", transformed.figures.transform_us);
    }
    assert!(is_echo(&tell_on(&engine, &plugin, "echo").await));
}

#[tokio::test]
async fn a_transform_that_nobody_waits_for_gives_its_slot_back() {
    let engine = engine_with(&endless_fuel(1), &kept());
    let plugin = rogue(&engine).await;
    for _ in 0..3 {
        let spinning = tell_on(&engine, &plugin, "spin");
        let gone = tokio::time::timeout(Duration::from_millis(5), spinning).await;
        assert!(gone.is_err(), "it spins for a minute");
    }
    assert!(is_echo(&tell_on(&engine, &plugin, "echo").await));
}

#[tokio::test]
async fn a_long_guest_lets_others_run_on_its_thread() {
    let engine = engine_with(&endless_fuel(3), &kept());
    let plugin = rogue(&engine).await;
    let spinning = tokio::spawn({
        let (engine, plugin) = (engine.clone(), Arc::clone(&plugin));
        async move { tell_on(&engine, &plugin, "spin").await }
    });
    tokio::task::yield_now().await;
    // This test has one thread, which the other guest uses.
    for _ in 0..20 {
        assert!(is_echo(&tell_on(&engine, &plugin, "echo").await));
    }
    assert!(!spinning.is_finished());
    spinning.abort();
    assert!(spinning.await.expect_err("it never ends").is_cancelled());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rogues_leave_healthy_transforms_right() {
    let engine = engine();
    let plugin = rogue(&engine).await;
    const WORDS: [&str; 12] =
        ["spin", "echo", "hog", "echo", "recurse", "echo", "panic", "echo", "utf8", "echo", "flood", "echo"];
    let all = WORDS.into_iter().cycle().take(200).map(|word| {
        let (engine, plugin) = (engine.clone(), Arc::clone(&plugin));
        tokio::spawn(async move { (word, tell_on(&engine, &plugin, word).await) })
    });
    for one in futures::future::join_all(all).await {
        let (word, transformed) = one.expect("no panic");
        assert_eq!(is_echo(&transformed), word == "echo", "{word}: {:?}", transformed.result);
    }
}
