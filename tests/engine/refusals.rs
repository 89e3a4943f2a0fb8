//! Components that are not plugins are refused, with the reason.

use hookmill_engine::InspectError;

use crate::engine::fixture::engine;

async fn reason(component: &[u8]) -> String {
    match engine().inspect(component.to_vec().into()).await {
        Ok(inspected) => panic!("taken: {inspected:?}"),
        Err(InspectError::Refused(refusal)) => refusal.0,
        Err(error) => panic!("the host failed: {error:?}"),
    }
}

async fn reason_of(text: &str) -> String {
    reason(&wat::parse_str(text).expect("well-formed text")).await
}

#[tokio::test]
async fn what_is_no_component_is_refused() {
    assert!(reason(b"").await.starts_with("it is not a WebAssembly component: missing magic bytes"));
    assert!(
        reason(b"#!/bin/sh\necho hello").await.starts_with("it is not a WebAssembly component: missing magic bytes")
    );
    let torn = reason(&hookmill_guests::ROGUE[..1_000]).await;
    assert!(
        torn.starts_with("it is not a valid WebAssembly component, or it is truncated: unexpected end-of-file"),
        "{torn}"
    );
    assert!(
        reason_of("(module)").await.starts_with("it is a core module, not a component: build it for wasm32-wasip2")
    );
}

#[tokio::test]
async fn garbage_anywhere_in_a_component_does_no_harm() {
    // Flipping every byte would take hours to compile; these are spread over all sections.
    let component = hookmill_guests::ECHO;
    for place in (8..component.len()).step_by(component.len() / 40) {
        let mut broken = component.to_vec();
        broken[place] ^= 0x55;
        if let Err(InspectError::Engine(error)) = engine().inspect(broken.into()).await {
            panic!("byte {place}: the host failed: {error:?}");
        }
    }
}

