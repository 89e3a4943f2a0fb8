//! Health, metrics and limits of the host.

use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use hookmill_model::TIMEOUT_MS_MAX;
use hookmill_store::Store;
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::timeout;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;
use crate::http::access::AnyKey;
use crate::http::problem::Problem;
use hookmill_server::config::Config;
use hookmill_server::error::Error;
use hookmill_server::task::unbroken;

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(healthz))
        .routes(routes!(readyz))
        .routes(routes!(metrics))
        .routes(routes!(get_limits))
}

/// Reports that the process runs.
///
/// Does not depend on the state of the store. No key is required.
#[utoipa::path(get, path = "/healthz", tag = "host", security(()),
    responses((status = 200, body = str, content_type = "text/plain; charset=utf-8")))]
async fn healthz() -> &'static str {
    "ok\n"
}

/// Reports whether the host can serve requests.
///
/// It can if its store can write to the disk, which is tried at most once a second; otherwise the response is 503. No key
/// is required.
#[utoipa::path(get, path = "/readyz", tag = "host", security(()),
    responses(
        (status = 200, body = str, content_type = "text/plain; charset=utf-8"),
        (status = 503, body = Problem, content_type = "application/problem+json",
            description = "disk_failed or unavailable")))]
async fn readyz(State(api): State<Api>) -> Result<&'static str, Problem> {
    // A caller who goes away must not make the next one try again.
    unbroken(async move { api.readiness.check(&*api.host.store).await }).await?;
    Ok("ready\n")
}

/// How long the result of a probe is used: anyone may ask, and each probe is a flush of the disk.
const PROBE_AGE_MAX: Duration = Duration::from_secs(1);

/// How long a probe may take: the whole queue of writes before it, on a slow disk.
const PROBE_TIME_MAX: Duration = Duration::from_secs(2);

/// Whether the store could write, and when that was tried.
#[derive(Default)]
pub(crate) struct Readiness(Mutex<Option<(Instant, Result<(), Error>)>>);

impl Readiness {
    async fn check(&self, store: &dyn Store) -> Result<(), Error> {
        let mut last = self.0.lock().await;
        if let Some((at, result)) = &*last
            && at.elapsed() < PROBE_AGE_MAX
        {
            return result.clone();
        }
        let result = match timeout(PROBE_TIME_MAX, store.probe()).await {
            Ok(probed) => probed.map_err(Error::from),
            Err(_) => Err(Error::disk("the host's disk does not respond: a write takes too long")),
        };
        *last = Some((Instant::now(), result.clone()));
        result
    }
}

