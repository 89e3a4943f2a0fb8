//! What two subscriptions of a space cannot both be.
//!
//! Who asks holds [`Registry::changing`], so that nobody saves another one meanwhile.

use crate::error::{Code, Error};
use crate::registry::{Registry, identical};
use hookmill_model::Subscription;

/// Checks that `new` is not identical with another one, unless that is allowed, and that none of its fields triggers
/// another one already.
pub fn check(registry: &Registry, new: &Subscription, allow_identical: bool) -> Result<(), Error> {
    let others = registry.sending_to(&new.space, &new.url);
    let same = others.iter().find(|other| other.subscription.id != new.id && identical(&other.subscription, new));
    if let Some(other) = same.filter(|_| !allow_identical) {
        let Subscription { id, name, .. } = &other.subscription;
        return Err(Error::new(
            Code::SubscriptionIdentical,
            format!(
                "`{name}` ({id}) sends the same events to the same URL on the same trigger: change that one, or create \
                 this one with ?allow_identical=true"
            ),
        ));
    }
    for field in new.trigger.iter().flat_map(|trigger| &trigger.fields) {
        if let Some(other) = registry.triggered_by(&new.space, field).filter(|other| other.subscription.id != new.id) {
            let Subscription { id, name, .. } = &other.subscription;
            let detail =
                format!("the field `{field}` triggers `{name}` ({id}) already: a field triggers one subscription");
            return Err(Error::new(Code::TriggerTaken, detail));
        }
    }
    Ok(())
}
