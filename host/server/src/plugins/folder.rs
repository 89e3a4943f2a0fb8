//! A folder of plugins: an operator's files become plugins of all spaces at the next start.
//!
//! A file's plugin takes precedence over a bundled one of the same name and version, and is removed when the file is;
//! subscriptions that run it keep it by its digest. A file that is refused is logged, and the host starts.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use bytes::Bytes;
use hookmill_model::Plugin;

use super::admit::{self, AdmitError, Candidate};
use crate::host::Host;

/// Files of the folder. A start that compiles more takes minutes; more plugins than that are uploaded.
const FILES_MAX: usize = 1_000;

/// Size of a file with a signature, which is 88 bytes.
const SIGNATURE_BYTES_MAX: u64 = 1_000;

/// Registers the plugins of the configured folder, and removes those whose file is no longer there.
///
/// # Errors
/// If the folder cannot be read or has too many files, or the store or the engine fails.
pub async fn install(host: &Host) -> anyhow::Result<()> {
    let files = match &host.config.plugin_folder.path {
        Some(folder) => files(folder).with_context(|| format!("the folder of plugins {}", folder.display()))?,
        None => Vec::new(),
    };
    let mut registered = Vec::new();
    // One after another, in the order of their names: of two with the same name and version, the last one is kept.
    for file in files {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        match register(host, &file, &name).await? {
            Ok(plugin) => {
                tracing::info!(file = name, plugin = %plugin.name, version = %plugin.version, "plugin registered");
                registered.push(plugin.digest);
            }
            Err(reason) => tracing::warn!(file = name, reason, "plugin file refused"),
        }
    }
    Ok(host.store.remove_files_but(registered).await?)
}

/// The components, sorted by name.
fn files(folder: &Path) -> anyhow::Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let file = entry?.path();
        if file.extension().is_some_and(|extension| extension == "wasm") {
            anyhow::ensure!(files.len() < FILES_MAX, "it has more than {FILES_MAX} components");
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}

/// Registers one file; the inner error says what is wrong with it.
async fn register(host: &Host, file: &Path, name: &str) -> anyhow::Result<Result<Plugin, String>> {
    let component = match read(file, host.config.plugin.component_bytes_max as u64) {
        Ok(component) => component,
        Err(reason) => return Ok(Err(reason)),
    };
    let signature = read(&file.with_extension("wasm.sig"), SIGNATURE_BYTES_MAX).ok();
    let signature = signature.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    let candidate = Candidate { component, signature, source: Some(format!("file:{name}")) };
    match admit::for_all_spaces(host, &host.config.plugin_folder.keys, candidate).await {
        Ok((plugin, replaced)) => {
            if let Some(replaced) = replaced {
                let from = replaced.source.as_deref().unwrap_or("the bundled one");
                tracing::warn!(file = name, plugin = %plugin.name, version = %plugin.version, from, "plugin replaced");
            }
            Ok(Ok(plugin))
        }
        Err(error @ (AdmitError::Unsigned(_) | AdmitError::Refused(_))) => Ok(Err(error.to_string())),
        Err(error @ (AdmitError::Busy | AdmitError::Engine(_) | AdmitError::Schema(_) | AdmitError::Store(_))) => {
            Err(error.into())
        }
    }
}

/// Reads a file that has at most `bytes_max` bytes.
fn read(file: &Path, bytes_max: u64) -> Result<Bytes, String> {
    let mut bytes = Vec::new();
    let opened = std::fs::File::open(file).and_then(|file| file.take(bytes_max + 1).read_to_end(&mut bytes));
    match opened {
        Ok(read) if read as u64 > bytes_max => Err(format!("it has more than {bytes_max} bytes")),
        Ok(_) => Ok(bytes.into()),
        Err(error) => Err(format!("it cannot be read: {error}")),
    }
}
