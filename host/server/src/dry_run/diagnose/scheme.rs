//! Whether the URL is https.

use super::finding::{Check, Finding};
use hookmill_model::Subscription;

/// Looks at the URL's scheme.
pub fn scheme(subscription: &Subscription) -> Finding {
    if subscription.url.scheme() == "https" {
        return Finding::ok(Check::UrlScheme, "the URL starts with https://");
    }
    if subscription.require_https {
        return Finding::problem(
            Check::UrlScheme,
            "the URL starts with http://, and this subscription must send by https:// (`require_https` is on)",
            "give it the https:// URL of its receiver",
        );
    }
    Finding::warning(
        Check::UrlScheme,
        "the URL starts with http://: whoever is between here and the receiver can read and change what is sent",
        "give it the https:// URL of its receiver, if that has one",
    )
}
