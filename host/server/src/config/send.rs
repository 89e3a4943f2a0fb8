//! The settings of requests to receivers.

use std::path::PathBuf;

use ipnet::IpNet;
use serde::Deserialize;

/// How requests are sent.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct SendConfig {
    /// Networks that requests may be sent to although they are private, local or otherwise not public. None by default:
    /// a subscription's owner chooses its URL, and the host may reach what that owner may not.
    pub allow_networks: Vec<IpNet>,
    /// Networks that requests are not sent to although they are public or within `allow_networks`: the public address of
    /// this machine behind a NAT, a neighbor that trusts this machine. Plugins are not pulled from there either.
    pub deny_networks: Vec<IpNet>,
    /// Ports that requests are not sent to. None by default: receivers listen on any port, and what speaks no HTTP hangs
    /// up at the first line of a request.
    pub deny_ports: Vec<u16>,
    /// The DNS name of this host, which endpoints get that are asked for consent (`WebHook-Request-Origin` of
    /// CloudEvents).
    pub origin: String,
    /// A PEM file with certificates of authorities that are trusted in addition to the machine's own, for receivers in a
    /// company's own network.
    pub trusted_certificates: Option<PathBuf>,
    /// Bytes of a response's body that are kept; reading stops there.
    pub answer_body_bytes_max: usize,
    /// Bytes of a response's headers that are kept.
    pub answer_headers_bytes_max: usize,
    /// Bytes that may be received for one response, TLS and interim responses included: a receiver that floods the host
    /// would keep a core busy until the timeout. What an honest one has on its way when reading stops is far less.
    pub answer_received_bytes_max: usize,
    /// Idle connections kept for each receiver, so that deliveries to a busy one reuse them.
    pub idle_connections_per_host_max: usize,
    /// Idle connections kept for all receivers: each takes a descriptor. A start lowers it where there are few.
    pub idle_connections_max: usize,
    /// Names that are looked up at once, each on a thread: the system's resolver blocks it, for half a minute if a name
    /// server hangs.
    pub lookups_max: usize,
    /// The same of one space, whose names may all hang.
    pub lookups_per_space_max: usize,
    /// Seconds that a lookup may take: two tries of the system's resolver with its default of 5 s.
    pub lookup_timeout_s: u64,
    /// Seconds that a name's addresses are kept: short, since the system's resolver does not tell how long they are valid.
    pub lookup_kept_s: u64,
    /// Seconds until an idle connection is closed: less than the 60 s after which many servers close them.
    pub idle_connection_s: u64,
}

impl Default for SendConfig {
    fn default() -> Self {
        Self {
            allow_networks: Vec::new(),
            deny_networks: Vec::new(),
            deny_ports: Vec::new(),
            origin: "hookmill.localhost".to_owned(),
            trusted_certificates: None,
            answer_body_bytes_max: 16 << 10,
            answer_headers_bytes_max: 16 << 10,
            answer_received_bytes_max: 4 << 20,
            idle_connections_per_host_max: 64,
            idle_connections_max: 512,
            lookups_max: 32,
            lookups_per_space_max: 8,
            lookup_timeout_s: 10,
            lookup_kept_s: 30,
            idle_connection_s: 50,
        }
    }
}
