//! Every knob: its unit in its name, its default, and the reason for it.
//!
//! A configuration is a TOML file of which each part may be left out; an unknown name is an error, so that a
//! misspelt limit is noticed and not merely without effect.

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use ipnet::IpNet;
use serde::Deserialize;

use hookmill_engine::Limits;
use hookmill_model::PluginKey;

/// All of it.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the API listens. Loopback by default: whoever opens it to a network puts TLS in front of it.
    pub listen: SocketAddr,
    /// Where the database is kept.
    pub data_dir: PathBuf,
    /// Where compiled plugins are kept: `compiled` in the data directory by default. It is a cache, which may be shared by
    /// hosts of the same machine and deleted at any time.
    pub compiled_dir: Option<PathBuf>,
    /// Limits on what callers post.
    pub accept: AcceptConfig,
    /// Limits on plugins.
    pub plugin: Limits,
    /// Plugins from a folder of the operator's.
    pub plugin_folder: FolderConfig,
    /// How requests are sent.
    pub send: SendConfig,
    /// How plugins are pulled from registries.
    pub oci: OciConfig,
    /// How deliveries are worked on.
    pub deliver: DeliverConfig,
    /// When failures are told.
    pub notify: NotifyConfig,
    /// How mails are sent. Without it there are none: failures are told by operational events alone.
    pub mail: Option<MailConfig>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            listen: SocketAddr::from(([127, 0, 0, 1], 8470)),
            data_dir: PathBuf::from("hookmill-data"),
            compiled_dir: None,
            accept: AcceptConfig::default(),
            plugin: Limits::default(),
            plugin_folder: FolderConfig::default(),
            send: SendConfig::default(),
            oci: OciConfig::default(),
            deliver: DeliverConfig::default(),
            notify: NotifyConfig::default(),
            mail: None,
        }
    }
}

/// Limits on what callers post.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AcceptConfig {
    /// One event's data. Receivers take 2 to 16 MB (Zapier's raw hook, Make, n8n); a form of it can be six times as
    /// large, so this leaves room.
    pub event_bytes_max: usize,
    /// Events of one NDJSON request: they are committed together, and a commit should not hold up others.
    pub batch_events_max: usize,
    /// One NDJSON request as a whole, which stands in memory.
    pub batch_bytes_max: usize,
    /// Any other request's body but a plugin's component.
    pub body_bytes_max: usize,
}

impl Default for AcceptConfig {
    fn default() -> Self {
        Self { event_bytes_max: 1 << 20, batch_events_max: 10_000, batch_bytes_max: 32 << 20, body_bytes_max: 1 << 20 }
    }
}

/// A folder whose `*.wasm` files are plugins of all spaces, read at each start; at most 1,000.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FolderConfig {
    /// Where it is; none by default.
    pub path: Option<PathBuf>,
    /// Ed25519 public keys (`whpk_…`): if there is one, each file needs a signature by one of them next to it, in base64,
    /// in a file of the same name with `.sig` appended.
    pub keys: Vec<PluginKey>,
}

/// How requests are sent.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SendConfig {
    /// Networks that may be sent to although they are private, local or otherwise not public: none by default, since
    /// a subscription's URL is its owner's word and the host may reach what that owner may not.
    pub allow_networks: Vec<IpNet>,
    /// Who this host is to endpoints that are asked for consent (`WebHook-Request-Origin` of CloudEvents): its DNS name.
    pub origin: String,
    /// A PEM file with certificates of authorities that are trusted beside the machine's own: for receivers of a
    /// company's own network.
    pub trusted_certificates: Option<PathBuf>,
    /// What is kept of an answer's body; reading stops there.
    pub answer_body_bytes_max: usize,
    /// What is kept of an answer's headers.
    pub answer_headers_bytes_max: usize,
    /// Idle connections kept for each receiver, so that a busy one is not connected to anew for each delivery.
    pub idle_connections_per_host_max: usize,
    /// Seconds until an idle connection is closed: less than the 60 s after which many servers close theirs.
    pub idle_connection_s: u64,
}

