//! The pages in a real browser: Chromium, driven by playwright-core, against the real binary (`tests/browser`).
//!
//! Without Chromium, Node or the packages they are left out, which is reported; with `CI=true` that is a failure.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::host::compiled_dir;
use crate::support::left_out;

fn found(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&std::env::var_os("PATH")?).map(|folder| folder.join(program)).find(|path| path.is_file())
}

#[test]
fn the_pages_work_in_a_browser() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let modules = root.join("target/toolchains/node/node_modules");
    let tools = [("node", "chromium"), ("node", "chromium-browser")];
    let found = tools.iter().find_map(|(node, chromium)| Some((found(node)?, found(chromium)?)));
    let Some((node, chromium)) = found.filter(|_| modules.join("playwright-core").is_dir()) else {
        left_out("the pages in a browser", "Node, Chromium or playwright-core", "CONTRIBUTING.md, Browser");
        return;
    };
    let screenshots = root.join("target/screenshots");
    std::fs::create_dir_all(&screenshots).unwrap();
    let mut files: Vec<_> =
        std::fs::read_dir(root.join("tests/browser")).unwrap().map(|file| file.unwrap().path()).collect();
    files.retain(|file| file.to_string_lossy().ends_with(".test.mjs"));
    files.sort();
    let mut tests = Command::new(node);
    tests.args(["--test", "--test-concurrency=1", "--test-timeout=180000"]).args(files);
    tests.env("HOOKMILL_BIN", env!("CARGO_BIN_EXE_hookmill")).env("HOOKMILL_NODE_MODULES", modules);
    tests
        .env("HOOKMILL_COMPILED", compiled_dir())
        .env("HOOKMILL_CHROMIUM", chromium)
        .env("HOOKMILL_SCREENSHOTS", screenshots);
    // Set by the test runner that runs this.
    tests.env_remove("NODE_TEST_CONTEXT");
    assert!(tests.status().unwrap().success());
}
