//! Pulling a plugin from an OCI registry into a space.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::plugins::{PluginView, admitted};
use crate::Api;
use crate::http::access::Manages;
use crate::http::extract::JsonBody;
use crate::http::problem::Problem;
use hookmill_server::error::{Code, Error};
use hookmill_server::plugins::admit::Candidate;
use hookmill_server::plugins::oci::{self, OciError, Registries};

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(pull_plugin))
}

/// The plugin to pull.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PullInput {
    /// `oci://registry/repository:tag`, or `oci://registry/repository@sha256:…` for exactly that manifest.
    reference: String,
    /// Ed25519 signature over the text of the component's digest, in base64; by default, the one pushed with the
    /// component.
    signature: Option<String>,
}

/// Pulls a plugin from an OCI registry.
///
/// No credentials are sent to the registry. Its address must be public unless the host's configuration permits others.
/// The plugin's `source` is the reference by digest, even if a tag was requested. Otherwise the same rules apply as to
/// an upload.
#[utoipa::path(post, path = "/v1/spaces/{space}/pull-plugin", tag = "plugins", request_body = PullInput,
    responses(
        (status = 201, body = PluginView, description = "The plugin version is new"),
        (status = 200, body = PluginView, description = "The same plugin version already existed"),
        (status = 409, body = Problem, content_type = "application/problem+json",
            description = "plugin_version_exists")))]
async fn pull_plugin(
    Manages(space): Manages,
    State(api): State<Api>,
    JsonBody(PullInput { reference, signature }): JsonBody<PullInput>,
) -> Result<(StatusCode, Json<PluginView>), Problem> {
    let reference = reference.parse().map_err(|error| api_error(&error))?;
    let registries = Registries::of_host(&api.host.config).map_err(|error| Error::internal(&error))?;
    let _turn = (api.host.pulls.try_acquire())
        .map_err(|_| Error::new(Code::Unavailable, "too many plugins are being pulled: try again later"))?;
    let pulled = oci::pull(&registries, &reference).await.map_err(|error| api_error(&error))?;
    let source = Some(pulled.reference.to_string());
    let signature = signature.or(pulled.signature);
    Ok(admitted(&api, &space, Candidate { component: pulled.component, signature, source }).await?)
}

fn api_error(error: &OciError) -> Error {
    match error {
        OciError::Reference { .. } => Error::field("/reference", error),
        OciError::TooLarge { .. } => Error::new(Code::TooLarge, error.to_string()),
        OciError::NotFound(_)
        | OciError::Denied(_)
        | OciError::NotAPlugin { .. }
        | OciError::Tampered { .. }
        | OciError::OutOfBounds(_)
        | OciError::Registry(_) => Error::new(Code::PluginPullFailed, error.to_string()),
    }
}
