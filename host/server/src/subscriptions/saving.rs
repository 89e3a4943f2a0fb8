//! Reading, changing and saving a subscription.

use std::sync::Arc;

use hookmill_model::{Activity, SpaceId, Subscription, SubscriptionId, SubscriptionState};

use crate::error::Error;
use crate::host::Host;
use crate::registry::Changing;
use crate::task::unbroken;

/// A subscription of this space, as its row is.
///
/// # Errors
/// If there is none, or the store fails.
pub async fn find(host: &Host, space: &SpaceId, id: SubscriptionId) -> Result<(Subscription, Activity), Error> {
    let found = host.store.subscription(space, id).await?;
    found.ok_or_else(|| Error::not_found("subscription", id))
}

/// Changes a subscription by `edit`.
///
/// # Errors
/// If there is none, `edit` refuses, or the store fails: then nothing is changed.
pub async fn change(
    host: &Arc<Host>,
    space: SpaceId,
    id: SubscriptionId,
    edit: impl FnOnce(&mut Subscription) -> Result<(), Error> + Send + 'static,
) -> Result<(Subscription, Activity), Error> {
    let host = Arc::clone(host);
    unbroken(async move {
        let changing = host.registry.changing().await;
        let (mut subscription, activity) = find(&host, &space, id).await?;
        edit(&mut subscription)?;
        subscription.updated_at = host.clock.now();
        save(&host, &changing, &subscription).await?;
        Ok((subscription, activity))
    })
    .await
}

/// Saves a subscription, and wakes the loops that have work if it is active: deliveries that were held are due, and its
/// activation may be reported.
///
/// # Errors
/// If the store fails: then nothing is changed.
pub async fn save(host: &Host, changing: &Changing<'_>, subscription: &Subscription) -> Result<(), Error> {
    let now = host.clock.now();
    changing.save(subscription, now).await?;
    if subscription.state == SubscriptionState::Active {
        host.inbox.alarm().due(now);
        host.notices.arose(now);
    }
    Ok(())
}
