//! Every setting: its unit in its name, its default, and the reason for it.
//!
//! A configuration is a TOML file in which each part is optional. An unknown name is an error, so that a misspelled limit
//! is noticed and not silently without effect.

mod send;

use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use anyhow::Context as _;
use hookmill_engine::Limits;
use hookmill_model::{PluginKey, Quotas, Retention, TIMEOUT_MS_MAX};
use ipnet::IpNet;
use serde::Deserialize;

pub use send::SendConfig;

/// What a lease must outlast in addition to a request's timeout, in seconds: the transform, the record's commit, and
/// clocks that differ.
pub const LEASE_MARGIN_S: u32 = 6;

/// Descriptors that neither the API's connections nor those to receivers use: files of the store, lookups (with the
/// default, 32 that have two sockets each), compilers' pipes, pulls and mails.
pub const DESCRIPTORS_OF_OTHERS: usize = 160;

/// The longest timeout that a subscription may have.
const TIMEOUT_S_MAX: u32 = TIMEOUT_MS_MAX / 1_000;

/// The whole configuration.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the API listens. Loopback by default: an API that is open to a network needs TLS in front of it.
    pub listen: SocketAddr,
    /// The directory of the database.
    pub data_dir: PathBuf,
    /// The directory of compiled plugins: `compiled` in the data directory by default. It is a cache, which hosts of the
    /// same machine may share and which may be deleted at any time.
    pub compiled_dir: Option<PathBuf>,
    /// Limits on requests to the API.
    pub accept: AcceptConfig,
    /// Limits on plugins.
    pub plugin: Limits,
    /// The operator's folder of plugins.
    pub plugin_folder: FolderConfig,
    /// How requests are sent.
    pub send: SendConfig,
    /// How plugins are pulled from registries.
    pub oci: OciConfig,
    /// How deliveries are processed.
    pub deliver: DeliverConfig,
    /// How shadows are run.
    pub shadow: ShadowConfig,
    /// When expired deliveries are deleted.
    pub retention: RetentionConfig,
    /// When failures are reported.
    pub notify: NotifyConfig,
    /// What each space may use that has no quotas of its own. By default no rate is limited: how much a host can do
    /// depends on its machine.
    pub quotas: Quotas,
    /// How mails are sent. Without it none are sent: failures are reported by operational events alone.
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
            shadow: ShadowConfig::default(),
            retention: RetentionConfig::default(),
            notify: NotifyConfig::default(),
            quotas: QUOTAS,
            mail: None,
        }
    }
}

/// The quotas of a space by default: far more than a tenant needs, and few enough that one alone cannot fill the host.
pub const QUOTAS: Quotas = Quotas {
    events_per_s: None,
    events_per_day: None,
    deliveries_per_s: None,
    deliveries_per_day: None,
    // All are in memory, some 2 KB each.
    subscriptions: Some(200_000),
    // Each is up to 32 MiB on disk.
    plugins: Some(2_000),
    // All are in memory.
    keys: Some(1_000),
    // Enough for everyone who may have to act on a failure.
    administrators: Some(50),
    // How much there is room for depends on the disk.
    stored_bytes: None,
};

/// Limits on requests to the API.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AcceptConfig {
    /// Size of one event's data. Receivers accept 2 to 16 MB (Zapier's raw hook, Make, n8n); as a form it can be six
    /// times as large, so this leaves room.
    pub event_bytes_max: usize,
    /// Events of one NDJSON request: its results are held in memory.
    pub batch_events_max: usize,
    /// Deliveries of one NDJSON request. They take some 30 µs each of the only writer's time. The events beyond are
    /// refused one by one, and may be posted in a request of their own.
    pub batch_deliveries_max: usize,
    /// Deliveries of one space that are committed together, some 15 ms by default. While several spaces commit, a quarter
    /// of it, since their commits wait for each other. A request with more is committed in slices, in turn with others.
    pub commit_deliveries_max: usize,
    /// Size of one NDJSON request, which is held in memory.
    pub batch_bytes_max: usize,
    /// Size of any other request's body, except a plugin's component.
    pub body_bytes_max: usize,
    /// Connections at once; beyond it others wait to be accepted, and idle ones are closed for them. Each takes a
    /// descriptor and some 20 KB. A start lowers it where there are few descriptors.
    pub connections_max: usize,
    /// Seconds without a request after which a connection is closed. A request's head has to be there by then, and the
    /// answer to the last one read. As long as many load balancers keep idle connections.
    pub idle_connection_s: u64,
}

