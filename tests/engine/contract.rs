//! Versions of the contract: the first always runs, and one that this host does not support is refused by name.

use bytes::Bytes;
use hookmill_engine::Limits;
use hookmill_engine::{InspectError, PluginDecision, outline};
use hookmill_model::{Body, Digest, LogLevel};
use wasmtime::component::{Component, Linker};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

use crate::engine::fixture::{DATA, engine, load, transform};

/// Built when 1.0.0 was released, and not since: its source is next to it.
const FIRST: &[u8] = include_bytes!("../guests/contract-1.0.0.wasm");

#[tokio::test]
async fn a_component_built_for_1_0_0_loads_and_gives_its_bytes_for_ever() {
    let digest = Digest::of(FIRST).to_string();
    assert_eq!(
        digest, "sha256:343e208a310ddfe694c85a38ed49106156cacfac9a211719b4471dce0c1fcd67",
        "it is never made anew"
    );
    let engine = engine();
    let inspected = engine.inspect(Bytes::from_static(FIRST)).await.expect("it is a plugin");
    let shown = (inspected.name.as_str(), inspected.version.to_string(), inspected.summary.as_str());
    assert_eq!(shown, ("by-hand", "1.0.0".to_owned(), "Made by hand."));
    assert_eq!(
        (inspected.content_types, inspected.config_schema),
        (vec!["text/plain".to_owned()], serde_json::json!({}))
    );

    let plugin = load(&engine, FIRST).await;
    let given = transform(&engine, &plugin, "{}", DATA).await;
    let Ok(PluginDecision::Deliver(draft)) = given.result else { panic!("{given:?}") };
    assert_eq!((draft.body, draft.headers.len(), draft.query.len()), (Body::Json(DATA.to_owned()), 0, 0));
    let logs: Vec<_> = given.logs.iter().map(|line| (line.level, line.message.as_str())).collect();
    assert_eq!(logs, [(LogLevel::Info, "by-hand")]);
}

#[test]
fn a_components_outline_tells_its_version_of_the_contract() {
    let limits = Limits::default();
    for (component, version) in [(FIRST, "1.0.0"), (hookmill_guests::LOGGING, "1.1.0")] {
        let outline = outline(component, &limits).expect("it is a plugin");
        assert_eq!(outline.contract().expect("it has one").to_string(), version);
        assert_eq!(outline.imports, ["log", "types"].map(|name| format!("hookmill:plugin/{name}@{version}")));
        assert_eq!(outline.exports, [format!("hookmill:plugin/transformer@{version}")]);
    }
}

/// A component for the rehearsed 1.2.0 without useful exports, which has these imports.
fn rehearsed(imports: &str) -> Vec<u8> {
    let text = format!(
        r#"(module {imports}
            (memory (export "memory") 1)
            (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) unreachable)
            (func (export "hookmill:plugin/transformer@1.2.0#describe") (result i32) unreachable)
            (func (export "hookmill:plugin/transformer@1.2.0#transform") (param i32) (result i32) unreachable))"#
    );
    let mut module = wat::parse_str(text).expect("well-formed text");
    let mut resolve = wit_parser::Resolve::default();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../tests/guests/wit-1.2.0");
    let (package, _) = resolve.push_dir(folder).expect("the contract parses");
    let world = resolve.select_world(&[package], Some("plugin")).expect("it has a world");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("it takes the metadata");
    let mut encoder = ComponentEncoder::default().validate(true).module(&module).expect("it fits the world");
    encoder.encode().expect("it becomes a component")
}

const LOG: &str = r#"(import "hookmill:plugin/log@1.2.0" "write" (func (param i32 i32 i32)))"#;
const METER: &str = r#"(import "hookmill:plugin/meter@1.2.0" "fuel-left" (func (result i64)))"#;

#[tokio::test]
async fn a_component_for_a_later_version_is_refused_even_if_it_uses_nothing_of_it() {
    // With its new imports, with those of 1.1.0, and with none at all.
    for imports in [format!("{LOG}{METER}"), LOG.to_owned(), String::new()] {
        let refused = engine().inspect(rehearsed(&imports).into()).await.expect_err("no host supports it");
        let InspectError::Refused(reason) = refused else { panic!("{refused:?}") };
        assert_eq!(
            reason.0,
            "it exports `hookmill:plugin/transformer@1.2.0`; this host supports contract versions 1.0 to 1.1"
        );
    }
}

#[test]
fn what_was_built_for_earlier_versions_fits_a_host_of_the_later_one() {
    let engine = wasmtime::Engine::default();
    let mut linker = Linker::<()>::new(&engine);
    let mut log = linker.instance("hookmill:plugin/log@1.2.0").expect("a name");
    log.func_new("write", |_, _, _, _| Ok(())).expect("a function");
    let mut meter = linker.instance("hookmill:plugin/meter@1.2.0").expect("a name");
    meter.func_wrap("fuel-left", |_, (): ()| Ok((7_u64,))).expect("a function");
    for component in [FIRST.to_vec(), hookmill_guests::LOGGING.to_vec(), rehearsed(METER)] {
        let component = Component::new(&engine, component).expect("it is valid");
        linker.instantiate_pre(&component).expect("it finds what it imports");
        let found = component.get_export_index(None, "hookmill:plugin/transformer@1.0.0");
        assert!(found.is_some(), "the host finds it by the first version's name");
    }
}
