//! The SDK for plugins in Python and the tests of its template, run with the `python3` on the PATH.
//!
//! Left out if there is none; with `CI=true` that is a failure.

use std::path::Path;
use std::process::Command;

use crate::support::left_out;

#[test]
fn the_sdk_does_what_it_says() {
    unittest("tests/authors/sdk_python", &["plugins/sdk/python"]);
}

#[test]
fn the_templates_own_tests_pass() {
    unittest("plugins/templates/python/tests", &["plugins/sdk/python", "plugins/templates/python/src"]);
}

fn unittest(tests: &str, modules: &[&str]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let modules = std::env::join_paths(modules.iter().map(|folder| root.join(folder))).unwrap();
    let output = Command::new("python3")
        // Without compiled modules: the SDK's folder is embedded in the program as it is.
        .args(["-B", "-m", "unittest", "discover", "--start-directory"])
        .arg(root.join(tests))
        .env("PYTHONPATH", modules)
        .output();
    let Ok(output) = output else {
        return left_out(tests, "python3", "install Python 3");
    };
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && !said.contains("Ran 0 tests"), "{said}");
}
