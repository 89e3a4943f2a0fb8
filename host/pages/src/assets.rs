//! Styles, scripts and icons, carried in the program.

use axum::extract::Path;
use axum::http::StatusCode;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, X_CONTENT_TYPE_OPTIONS};
use axum::response::{IntoResponse, Response};

const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

macro_rules! assets {
    ($($name:literal $kind:expr),* $(,)?) => {
        /// Name, content type and contents of each.
        static ASSETS: &[(&str, &str, &[u8])] =
            &[$(($name, $kind, include_bytes!(concat!("../assets/", $name)))),*];
    };
}

assets! {
    "tokens.css" CSS,
    "app.css" CSS,
    "app.js" JS,
    "history.js" JS,
    "playground.js" JS,
    "plugins.js" JS,
    "request.js" JS,
    "settings.js" JS,
    "subscription.js" JS,
    "subscription-form.js" JS,
    "subscription-events.js" JS,
    "subscription-shape.js" JS,
    "icon.svg" "image/svg+xml",
}

/// Returns one of them.
pub(crate) async fn get(Path(file): Path<String>) -> Response {
    let Some((_, kind, contents)) = ASSETS.iter().find(|(name, ..)| *name == file) else {
        return (StatusCode::NOT_FOUND, "no such file").into_response();
    };
    // They change with the program only. A minute, so that a new version is seen soon; the files are small.
    let headers = [(CONTENT_TYPE, *kind), (CACHE_CONTROL, "max-age=60"), (X_CONTENT_TYPE_OPTIONS, "nosniff")];
    (headers, *contents).into_response()
}
