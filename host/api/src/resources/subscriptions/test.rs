//! Sending a test event to one subscription.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use hookmill_model::{DeliveryId, EventId, EventType, SpaceId, SubscriptionId};
use hookmill_store::DeliveryFilter;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;
use crate::http::access::Manages;
use crate::http::extract::{OptionalJsonBody, PathParams};
use crate::http::problem::Problem;
use crate::resources::events::check_data;
use hookmill_server::error::{Code, Error};
use hookmill_server::ingest::{self, IncomingEvent, Target};
use hookmill_server::subscriptions::example::{self, first_type};

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(test_subscription))
}

/// Test event to send.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct TestInput {
    /// Event type; if omitted, the first of the subscription's types that is not a pattern.
    #[schema(value_type = Option<String>)]
    r#type: Option<EventType>,
    /// Data of the event; if omitted, the example of the event type.
    #[schema(value_type = Option<serde_json::Value>)]
    data: Option<Box<RawValue>>,
}

/// Test event that was accepted.
#[derive(Serialize, ToSchema)]
#[schema(as = TestReceipt)]
struct TestView {
    /// Id of the event.
    #[schema(value_type = String)]
    event_id: EventId,
    /// Id of its delivery, which shows the result of the test.
    #[schema(value_type = String)]
    delivery_id: DeliveryId,
}

/// Sends a test event to one subscription.
///
/// Whatever its event types, trigger, condition and state, with its delay, plugin and signature. The result neither
/// pauses the subscription nor counts as its failure.
#[utoipa::path(post, path = "/v1/spaces/{space}/subscriptions/{subscription}/test", tag = "subscriptions",
    request_body = Option<TestInput>,
    responses((status = 202, body = TestView)))]
async fn test_subscription(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
    OptionalJsonBody(input): OptionalJsonBody<TestInput>,
) -> Result<(StatusCode, Json<TestView>), Problem> {
    let id: SubscriptionId = params.get("subscription")?;
    let compiled = api.host.registry.get(id).filter(|compiled| compiled.subscription.space == space);
    let compiled = compiled.ok_or_else(|| Error::not_found("subscription", id))?;
    let kind = input.r#type.or_else(|| first_type(&compiled.subscription)).ok_or_else(|| {
        let right = "missing: an event type, since the subscription has only patterns";
        Error::at(Code::FieldMissing, "/type", right)
    })?;
    let data = match input.data {
        Some(data) => data,
        None => example_data(&api, &space, &kind).await?,
    };
    check_data(&data, "/data", api.host.config.accept.event_bytes_max)?;
    let posted =
        IncomingEvent { id: None, kind, occurred_at: None, data: data.into(), changed_fields: None, previous: None };
    let result = ingest::accept(&api.host, space.clone(), vec![posted], Target::Test(compiled)).await?.pop();
    let receipt = result.expect("one event has one result").expect("a new id conflicts with none");
    let filter = DeliveryFilter { event: Some(receipt.id.clone()), ..DeliveryFilter::default() };
    let delivery = api.host.store.deliveries(&space, filter, 1).await?.entries.pop();
    let delivery_id = delivery.expect("a test makes one delivery").id;
    Ok((StatusCode::ACCEPTED, Json(TestView { event_id: receipt.id, delivery_id })))
}

async fn example_data(api: &Api, space: &SpaceId, kind: &EventType) -> Result<Box<RawValue>, Error> {
    let entry = example::event_type(&api.host, space, kind).await?;
    let example = entry.and_then(|entry| entry.example).ok_or_else(|| {
        let right = format!("missing: data, since the event type `{kind}` has no example");
        Error::at(Code::FieldMissing, "/data", right)
    })?;
    serde_json::value::to_raw_value(&example).map_err(|err| Error::internal(&err))
}
