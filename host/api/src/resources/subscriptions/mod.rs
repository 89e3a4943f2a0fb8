//! Subscriptions: the handlers. What they do is in [`hookmill_server::subscriptions`].

mod activation;
mod compare;
mod diagnose;
mod differences;
mod list;
mod plugin;
mod preview;
mod rollback;
mod secrets;
mod shadow;
mod test;
mod view;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;
use crate::http::access::{Manages, Reads};
use crate::http::extract::{JsonBody, Patch, PathParams, Query};
use crate::http::problem::Problem;
use hookmill_server::error::Error;
use hookmill_server::json::Members;
use hookmill_server::subscriptions::definition::Definition;
use hookmill_server::subscriptions::{find, writing};
use view::{SubscriptionView, shown};

pub(super) use view::SubscriptionStateName;

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(create_subscription, list::list_subscriptions))
        .routes(routes!(get_subscription, change_subscription, delete_subscription))
        .merge(activation::paths())
        .merge(compare::paths())
        .merge(diagnose::paths())
        .merge(rollback::paths())
        .merge(preview::paths())
        .merge(secrets::paths())
        .merge(shadow::paths())
        .merge(test::paths())
}

/// Options of creating a subscription.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct CreateQuery {
    /// `true` allows the subscription to be identical to another (same URL, event types, trigger and condition); both
    /// then send.
    #[param(value_type = Option<bool>)]
    allow_identical: Option<String>,
}

impl CreateQuery {
    fn allow_identical(&self) -> Result<bool, Error> {
        match self.allow_identical.as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Error::parameter("allow_identical", "expected true or false")),
        }
    }
}

/// Creates a subscription and activates it, unless it is a draft.
///
/// With a handshake, the endpoint is asked before the response: `state` is `active` if the endpoint passed, else
/// `verifying`, with the reason in `handshake_report`.
#[utoipa::path(post, path = "/v1/spaces/{space}/subscriptions", tag = "subscriptions", params(CreateQuery),
    request_body = Definition,
    responses(
        (status = 201, body = SubscriptionView),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "subscription_identical or trigger_taken")))]
async fn create_subscription(
    Manages(space): Manages,
    State(api): State<Api>,
    Query(query): Query<CreateQuery>,
    JsonBody(Members(definition)): JsonBody<Members>,
) -> Result<(StatusCode, Json<SubscriptionView>), Problem> {
    let (new, activity) = writing::create(&api.host, &space, definition, query.allow_identical()?).await?;
    Ok((StatusCode::CREATED, shown(&api, new, activity).await?))
}

/// Returns a subscription.
///
/// Secrets are shown as `***`.
#[utoipa::path(get, path = "/v1/spaces/{space}/subscriptions/{subscription}", tag = "subscriptions",
    responses((status = 200, body = SubscriptionView)))]
async fn get_subscription(
    Reads(space): Reads,
    State(api): State<Api>,
    params: PathParams,
) -> Result<Json<SubscriptionView>, Problem> {
    let (subscription, activity) = find(&api.host, &space, params.get("subscription")?).await?;
    shown(&api, subscription, activity).await
}

/// Changes a subscription by a JSON merge patch (RFC 7396).
///
/// A member that is omitted stays as it is, null restores the default, arrays are replaced as a whole. Another plugin
/// name replaces the plugin with its version and configuration. `***` keeps the value of a secret header. With a
/// handshake, an active subscription moves to another URL only if the endpoint there passes; else nothing is changed.
/// The content type `application/merge-patch+json` is accepted as well.
#[utoipa::path(patch, path = "/v1/spaces/{space}/subscriptions/{subscription}", tag = "subscriptions",
    request_body = Definition,
    responses(
        (status = 200, body = SubscriptionView),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "subscription_identical, trigger_taken, handshake_rejected, or subscription_state: other \
                requests kept changing it")))]
async fn change_subscription(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
    Patch(patch): Patch,
) -> Result<Json<SubscriptionView>, Problem> {
    let (changed, activity) = writing::patch(&api.host, space, params.get("subscription")?, patch).await?;
    shown(&api, changed, activity).await
}

/// Deletes a subscription.
///
/// Its deliveries that are not final are canceled; all of them can still be read.
#[utoipa::path(delete, path = "/v1/spaces/{space}/subscriptions/{subscription}", tag = "subscriptions",
    responses((status = 204, description = "Deleted")))]
async fn delete_subscription(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
) -> Result<StatusCode, Problem> {
    writing::delete(&api.host, space, params.get("subscription")?).await?;
    Ok(StatusCode::NO_CONTENT)
}
