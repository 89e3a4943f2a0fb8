//! Subscriptions.
//!
//! Whoever changes one holds [`Registry::changing`](crate::registry::Registry::changing) from reading it to having
//! written it, to the store first and to the registry after, in a task that a caller who hangs up does not end.

mod input;
mod merge;
mod secrets;
mod test;
mod view;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::access::{Manages, Reads};
use super::extract::{JsonBody, Patch, PathParams, Query};
use super::page::{self, Page, PageQuery};
use super::problem::Problem;
use super::{Api, json, unbroken};
use crate::model::{PauseReason, SpaceId, Subscription, SubscriptionId, SubscriptionState};
use crate::store::Activity;
use input::SubscriptionInput;
use view::SubscriptionView;

/// The paths of this resource.
pub(super) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(create_subscription, list_subscriptions))
        .routes(routes!(get_subscription, change_subscription, delete_subscription))
        .routes(routes!(pause_subscription))
        .routes(routes!(activate_subscription))
        .merge(secrets::paths())
        .merge(test::paths())
}

/// Creates a subscription, which is active at once.
#[utoipa::path(post, path = "/v1/spaces/{space}/subscriptions", tag = "subscriptions",
    request_body = SubscriptionInput, responses((status = 201, body = SubscriptionView)))]
async fn create_subscription(
    Manages(space): Manages,
    State(api): State<Api>,
    JsonBody(input): JsonBody<SubscriptionInput>,
) -> Result<(StatusCode, Json<SubscriptionView>), Problem> {
    let new = input.check(&api, &space, None).await?;
    unbroken(async move {
        let _changing = api.host.registry.changing().await;
        save(&api, &new).await?;
        Ok((StatusCode::CREATED, Json(SubscriptionView::of(new, Activity::default()))))
    })
    .await
}

/// Lists subscriptions, oldest first.
#[utoipa::path(get, path = "/v1/spaces/{space}/subscriptions", tag = "subscriptions", params(PageQuery),
    responses((status = 200, body = Page<SubscriptionView>)))]
async fn list_subscriptions(
    Reads(space): Reads,
    State(api): State<Api>,
    Query(query): Query<PageQuery>,
) -> Result<Json<Page<SubscriptionView>>, Problem> {
    let after = page::after(query.cursor.as_deref())?;
    let found = api.host.store.subscriptions(Some(&space), after, query.limit.ask()).await?;
    let view = |(subscription, activity)| SubscriptionView::of(subscription, activity);
    Ok(Json(Page::new(found, query.limit, |(subscription, _)| subscription.id, view)))
}

/// Reads a subscription.
#[utoipa::path(get, path = "/v1/spaces/{space}/subscriptions/{subscription}", tag = "subscriptions",
    responses((status = 200, body = SubscriptionView)))]
async fn get_subscription(
    Reads(space): Reads,
    State(api): State<Api>,
    params: PathParams,
) -> Result<Json<SubscriptionView>, Problem> {
    let (subscription, activity) = find(&api, &space, params.get("subscription")?).await?;
    Ok(Json(SubscriptionView::of(subscription, activity)))
}

/// Changes a subscription by a JSON merge patch (RFC 7396).
///
/// What is left out stays as it is, null brings back the default, arrays are replaced as a whole. Another plugin's
/// name replaces the plugin with its version and configuration. A secret header's value stays if `***` is given.
#[utoipa::path(patch, path = "/v1/spaces/{space}/subscriptions/{subscription}", tag = "subscriptions",
    request_body(content((SubscriptionInput = "application/merge-patch+json"), (SubscriptionInput = "application/json"))),
    responses((status = 200, body = SubscriptionView)))]
async fn change_subscription(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
    Patch(patch): Patch,
) -> Result<Json<SubscriptionView>, Problem> {
    let id = params.get("subscription")?;
    // The patch alone first: merged, a name that is unknown would be gone if its value is null.
    let given: SubscriptionInput = json::from_value(patch.clone().into())?;
    if given.has_secret() {
        return Err(Problem::field("/secret", "a secret is changed by POST …/rotate-secret, which keeps the old one"));
    }
    unbroken(async move {
        let _changing = api.host.registry.changing().await;
        let (old, activity) = find(&api, &space, id).await?;
        let written = SubscriptionView::of(old.clone(), activity).written().map_err(|err| Problem::internal(&err))?;
        let input: SubscriptionInput = json::from_value(merge::changed(written, patch))?;
        let new = input.check(&api, &space, Some(&old)).await?;
        save(&api, &new).await?;
        Ok(Json(SubscriptionView::of(new, activity)))
    })
    .await
}

/// Deletes a subscription. Its deliveries that are not final are cancelled; all of them can still be read.
#[utoipa::path(delete, path = "/v1/spaces/{space}/subscriptions/{subscription}", tag = "subscriptions",
    responses((status = 204, description = "It is gone")))]
async fn delete_subscription(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
) -> Result<StatusCode, Problem> {
    let id = params.get("subscription")?;
    change(api, space, id, |subscription| {
        subscription.state = SubscriptionState::Deleted;
        Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Pauses a subscription: events pass it by, and the deliveries that it has wait.
#[utoipa::path(post, path = "/v1/spaces/{space}/subscriptions/{subscription}/pause", tag = "subscriptions",
    responses((status = 200, body = SubscriptionView)))]
async fn pause_subscription(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
) -> Result<Json<SubscriptionView>, Problem> {
    let id = params.get("subscription")?;
    let (subscription, activity) = change(api, space, id, |subscription| {
        subscription.state = SubscriptionState::Paused;
        subscription.pause_reason.get_or_insert(PauseReason::Requested);
        Ok(())
    })
    .await?;
    Ok(Json(SubscriptionView::of(subscription, activity)))
}

/// Activates a subscription: events match it again, and the deliveries that waited go on.
#[utoipa::path(post, path = "/v1/spaces/{space}/subscriptions/{subscription}/activate", tag = "subscriptions",
    responses((status = 200, body = SubscriptionView)))]
async fn activate_subscription(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
) -> Result<Json<SubscriptionView>, Problem> {
    let id = params.get("subscription")?;
    let (subscription, activity) = change(api, space, id, |subscription| {
        subscription.state = SubscriptionState::Active;
        subscription.pause_reason = None;
        Ok(())
    })
    .await?;
    Ok(Json(SubscriptionView::of(subscription, activity)))
}

async fn find(api: &Api, space: &SpaceId, id: SubscriptionId) -> Result<(Subscription, Activity), Problem> {
    let found = api.host.store.subscription(space, id).await?;
    found.ok_or_else(|| Problem::not_found("subscription", id))
}

/// Changes a subscription by `edit`.
async fn change(
    api: Api,
    space: SpaceId,
    id: SubscriptionId,
    edit: impl FnOnce(&mut Subscription) -> Result<(), Problem> + Send + 'static,
) -> Result<(Subscription, Activity), Problem> {
    unbroken(async move {
        let _changing = api.host.registry.changing().await;
        let (mut subscription, activity) = find(&api, &space, id).await?;
        edit(&mut subscription)?;
        subscription.updated_at = api.host.clock.now();
        save(&api, &subscription).await?;
        Ok((subscription, activity))
    })
    .await
}

/// Writes a subscription where everybody looks. The caller holds `changing`.
async fn save(api: &Api, subscription: &Subscription) -> Result<(), Problem> {
    let now = api.host.clock.now();
    api.host.store.put_subscription(subscription, now).await?;
    api.host.registry.put(subscription.clone());
    if subscription.state == SubscriptionState::Active {
        // Deliveries that were held are due.
        api.host.inbox.due(now);
    }
    Ok(())
}