/// Returns the host's metrics.
///
/// In OpenMetrics text format, which Prometheus scrapes. No key is required.
#[utoipa::path(get, path = "/metrics", tag = "host", security(()),
    responses((status = 200, body = str, content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8")))]
async fn metrics(State(api): State<Api>) -> ([(&'static str, &'static str); 1], String) {
    api.host.metrics.set_backlog(&api.host.store.backlog());
    api.host.metrics.set_stored_bytes(api.host.store.all_stored_bytes());
    api.host.metrics.set_unreadable(&api.host.store.unreadable());
    api.host.metrics.set_commits(api.host.store.commits());
    let content_type = [("content-type", "application/openmetrics-text; version=1.0.0; charset=utf-8")];
    (content_type, api.host.metrics.encode())
}

/// The limits in force.
#[derive(Serialize, ToSchema)]
#[schema(as = Limits)]
struct LimitsView {
    /// Limits on requests.
    accept: AcceptLimits,
    /// Limits on plugins.
    plugin: PluginLimits,
    /// Limits on requests to receivers.
    send: SendLimits,
    /// Retention of a space that has none of its own.
    retention: RetentionLimits,
}

/// Limits on requests.
#[derive(Serialize, ToSchema)]
struct AcceptLimits {
    /// Size of an event's data, in bytes.
    event_bytes_max: usize,
    /// Events in an NDJSON request.
    batch_events_max: usize,
    /// Deliveries of an NDJSON request.
    batch_deliveries_max: usize,
    /// Size of an NDJSON request, in bytes.
    batch_bytes_max: usize,
    /// Size of any other request body except a plugin's component, in bytes.
    body_bytes_max: usize,
}

/// Limits on plugins.
#[derive(Serialize, ToSchema)]
struct PluginLimits {
    /// Size of a component, in bytes.
    component_bytes_max: usize,
    /// Time to compile a component, in seconds.
    compile_s_max: u64,
    /// Fuel of a transform, regardless of its input.
    fuel_base: u64,
    /// Additional fuel for each byte of events and configuration.
    fuel_per_byte: u64,
    /// Wall-clock time of a transform, in milliseconds.
    wall_clock_ms_max: u64,
    /// Memory of an instance, in bytes.
    memory_bytes_max: usize,
    /// Memories of a component.
    memories_max: usize,
    /// Tables of a component.
    tables_max: usize,
    /// Core instances of a component.
    instances_max: usize,
    /// Size of an encoded request body, in bytes.
    output_bytes_max: usize,
    /// Headers set by a plugin.
    headers_max: usize,
    /// Size of a header's name, in bytes.
    header_name_bytes_max: usize,
    /// Size of a header's value, in bytes.
    header_value_bytes_max: usize,
    /// Total size of the headers set by a plugin, in bytes.
    headers_bytes_max: usize,
    /// Size of the encoded query that a plugin appends, in bytes.
    query_bytes_max: usize,
    /// Size of the log of a transform, in bytes.
    log_bytes_max: usize,
}

/// Limits on requests to receivers.
#[derive(Serialize, ToSchema)]
struct SendLimits {
    /// Networks that requests may be sent to although they are not public.
    allow_networks: Vec<String>,
    /// Networks that requests are not sent to, whatever else allows them.
    deny_networks: Vec<String>,
    /// Ports that requests are not sent to.
    deny_ports: Vec<u16>,
    /// Longest timeout of a subscription, in milliseconds.
    timeout_ms_max: u32,
    /// Time to look up a receiver's name, in seconds.
    lookup_timeout_s: u64,
    /// Requests at once.
    in_flight_max: usize,
    /// Requests at once for one subscription.
    in_flight_per_subscription_max: usize,
    /// Size of a response's body that is kept, in bytes; reading stops there.
    answer_body_bytes_max: usize,
    /// Size of a response's headers that is kept, in bytes.
    answer_headers_bytes_max: usize,
    /// Bytes received for one response, TLS included.
    answer_received_bytes_max: usize,
}

/// How long history is kept.
#[derive(Serialize, ToSchema)]
struct RetentionLimits {
    /// Days for which events, deliveries and attempts are kept.
    keep_days: u32,
    /// Bytes of history beyond which the oldest is deleted; null for no limit.
    #[schema(required)]
    keep_bytes: Option<u64>,
}

fn send_limits(config: &Config) -> SendLimits {
    let (send, deliver) = (&config.send, &config.deliver);
    SendLimits {
        allow_networks: send.allow_networks.iter().map(ToString::to_string).collect(),
        deny_networks: send.deny_networks.iter().map(ToString::to_string).collect(),
        deny_ports: send.deny_ports.clone(),
        timeout_ms_max: TIMEOUT_MS_MAX,
        lookup_timeout_s: send.lookup_timeout_s,
        in_flight_max: deliver.in_flight_max,
        in_flight_per_subscription_max: deliver.in_flight_per_subscription_max,
        answer_body_bytes_max: send.answer_body_bytes_max,
        answer_headers_bytes_max: send.answer_headers_bytes_max,
        answer_received_bytes_max: send.answer_received_bytes_max,
    }
}

/// Returns the limits in force.
///
/// They are set in the host's configuration. Any key is allowed to read them.
#[utoipa::path(get, path = "/v1/limits", tag = "host", responses((status = 200, body = LimitsView)))]
async fn get_limits(_: AnyKey, State(api): State<Api>) -> Json<LimitsView> {
    let Config { accept, plugin, retention, .. } = &api.host.config;
    Json(LimitsView {
        send: send_limits(&api.host.config),
        retention: RetentionLimits { keep_days: retention.keep_days, keep_bytes: retention.keep_bytes },
        accept: AcceptLimits {
            event_bytes_max: accept.event_bytes_max,
            batch_events_max: accept.batch_events_max,
            batch_deliveries_max: accept.batch_deliveries_max,
            batch_bytes_max: accept.batch_bytes_max,
            body_bytes_max: accept.body_bytes_max,
        },
        plugin: PluginLimits {
            component_bytes_max: plugin.component_bytes_max,
            compile_s_max: plugin.compile_s_max,
            fuel_base: plugin.fuel_base,
            fuel_per_byte: plugin.fuel_per_byte,
            wall_clock_ms_max: plugin.wall_clock_ms_max,
            memory_bytes_max: plugin.memory_bytes_max,
            memories_max: plugin.memories_max,
            tables_max: plugin.tables_max,
            instances_max: plugin.instances_max,
            output_bytes_max: plugin.output_bytes_max,
            headers_max: plugin.headers_max,
            header_name_bytes_max: plugin.header_name_bytes_max,
            header_value_bytes_max: plugin.header_value_bytes_max,
            headers_bytes_max: plugin.headers_bytes_max,
            query_bytes_max: plugin.query_bytes_max,
            log_bytes_max: plugin.log_bytes_max,
        },
    })
}
