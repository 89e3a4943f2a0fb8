//! Extractors for request bodies, path parameters and query parameters. A failed extraction is an error response.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::{FromRequest, FromRequestParts, RawPathParams, Request};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri};
use futures::StreamExt as _;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer};
use serde_json::{Map, Value};
use url::form_urlencoded;

use super::json;
use crate::Api;
use crate::http::problem::Problem;
use hookmill_server::error::{Code, Error};

/// A JSON object in the body.
pub(crate) struct JsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<Api> for JsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        media_type(request.headers(), &["application/json"])?;
        let body = read(request, api.host.config.accept.body_bytes_max, "the body").await?;
        Ok(Self(json::object(&body)?))
    }
}

/// An optional JSON object in the body; the default of `T` without a body.
pub(crate) struct OptionalJsonBody<T>(pub(crate) T);

impl<T: DeserializeOwned + Default> FromRequest<Api> for OptionalJsonBody<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        let typed = media_type(request.headers(), &["application/json"]);
        let body = read(request, api.host.config.accept.body_bytes_max, "the body").await?;
        if body.is_empty() {
            return Ok(Self(T::default()));
        }
        typed?;
        Ok(Self(json::object(&body)?))
    }
}

/// A JSON merge patch (RFC 7396) in the body.
pub(crate) struct Patch(pub(crate) Map<String, Value>);

impl FromRequest<Api> for Patch {
    type Rejection = Problem;

    async fn from_request(request: Request, api: &Api) -> Result<Self, Problem> {
        media_type(request.headers(), &["application/json", "application/merge-patch+json"])?;
        let body = read(request, api.host.config.accept.body_bytes_max, "the body").await?;
        Ok(json::object(&body).map(|json::Members(members)| Self(members))?)
    }
}

/// Returns the element of `accepted` that matches the body's content type.
pub(crate) fn media_type(headers: &HeaderMap, accepted: &[&'static str]) -> Result<&'static str, Error> {
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = given.split(';').next().unwrap_or_default().trim();
    let found = accepted.iter().find(|accepted| essence.eq_ignore_ascii_case(accepted));
    found.copied().ok_or_else(|| {
        let accepted = accepted.join(" or ");
        Error::new(Code::ContentTypeUnsupported, format!("unsupported content type `{given}`: expected {accepted}"))
    })
}

/// The time that a body may take: 32 MiB in that time is a slow line. A caller that drips bytes holds a connection for no
/// longer.
const BODY_WITHIN: Duration = Duration::from_secs(300);

/// Reads a body of at most `bytes_max`; `what` names it in the error.
pub(crate) async fn read(request: Request<Body>, bytes_max: usize, what: &str) -> Result<Bytes, Error> {
    let read = tokio::time::timeout(BODY_WITHIN, read_all(request, bytes_max, what)).await;
    read.unwrap_or_else(|_| {
        let detail = format!("{what} did not arrive within {} s", BODY_WITHIN.as_secs());
        Err(Error::new(Code::JsonInvalid, detail))
    })
}

async fn read_all(request: Request<Body>, bytes_max: usize, what: &str) -> Result<Bytes, Error> {
    let too_large = || Error::new(Code::TooLarge, format!("{what} exceeds {bytes_max} bytes"));
    let announced = request.headers().get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    if announced.is_some_and(|bytes: usize| bytes > bytes_max) {
        return Err(too_large());
    }
    // The announced length may be false: memory is allocated for received bytes only.
    let mut body = Vec::new();
    let mut chunks = request.into_body().into_data_stream();
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Error::new(Code::JsonInvalid, "the body ended early"))?;
        if body.len() + chunk.len() > bytes_max {
            return Err(too_large());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.into())
}

/// Path parameters by name.
pub(crate) struct PathParams(Vec<(String, String)>);

impl PathParams {
    /// Parses a parameter as a `T`.
    pub(crate) fn get<T: FromStr<Err: fmt::Display>>(&self, name: &str) -> Result<T, Error> {
        let text = self.text(name).unwrap_or_default();
        text.parse().map_err(|err| Error::parameter(name, err))
    }

    /// Returns the text of a parameter.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(have, _)| have == name).map(|(_, text)| text.as_str())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PathParams {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let params = RawPathParams::from_request_parts(parts, state)
            .await
            .map_err(|err| Error::new(Code::ParameterInvalid, err.body_text()))?;
        Ok(Self(params.iter().map(|(name, text)| (name.to_owned(), text.to_owned())).collect()))
    }
}

/// Query parameters.
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Self(query(&parts.uri)?))
    }
}

fn query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Error> {
    let mut map = Map::new();
    for (name, text) in form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes()) {
        if map.contains_key(name.as_ref()) {
            return Err(Error::parameter(&name, "parameter given more than once"));
        }
        map.insert(name.into_owned(), Value::String(text.into_owned()));
    }
    serde_path_to_error::deserialize(Value::Object(map))
        .map_err(|err| Error::parameter(&err.path().to_string(), err.inner()))
}

/// Deserializes a time, with an error that states the expected format.
pub(crate) fn time<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let Some(text) = Option::<String>::deserialize(deserializer)? else { return Ok(None) };
    hookmill_model::parse_time(&text).map(Some).map_err(serde::de::Error::custom)
}
