//! The pages, one module each.

mod home;
mod overview;
mod playground;
pub(crate) mod plugins;
pub(crate) mod settings;
mod variants;

use axum::Router;

use crate::Pages;

/// The paths of all pages.
pub(crate) fn paths() -> Router<Pages> {
    Router::new()
        .merge(home::paths())
        .merge(overview::paths())
        .merge(plugins::paths())
        .merge(playground::paths())
        .merge(settings::paths())
}
