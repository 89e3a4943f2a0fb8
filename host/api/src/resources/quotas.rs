//! Quotas: how much of the host a space may use, and how much it does.

use axum::Json;
use axum::extract::State;
use hookmill_model::{Quotas, SpaceId};
use hookmill_store::SpaceChange;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;
use crate::http::access::{AdminOf, Reads};
use crate::http::extract::Patch;
use crate::http::json;
use crate::http::problem::Problem;
use hookmill_server::error::Error;
use hookmill_server::number::{Bytes, Whole};

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(get_quotas, change_quotas))
}

/// A quota that is counted.
type Count = Whole<1, { u32::MAX }>;

macro_rules! quotas {
    ($($(#[$doc:meta])* $name:ident: $number:ty as $schema:ty,)*) => {
        /// Changes to quotas; null restores the host's default.
        #[derive(Deserialize, Serialize, ToSchema)]
        #[serde(deny_unknown_fields)]
        struct QuotasPatch {
            $($(#[$doc])* #[schema(value_type = Option<$schema>, minimum = 1)] $name: Option<$number>,)*
        }

        /// Quotas of a space, and how much of each is used.
        #[derive(Serialize, ToSchema)]
        #[schema(as = Quotas)]
        struct QuotasView {
            $($(#[$doc])* $name: QuotaView,)*
        }

        impl QuotasView {
            fn of(limits: &Quotas, used: impl Fn(&str) -> u64) -> Self {
                Self { $($name: QuotaView { limit: limits.$name.map(u64::from), used: used(stringify!($name)) },)* }
            }
        }
    };
}

quotas! {
    /// Events accepted per second. A request may exceed it once: the next is refused with 429 until the rate is kept again.
    events_per_s: Count as u32,
    /// Events accepted per day, in the same way; what is used is released evenly over a day.
    events_per_day: Count as u32,
    /// Deliveries created per second, in the same way.
    deliveries_per_s: Count as u32,
    /// Deliveries created per day, in the same way.
    deliveries_per_day: Count as u32,
    /// Subscriptions. Beyond it, creating one is refused with 422.
    subscriptions: Count as u32,
    /// Versions of the space's own plugins, in the same way.
    plugins: Count as u32,
    /// API keys, in the same way.
    keys: Count as u32,
    /// Addresses that are notified when deliveries fail, in the same way.
    administrators: Count as u32,
    /// Bytes of events' data and of the headers, bodies and logs of attempts. Beyond it, events are refused with 429 until
    /// less is stored.
    stored_bytes: Bytes as u64,
}

/// One quota.
#[derive(Serialize, ToSchema)]
#[schema(as = Quota)]
struct QuotaView {
    /// Limit; null for none.
    #[schema(required)]
    limit: Option<u64>,
    /// Amount that is used; 0 for a rate without a limit.
    used: u64,
}

/// Returns the quotas of a space, and how much of each is used.
///
/// A quota without a value of its own has the host's default.
#[utoipa::path(get, path = "/v1/spaces/{space}/quotas", tag = "spaces", responses((status = 200, body = QuotasView)))]
async fn get_quotas(Reads(space): Reads, State(api): State<Api>) -> Result<Json<QuotasView>, Problem> {
    Ok(Json(view(&api, &space).await?))
}

/// Changes the quotas of a space by a JSON merge patch (RFC 7396).
///
/// Requires an admin key. What the space has already stays, also if it exceeds a new quota.
#[utoipa::path(patch, path = "/v1/spaces/{space}/quotas", tag = "spaces", request_body = QuotasPatch,
    responses((status = 200, body = QuotasView)))]
async fn change_quotas(
    AdminOf(space): AdminOf,
    State(api): State<Api>,
    Patch(patch): Patch,
) -> Result<Json<QuotasView>, Problem> {
    // Names what is wrong with a member.
    json::from_value::<QuotasPatch>(Value::Object(patch.clone()))?;
    let stored = api.host.store.space(&space).await?.ok_or_else(|| Error::not_found("space", &space))?;
    let merged = merge(&stored.quotas, patch);
    let quotas: Quotas = serde_json::from_value(Value::Object(merged)).map_err(|err| Error::internal(&err))?;
    let change = SpaceChange { quotas: Some(quotas), ..SpaceChange::default() };
    api.host.store.change_space(&space, change).await?;
    api.host.quotas.set(&space, quotas);
    Ok(Json(view(&api, &space).await?))
}

fn merge(stored: &Quotas, patch: Map<String, Value>) -> Map<String, Value> {
    let Ok(Value::Object(mut merged)) = serde_json::to_value(stored) else { return patch };
    merged.extend(patch);
    merged
}

async fn view(api: &Api, space: &SpaceId) -> Result<QuotasView, Error> {
    let host = &api.host;
    let rates = host.quotas.used(space, host.clock.now());
    let plugins = host.store.plugins(space, None).await?.iter().filter(|plugin| plugin.space.is_some()).count();
    let administrators = host.store.space(space).await?.map_or(0, |space| space.administrators.len());
    let counts =
        [("subscriptions", host.registry.count(space)), ("plugins", plugins), ("administrators", administrators)];
    let keys = ("keys", api.access.keys_of(space));
    let stored = host.store.stored_bytes(space);
    let used = |name: &str| {
        if name == "stored_bytes" {
            return stored;
        }
        let counted = counts.iter().chain([&keys]).find(|(counted, _)| *counted == name);
        let rated = || rates.iter().find(|(rate, _)| *rate == name).map_or(0, |(_, used)| *used);
        counted.map_or_else(rated, |(_, used)| *used as u64)
    };
    Ok(QuotasView::of(&host.quotas.limits(space), used))
}
