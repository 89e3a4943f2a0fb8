//! A plugin by hand that comes in as many versions as a test wants.
//!
//! What it does, its configuration's first character says: of `{` it makes a body of the configuration, with the
//! version in a header; `"` it fails on, `1` it fails on but asks for another try, `[` traps.

use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

const WIT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../wit/1.1.0");

/// The component of the plugin `made` in this version, whose configuration must be as this schema says.
pub fn made(version: &str, schema: &str) -> &'static [u8] {
    let mut module = wat::parse_str(module(version, schema)).unwrap();
    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve.push_dir(WIT).unwrap();
    let world = resolve.select_world(&[package], Some("plugin")).unwrap();
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8).unwrap();
    let mut encoder = ComponentEncoder::default().validate(true).module(&module).unwrap();
    Vec::leak(encoder.encode().unwrap())
}

/// A record of texts: an address and a length for each.
fn record(texts: &[(usize, usize)]) -> String {
    let words = texts.iter().flat_map(|(at, length)| [*at, *length]);
    words.flat_map(|word| u32::try_from(word).unwrap().to_le_bytes()).map(|byte| format!("\\{byte:02x}")).collect()
}

fn module(version: &str, schema: &str) -> String {
    let texts = ["made", version, "Made by hand.", "application/json", schema, "x-version", "it broke"];
    let mut at = 2_048;
    let mut placed = Vec::new();
    let mut data = String::new();
    for text in texts {
        placed.push((at, text.len()));
        data.push_str(&text.replace('"', "\\22"));
        at += text.len();
    }
    let [name, version, summary, content_type, schema, header, reason] = placed[..] else { unreachable!() };
    let description = record(&[name, version, summary, (256, 1), schema, (0, 0)]);
    format!(
        r#"(module
          (memory (export "memory") 8)
          (data (i32.const 2048) "{data}")
          (data (i32.const 128) "{description}")
          (data (i32.const 256) "{content_types}")
          (data (i32.const 272) "{headers}")
          (global $heap (mut i32) (i32.const 131072))
          (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32)
            (global.get $heap)
            (global.set $heap
              (i32.and (i32.add (i32.add (global.get $heap) (local.get 3)) (i32.const 7)) (i32.const -8))))
          (func (export "hookmill:plugin/transformer@1.1.0#describe") (result i32) (i32.const 128))
          (func (export "hookmill:plugin/transformer@1.1.0#transform") (param $delivery i32) (result i32)
            (local $first i32)
            (local.set $first (i32.load8_u (i32.load offset=44 (local.get $delivery))))
            (if (i32.eq (local.get $first) (i32.const 0x5b)) (then unreachable))
            (if (i32.ne (local.get $first) (i32.const 0x7b)) (then
              (i32.store8 (i32.const 1024) (i32.const 1))
              (i32.store offset=4 (i32.const 1024) (i32.const {reason_at}))
              (i32.store offset=8 (i32.const 1024) (i32.const {reason_length}))
              (i32.store8 offset=12 (i32.const 1024) (i32.eq (local.get $first) (i32.const 0x31)))
              (return (i32.const 1024))))
            (i32.store offset=28 (i32.const 1024) (i32.const 272))
            (i32.store offset=32 (i32.const 1024) (i32.const 1))
            (i32.store offset=40 (i32.const 1024) (i32.load offset=44 (local.get $delivery)))
            (i32.store offset=44 (i32.const 1024) (i32.load offset=48 (local.get $delivery)))
            (i32.const 1024)))"#,
        content_types = record(&[content_type]),
        headers = record(&[header, version]),
        reason_at = reason.0,
        reason_length = reason.1,
    )
}
