//! Signing secrets of a subscription, and their rotation.
//!
//! A rotation puts a new secret first and keeps the old ones, with which every request is signed too, so that a receiver
//! can change over when it likes. The old ones go when the caller says so.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::api::Api;
use crate::api::http::access::Manages;
use crate::api::http::extract::{OptionalJsonBody, PathParams};
use crate::api::http::number::Whole;
use crate::api::http::problem::Problem;
use crate::error::{Code, Error};
use crate::stages::sign;
use crate::subscriptions::saving::{change, find};
use hookmill_model::{Secret, Subscription};

/// Each signs every request, and receivers look for theirs among all.
const SECRETS_MAX: usize = 5;

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default()
        .routes(routes!(rotate_secret))
        .routes(routes!(get_secret))
        .routes(routes!(delete_previous_secrets))
}

/// How to rotate.
#[derive(Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct RotateInput {
    /// The new secret, `whsec_…`; made by the host if it is left out.
    #[schema(value_type = Option<String>)]
    secret: Option<Secret>,
    /// How many of the present secrets stay valid, the newest of them; all, if it is left out. 0 ends them at once.
    #[schema(value_type = Option<u32>, maximum = 4)]
    keep_previous: Option<Whole<0, 4>>,
}

/// The signing secret, in clear.
#[derive(Serialize, ToSchema)]
#[schema(as = SigningSecret)]
struct SecretView {
    /// The newest secret, which the receiver is to verify with.
    secret: String,
    /// The public half of an Ed25519 key, `whpk_…`: then that is what the receiver is to verify with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    public_key: Option<String>,
    /// How many older ones requests are signed with too.
    previous: usize,
}

impl SecretView {
    fn of(subscription: &Subscription) -> Self {
        let newest = subscription.secrets.first();
        Self {
            secret: newest.map_or_else(String::new, |secret| secret.reveal().to_owned()),
            public_key: newest.and_then(sign::public_key),
            previous: subscription.secrets.len().saturating_sub(1),
        }
    }
}

/// Adds a new signing secret.
///
/// Requests are signed with it and with the previous ones until those are deleted: at most 5 in all. Schemes other than
/// Standard Webhooks have one signature per request: with them, the new secret alone signs from now on.
#[utoipa::path(post, path = "/v1/spaces/{space}/subscriptions/{subscription}/rotate-secret", tag = "subscriptions",
    request_body = Option<RotateInput>,
    responses(
        (status = 200, body = SecretView),
        (status = 409, body = Problem, content_type = "application/problem+json", description = "secrets_max")))]
async fn rotate_secret(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
    OptionalJsonBody(input): OptionalJsonBody<RotateInput>,
) -> Result<Json<SecretView>, Error> {
    let id = params.get("subscription")?;
    let RotateInput { secret, keep_previous } = input;
    let (subscription, _) = change(&api.host, space, id, move |subscription| {
        let secret = secret.unwrap_or_else(|| subscription.signing.new_secret());
        subscription.signing.check_secret(&secret).map_err(|right| Error::field("/secret", right))?;
        let secrets = &mut subscription.secrets;
        secrets.truncate(keep_previous.map_or(usize::MAX, |keep| keep.0 as usize));
        if secrets.len() >= SECRETS_MAX {
            let detail = "the subscription has 5 secrets: end some with `keep_previous`, or DELETE …/secrets/previous";
            return Err(Error::new(Code::SecretsMax, detail));
        }
        secrets.insert(0, secret);
        Ok(())
    })
    .await?;
    Ok(Json(SecretView::of(&subscription)))
}

/// Returns the signing secret.
///
/// In clear text, for the receiver to verify with.
#[utoipa::path(get, path = "/v1/spaces/{space}/subscriptions/{subscription}/secret", tag = "subscriptions",
    responses((status = 200, body = SecretView)))]
async fn get_secret(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
) -> Result<Json<SecretView>, Error> {
    let (subscription, _) = find(&api.host, &space, params.get("subscription")?).await?;
    Ok(Json(SecretView::of(&subscription)))
}

/// Deletes the previous signing secrets.
///
/// From now on requests are signed with the newest alone.
#[utoipa::path(delete, path = "/v1/spaces/{space}/subscriptions/{subscription}/secrets/previous",
    tag = "subscriptions", responses((status = 204, description = "They are gone")))]
async fn delete_previous_secrets(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
) -> Result<StatusCode, Error> {
    let id = params.get("subscription")?;
    change(&api.host, space, id, |subscription| {
        subscription.secrets.truncate(1);
        Ok(())
    })
    .await?;
    Ok(StatusCode::NO_CONTENT)
}
