//! An attempt that sends what an earlier one sent, byte for byte: nothing is transformed, only signed anew.

use anyhow::Context as _;
use url::Url;

use crate::dispatch::{judge, signed_and_sent, timeout};
use crate::host::Host;
use crate::registry::CompiledSubscription;
use crate::stages::request;
use crate::stages::seal::MASK;
use hookmill_model::{Attempt, Delivery, Figures, Outcome, SentRequest, Subscription};

/// Why a request is not repeated.
pub const MOVED: &str = "it holds secrets, and the subscription has moved to another URL since: send it fresh";

/// Whether a request may go out again as it was. Secrets of today are not for who was told yesterday's: with any in it,
/// it goes to the subscription's present endpoint alone (whatever its query, which a plugin and a subscription append to).
pub fn may_repeat(sent: &SentRequest, subscription: &Subscription) -> bool {
    let secret = !sent.sealed.is_empty() || sent.headers.iter().any(|(_, value)| value == MASK);
    let now = &subscription.url;
    let same = |url: &Url| url.origin() == now.origin() && url.path() == now.path();
    !secret || Url::parse(&sent.url).is_ok_and(|url| same(&url))
}

/// Sends what the last attempt that came so far sent.
pub(super) async fn repeat(host: &Host, live: &CompiledSubscription, delivery: &Delivery) -> anyhow::Result<Attempt> {
    let subscription = &live.subscription;
    let found = host.store.delivery(&subscription.space, delivery.id).await?;
    let attempts = found.map(|(_, attempts)| attempts).unwrap_or_default();
    let last = attempts.into_iter().rev().find_map(|attempt| Some((attempt.request?, attempt.plugin_digest)));
    let (sent, plugin_digest) = last.context("nothing was sent that could be sent again")?;
    let number = delivery.attempts + 1;
    let again = request::repeat(&sent, &subscription.headers, number)?;
    let started_at = host.clock.now();
    let (request, outcome, send_us) = if may_repeat(&sent, subscription) {
        let (sent, answer) = signed_and_sent(host, subscription, delivery.id, &again, timeout(subscription)).await;
        (Some(sent), judge(subscription, answer.result), answer.took_us)
    } else {
        // It moved after somebody asked for this; whoever did sees it in the history.
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
