//! The SDK for plugins in C: its bindings match the contract, and its functions behave as its headers document.
//!
//! With `HOOKMILL_UPDATE_BINDINGS=1` the bindings are rewritten instead of compared.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use wit_bindgen_core::Files;
use wit_bindgen_core::wit_parser::Resolve;

#[test]
fn the_bindings_are_what_wit_bindgen_makes_of_the_contract() {
    let folder = folder("plugins/sdk/c/bindings");
    let made = bindings();
    let mut names: Vec<_> = made.iter().map(|(name, _)| name.to_owned()).collect();
    names.sort();
    if std::env::var_os("HOOKMILL_UPDATE_BINDINGS").is_some() {
        for (name, text) in made.iter() {
            fs::write(folder.join(name), text).unwrap();
        }
    }
    let mut kept: Vec<_> =
        fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    kept.sort();
    assert_eq!(kept, names);
    for (name, text) in made.iter() {
        assert!(fs::read(folder.join(name)).unwrap() == text, "{name}: run this with HOOKMILL_UPDATE_BINDINGS=1");
    }
}

#[test]
fn the_sdk_does_what_it_says() {
    run_native("sdk", &["tests/authors/sdk_c/test_sdk.c"]);
}

#[test]
fn the_templates_own_tests_pass() {
    run_native("template", &["plugins/templates/c/tests/test_plugin.c", "plugins/templates/c/src/plugin.c"]);
}

fn folder(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}

fn bindings() -> Files {
    let mut resolve = Resolve::default();
    let package = resolve.push_file(folder("wit/1.1.0/plugin.wit")).unwrap();
    let world = resolve.select_world(&[package], Some("plugin")).unwrap();
    // The component's type is embedded when the module is wrapped.
    let options = wit_bindgen_c::Opts { no_object_file: true, ..Default::default() };
    let mut files = Files::default();
    options.build().generate(&mut resolve, world, &mut files).unwrap();
    files
}

/// Builds a native program from these files and the SDK, and runs it. There is a C compiler, since the build of the host
/// needs one.
fn run_native(name: &str, sources: &[&str]) {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("sdk-c-{name}"));
    let built = Command::new("cc")
        .current_dir(folder(""))
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-Iplugins/sdk/c", "-o"])
        .arg(&program)
        .args(sources)
        .args(["plugins/sdk/c/hookmill.c", "plugins/sdk/c/hookmill_json.c"])
        .output()
        .expect("a C compiler, which the build of the host needs too");
    assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
    let ran = Command::new(&program).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}
