//! The file of named hosts, `hosts.toml`: the address of each, with a key and a space.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use hookmill_model::SpaceId;
use serde::Deserialize;
use url::Url;

/// Maximum size of the file: thousands of hosts.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// The file's content.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Hosts {
    /// The host that is used if no other is asked for.
    default: Option<String>,
    #[serde(default)]
    hosts: BTreeMap<String, Entry>,
}

/// One host.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    pub(super) url: Url,
    pub(super) key: Option<String>,
    pub(super) space: Option<SpaceId>,
}

impl Hosts {
    /// Reads the file; without a file there are no hosts.
    ///
    /// # Errors
    /// If others can read the file, which holds keys, or if its content is invalid.
    pub(super) fn read() -> anyhow::Result<Self> {
        match path() {
            Some(path) if path.exists() => Self::parse(&path).with_context(|| format!("reading {}", path.display())),
            _ => Ok(Self::default()),
        }
    }

    fn parse(path: &Path) -> anyhow::Result<Self> {
        let file = File::open(path)?;
        let mode = file.metadata()?.permissions().mode() & 0o777;
        let shown = path.display();
        ensure!(
            mode & 0o077 == 0,
            "its mode is {mode:04o}, but it holds keys, which only you may read: run `chmod 600 {shown}`"
        );
        let mut text = String::new();
        file.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
        ensure!(text.len() as u64 <= FILE_BYTES_MAX, "larger than {FILE_BYTES_MAX} bytes");
        // The whole error quotes the line, which may hold a key.
        toml::from_str(&text).map_err(|err| {
            let line = text[..err.span().map_or(0, |span| span.start)].lines().count().max(1);
            anyhow::anyhow!("line {line}: {}", err.message())
        })
    }

    /// Returns the host of this name.
    ///
    /// # Errors
    /// If there is none.
    pub(super) fn named(&self, name: &str) -> anyhow::Result<&Entry> {
        if let Some(entry) = self.hosts.get(name) {
            return Ok(entry);
        }
        let names: Vec<_> = self.hosts.keys().map(String::as_str).collect();
        match path() {
            Some(path) if names.is_empty() => bail!("no host `{name}`: {} lists none", path.display()),
            Some(path) => bail!("no host `{name}` in {}: expected one of {}", path.display(), names.join(", ")),
            None => bail!("no host `{name}`: neither XDG_CONFIG_HOME nor HOME says where hosts.toml is"),
        }
    }

    /// Returns the default host: the one that `default` names, or the only one.
    ///
    /// # Errors
    /// If `default` names a host that is not listed.
    pub(super) fn default_host(&self) -> anyhow::Result<Option<&Entry>> {
        match &self.default {
            Some(name) => self.named(name).context("reading `default`").map(Some),
            None if self.hosts.len() == 1 => Ok(self.hosts.values().next()),
            None => Ok(None),
        }
    }

    /// Returns the host with this address.
    pub(super) fn at(&self, url: &Url) -> Option<&Entry> {
        self.hosts.values().find(|entry| entry.url == *url)
    }
}

/// Returns the path of the file: `hookmill/hosts.toml` in XDG_CONFIG_HOME or `~/.config`.
pub(super) fn path() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let config = absolute("XDG_CONFIG_HOME").or_else(|| absolute("HOME").map(|home| home.join(".config")))?;
    Some(config.join("hookmill/hosts.toml"))
}
