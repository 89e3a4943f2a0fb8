//! Makes the guests: one from Rust, the others from WebAssembly's own text, without WASI or any toolchain's doing.

use std::env;
use std::fs;
use std::path::Path;

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

const WIT: &str = "../../wit/1.1.0";

/// The contract as it was released first.
const WIT_1_0_0: &str = "wit-1.0.0";

/// The first event's data as JSON. The delivery is at `$delivery`; at 1024 are zeros for the result.
const ECHO: &str = "(local.set $event (i32.load offset=52 (local.get $delivery)))
    (i32.store offset=40 (i32.const 1024) (i32.load offset=24 (local.get $event)))
    (i32.store offset=44 (i32.const 1024) (i32.load offset=28 (local.get $event)))
    (i32.const 1024)";

/// What `describe` gives: a pointer to the description.
const DESCRIBE: &str = "(i32.const 128)";

fn main() {
    hookmill_plugin_build::build(&["hookmill-rogue"]);
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed={WIT_1_0_0}");
    let spin = "(func $spin (loop $again (br $again))) (start $spin)";
    for (name, module) in [
        ("echo", module("", DESCRIBE, ECHO)),
        ("recursion", module("", DESCRIBE, "(call $transform (local.get $delivery))")),
        ("ninth_body", module("", DESCRIBE, "(i32.store8 offset=36 (i32.const 1024) (i32.const 9)) (i32.const 1024)")),
        ("no_memory", module("", DESCRIBE, "(i32.store offset=44 (i32.const 1024) (i32.const -1)) (i32.const 1024)")),
        ("never_starts", module(spin, DESCRIBE, ECHO)),
        ("speechless", module("", "unreachable", ECHO)),
        ("logging", logging("1.1.0")),
    ] {
        write(name, &component(&module, WIT));
    }
    write("logging_1_0_0", &component(&logging("1.0.0"), WIT_1_0_0));
}

fn write(name: &str, component: &[u8]) {
    let file = Path::new(&env::var_os("OUT_DIR").expect("cargo sets it")).join(name).with_extension("wasm");
    fs::write(&file, component).expect("cargo's folder can be written");
}

/// The echo by this version of the contract, which writes its name into the log.
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

fn component(module: &str, contract: &str) -> Vec<u8> {
    let mut module = wat::parse_str(module).expect("the text is well-formed");
    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve.push_dir(contract).expect("the contract parses");
    let world = resolve.select_world(&[package], Some("plugin")).expect("it has a world");
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).expect("it takes the metadata");
    let mut encoder = ComponentEncoder::default().validate(true).module(&module).expect("it fits the world");
    encoder.encode().expect("it becomes a component")
}
