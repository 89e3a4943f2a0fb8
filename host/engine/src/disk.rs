//! The disk cache of compiled components, so that a restart compiles nothing.
//!
//! An artefact is native code, so only files that this host wrote are mapped: each file begins with an HMAC over its
//! name and contents, under a key that only the directory's owner can read. A truncated, altered, renamed or foreign
//! file is not an error: it counts as absent and is written again. The bytes that are checked are the bytes that are
//! mapped: the file is read once, into memory.

use std::collections::HashSet;
use std::fs::{self, DirBuilder, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hmac::{Hmac, Mac as _};
use hookmill_model::Digest;
use rand::Rng as _;
use sha2::Sha256;

const KEY_BYTES: usize = 32;
const TAG_BYTES: usize = 32;

const SUFFIX: &str = ".cwasm";

/// The beginning of the name of a file that is being written.
const TEMPORARY: &str = "new-";

/// How long a file may be in the writing: another host may share the directory.
const TEMPORARY_FOR: Duration = Duration::from_secs(60 * 60);

/// The directory of compiled components.
#[derive(Debug)]
pub(super) struct Disk {
    folder: PathBuf,
    key: [u8; KEY_BYTES],
    /// Differs between versions and settings of wasmtime and between processors.
    compatibility: String,
}

impl Disk {
    /// Opens or creates the directory and its key.
    pub(super) fn open(folder: &Path, engine: &wasmtime::Engine) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let compatibility = format!("{:016x}", hasher.finish());
        Ok(Self { folder: folder.to_owned(), key: key(folder)?, compatibility })
    }

    fn name(&self, digest: &Digest) -> String {
        format!("{}-{}{SUFFIX}", digest.hex(), self.compatibility)
    }

    fn mac(&self, name: &str, artefact: &[u8]) -> Hmac<Sha256> {
        let mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes a key of any length");
        mac.chain_update(name).chain_update([0]).chain_update(artefact)
    }

    /// Reads the artefact of this component, if it exists and this host wrote it.
    pub(super) fn read(&self, digest: &Digest) -> Option<Vec<u8>> {
        let name = self.name(digest);
        let path = self.folder.join(&name);
        let mut bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(file = %path.display(), error = &error as &dyn std::error::Error, "reading a compiled plugin failed");
                }
                return None;
            }
        };
        let tag = bytes.first_chunk::<TAG_BYTES>().copied().unwrap_or_default();
        let artefact = bytes.get(TAG_BYTES..).unwrap_or_default();
        if self.mac(&name, artefact).verify_slice(&tag).is_err() {
            tracing::warn!(file = %path.display(), "compiled plugin discarded: damaged or not written by this host");
            return None;
        }
        bytes.drain(..TAG_BYTES);
        Some(bytes)
    }

    /// Removes an artefact.
    pub(super) fn remove(&self, digest: &Digest) {
        remove(&self.folder.join(self.name(digest)));
    }

    /// Removes temporary files that a crash left. If `keep` is given, removes the artefacts of all other components and of
    /// other versions of wasmtime.
    pub(super) fn clean(&self, keep: Option<&[Digest]>) {
        let keep = keep.map(|keep| keep.iter().map(|digest| self.name(digest)).collect::<HashSet<_>>());
        let files = match fs::read_dir(&self.folder) {
            Ok(files) => files,
            Err(error) => {
                tracing::warn!(folder = %self.folder.display(), error = &error as &dyn std::error::Error, "compiled plugins not cleaned");
                return;
            }
        };
        for file in files.flatten() {
            let name = file.file_name().to_string_lossy().into_owned();
            let is_old = || {
                file.metadata()
                    .and_then(|data| data.modified())
                    .is_ok_and(|at| at.elapsed().is_ok_and(|age| age > TEMPORARY_FOR))
            };
            let of_another = keep.as_ref().is_some_and(|keep| name.ends_with(SUFFIX) && !keep.contains(&name));
            if of_another || (name.starts_with(TEMPORARY) && is_old()) {
                remove(&file.path());
            }
        }
    }

    /// Writes an artefact: completely or not at all, even if the machine crashes.
    pub(super) fn write(&self, digest: &Digest, artefact: &[u8]) -> io::Result<()> {
        let name = self.name(digest);
        let tag = self.mac(&name, artefact).finalize().into_bytes();
        replace(&self.folder, &name, &[&tag, artefact])
    }
}

fn remove(file: &Path) {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(file = %file.display(), error = &error as &dyn std::error::Error, "removing a compiled plugin failed");
        }
        _ => {}
    }
}

/// Writes a file under a temporary name, then renames it. Only its owner can read it.
fn replace(folder: &Path, name: &str, parts: &[&[u8]]) -> io::Result<()> {
    let mut file = tempfile::Builder::new().prefix(TEMPORARY).tempfile_in(folder)?;
    for part in parts {
        file.write_all(part)?;
    }
    file.as_file().sync_all()?;
    file.persist(folder.join(name))?;
    File::open(folder)?.sync_all()
}

/// Returns the directory's key; a new one if it is missing or damaged, which invalidates all artefacts under the old one.
fn key(folder: &Path) -> io::Result<[u8; KEY_BYTES]> {
    match fs::read(folder.join("key")) {
        Ok(bytes) => {
            if let Ok(key) = <[u8; KEY_BYTES]>::try_from(bytes) {
                return Ok(key);
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let mut key = [0; KEY_BYTES];
    rand::rng().fill_bytes(&mut key);
    replace(folder, "key", &[&key])?;
    Ok(key)
}
