//! How a component is built in each language: with the ecosystem's own tools, found in the project or on the PATH and
//! never downloaded.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use super::project::{Language, Project};

/// The contract's world that a component is built for.
const WORLD: &str = "plugin";

/// The target that plugins in Rust are built for.
const TARGET: &str = "wasm32-wasip2";

/// Builds the project's component and writes it to `file`.
pub(super) fn build(project: &Project, file: &Path) -> anyhow::Result<()> {
    match project.language {
        Language::Rust => rust(project, file),
        Language::Javascript => javascript(project, "src/component.js", file),
        Language::Typescript => typescript(project, file),
        Language::Python => python(project, file),
        Language::C => c(project, file),
    }
}

fn rust(project: &Project, file: &Path) -> anyhow::Result<()> {
    let mut cargo = Command::new(tool(project, &["cargo"], "install rustup, see https://rustup.rs")?);
    ensure!(
        has_target(project)?,
        "Rust's target {TARGET}, which plugins are built for, is not installed: run `rustup target add {TARGET}`"
    );
    cargo.args(["build", "--release", "--target", TARGET, "--message-format=json-render-diagnostics"]);
    // The author's own flags are for the author's machine.
    cargo.current_dir(&project.root).env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    // The stack is part of the memory that the host clears after each call; the linker's default is 1 MiB.
    cargo.env("CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS", "-C link-arg=-zstack-size=131072");
    let output = cargo.stderr(Stdio::inherit()).output().context("running cargo")?;
    ensure!(output.status.success(), "cargo failed ({}), see above", output.status);
    let built = String::from_utf8_lossy(&output.stdout).lines().filter_map(wasm_of).next_back();
    let built =
        built.context("cargo built no component: expected `crate-type = [\"cdylib\"]` under [lib] in Cargo.toml")?;
    std::fs::copy(&built, file).with_context(|| format!("copying {} to {}", built.display(), file.display()))?;
    Ok(())
}

/// Whether the toolchain that the project is built with has the target's standard library. A build would find out as
/// well, but only after it has compiled the dependencies that run on this machine.
fn has_target(project: &Project) -> anyhow::Result<bool> {
    let mut rustc = Command::new(tool(project, &["rustc"], "install rustup, see https://rustup.rs")?);
    rustc.args(["--print=target-libdir", "--target", TARGET]).current_dir(&project.root).stderr(Stdio::inherit());
    let output = rustc.output().context("running rustc")?;
    ensure!(output.status.success(), "rustc failed ({}), see above", output.status);
    Ok(Path::new(String::from_utf8_lossy(&output.stdout).trim()).is_dir())
}

/// The component named in one line of cargo's messages, if it names one.
fn wasm_of(line: &str) -> Option<PathBuf> {
    let message: Value = serde_json::from_str(line).ok()?;
    let files = message["filenames"].as_array()?;
    files.iter().filter_map(Value::as_str).find(|file| file.ends_with(".wasm")).map(PathBuf::from)
}

fn javascript(project: &Project, source: &str, file: &Path) -> anyhow::Result<()> {
    let mut qjs = Command::new(tool(project, &["componentize-qjs"], "run `npm install` in the project")?);
    qjs.args(["--wit", "wit", "--world", WORLD, "--js", source, "--module-root", "."]);
    qjs.args(["--sync", "--stub-wasi", "--opt-size", "--output"]).arg(file);
    succeed(&mut qjs, project)
}

fn typescript(project: &Project, file: &Path) -> anyhow::Result<()> {
    let mut tsc = Command::new(tool(project, &["tsc"], "run `npm install` in the project")?);
    succeed(&mut tsc, project)?;
    javascript(project, "dist/component.js", file)
}

fn python(project: &Project, file: &Path) -> anyhow::Result<()> {
    let hint = "run `python3 -m venv .venv && .venv/bin/pip install -r requirements.txt` in the project";
    let mut py = Command::new(tool(project, &["componentize-py"], hint)?);
    py.args(["--wit-path", "wit", "--world", WORLD, "componentize", "--stub-wasi"]);
    py.args(["--python-path", "src", "--python-path", "sdk", "plugin", "--output"]).arg(file);
    succeed(&mut py, project)
}

fn c(project: &Project, file: &Path) -> anyhow::Result<()> {
    let hint = "run `apt-get install clang-16 lld-16 wasi-libc libclang-rt-16-dev-wasm32`, or install your system's equivalents";
    let module = file.with_extension("core.wasm");
    let mut clang = Command::new(tool(project, &["clang-16", "clang"], hint)?);
    clang.args(["--target=wasm32-wasi", "-mexec-model=reactor", "-O2", "-Wall", "-Wextra", "-Wl,--strip-debug"]);
    // With the stack below the data, an overflow traps as such instead of overwriting data.
    clang.args(["-Wl,--stack-first", "-Wl,-z,stack-size=262144", "-Wl,--initial-memory=1048576"]);
    clang.args(["-Isdk", "-Isrc"]).args(sources(&project.root, "src")?).args(sources(&project.root, "sdk")?);
    clang.arg("-o").arg(&module);
    succeed(&mut clang, project)?;
    let bytes = std::fs::read(&module).with_context(|| format!("reading {}", module.display()))?;
    let component = wrap(bytes, &project.root.join("wit"))?;
    std::fs::write(file, component).with_context(|| format!("writing {}", file.display()))
}

/// The C files of a folder of the project, subfolders included, as paths relative to its root.
fn sources(root: &Path, folder: &str) -> anyhow::Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    for entry in root.join(folder).read_dir().with_context(|| format!("reading {folder}"))? {
        let name = entry?.file_name();
        let path = format!("{folder}/{}", name.to_string_lossy());
        if root.join(&path).is_dir() {
            found.extend(sources(root, &path)?);
        } else if path.ends_with(".c") {
            found.push(path.into());
        }
    }
    found.sort();
    Ok(found)
}

/// Wraps a core module that exports the contract's functions under their canonical names into a component.
fn wrap(mut module: Vec<u8>, wit: &Path) -> anyhow::Result<Vec<u8>> {
    use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve.push_path(wit).with_context(|| format!("reading {}", wit.display()))?;
    let world = resolve.select_world(&[package], Some(WORLD))?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    let mut encoder = ComponentEncoder::default().validate(true).module(&module)?;
    encoder.encode().context(
        "wrapping the module into a component; if it imports `wasi_snapshot_preview1`, it uses time, files, the \
         environment or randomness, which plugins do not have",
    )
}

/// Finds a tool by the first of these names that exists, in the project's own tool folders or on the PATH.
fn tool(project: &Project, names: &[&str], hint: &str) -> anyhow::Result<PathBuf> {
    let own = ["node_modules/.bin", ".venv/bin"].map(|folder| project.root.join(folder));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = own.into_iter().chain(std::env::split_paths(&path)).collect();
    for name in names {
        if let Some(folder) = folders.iter().find(|folder| folder.join(name).is_file()) {
            return Ok(folder.join(name));
        }
    }
    bail!("`{}` not found: {hint}", names[0])
}

/// Runs a tool in the project's folder; its output goes to standard error.
fn succeed(command: &mut Command, project: &Project) -> anyhow::Result<()> {
    let name = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    command.current_dir(&project.root).stdin(Stdio::null()).stdout(std::io::stderr());
    let status = command.status().with_context(|| format!("running {name}"))?;
    ensure!(status.success(), "{name} failed ({status}), see above");
    Ok(())
}
