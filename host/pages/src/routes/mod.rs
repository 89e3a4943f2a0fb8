//! The pages, one module each.

mod home;
mod overview;

use axum::Router;

use crate::Pages;

/// The paths of all pages.
pub(crate) fn paths() -> Router<Pages> {
    Router::new().merge(home::paths()).merge(overview::paths())
}
