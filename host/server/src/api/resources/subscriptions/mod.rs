//! Subscriptions.
//!
//! Whoever changes one holds [`Registry::changing`](crate::registry::Registry::changing) from reading it to having
//! written it, to the store first and to the registry after, in a task that a caller who hangs up does not end. What
//! takes its time (a schema, an endpoint that is asked) is done before, and then the subscription is read again: it must
//! still be as it was.

mod activation;
mod compare;
mod diagnose;
mod differences;
mod document;
mod input;
mod other;
mod parts;
mod plugin;
mod preview;
mod rollback;
mod rules;
mod secrets;
mod shadow;
mod test;
mod view;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use serde_json::{Map, Value};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::http::access::{Manages, Reads};
use crate::api::http::extract::{JsonMembers, Patch, PathParams, Query};
use crate::api::http::json;
use crate::api::http::page::{self, Page, PageQuery};
use crate::api::http::problem::Problem;
use crate::error::{Code, Error};
use crate::plugins::{follow, versions};
use crate::registry;
use crate::subscriptions::saving::{change, find, save};
use crate::subscriptions::{conflict, merge, profile};
use crate::task::unbroken;
use hookmill_model::{PauseReason, SpaceId, Subscription, SubscriptionId, SubscriptionState};
use hookmill_store::Activity;
use input::SubscriptionInput;
pub(super) use rules::sealed_secrets as check_sealed_secrets;
use view::SubscriptionView;

/// How often a change is merged anew because somebody else was faster.
const CHANGE_TRIES: u32 = 3;

/// A page of the list.
type SubscriptionPage = Page<SubscriptionView>;

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(create_subscription, list_subscriptions))
        .routes(routes!(get_subscription, change_subscription, delete_subscription))
        .routes(routes!(pause_subscription))
        .merge(activation::paths())
        .merge(compare::paths())
        .merge(diagnose::paths())
        .merge(rollback::paths())
        .merge(preview::paths())
        .merge(secrets::paths())
        .merge(shadow::paths())
        .merge(test::paths())
}

/// How strictly a new subscription is looked at.
#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct CreateQuery {
    /// `true` lets it be identical with another (the same URL, types, trigger and condition), which then are both sent.
    #[param(value_type = Option<bool>)]
    allow_identical: Option<String>,
}

impl CreateQuery {
    fn allow_identical(&self) -> Result<bool, Error> {
        match self.allow_identical.as_deref() {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Error::parameter("allow_identical", "true or false")),
        }
    }
}

/// Creates a subscription and activates it, unless it is a draft.
///
/// If it has a handshake, its endpoint is asked before the answer: `state` is `active` if the endpoint passed, else
/// `verifying`, and `handshake_report` has the reason.
#[utoipa::path(post, path = "/v1/spaces/{space}/subscriptions", tag = "subscriptions", params(CreateQuery),
    request_body = SubscriptionInput,
    responses(
        (status = 201, body = SubscriptionView),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "subscription_identical or trigger_taken")))]
async fn create_subscription(
    Manages(space): Manages,
    State(api): State<Api>,
    Query(query): Query<CreateQuery>,
    JsonMembers(_, given): JsonMembers<SubscriptionInput>,
) -> Result<(StatusCode, Json<SubscriptionView>), Error> {
    let allow_identical = query.allow_identical()?;
    let new = with_profile(given)?.check(&api, &space, None).await?;
    unbroken(async move {
        {
            let changing = api.host.registry.changing().await;
            conflict::check(&api.host.registry, &new, allow_identical)?;
            versions::check_there(&api.host, &new, None).await.map_err(|err| err.at("/plugin"))?;
            save(&api.host, &changing, &new).await?;
        }
        let (space, id) = (new.space.clone(), new.id);
        // A version may have come after the plugin was chosen, whose uploader did not see this subscription.
        if let Err(error) = follow::catch_up(&api.host, id).await {
            // It is committed: an error here would make the caller create it twice.
            tracing::error!(subscription.id = %id, ?error, "a new subscription does not follow its plugin's versions yet");
        }
        let (new, _) = find(&api.host, &space, id).await?;
        if let Err(problem) = activation::verify(&api, new).await {
            // It stands all the same: what it is now tells the caller more than why it is not active.
            tracing::warn!(subscription.id = %id, problem = ?problem, "a new subscription was not activated");
        }
        let (new, activity) = find(&api.host, &space, id).await?;
        Ok((StatusCode::CREATED, Json(SubscriptionView::of(new, activity))))
    })
    .await
}