impl Default for AcceptConfig {
    fn default() -> Self {
        Self {
            event_bytes_max: 1 << 20,
            batch_events_max: 10_000,
            batch_deliveries_max: 100_000,
            commit_deliveries_max: 512,
            batch_bytes_max: 32 << 20,
            body_bytes_max: 1 << 20,
            connections_max: 4_096,
            idle_connection_s: 60,
        }
    }
}

/// A folder whose `*.wasm` files are plugins of all spaces, read at each start; at most 1,000.
#[derive(Clone, Debug, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct FolderConfig {
    /// The folder's path; none by default.
    pub path: Option<PathBuf>,
    /// Ed25519 public keys (`whpk_…`). If there are any, each file needs a signature by one of them next to it, in base64,
    /// in a file of the same name with `.sig` appended.
    pub keys: Vec<PluginKey>,
}

/// How plugins are pulled from registries.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct OciConfig {
    /// Networks of registries that are not public, in addition to `send.allow_networks`. None by default: a space chooses
    /// the registry.
    pub allow_networks: Vec<IpNet>,
    /// Whether plain HTTP is used for all registries; for one on this machine it always is.
    pub plain_http: bool,
    /// Seconds that one pull may take: 32 MiB in that time is a slow line, and a registry that drips bytes is cut off.
    pub timeout_s: u64,
    /// Pulls at once: each may take `plugin.component_bytes_max` of memory until it times out.
    pub pulls_max: usize,
}

impl Default for OciConfig {
    fn default() -> Self {
        Self { allow_networks: Vec::new(), plain_http: false, timeout_s: 300, pulls_max: 4 }
    }
}

/// How deliveries are processed.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DeliverConfig {
    /// Deliveries that are transformed and sent at once. A waiting request costs some 50 KB. A space gets a place only
    /// while it holds fewer than are free: alone at most half of them, so that the next space always finds one.
    pub in_flight_max: usize,
    /// The same of one subscription, so that a receiver that hangs leaves room for the others.
    pub in_flight_per_subscription_max: usize,
    /// Deliveries that wait in memory; beyond it they wait in rows. Shared between spaces like the places in flight.
    pub waiting_max: usize,
    /// The same of one subscription, for the same reason.
    pub waiting_per_subscription_max: usize,
    /// Bytes of events that wait in memory; beyond it they wait in rows. Shared between spaces like the places in flight.
    pub waiting_bytes_max: usize,
    /// Due rows that are fetched at once: enough that the cost of a backlog is not one transaction for each row.
    pub fetch_max: usize,
    /// Seconds that a lease lasts: twice the longest timeout by default, so that a delivery may wait in memory for some
    /// time before its attempt begins. After a crash nothing waits for it: a start ends all leases.
    pub lease_s: u32,
    /// Seconds that a shutdown waits for deliveries in flight.
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
            fetch_max: 256,
            lease_s: 2 * TIMEOUT_S_MAX,
            grace_s: 20,
        }
    }
}

/// How shadows are run.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ShadowConfig {
    /// Deliveries that wait for their shadow. A delivery that finds no room is left out and counted.
    pub waiting_max: usize,
    /// The same of one subscription, so that a shadow that loops leaves room for the others.
    pub waiting_per_subscription_max: usize,
    /// Bytes of events and requests that wait: what a burst may take of memory.
    pub waiting_bytes_max: usize,
}

impl Default for ShadowConfig {
    fn default() -> Self {
        Self { waiting_max: 1_024, waiting_per_subscription_max: 256, waiting_bytes_max: 32 << 20 }
    }
}

/// How long history is kept, and when what has expired is deleted.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionConfig {
    /// Days for which events, deliveries and attempts are kept in a space that has no number of its own: long enough to
    /// look into what went wrong last month.
    pub keep_days: u32,
    /// Bytes of history that such a space keeps, beyond which the oldest is deleted; no limit by default, since how much a
    /// host can store depends on its disk.
    pub keep_bytes: Option<u64>,
    /// Seconds between two searches for what has expired: short compared with a `keep_days`.
    pub interval_s: u32,
    /// Rows deleted in one transaction, which delays others' commits by some milliseconds.
    pub delete_max: usize,
}

