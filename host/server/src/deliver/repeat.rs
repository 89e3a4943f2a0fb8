//! An attempt that sends verbatim what an earlier one sent: nothing is transformed, and it is signed again.

use anyhow::Context as _;
use hookmill_model::{Attempt, Delivery, Figures, Outcome, SentRequest, Subscription};
use url::Url;

use crate::dispatch::{judge, signed_and_sent, timeout};
use crate::host::Host;
use crate::registry::CompiledSubscription;
use crate::stages::request;
use crate::stages::seal::MASK;

/// Why a request is not sent again.
pub const MOVED: &str = "it holds secrets, and the subscription has moved to another URL since: send it fresh";

/// Whether a request may be sent again as it was. Current secrets must not go to an earlier endpoint: a request with any
/// in it is sent to the subscription's current endpoint only (with any query, which a plugin and a subscription append to).
pub fn may_repeat(sent: &SentRequest, subscription: &Subscription) -> bool {
    let secret = !sent.sealed.is_empty() || sent.headers.iter().any(|(_, value)| value == MASK);
    let now = &subscription.url;
    let same = |url: &Url| url.origin() == now.origin() && url.path() == now.path();
    !secret || Url::parse(&sent.url).is_ok_and(|url| same(&url))
}

/// Sends the request of the last attempt that sent one.
pub(super) async fn repeat(
    host: &Host,
    compiled: &CompiledSubscription,
    delivery: &Delivery,
) -> anyhow::Result<Attempt> {
    let subscription = &compiled.subscription;
    let found = host.store.delivery(&subscription.space, delivery.id).await?;
    let attempts = found.map(|(_, attempts)| attempts).unwrap_or_default();
    let last = attempts.into_iter().rev().find_map(|attempt| Some((attempt.request?, attempt.plugin_digest)));
    let (sent, plugin_digest) = last.context("no earlier attempt sent a request")?;
    let number = delivery.attempts + 1;
    let again = request::repeat(&sent, &subscription.headers, number)?;
    let started_at = host.clock.now();
    let (request, outcome, send_us) = if may_repeat(&sent, subscription) {
        let (sent, answer) = signed_and_sent(host, subscription, delivery.id, &again, timeout(subscription)).await?;
        (Some(sent), judge(subscription, answer.result), answer.took_us)
    } else {
        // It moved after the resend was requested; the history shows why.
        (None, Outcome::Skipped(MOVED.to_owned()), 0)
    };
    Ok(Attempt {
        delivery_id: delivery.id,
        number,
        due_at: delivery.due_at,
        started_at,
        send_us,
        request,
        outcome,
        plugin_digest,
        plugin_fault: None,
        figures: Figures::default(),
        logs: Vec::new(),
    })
}
