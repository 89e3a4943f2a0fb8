//! What the host says of itself: health, metrics, limits.

use axum::Json;
use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::http::access::AnyKey;
use crate::api::http::problem::Problem;
use crate::error::{Code, Error};

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
/// Answers as long as the process does, whatever the state of its store. No key is needed.
#[utoipa::path(get, path = "/healthz", tag = "host", security(()),
    responses((status = 200, body = str, content_type = "text/plain; charset=utf-8")))]
async fn healthz() -> &'static str {
    "ok\n"
}

/// Reports whether the host can serve requests.
///
/// It can if its store responds; otherwise the answer is 503. No key is needed.
#[utoipa::path(get, path = "/readyz", tag = "host", security(()),
    responses(
        (status = 200, body = str, content_type = "text/plain; charset=utf-8"),
        (status = 503, body = Problem, content_type = "application/problem+json", description = "unavailable")))]
async fn readyz(State(api): State<Api>) -> Result<&'static str, Error> {
    match api.host.store.ping().await {
        Ok(()) => Ok("ready\n"),
        Err(err) => {
            tracing::error!(error = &err as &dyn std::error::Error, "the store does not answer");
            Err(Error::new(Code::Unavailable, "the store does not answer"))
        }
    }
}

/// Returns the host's metrics.
///
/// In OpenMetrics text format, which Prometheus scrapes. No key is needed.
#[utoipa::path(get, path = "/metrics", tag = "host", security(()),
    responses((status = 200, body = str, content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8")))]
async fn metrics(State(api): State<Api>) -> Result<([(&'static str, &'static str); 1], String), Error> {
    api.host.metrics.set_backlog(&api.host.store.backlog().await?);
    api.host.metrics.set_commits(api.host.store.commits());
    let content_type = [("content-type", "application/openmetrics-text; version=1.0.0; charset=utf-8")];
    Ok((content_type, api.host.metrics.encode()))
}

/// The limits in force.
#[derive(Serialize, ToSchema)]
#[schema(as = Limits)]
struct LimitsView {
    /// On what callers post.
    accept: AcceptLimits,
    /// On plugins.
    plugin: PluginLimits,
}

/// Limits on what callers post.
#[derive(Serialize, ToSchema)]
struct AcceptLimits {
    /// One event's data.
    event_bytes_max: usize,
    /// Events of one NDJSON request.
    batch_events_max: usize,
    /// One NDJSON request as a whole.
    batch_bytes_max: usize,
    /// Any other request's body but a plugin's component.
    body_bytes_max: usize,
}

/// Limits on plugins.
#[derive(Serialize, ToSchema)]
struct PluginLimits {
    /// A component's size.
    component_bytes_max: usize,
    /// Seconds to compile a component.
    compile_s_max: u64,
    /// Fuel of one transform, whatever its input.
    fuel_base: u64,
    /// Fuel for each byte of events and configuration.
    fuel_per_byte: u64,
    /// Milliseconds of one transform.
    wall_clock_ms_max: u64,
    /// Memory of one instance.
    memory_bytes_max: usize,
    /// Memories of one component.
    memories_max: usize,
    /// Tables of one component.
    tables_max: usize,
    /// Core instances of one component.
    instances_max: usize,
    /// A body once encoded.
    output_bytes_max: usize,
    /// A plugin's headers.
    headers_max: usize,
    /// A header's name.
    header_name_bytes_max: usize,
    /// A header's value.
    header_value_bytes_max: usize,
    /// All of a plugin's headers.
    headers_bytes_max: usize,
    /// The query that a plugin appends, encoded.
    query_bytes_max: usize,
    /// What one transform may log.
    log_bytes_max: usize,
}

/// Returns the limits in force.
///
/// They come from the host's configuration. Any key is allowed to read them.
#[utoipa::path(get, path = "/v1/limits", tag = "host", responses((status = 200, body = LimitsView)))]
async fn get_limits(_: AnyKey, State(api): State<Api>) -> Json<LimitsView> {
    let (accept, plugin) = (&api.host.config.accept, &api.host.config.plugin);
    Json(LimitsView {
        accept: AcceptLimits {
            event_bytes_max: accept.event_bytes_max,
            batch_events_max: accept.batch_events_max,
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
