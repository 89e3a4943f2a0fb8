//! Finding anything in a space by its id, or by a part of its name.

use axum::Json;
use axum::extract::State;
use hookmill_model::SpaceId;
use hookmill_server::find::{self, Hit};
use hookmill_store::LookupHit;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;
use crate::http::access::Reads;
use crate::http::extract::Query;
use crate::http::problem::Problem;

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(find_in_space))
}

/// The text to find.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct FindQuery {
    /// An id, or a part of a name in upper or lower case: 1 to 200 characters.
    #[param(min_length = 1, max_length = 200, example = "zapier")]
    q: String,
}

/// What a text was found in.
#[derive(Serialize, ToSchema)]
#[schema(as = FindResult)]
struct FoundView {
    /// At most 20: first what has the text as its id, then what has it in its name.
    found: Vec<HitView>,
}

/// Something that a text was found in.
#[derive(Serialize, ToSchema)]
#[schema(as = FoundEntry)]
struct HitView {
    /// Kind of the resource.
    kind: HitKind,
    /// Its id, or its name if that is its id.
    id: String,
    /// What it is, for people: its name, or its type or state.
    label: String,
    /// Path of the resource in this API; for an event type, the path to change it.
    #[schema(example = "/v1/spaces/acme/events/evt_01K9ZQ4S1N8M0V6T3X5B7C2D4E")]
    path: String,
}

/// Kind of a resource.
#[derive(Serialize, ToSchema)]
#[schema(as = FoundKind)]
#[serde(rename_all = "snake_case")]
enum HitKind {
    /// An event, by its id.
    Event,
    /// A delivery, by its id.
    Delivery,
    /// A subscription, by its id or its name.
    Subscription,
    /// A plugin that the space may use, by its name.
    Plugin,
    /// An event type of the catalog, by its name.
    EventType,
    /// A replay, by its id.
    Replay,
    /// The space itself, by its id or its name.
    Space,
}

impl HitView {
    fn new(space: &SpaceId, hit: Hit) -> Self {
        let (kind, id, label, below) = match hit {
            Hit::Space { name } => (HitKind::Space, space.to_string(), name, String::new()),
            Hit::Subscription { id, name } => {
                (HitKind::Subscription, id.to_string(), name, format!("/subscriptions/{id}"))
            }
            Hit::Other(LookupHit::Event(event)) => {
                let below = format!("/events/{}", event.id);
                (HitKind::Event, event.id.to_string(), event.kind.to_string(), below)
            }
            Hit::Other(LookupHit::Delivery(delivery)) => {
                let label = format!("{}: {}", delivery.event_type, delivery.state.as_str());
                (HitKind::Delivery, delivery.id.to_string(), label, format!("/deliveries/{}", delivery.id))
            }
            Hit::Other(LookupHit::Replay(replay)) => {
                let label = format!("replay of {}", replay.subscription_id);
                let below = format!("/subscriptions/{}/replays/{}", replay.subscription_id, replay.id);
                (HitKind::Replay, replay.id.to_string(), label, below)
            }
            Hit::Other(LookupHit::Plugin(name)) => {
                let below = format!("/plugins/{name}");
                (HitKind::Plugin, name.to_string(), name.to_string(), below)
            }
            Hit::Other(LookupHit::EventType(name)) => {
                // The only character of a type that would end a segment.
                let below = format!("/event-types/{}", name.as_str().replace('/', "%2F"));
                (HitKind::EventType, name.to_string(), name.to_string(), below)
            }
        };
        Self { kind, id, label, path: format!("/v1/spaces/{space}{below}") }
    }
}

/// Finds what a text may mean in the space.
///
/// Finds any event (also by a producer's id), delivery, subscription and replay by its whole id, and the space,
/// subscriptions, plugins and event types by a part of their names, in upper or lower case.
#[utoipa::path(get, path = "/v1/spaces/{space}/find", tag = "spaces", params(FindQuery),
    responses((status = 200, body = FoundView)))]
async fn find_in_space(
    Reads(space): Reads,
    State(api): State<Api>,
    Query(FindQuery { q }): Query<FindQuery>,
) -> Result<Json<FoundView>, Problem> {
    let hits = find::find(&api.host, &space, &q).await?;
    Ok(Json(FoundView { found: hits.into_iter().map(|hit| HitView::new(&space, hit)).collect() }))
}
