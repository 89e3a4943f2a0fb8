//! Check: the URL's scheme.

use super::finding::{Check, Finding};
use hookmill_model::Subscription;

/// Judges the URL's scheme.
pub fn scheme(subscription: &Subscription) -> Finding {
    if subscription.url.scheme() == "https" {
        return Finding::ok(Check::UrlScheme, "the URL uses https://");
    }
    if subscription.require_https {
        return Finding::problem(
            Check::UrlScheme,
            "the URL uses http://, but this subscription requires https:// (`require_https` is on)",
            "change the URL to the receiver's https:// URL",
        );
    }
    Finding::warning(
        Check::UrlScheme,
        "the URL uses http://: anyone on the network path can read and change the requests",
        "change the URL to the receiver's https:// URL, if it has one",
    )
}
