//! The request of a delivery, signed again for a person to send by hand.

use axum::extract::State;
use axum::response::Response;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hookmill_model::DeliveryId;
use hookmill_server::dry_run::signed::{SignedRequest, sign_last};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::attempts::{HeaderView, headers};
use super::deliveries::memory;
use super::names::MethodName;
use crate::Api;
use crate::http::access::Manages;
use crate::http::extract::PathParams;
use crate::http::problem::Problem;

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(sign_delivery))
}

/// A request with a fresh signature.
#[derive(Serialize, ToSchema)]
#[schema(as = SignedRequest)]
struct SignedView {
    /// HTTP method.
    #[schema(value_type = MethodName)]
    method: String,
    /// Full URL.
    url: String,
    /// Headers, with those of the signature; `***` for a secret.
    headers: Vec<HeaderView>,
    /// Body in base64, byte for byte as it is signed: with `***` for each secret.
    body_base64: String,
    /// True if secrets are masked in the headers or the body: the receiver may refuse the request without them.
    masked: bool,
}

impl From<SignedRequest> for SignedView {
    fn from(SignedRequest { request, masked }: SignedRequest) -> Self {
        let body_base64 = STANDARD.encode(&request.body);
        Self { method: request.method, url: request.url, headers: headers(request.headers), body_base64, masked }
    }
}

/// Signs a delivery's last request again.
///
/// Returns the request of the last attempt that sent one, with a present timestamp and signature, to be sent by hand; a
/// receiver accepts a signature for some minutes. Nothing is sent or recorded.
#[utoipa::path(post, path = "/v1/spaces/{space}/deliveries/{delivery}/sign", tag = "deliveries", responses(
    (status = 200, body = SignedView),
    (status = 409, body = Problem, content_type = "application/problem+json",
        description = "delivery_state: nothing was sent, or subscription_state: the subscription was deleted")))]
async fn sign_delivery(
    Manages(space): Manages,
    State(api): State<Api>,
    params: PathParams,
) -> Result<Response, Problem> {
    let id: DeliveryId = params.get("delivery")?;
    let memory = memory(&api, &space, id).await?;
    let signed = sign_last(&api.host, &space, id).await?;
    Ok(memory.json(&SignedView::from(signed))?)
}
