//! Testing whether the administrators of a space receive mails.

use axum::Json;
use axum::extract::State;
use hookmill_model::MailAddress;
use hookmill_server::notify;
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::Api;
use crate::http::access::Manages;
use crate::http::problem::Problem;

/// The paths of this resource.
pub(crate) fn paths() -> OpenApiRouter<Api> {
    OpenApiRouter::default().routes(routes!(test_notification))
}

/// A mail that was sent.
#[derive(Serialize, ToSchema)]
#[schema(as = TestNotification)]
struct TestNotificationView {
    /// Addresses that it was sent to: the space's administrators.
    #[schema(value_type = Vec<String>)]
    sent_to: Vec<MailAddress>,
}

/// Sends a test mail to the space's administrators, at once.
///
/// Succeeds once the mail server has accepted the mail, for one of several administrators at least. A space may send one in
/// a minute.
#[utoipa::path(post, path = "/v1/spaces/{space}/test-notification", tag = "spaces", responses(
    (status = 200, body = TestNotificationView),
    (status = 409, body = Problem, content_type = "application/problem+json",
        description = "mail_unavailable: the host has no mail server, or the space no administrators"),
    (status = 422, body = Problem, content_type = "application/problem+json",
        description = "mail_failed: the mail server did not accept the mail"),
    (status = 429, body = Problem, content_type = "application/problem+json",
        description = "quota_exceeded: the last test was less than a minute ago")))]
async fn test_notification(
    Manages(space): Manages,
    State(api): State<Api>,
) -> Result<Json<TestNotificationView>, Problem> {
    Ok(Json(TestNotificationView { sent_to: notify::send_test(&api.host, &space).await? }))
}
