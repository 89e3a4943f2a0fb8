//! Compiled components on disk, so that a restart compiles nothing.
//!
//! Running an artefact is running native code, so none is mapped unless this host wrote it: each file begins with an
//! HMAC, under a key that only the folder's owner can read, over its own name and all that follows. A torn, altered,
//! renamed or foreign file is no error: it counts as absent and is written anew. What is checked is what is mapped:
//! the file is read once, into memory.

use std::fs::{self, DirBuilder, File};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use hmac::{Hmac, Mac as _};
use rand::Rng as _;
use sha2::Sha256;

use hookmill_model::Digest;

const KEY_BYTES: usize = 32;
const TAG_BYTES: usize = 32;

/// The folder of compiled components.
#[derive(Debug)]
pub(super) struct Disk {
    folder: PathBuf,
    key: [u8; KEY_BYTES],
    /// Tells apart what another version of wasmtime, other settings or another processor made.
    compatibility: String,
}

impl Disk {
    /// Opens or creates the folder and its key.
    pub(super) fn open(folder: &Path, engine: &wasmtime::Engine) -> io::Result<Self> {
        DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        let compatibility = format!("{:016x}", hasher.finish());
        Ok(Self { folder: folder.to_owned(), key: key(folder)?, compatibility })
    }

    fn name(&self, digest: &Digest) -> String {
        format!("{}-{}.cwasm", digest.hex(), self.compatibility)
    }

    fn mac(&self, name: &str, artefact: &[u8]) -> Hmac<Sha256> {
        let mac = Hmac::<Sha256>::new_from_slice(&self.key).expect("HMAC takes a key of any length");
        mac.chain_update(name).chain_update([0]).chain_update(artefact)
    }

    /// The artefact of this component, if it is there and this host wrote it.
    pub(super) fn read(&self, digest: &Digest) -> Option<Vec<u8>> {
        let name = self.name(digest);
        let path = self.folder.join(&name);
        let mut bytes = match fs::read(&path) {
            Ok(bytes) => bytes,
            Err(error) => {
                if error.kind() != io::ErrorKind::NotFound {
                    tracing::warn!(file = %path.display(), %error, "a compiled plugin cannot be read");
                }
                return None;
            }
        };
        let tag = bytes.first_chunk::<TAG_BYTES>().copied().unwrap_or_default();
        let artefact = bytes.get(TAG_BYTES..).unwrap_or_default();
        if self.mac(&name, artefact).verify_slice(&tag).is_err() {
            tracing::warn!(file = %path.display(), "a compiled plugin is damaged or not this host's; it is compiled anew");
            return None;
        }
        bytes.drain(..TAG_BYTES);
        Some(bytes)
    }

    /// Keeps an artefact: all of it or nothing, even if the machine stops.
    pub(super) fn write(&self, digest: &Digest, artefact: &[u8]) -> io::Result<()> {
        let name = self.name(digest);
        let tag = self.mac(&name, artefact).finalize().into_bytes();
        replace(&self.folder, &name, &[&tag, artefact])
    }
}

/// Writes a file under another name, then gives it its own. Only its owner can read it.
fn replace(folder: &Path, name: &str, parts: &[&[u8]]) -> io::Result<()> {
    let mut file = tempfile::Builder::new().prefix("new-").tempfile_in(folder)?;
    for part in parts {
        file.write_all(part)?;
    }
    file.as_file().sync_all()?;
    file.persist(folder.join(name))?;
    File::open(folder)?.sync_all()
}

/// The folder's key; a new one if there is none or it is damaged, which makes all artefacts under the old one void.
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
