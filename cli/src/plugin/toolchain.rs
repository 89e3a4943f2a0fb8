//! What builds a component in each language: the ecosystem's own tools, found in the project or on the PATH, never
//! downloaded.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

use super::project::{Language, Project};

/// The world of the contract that a component is made for.
const WORLD: &str = "plugin";

/// Builds the project's component into `file`.
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
    let mut cargo = Command::new(tool(project, &["cargo"], "install rustup: https://rustup.rs")?);
    cargo.args(["build", "--release", "--target", "wasm32-wasip2", "--message-format=json-render-diagnostics"]);
    // The author's own flags are for the machine that they work on.
    cargo.current_dir(&project.root).env_remove("RUSTFLAGS").env_remove("CARGO_ENCODED_RUSTFLAGS");
    // The stack is part of the memory that the host clears after each call; the linker's own choice is 1 MiB.
    cargo.env("CARGO_TARGET_WASM32_WASIP2_RUSTFLAGS", "-C link-arg=-zstack-size=131072");
    let output = cargo.stderr(Stdio::inherit()).output().context("running cargo")?;
    ensure!(
        output.status.success(),
        "cargo failed, see above; if it misses `core` or `std`: rustup target add wasm32-wasip2"
    );
    let built = String::from_utf8_lossy(&output.stdout).lines().filter_map(wasm_of).next_back();
    let built =
        built.context("cargo made no component: Cargo.toml must have `crate-type = [\"cdylib\"]` under [lib]")?;
    std::fs::copy(&built, file).with_context(|| format!("copying {} to {}", built.display(), file.display()))?;
    Ok(())
}

/// The component that cargo says it made, in one line of its messages.
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
    let hint =
        "run `apt-get install clang-16 lld-16 wasi-libc libclang-rt-16-dev-wasm32`, or what your system has of it";
    let module = file.with_extension("core.wasm");
    let mut clang = Command::new(tool(project, &["clang-16", "clang"], hint)?);
    clang.args(["--target=wasm32-wasi", "-mexec-model=reactor", "-O2", "-Wall", "-Wextra", "-Wl,--strip-debug"]);
    // Below the data, a stack that overflows traps as such, and overwrites nothing.
    clang.args(["-Wl,--stack-first", "-Wl,-z,stack-size=262144", "-Wl,--initial-memory=1048576"]);
    clang.args(["-Isdk", "-Isrc"]).args(sources(&project.root, "src")?).args(sources(&project.root, "sdk")?);
    clang.arg("-o").arg(&module);
    succeed(&mut clang, project)?;
    let bytes = std::fs::read(&module).with_context(|| format!("reading {}", module.display()))?;
    let component = wrap(bytes, &project.root.join("wit"))?;
    std::fs::write(file, component).with_context(|| format!("writing {}", file.display()))
}

/// The C files of a folder of the project and of those within, as paths from its root.
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

/// Makes a component of a core module that exports the contract's functions under their canonical names.
fn wrap(mut module: Vec<u8>, wit: &Path) -> anyhow::Result<Vec<u8>> {
    use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};

    let mut resolve = wit_parser::Resolve::default();
    let (package, _) = resolve.push_path(wit).with_context(|| format!("reading {}", wit.display()))?;
    let world = resolve.select_world(&[package], Some(WORLD))?;
    embed_component_metadata(&mut module, &resolve, world, StringEncoding::UTF8)?;
    let mut encoder = ComponentEncoder::default().validate(true).module(&module)?;
    encoder.encode().context(
        "making a component of it; if it imports `wasi_snapshot_preview1`, it uses time, files, the environment or \
         randomness, which no plugin has",
    )
}

/// Where a tool is: in the project's own folders of tools, or on the PATH; the first name that is there.
fn tool(project: &Project, names: &[&str], hint: &str) -> anyhow::Result<PathBuf> {
    let own = ["node_modules/.bin", ".venv/bin"].map(|folder| project.root.join(folder));
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<_> = own.into_iter().chain(std::env::split_paths(&path)).collect();
    for name in names {
        if let Some(folder) = folders.iter().find(|folder| folder.join(name).is_file()) {
            return Ok(folder.join(name));
        }
    }
    bail!("`{}` is not there: {hint}", names[0])
}

/// Runs a tool in the project's folder; what it says goes to standard error.
fn succeed(command: &mut Command, project: &Project) -> anyhow::Result<()> {
    let name = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    command.current_dir(&project.root).stdin(Stdio::null()).stdout(std::io::stderr());
    let status = command.status().with_context(|| format!("running {name}"))?;
    ensure!(status.success(), "{name} failed ({status}), see above");
    Ok(())
}