impl RetentionConfig {
    /// Returns what applies to a space with this retention.
    pub fn of(&self, own: Retention) -> Retention {
        own.or(Retention { keep_days: Some(self.keep_days), keep_bytes: self.keep_bytes })
    }
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self { keep_days: 30, keep_bytes: None, interval_s: 60 * 60, delete_max: 100 }
    }
}

/// When failures are reported.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct NotifyConfig {
    /// Seconds from a first failed delivery until it is reported, with all that failed by then: a receiver that breaks
    /// fails everything in flight, which should be one message.
    pub window_s: u32,
    /// Seconds until more failures of the same subscription are reported, if none of its deliveries succeeded in between.
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
    /// (STARTTLS), or `smtp://host` without TLS, for a server on the same machine. Characters of a user or a password that
    /// a URL cannot hold are percent-encoded.
    pub smtp_url: String,
    /// The sender: `Hookmill <hookmill@example.com>`.
    pub from: String,
}

/// Hides the URL, which contains a password.
impl fmt::Debug for MailConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MailConfig").field("from", &self.from).finish_non_exhaustive()
    }
}

impl Config {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// If it cannot be read, is not TOML, or has an unknown name or an invalid value. The error states where.
    pub fn read(file: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(file).with_context(|| format!("reading {}", file.display()))?;
        let config: Self = toml::from_str(&text).with_context(|| format!("in {}", file.display()))?;
        config.check().with_context(|| format!("in {}", file.display()))?;
        Ok(config)
    }

    /// Lowers what takes descriptors to what a process has that may open so many. True if something was lowered.
    ///
    /// Files, lookups, compilers and mails get [`DESCRIPTORS_OF_OTHERS`]; of the rest, the API's connections get half,
    /// requests in flight a quarter, and idle connections to receivers a quarter.
    pub fn fit(&mut self, descriptors: u64) -> bool {
        let rest = usize::try_from(descriptors).unwrap_or(usize::MAX).saturating_sub(DESCRIPTORS_OF_OTHERS);
        let mut lowered = false;
        for (value, most) in [
            (&mut self.accept.connections_max, rest / 2),
            (&mut self.deliver.in_flight_max, rest / 4),
            (&mut self.send.idle_connections_max, rest / 4),
        ] {
            lowered |= *value > most;
            *value = (*value).min(most).max(1);
        }
        lowered
    }

    /// Refuses values that cannot work, alone or together.
    fn check(&self) -> anyhow::Result<()> {
        let deliver = &self.deliver;
        for (name, value) in [
            ("deliver.in_flight_max", deliver.in_flight_max),
            ("deliver.in_flight_per_subscription_max", deliver.in_flight_per_subscription_max),
            ("deliver.waiting_max", deliver.waiting_max),
            ("deliver.waiting_per_subscription_max", deliver.waiting_per_subscription_max),
            ("deliver.fetch_max", deliver.fetch_max),
            ("send.lookups_max", self.send.lookups_max),
            ("send.lookups_per_space_max", self.send.lookups_per_space_max),
            ("accept.connections_max", self.accept.connections_max),
            ("accept.idle_connection_s", usize::try_from(self.accept.idle_connection_s).unwrap_or(usize::MAX)),
            ("accept.batch_events_max", self.accept.batch_events_max),
            ("accept.batch_deliveries_max", self.accept.batch_deliveries_max),
            ("accept.commit_deliveries_max", self.accept.commit_deliveries_max),
            ("plugin.transforms_max", self.plugin.transforms_max as usize),
            ("plugin.compilers_max", self.plugin.compilers_max),
            ("plugin.loaded_max", self.plugin.loaded_max),
            ("oci.pulls_max", self.oci.pulls_max),
            ("retention.keep_days", self.retention.keep_days as usize),
            ("retention.interval_s", self.retention.interval_s as usize),
            ("retention.delete_max", self.retention.delete_max),
        ] {
            anyhow::ensure!(value > 0, "{name} must be at least 1");
        }
        anyhow::ensure!(
            http::HeaderValue::from_str(&self.send.origin).is_ok(),
            "send.origin is invalid: expected a DNS name such as hooks.example.com"
        );
        let lease_s_min = TIMEOUT_S_MAX + LEASE_MARGIN_S;
        anyhow::ensure!(
            deliver.lease_s >= lease_s_min,
            "deliver.lease_s must be at least {lease_s_min}: a subscription's timeout may be {TIMEOUT_S_MAX} s, and a \
             lease must outlast it"
        );
        Ok(())
    }
}
