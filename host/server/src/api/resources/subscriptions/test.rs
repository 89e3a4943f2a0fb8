//! Sending a test to one subscription.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::http::access::Manages;
use crate::api::http::extract::{OptionalJsonBody, PathParams};
use crate::api::resources::events::check_data;
use crate::api::{Api, event_types};
use crate::error::{Code, Error};
use crate::ingest::{self, IncomingEvent, Target};
use hookmill_model::{DeliveryId, Event, EventId, EventType, Pattern, SpaceId, Subscription, SubscriptionId};
use hookmill_store::DeliveryFilter;

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(test_subscription))
}

/// What to send.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TestInput {
    /// The event's type; if it is left out, the first of the subscription's types that is no pattern.
    #[schema(value_type = Option<String>)]
    r#type: Option<EventType>,
    /// The event's data; if it is left out, the example that the event type has.
    #[schema(value_type = Option<serde_json::Value>)]
    data: Option<Box<RawValue>>,
}

/// The test on its way.
#[derive(Serialize, ToSchema)]
#[schema(as = TestReceipt)]
struct TestView {
    /// The event that was made.
    #[schema(value_type = String)]
    event_id: EventId,
    /// Its delivery: read it to see what came of the test.
    #[schema(value_type = String)]
    delivery_id: DeliveryId,
}

/// Sends a test event to one subscription.
///
/// Whatever it wants and whatever its state, with its delay, plugin and signature. The result neither pauses the
/// subscription nor counts against it.
#[utoipa::path(post, path = "/v1/spaces/{space}/subscriptions/{subscription}/test", tag = "subscriptions",
    request_body = Option<TestInput>,
    responses((status = 202, body = TestView)))]
async fn test_subscription(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
    OptionalJsonBody(input): OptionalJsonBody<TestInput>,
) -> Result<(StatusCode, Json<TestView>), Error> {
    let id: SubscriptionId = params.get("subscription")?;
    let live = api.host.registry.get(id).filter(|live| live.subscription.space == space);
    let live = live.ok_or_else(|| Error::not_found("subscription", id))?;
    let kind = input.r#type.or_else(|| first_type(&live.subscription)).ok_or_else(|| {
        let right = "give an event type: the subscription has patterns alone";
        Error::at(Code::FieldMissing, "/type", right)
    })?;
    let data = match input.data {
        Some(data) => data,
        None => example(&api, &space, &kind).await?,
    };
    check_data(&data, "/data", api.host.config.accept.event_bytes_max)?;
    let posted =
        IncomingEvent { id: None, kind, occurred_at: None, data: data.into(), changed_fields: None, previous: None };
    let result = ingest::accept(&api.host, space.clone(), vec![posted], Target::Test(live)).await?.pop();
    let receipt = result.expect("one event has one result").expect("a new id conflicts with none");
    let filter = DeliveryFilter { event: Some(receipt.id.clone()), ..DeliveryFilter::default() };
    let delivery = api.host.store.deliveries(&space, filter, 1).await?.pop();
    let delivery_id = delivery.expect("a test makes one delivery").id;
    Ok((StatusCode::ACCEPTED, Json(TestView { event_id: receipt.id, delivery_id })))
}

/// The event that a handshake shows to an endpoint: the example of its first type, or one that says it is a test.
pub(super) async fn event(api: &Api, subscription: &Subscription) -> Result<Event, Error> {
    let (host, space) = (&api.host, &subscription.space);
    let known = match first_type(subscription) {
        Some(kind) => event_types::find(api, space, &kind).await?.and_then(|entry| Some((kind, entry.example?))),
        None => None,
    };
    let (kind, data) = known.unwrap_or_else(|| {
        let kind = first_type(subscription);
        let kind = kind.unwrap_or_else(|| EventType::parse("test").expect("one word is a type"));
        (kind, serde_json::json!({"test": true}))
    });
    let data = serde_json::value::to_raw_value(&data).map_err(|err| Error::internal(&err))?;
    let now = host.clock.now();
    Ok(Event {
        space: space.clone(),
        id: EventId::new(now),
        kind,
        occurred_at: now,
        accepted_at: now,
        data: data.into(),
        changed_fields: None,
        previous: None,
    })
}

fn first_type(subscription: &Subscription) -> Option<EventType> {
    subscription.event_types.iter().find_map(|pattern| match pattern {
        Pattern::Exactly(kind) => Some(kind.clone()),
        Pattern::All | Pattern::Below(_) => None,
    })
}

async fn example(api: &Api, space: &SpaceId, kind: &EventType) -> Result<Box<RawValue>, Error> {
    let entry = event_types::find(api, space, kind).await?;
    let example = entry.and_then(|entry| entry.example).ok_or_else(|| {
        let right = format!("give data: the event type `{kind}` has no example");
        Error::at(Code::FieldMissing, "/data", right)
    })?;
    serde_json::value::to_raw_value(&example).map_err(|err| Error::internal(&err))
}