#[tokio::test]
async fn an_import_beyond_the_contract_is_refused_by_its_name() {
    for name in ["evil:net/socket", "hookmill:plugin/keys@1.0.0", "wasi:cli/environment@0.3.0", "wasi:io/poll"] {
        let reason = reason_of(&format!(r#"(component (import "{name}" (instance)))"#)).await;
        assert!(reason.starts_with(&format!("it imports `{name}`; a plugin may import only")), "{reason}");
    }
    for name in ["hookmill:plugin/log@1.2.0", "hookmill:plugin/secrets@2.0.0", "hookmill:plugin/log@1.1.0-rc.1"] {
        let reason = reason_of(&format!(r#"(component (import "{name}" (instance)))"#)).await;
        assert_eq!(reason, format!("it imports `{name}`; this host supports contract versions 1.0 to 1.1"));
    }
    let reason = reason_of(r#"(component (import "read-all" (func)))"#).await;
    assert!(reason.starts_with("it imports `read-all`"), "{reason}");
}

/// A plugin's imports and exports, with one more import.
fn with_import(name: &str) -> String {
    format!(
        r#"(component (import "{name}" (instance))
            (instance $i) (export "hookmill:plugin/transformer@1.0.0" (instance $i)))"#
    )
}

#[tokio::test]
async fn a_plugin_that_wants_a_network_is_told_that_there_is_none_and_how_to_build_it_without() {
    for name in ["wasi:sockets/tcp@0.2.0", "wasi:sockets/ip-name-lookup@0.2.6", "wasi:sockets/network@0.3.0"] {
        let reason = reason_of(&with_import(name)).await;
        let right = format!("it imports `{name}`: a plugin has no network; remove the code that opens connections; ");
        assert!(reason.starts_with(&right) && reason.ends_with("--stub-wasi"), "{reason}");
    }
    let reason = reason_of(&with_import("wasi:http/outgoing-handler@0.2.0")).await;
    assert_eq!(
        reason,
        "it imports `wasi:http/outgoing-handler@0.2.0`: a plugin has no network; return the request and the host \
         sends it; componentize-js takes --disable http"
    );
}

#[tokio::test]
async fn a_component_of_another_world_is_told_so_whatever_it_imports() {
    let text = r#"(component (import "wasi:http/types@0.2.0" (instance))
        (instance $i) (export "wasi:http/incoming-handler@0.2.0" (instance $i)) (export "init" (instance $i)))"#;
    assert_eq!(
        reason_of(text).await,
        "it does not export `hookmill:plugin/transformer@1.1.0`; it exports `wasi:http/incoming-handler@0.2.0`, `init`"
    );
}

#[tokio::test]
async fn a_component_without_the_transformer_is_told_what_it_exports() {
    let reason = reason_of("(component)").await;
    assert_eq!(reason, "it does not export `hookmill:plugin/transformer@1.1.0`; it exports nothing");
    let other = reason_of(r#"(component (instance $i) (export "wasi:cli/run@0.2.0" (instance $i)))"#).await;
    assert!(other.ends_with("it exports `wasi:cli/run@0.2.0`"), "{other}");
    for version in ["0.9.0", "1.2.0", "2.0.0"] {
        let name = format!("hookmill:plugin/transformer@{version}");
        let reason = reason_of(&format!(r#"(component (instance $i) (export "{name}" (instance $i)))"#)).await;
        assert_eq!(reason, format!("it exports `{name}`; this host supports contract versions 1.0 to 1.1"));
    }
}

#[tokio::test]
async fn a_transformer_of_another_shape_is_refused() {
    let empty = r#"(component (instance $i) (export "hookmill:plugin/transformer@1.0.0" (instance $i)))"#;
    assert_eq!(reason_of(empty).await, "its transformer lacks `describe` or `transform`");
    let other = r#"(component
        (core module $m (func (export "f")))
        (core instance $m (instantiate $m))
        (func $f (canon lift (core func $m "f")))
        (instance $i (export "describe" (func $f)) (export "transform" (func $f)))
        (export "hookmill:plugin/transformer@1.0.0" (instance $i)))"#;
    let reason = reason_of(other).await;
    assert!(reason.contains("its transformer's types differ from the contract"), "{reason}");
}

#[tokio::test]
async fn what_breaks_a_limit_at_rest_is_refused_before_it_is_compiled() {
    let core = |fields: &str| format!("(component (core module {fields}))");
    let memory = reason_of(&core("(memory 1025)")).await;
    assert_eq!(memory, "it starts with 67174400 bytes of memory; 67108864 are allowed");
    let table = reason_of(&core("(table 20001 funcref)")).await;
    assert_eq!(table, "one of its tables has 20001 elements; 20000 are allowed");
    let locals = reason_of(&core(&format!("(func (local {}))", "i32 ".repeat(10_001)))).await;
    assert_eq!(locals, "one of its functions has 10001 locals; 10000 are allowed");
    let body = reason_of(&core(&format!("(func {})", "nop ".repeat(1 << 20)))).await;
    assert!(body.starts_with("one of its functions has 10485"), "{body}");
    let functions = reason_of(&core(&"(func)".repeat(200_001))).await;
    assert_eq!(functions, "it has more than 200000 functions");
    let modules = reason_of(&format!("(component {})", "(core module)".repeat(257))).await;
    assert_eq!(modules, "it has more than 256 core modules");
}

#[tokio::test]
async fn what_would_hold_more_than_an_instance_may_is_refused() {
    for (fields, times, reason) in [
        ("(memory 1)", 5, "transitively contains 5 Wasm linear memories"),
        ("(table 1 funcref)", 65, "transitively contains 65 tables"),
        ("", 129, "transitively contains 129 core module instances"),
    ] {
        let instances = "(core instance (instantiate $m))".repeat(times);
        let text = format!(
            r#"(component (core module $m {fields}) {instances}
                (instance $i) (export "hookmill:plugin/transformer@1.0.0" (instance $i)))"#
        );
        let told = reason_of(&text).await;
        assert!(told.starts_with("it cannot be loaded by this host: ") && told.contains(reason), "{told}");
    }
}

#[tokio::test]
async fn a_name_of_any_kind_is_shown_harmlessly() {
    // No toolchain produces this: a line break in an import's name.
    let text = r#"(component (import "evil-name" (func)))"#;
    let component = wat::parse_str(text).expect("well-formed text");
    let told = reason(&replaced(&component, "evil-name", "evil\nname")).await;
    assert!(told.starts_with("it imports `evil\\nname`; a plugin may import"), "{told}");
}

#[tokio::test]
async fn a_description_that_breaks_the_contract_is_refused_with_its_field() {
    for (from, to, reason) in [
        ("by-hand1.0.0", "By-hand1.0.0", "its description is invalid: name: a plugin's name is"),
        ("by-hand1.0.0", "by-hand1.0.x", "its description is invalid: version: a version is"),
        ("text/plain", "text plain", "its description is invalid: content-types: invalid content type `text plain`"),
        ("plain{}", "plain{]", "its description is invalid: config-schema: "),
        ("plain{}", "plain12", "its description is invalid: config-schema: a JSON Schema is"),
    ] {
        let told = self::reason(&replaced(hookmill_guests::ECHO, from, to)).await;
        assert!(told.starts_with(reason), "{told}");
    }
    let reason = reason(hookmill_guests::SPEECHLESS).await;
    assert!(reason.starts_with("when asked to describe itself, it panicked or aborted"), "{reason}");
}

/// The component with a text in its data replaced by one of the same length.
fn replaced(component: &[u8], from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len());
    let place = component.windows(from.len()).position(|bytes| bytes == from.as_bytes()).expect("it is there");
    let mut component = component.to_vec();
    component[place..place + to.len()].copy_from_slice(to.as_bytes());
    component
}
