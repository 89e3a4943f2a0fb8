//! Reading and saving a subscription.

use std::sync::Arc;

use hookmill_model::{Activity, SpaceId, Subscription, SubscriptionId, SubscriptionState};

use crate::error::Error;
use crate::host::Host;
use crate::plugins::follow;
use crate::registry::Changing;
use crate::task::unbroken;

/// Returns a subscription of this space as stored.
///
/// # Errors
/// If there is none, or the store fails.
pub async fn find(host: &Host, space: &SpaceId, id: SubscriptionId) -> Result<(Subscription, Activity), Error> {
    let found = host.store.subscription(space, id).await?;
    found.ok_or_else(|| Error::not_found("subscription", id))
}

/// Changes a subscription by `edit` and saves it.
///
/// # Errors
/// If there is none, `edit` fails, or the store does: then nothing is changed.
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

/// Saves a subscription. If it is active, wakes the loops that may have work: held deliveries become due, and its
/// activation may have to be reported.
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

/// Moves a saved subscription on to the newest version that it follows: one may have been uploaded after its plugin was
/// chosen and before it was saved. A failure is logged and not returned, since the change is committed; the next upload
/// or start of the host moves the subscription on.
pub async fn catch_up(host: &Host, id: SubscriptionId) {
    if let Err(err) = follow::catch_up(host, id).await {
        tracing::error!(subscription.id = %id, error = &err as &dyn std::error::Error, "plugin versions not followed");
    }
}

/// Returns a saved subscription as it is stored now; as it was saved, if the store fails or it was deleted since.
pub async fn reread(host: &Host, saved: (Subscription, Activity)) -> (Subscription, Activity) {
    // The store logs its failure.
    find(host, &saved.0.space, saved.0.id).await.unwrap_or(saved)
}
