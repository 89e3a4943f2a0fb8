//! A plugin's project: a folder with a `hookmill.toml` that says in which language it is written.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::Deserialize;

/// The file that makes a folder a project.
pub(super) const MANIFEST: &str = "hookmill.toml";

/// A language that plugins can be written in, with a template and an SDK of ours.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(super) enum Language {
    /// Rust, by cargo
    Rust,
    /// JavaScript, by componentize-qjs (npm)
    Javascript,
    /// TypeScript, by its compiler and componentize-qjs (npm)
    Typescript,
    /// Python, by componentize-py (PyPI)
    Python,
    /// C, by clang and wasi-libc
    C,
}

impl Language {
    /// Its name in `hookmill.toml` and of its folder in `plugins/templates`.
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Self::Rust => "rust",
            Self::Javascript => "javascript",
            Self::Typescript => "typescript",
            Self::Python => "python",
            Self::C => "c",
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Manifest {
    language: Language,
}

/// A project on disk.
#[derive(Clone, Debug)]
pub(super) struct Project {
    /// Its folder, absolute.
    pub(super) root: PathBuf,
    /// What it is written in.
    pub(super) language: Language,
}

impl Project {
    /// The project that `folder` is or lies in.
    pub(super) fn find(folder: &Path) -> anyhow::Result<Self> {
        let folder = folder.canonicalize().with_context(|| format!("looking for {}", folder.display()))?;
        let Some(root) = folder.ancestors().find(|folder| folder.join(MANIFEST).is_file()) else {
            bail!(
                "neither {} nor a folder above it has a {MANIFEST}: start a project by `hookmill plugin new NAME --lang …`",
                folder.display()
            );
        };
        let file = root.join(MANIFEST);
        let text = std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        let Manifest { language } = toml::from_str(&text).with_context(|| format!("in {}", file.display()))?;
        Ok(Self { root: root.to_owned(), language })
    }

    /// Where its component is put.
    pub(super) fn component(&self) -> PathBuf {
        self.root.join("build").join("plugin.wasm")
    }

    /// Where its golden pairs are.
    pub(super) fn golden(&self) -> PathBuf {
        self.root.join("golden")
    }
}
