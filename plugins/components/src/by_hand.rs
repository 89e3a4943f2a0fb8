//! The components that are written by hand, in WebAssembly's text format, without WASI or a toolchain's additions.

use std::path::Path;

use anyhow::{Context as _, Result};
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

const WIT: &str = "wit/1.1.0";

/// The contract as it was first released.
const WIT_1_0_0: &str = "tests/guests/wit-1.0.0";

/// Returns the first event's data as JSON. The delivery is at `$delivery`; at 1024 are zeros for the result.
const ECHO: &str = "(local.set $event (i32.load offset=52 (local.get $delivery)))
    (i32.store offset=40 (i32.const 1024) (i32.load offset=24 (local.get $event)))
    (i32.store offset=44 (i32.const 1024) (i32.load offset=28 (local.get $event)))
    (i32.const 1024)";

/// The result of `describe`: a pointer to the description.
const DESCRIBE: &str = "(i32.const 128)";

/// Returns all of them by name.
///
/// # Errors
/// If the contract in `wit/` cannot be read, or does not fit.
pub fn components(root: &Path) -> Result<Vec<(&'static str, Vec<u8>)>> {
    let spin = "(func $spin (loop $again (br $again))) (start $spin)";
    let ninth_body = "(i32.store8 offset=36 (i32.const 1024) (i32.const 9)) (i32.const 1024)";
    let no_memory = "(i32.store offset=44 (i32.const 1024) (i32.const -1)) (i32.const 1024)";
    let all = [
        ("echo", module("", DESCRIBE, ECHO), WIT),
        ("recursion", module("", DESCRIBE, "(call $transform (local.get $delivery))"), WIT),
        ("ninth_body", module("", DESCRIBE, ninth_body), WIT),
        ("no_memory", module("", DESCRIBE, no_memory), WIT),
        ("never_starts", module(spin, DESCRIBE, ECHO), WIT),
        ("speechless", module("", "unreachable", ECHO), WIT),
        ("logging", logging("1.1.0"), WIT),
        ("logging_1_0_0", logging("1.0.0"), WIT_1_0_0),
    ];
    all.iter().map(|(name, module, wit)| Ok((*name, component(module, &root.join(wit)).context(*name)?))).collect()
}

/// The echo by this version of the contract, which writes its name to the log.
fn logging(version: &str) -> String {
    let import = format!(r#"(import "hookmill:plugin/log@{version}" "write" (func $log (param i32 i32 i32)))"#);
    let transform = format!("(call $log (i32.const 1) (i32.const 16) (i32.const 7)) {ECHO}");
    module_for(version, &import, DESCRIBE, &transform)
}

/// A core module for the contract's world.
fn module(fields: &str, describe: &str, transform: &str) -> String {
    module_for("1.1.0", fields, describe, transform)
}

/// The same for this version of the contract.
fn module_for(version: &str, fields: &str, describe: &str, transform: &str) -> String {
    format!(
        r#"(module
          {fields}
          (memory (export "memory") 32)
          (data (i32.const 16) "by-hand1.0.0Made by hand.text/plain{{}}")
          (data (i32.const 128)
            "\10\00\00\00\07\00\00\00" "\17\00\00\00\05\00\00\00" "\1c\00\00\00\0d\00\00\00"
            "\b0\00\00\00\01\00\00\00" "\33\00\00\00\02\00\00\00" "\00\00\00\00\00\00\00\00")
          (data (i32.const 176) "\29\00\00\00\0a\00\00\00")
          (global $heap (mut i32) (i32.const 4096))
          (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
            (global.get $heap)
            (global.set $heap
              (i32.and (i32.add (i32.add (global.get $heap) (local.get 3)) (i32.const 7)) (i32.const -8))))
          (func (export "hookmill:plugin/transformer@{version}#describe") (result i32) {describe})
          (func $transform (export "hookmill:plugin/transformer@{version}#transform") (param $delivery i32) (result i32)
            (local $event i32)
            {transform}))"#
    )
}

fn component(module: &str, contract: &Path) -> Result<Vec<u8>> {
    let mut module = wat::parse_str(module)?;
    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve.push_dir(contract)?;
    let world = resolve.select_world(&[package], Some("plugin"))?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    ComponentEncoder::default().validate(true).module(&module)?.encode()
}
