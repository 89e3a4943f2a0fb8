//! The pages, one module each.

mod charts;
mod deliveries;
mod events;
mod find;
mod history;
mod home;
mod overview;
mod playground;
pub(crate) mod plugins;
mod replays;
pub(crate) mod settings;
mod subscriptions;
mod variants;
mod workflows;

use axum::Router;

use crate::Pages;

/// The paths of all pages.
pub(crate) fn paths() -> Router<Pages> {
    Router::new()
        .merge(home::paths())
        .merge(overview::paths())
        .merge(history::paths())
        .merge(deliveries::paths())
        .merge(replays::paths())
        .merge(events::paths())
        .merge(find::paths())
        .merge(plugins::paths())
        .merge(playground::paths())
        .merge(settings::paths())
        .merge(subscriptions::paths())
        .merge(workflows::paths())
}
