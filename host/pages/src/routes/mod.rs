//! The pages, one module each.

mod home;
mod overview;
mod subscriptions;
mod workflows;

use axum::Router;

use crate::Pages;

/// The paths of all pages.
pub(crate) fn paths() -> Router<Pages> {
    Router::new()
        .merge(home::paths())
        .merge(overview::paths())
        .merge(subscriptions::paths())
        .merge(workflows::paths())
}