/// A subscription as it is written, with the defaults of its profile for what it does not say.
fn with_profile(written: Map<String, Value>) -> Result<SubscriptionInput, Error> {
    let input: SubscriptionInput = json::from_value(written.clone().into())?;
    let (name, generation) = input.profile();
    let profile = profile::find(name).ok_or_else(|| {
        let known: Vec<_> = profile::all().iter().map(|profile| profile.name.as_str()).collect();
        Error::field("/profile", format!("a profile is one of {}", known.join(", ")))
    })?;
    let defaults = profile.defaults(generation).ok_or_else(|| {
        let right = format!("the profile `{name}` has the generations 1 to {}", profile.generations.len());
        Error::field("/generation", right)
    })?;
    json::from_value(merge::with_defaults(written, defaults))
}

/// Lists subscriptions, oldest first.
///
/// Secrets are shown as `***`.
#[utoipa::path(get, path = "/v1/spaces/{space}/subscriptions", tag = "subscriptions", params(PageQuery),
    responses((status = 200, body = SubscriptionPage)))]
async fn list_subscriptions(
    Reads(space): Reads,
    State(api): State<Api>,
    Query(query): Query<PageQuery>,
) -> Result<Json<SubscriptionPage>, Error> {
    let after = page::after(query.cursor.as_deref())?;
    let found = api.host.store.subscriptions(Some(&space), after, query.limit.ask()).await?;
    let view = |(subscription, activity)| SubscriptionView::of(subscription, activity);
    Ok(Json(Page::new(found, query.limit, |(subscription, _)| subscription.id, view)))
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
) -> Result<Json<SubscriptionView>, Error> {
    let (subscription, activity) = find(&api.host, &space, params.get("subscription")?).await?;
    Ok(Json(SubscriptionView::of(subscription, activity)))
}

/// Changes a subscription by a JSON merge patch (RFC 7396).
///
/// A member that is left out stays as it is, null restores the default, arrays are replaced as a whole. Another plugin
/// name replaces the plugin with its version and configuration. The value of a secret header is kept if `***` is given.
/// With a handshake, an active subscription moves to another URL only if the endpoint there passes; else nothing is
/// changed. The content type `application/merge-patch+json` is accepted as well.
#[utoipa::path(patch, path = "/v1/spaces/{space}/subscriptions/{subscription}", tag = "subscriptions",
    request_body = SubscriptionInput,
    responses(
        (status = 200, body = SubscriptionView),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "subscription_identical, trigger_taken, handshake_refused, or subscription_state: it was \
                changed by others meanwhile")))]
async fn change_subscription(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
    Patch(patch): Patch,
) -> Result<Json<SubscriptionView>, Error> {
    let id = params.get("subscription")?;
    // The patch alone first: merged, a name that is unknown would be gone if its value is null.
    let given: SubscriptionInput = json::from_value(patch.clone().into())?;
    if let Some(pointer) = given.only_on_creation(&patch) {
        return Err(Error::field(
            pointer,
            match pointer {
                "/secret" => "a secret is changed by POST …/rotate-secret, which keeps the old one",
                "/state" => "a state is changed by POST …/activate and POST …/pause",
                _ => "a subscription keeps its profile: create another one",
            },
        ));
    }
    unbroken(async move {
        changed(&api, &space, id, patch).await?;
        // As on creation.
        follow::catch_up(&api.host, id).await?;
        let (new, activity) = find(&api.host, &space, id).await?;
        Ok(Json(SubscriptionView::of(new, activity)))
    })
    .await
}

