//! A plugin's project: a folder with a `hookmill.toml` that names its language.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use serde::Deserialize;

/// The file that marks a folder as a project.
pub(super) const MANIFEST: &str = "hookmill.toml";

/// A language with a template and an SDK.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(super) enum Language {
    /// Rust, built by cargo
    Rust,
    /// JavaScript, built by componentize-qjs (npm)
    Javascript,
    /// TypeScript, built by its compiler and componentize-qjs (npm)
    Typescript,
    /// Python, built by componentize-py (PyPI)
    Python,
    /// C, built by clang and wasi-libc
    C,
}

impl Language {
    /// The name in `hookmill.toml`, and of the folder in `plugins/templates`.
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
    /// The folder, absolute.
    pub(super) root: PathBuf,
    /// The language.
    pub(super) language: Language,
}

impl Project {
    /// Finds the project of `folder`: the folder itself or the nearest one above it.
    pub(super) fn find(folder: &Path) -> anyhow::Result<Self> {
        let folder = folder.canonicalize().with_context(|| format!("opening {}", folder.display()))?;
        let Some(root) = folder.ancestors().find(|folder| folder.join(MANIFEST).is_file()) else {
            bail!(
                "neither {} nor a folder above it has a {MANIFEST}: create a project with `hookmill plugin new NAME --lang …`",
                folder.display()
            );
        };
        let file = root.join(MANIFEST);
        let text = std::fs::read_to_string(&file).with_context(|| format!("reading {}", file.display()))?;
        let Manifest { language } = toml::from_str(&text).with_context(|| format!("parsing {}", file.display()))?;
        Ok(Self { root: root.to_owned(), language })
    }

    /// The file of its component.
    pub(super) fn component(&self) -> PathBuf {
        self.root.join("build").join("plugin.wasm")
    }

    /// The folder of its golden pairs.
    pub(super) fn golden(&self) -> PathBuf {
        self.root.join("golden")
    }
}
