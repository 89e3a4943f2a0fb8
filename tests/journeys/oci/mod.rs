//! Plugins in registries: against Debian's `docker-registry`, and against one that does not keep to the rules.

mod api;
mod hostile;
mod layout;
mod refusals;
mod registry;
mod round_trip;

use std::sync::OnceLock;

use bytes::Bytes;
use hookmill_model::{PluginName, PluginVersion};
use hookmill_server::config::Config;
use hookmill_server::plugins::oci::{ArtifactInfo, OciError, Pulled, Pushed, Reference, Registries, pull, push};

pub const ECHO: Bytes = Bytes::from_static(hookmill_guests::ECHO);

/// As a host on this machine would ask, with registries on loopback allowed.
pub fn registries() -> Registries {
    let mut config = Config::default();
    config.oci.allow_networks.push("127.0.0.0/8".parse().unwrap());
    Registries::of_host(&config).unwrap()
}

pub fn reference(text: &str) -> Reference {
    text.parse().unwrap()
}

pub async fn push_echo(to: &str, signature: Option<&str>) -> Result<Pushed, OciError> {
    static ABOUT: OnceLock<(PluginName, PluginVersion)> = OnceLock::new();
    let (name, version) =
        ABOUT.get_or_init(|| (PluginName::parse("by-hand").unwrap(), PluginVersion::parse("1.0.0").unwrap()));
    let info = ArtifactInfo { name, version, summary: "Made by hand.", signature };
    push(&registries(), &reference(to), ECHO, &info).await
}

pub async fn pull_from(from: &str) -> Result<Pulled, OciError> {
    pull(&registries(), &reference(from)).await
}

/// Why it could not be pulled.
pub async fn refusal(from: &str) -> String {
    pull_from(from).await.unwrap_err().to_string()
}