impl Default for SendConfig {
    fn default() -> Self {
        Self {
            allow_networks: Vec::new(),
            origin: "hookmill.localhost".to_owned(),
            trusted_certificates: None,
            answer_body_bytes_max: 16 << 10,
            answer_headers_bytes_max: 16 << 10,
            idle_connections_per_host_max: 64,
            idle_connection_s: 50,
        }
    }
}

/// How plugins are pulled from registries.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OciConfig {
    /// Networks of registries that are not public, beside those that may be sent to: none by default, since which
    /// registry is asked is a space's word.
    pub allow_networks: Vec<IpNet>,
    /// Whether registries are spoken to without TLS; one on this machine always is.
    pub plain_http: bool,
}

/// How deliveries are worked on.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeliverConfig {
    /// Deliveries being transformed and sent at once. A waiting request costs some 50 KB.
    pub in_flight_max: usize,
    /// Of one subscription, so that a receiver that hangs leaves room for the others.
    pub in_flight_per_subscription_max: usize,
    /// Deliveries that wait in memory; beyond it they wait in rows.
    pub waiting_max: usize,
    /// Of one subscription, for the same reason.
    pub waiting_per_subscription_max: usize,
    /// Bytes of events that wait in memory; beyond it they wait in rows.
    pub waiting_bytes_max: usize,
    /// Seconds that a claim holds: longer than the longest timeout, short enough to go on soon after a crash.
    pub lease_s: u32,
    /// Seconds that a shutdown waits for what is in flight.
    pub grace_s: u64,
}

impl Default for DeliverConfig {
    fn default() -> Self {
        Self {
            in_flight_max: 512,
            in_flight_per_subscription_max: 64,
            waiting_max: 16_384,
            waiting_per_subscription_max: 4_096,
            waiting_bytes_max: 64 << 20,
            lease_s: 120,
            grace_s: 20,
        }
    }
}

/// When failures are told.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NotifyConfig {
    /// Seconds from a first failed delivery until it is told, with all that failed by then: a receiver that breaks
    /// fails all that is in flight, and should be one message.
    pub window_s: u32,
    /// Seconds until more failures of the same subscription are told, if none of its deliveries succeeded in between.
    pub quiet_s: u32,
}

impl Default for NotifyConfig {
    fn default() -> Self {
        Self { window_s: 60, quiet_s: 24 * 60 * 60 }
    }
}

/// How mails are sent.
#[derive(Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MailConfig {
    /// The server: `smtps://user:password@host` (TLS from the start), `smtp://user:password@host?tls=required`
    /// (STARTTLS), or `smtp://host` without TLS, for a server on the same machine. Percent-encoded where a user or a
    /// password has characters that a URL has not.
    pub smtp_url: String,
    /// Who they are from: `Hookmill <hookmill@example.com>`.
    pub from: String,
}

/// Shows nothing of the URL, which has a password in it.
impl fmt::Debug for MailConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailConfig").field("from", &self.from).finish_non_exhaustive()
    }
}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// If it cannot be read, is no TOML, has an unknown name or a value that cannot work; says where.
    pub fn read(file: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        let config: Self = toml::from_str(&text).with_context(|| format!("in {}", file.display()))?;
        config.check().with_context(|| format!("in {}", file.display()))?;
        Ok(config)
    }

    /// Refuses values that cannot work together or at all.
    fn check(&self) -> anyhow::Result<()> {
        let deliver = &self.deliver;
        for (name, value) in [
            ("deliver.in_flight_max", deliver.in_flight_max),
            ("deliver.in_flight_per_subscription_max", deliver.in_flight_per_subscription_max),
            ("deliver.waiting_max", deliver.waiting_max),
            ("deliver.waiting_per_subscription_max", deliver.waiting_per_subscription_max),
            ("accept.batch_events_max", self.accept.batch_events_max),
            ("plugin.transforms_max", self.plugin.transforms_max as usize),
        ] {
            anyhow::ensure!(value > 0, "{name} must be at least 1");
        }
        anyhow::ensure!(
            http::HeaderValue::from_str(&self.send.origin).is_ok(),
            "send.origin is a DNS name: hooks.example.com"
        );
        anyhow::ensure!(
            deliver.lease_s >= 70,
            "deliver.lease_s must be at least 70: a subscription's timeout may be 60 s, and a claim must outlast it"
        );
        Ok(())
    }
}
