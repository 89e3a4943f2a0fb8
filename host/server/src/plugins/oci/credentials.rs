//! Credentials for a registry: none, or those of the command line's user.
//!
//! The host itself has none: its operator's credentials would let every space read what the operator may read.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oci_client::secrets::RegistryAuth;
use serde::Deserialize;

/// A name and a password, or nothing.
#[derive(Clone, Default)]
pub struct Credentials(Option<(String, String)>);

impl Credentials {
    /// No credentials.
    pub fn none() -> Self {
        Self(None)
    }

    /// A user and a password, or a token in the password's place.
    pub fn basic(user: impl Into<String>, password: impl Into<String>) -> Self {
        Self(Some((user.into(), password.into())))
    }

    /// The user's credentials for this registry, from the environment (`HOOKMILL_REGISTRY_USER` and
    /// `HOOKMILL_REGISTRY_PASSWORD`), or else from the `config.json` of `docker login` (in `DOCKER_CONFIG` or `~/.docker`).
    /// Docker's credential helpers are not called.
    pub fn of_user(registry: &str) -> Self {
        let of = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        if let (Some(user), Some(password)) = (of("HOOKMILL_REGISTRY_USER"), of("HOOKMILL_REGISTRY_PASSWORD")) {
            return Self::basic(user, password);
        }
        let folder = of("DOCKER_CONFIG").map(PathBuf::from).or_else(|| Some(Path::new(&of("HOME")?).join(".docker")));
        folder.map(|folder| Self::of_docker(&folder.join("config.json"), registry)).unwrap_or_default()
    }

    /// The credentials for this registry in Docker's file.
    pub fn of_docker(file: &Path, registry: &str) -> Self {
        #[derive(Deserialize)]
        struct File {
            auths: std::collections::HashMap<String, Auth>,
        }
        #[derive(Deserialize)]
        struct Auth {
            auth: Option<String>,
        }
        let found = std::fs::read(file).ok().and_then(|bytes| serde_json::from_slice::<File>(&bytes).ok());
        // Docker Hub has a different name in that file.
        let name = if registry == "index.docker.io" { "https://index.docker.io/v1/" } else { registry };
        let auth = found.and_then(|file| file.auths.get(name)?.auth.clone());
        let text = auth.and_then(|auth| String::from_utf8(STANDARD.decode(auth).ok()?).ok());
        Self(text.and_then(|text| text.split_once(':').map(|(user, password)| (user.to_owned(), password.to_owned()))))
    }

    pub(super) fn as_auth(&self) -> RegistryAuth {
        match &self.0 {
            Some((user, password)) => RegistryAuth::Basic(user.clone(), password.clone()),
            None => RegistryAuth::Anonymous,
        }
    }
}

/// Hides the password.
impl std::fmt::Debug for Credentials {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Credentials").field(&self.0.as_ref().map(|(user, _)| user)).finish()
    }
}
