//! `hookmill plugin new`: creates a project that works, to be changed.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use hookmill_model::PluginName;
use include_dir::{Dir, DirEntry, include_dir};
use serde_json::json;

use super::project::{Language, MANIFEST};
use super::style::{BOLD, DIM};

static TEMPLATES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../plugins/templates");
static RUST_SDK: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../plugins/sdk/rust");
static JAVASCRIPT_SDK: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../plugins/sdk/javascript");
static PYTHON_SDK: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../plugins/sdk/python");
static C_SDK: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../plugins/sdk/c");

/// The contract that projects are built against.
const WIT: &str = include_str!("../../../wit/1.1.0/plugin.wit");

/// The plugin's name in a template.
const PLACEHOLDER: &str = "my-plugin";

/// The arguments of `plugin new`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The name of the plugin and of the folder: a-z, 0-9 and -, starting with a letter
    name: PluginName,

    /// The language
    #[arg(long, value_enum)]
    lang: Language,

    /// The folder to create, instead of one of the plugin's name
    #[arg(long, value_name = "FOLDER")]
    path: Option<PathBuf>,
}

/// Writes the project, and prints the next commands.
pub(super) fn run(args: &Args, json: bool) -> anyhow::Result<()> {
    let root = args.path.clone().unwrap_or_else(|| args.name.as_str().into());
    write(&root, &args.name, args.lang)?;
    if json {
        anstream::println!("{}", json!({"project": root, "language": args.lang.as_str()}));
        return Ok(());
    }
    anstream::println!("{BOLD}{}{BOLD:#} is a plugin in {}. Next:\n", root.display(), args.lang.as_str());
    anstream::println!("  cd {}", root.display());
    for (command, what) in next(args.lang) {
        anstream::println!("  {command:<52} {DIM}# {what}{DIM:#}");
    }
    Ok(())
}

/// Writes a new project of this name into `root`, which must be empty or not exist.
pub(super) fn write(root: &Path, name: &PluginName, language: Language) -> anyhow::Result<()> {
    let taken = root.read_dir().is_ok_and(|mut entries| entries.next().is_some());
    ensure!(!taken && !root.is_file(), "{} already exists and is not empty", root.display());
    let template = TEMPLATES.get_dir(language.as_str()).context("the program contains no such template")?;
    let golden = TEMPLATES.get_dir("golden").context("the program contains no golden pairs")?;
    copy(template, template.path(), root, name)?;
    copy(golden, golden.path(), &root.join("golden"), name)?;
    copy(sdk(language), Path::new(""), &root.join("sdk"), name)?;
    put(&root.join(MANIFEST), format!("language = \"{}\"\n", language.as_str()).as_bytes())?;
    put(&root.join("wit").join("plugin.wit"), WIT.as_bytes())
}

fn sdk(language: Language) -> &'static Dir<'static> {
    match language {
        Language::Rust => &RUST_SDK,
        Language::Javascript | Language::Typescript => &JAVASCRIPT_SDK,
        Language::Python => &PYTHON_SDK,
        Language::C => &C_SDK,
    }
}

/// Copies the content of `from` into `to`, at its path without `base`, with the plugin's name filled in.
fn copy(from: &Dir<'_>, base: &Path, to: &Path, name: &PluginName) -> anyhow::Result<()> {
    for entry in from.entries() {
        match entry {
            DirEntry::Dir(folder) => copy(folder, base, to, name)?,
            DirEntry::File(file) => {
                let path = file.path().strip_prefix(base).unwrap_or(file.path());
                let path = to.join(named(&path.to_string_lossy(), name));
                match file.contents_utf8() {
                    Some(text) => put(&path, named(text, name).as_bytes())?,
                    None => put(&path, file.contents())?,
                }
            }
        }
    }
    Ok(())
}

/// Replaces the template's name by the plugin's, with `_` where it is an identifier.
pub(super) fn named(text: &str, name: &PluginName) -> String {
    let identifier = |name: &str| name.replace('-', "_");
    text.replace(PLACEHOLDER, name.as_str()).replace(&identifier(PLACEHOLDER), &identifier(name.as_str()))
}

/// Writes a file, and creates its folders.
pub(super) fn put(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let write = || {
        path.parent().map_or(Ok(()), std::fs::create_dir_all)?;
        std::fs::write(path, bytes)
    };
    write().with_context(|| format!("writing {}", path.display()))
}

/// The next commands, each with a comment.
fn next(language: Language) -> Vec<(&'static str, &'static str)> {
    let first: &[_] = match language {
        Language::Rust => &[("rustup target add wasm32-wasip2", "once")],
        Language::Javascript | Language::Typescript => &[("npm install", "the toolchain, into node_modules")],
        Language::Python => &[
            ("python3 -m venv .venv", "once"),
            (".venv/bin/pip install -r requirements.txt", "the toolchain, into .venv"),
        ],
        Language::C => &[("apt-get install clang-16 lld-16 wasi-libc libclang-rt-16-dev-wasm32", "once, on Debian")],
    };
    let then = [
        ("hookmill plugin test --build", "builds it, and runs golden/ in the host's engine"),
        ("hookmill plugin push --space SPACE", "uploads it to a host"),
    ];
    first.iter().copied().chain(then).collect()
}
