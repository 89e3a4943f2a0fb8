//! The body of a request that was sent, as a file.

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};
use hookmill_model::DeliveryId;
use hookmill_server::error::Error;
use hookmill_server::stages::seal::masked;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::deliveries::memory;
use crate::Api;
use crate::http::access::Reads;
use crate::http::extract::PathParams;
use crate::http::problem::Problem;

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(get_sent_body))
}

/// The bytes of a body.
#[derive(ToSchema)]
#[schema(value_type = String, format = Binary)]
#[expect(dead_code, reason = "used in the API description alone")]
struct SentBytes(Vec<u8>);

/// Returns the body that an attempt sent, as a file.
///
/// The exact bytes, except that each secret is masked as `***`. The body of a GET is empty.
#[utoipa::path(get, path = "/v1/spaces/{space}/deliveries/{delivery}/attempts/{number}/body", tag = "deliveries",
    responses((status = 200, body = inline(SentBytes), content_type = "application/octet-stream",
        description = "The bytes of the body")))]
async fn get_sent_body(Reads(space): Reads, State(api): State<Api>, params: PathParams) -> Result<Response, Problem> {
    let id: DeliveryId = params.get("delivery")?;
    let number: u32 = params.get("number")?;
    let memory = memory(&api, &space, id).await?;
    let found = api.host.store.delivery(&space, id).await?;
    let (_, attempts) = found.ok_or_else(|| Error::not_found("delivery", id))?;
    let attempt = attempts.into_iter().find(|attempt| attempt.number == number);
    let attempt = attempt.ok_or_else(|| Error::not_found("attempt", number))?;
    let sent = attempt.request.ok_or_else(|| Error::not_found("request of the attempt", number))?;
    let body: Bytes = masked(&sent.body, &sent.sealed);
    let disposition = format!("attachment; filename=\"{id}-{number}.{}\"", extension(&sent.headers));
    let headers = [
        (CONTENT_TYPE, "application/octet-stream"),
        (CONTENT_DISPOSITION, disposition.as_str()),
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    Ok((headers, memory.body(body)).into_response())
}

/// Returns the extension of a file with the body of a request with these headers.
fn extension(headers: &[(String, String)]) -> &'static str {
    let content_type = headers.iter().find(|(name, _)| name == "content-type").map_or("", |(_, value)| value.as_str());
    match content_type.split(';').next().unwrap_or_default() {
        "application/json" => "json",
        "application/x-www-form-urlencoded" | "text/plain" => "txt",
        _ => "bin",
    }
}