/// Merges a change and saves it, anew if somebody else changes the subscription meanwhile.
async fn changed(api: &Api, space: &SpaceId, id: SubscriptionId, patch: Map<String, Value>) -> Result<(), Error> {
    let mut tries = 1;
    loop {
        match try_change(api, space, id, patch.clone()).await {
            Err(problem) if problem.is(Code::SubscriptionState) && tries < CHANGE_TRIES => tries += 1,
            result => return result,
        }
    }
}

/// Merges a change, checks it and asks the endpoint if need be, all without holding up others, and saves it if the
/// subscription is still as it was. An active one that asks for a handshake moves to another URL only if the endpoint
/// there passes; else nothing is changed.
async fn try_change(api: &Api, space: &SpaceId, id: SubscriptionId, patch: Map<String, Value>) -> Result<(), Error> {
    let (old, activity) = find(&api.host, space, id).await?;
    let mut new = merged(api, &old, activity, patch).await?;
    let moves = new.state == SubscriptionState::Active && new.url != old.url;
    if let Some(handshake) = new.handshake.clone().filter(|_| moves) {
        new.handshake_report = Some(activation::ask(api, &new, &handshake).await?.passed()?);
    }
    let changing = api.host.registry.changing().await;
    activation::check_unchanged(&api.host, &old).await?;
    // One that was identical with another before may stay so.
    let allow_identical = registry::identical(&old, &new);
    conflict::check(&api.host.registry, &new, allow_identical)?;
    versions::check_there(&api.host, &new, Some(&old)).await.map_err(|err| err.at("/plugin"))?;
    save(&api.host, &changing, &new).await
}

async fn merged(
    api: &Api,
    old: &Subscription,
    activity: Activity,
    patch: Map<String, Value>,
) -> Result<Subscription, Error> {
    let written = SubscriptionView::of(old.clone(), activity).written().map_err(|err| Error::internal(&err))?;
    let Value::Object(merged) = merge::changed(written, patch) else {
        return Err(Error::field("", "the body is a JSON object"));
    };
    with_profile(merged)?.check(api, &old.space, Some(old)).await
}

/// Deletes a subscription.
///
/// Its deliveries that are not final are cancelled; all of them can still be read.
#[utoipa::path(delete, path = "/v1/spaces/{space}/subscriptions/{subscription}", tag = "subscriptions",
    responses((status = 204, description = "It is gone")))]
async fn delete_subscription(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
) -> Result<StatusCode, Error> {
    let id = params.get("subscription")?;
    change(&api.host, space, id, |subscription| {
        subscription.state = SubscriptionState::Deleted;
        Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Pauses a subscription.
///
/// Events no longer match it, and the deliveries that it has are held.
#[utoipa::path(post, path = "/v1/spaces/{space}/subscriptions/{subscription}/pause", tag = "subscriptions",
    responses(
        (status = 200, body = SubscriptionView),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "subscription_state: it is a draft")))]
async fn pause_subscription(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
) -> Result<Json<SubscriptionView>, Error> {
    let id = params.get("subscription")?;
    let (subscription, activity) = change(&api.host, space, id, |subscription| {
        match subscription.state {
            SubscriptionState::Draft => {
                return Err(Error::new(
                    Code::SubscriptionState,
                    "the subscription is a draft: there is nothing to pause",
                ));
            }
            SubscriptionState::Paused => {}
            SubscriptionState::Verifying | SubscriptionState::Active | SubscriptionState::Deleted => {
                subscription.state = SubscriptionState::Paused;
                subscription.pause_reason = Some(PauseReason::Requested);
                subscription.pause_detail = None;
            }
        }
        Ok(())
    })
    .await?;
    Ok(Json(SubscriptionView::of(subscription, activity)))
}
