//! Conflicts between the subscriptions of a space.

use hookmill_model::Subscription;

use crate::error::{Code, Error};
use crate::registry::{Changing, identical};

/// Checks that `new` is not identical to another subscription, unless that is allowed, and that none of its trigger
/// fields triggers another one.
///
/// # Errors
/// If there is such a conflict.
pub fn check(changing: &Changing<'_>, new: &Subscription, allow_identical: bool) -> Result<(), Error> {
    let registry = changing.registry();
    let others = registry.sending_to(&new.space, &new.url);
    let same = others.iter().find(|other| other.subscription.id != new.id && identical(&other.subscription, new));
    if let Some(other) = same.filter(|_| !allow_identical) {
        let Subscription { id, name, .. } = &other.subscription;
        return Err(Error::new(
            Code::SubscriptionIdentical,
            format!(
                "`{name}` ({id}) sends the same events to the same URL on the same trigger: change that subscription, \
                 or create this one with ?allow_identical=true"
            ),
        ));
    }
    for field in new.trigger.iter().flat_map(|trigger| &trigger.fields) {
        if let Some(other) = registry.triggered_by(&new.space, field).filter(|other| other.subscription.id != new.id) {
            let Subscription { id, name, .. } = &other.subscription;
            let detail =
                format!("the field `{field}` already triggers `{name}` ({id}): a field triggers one subscription");
            return Err(Error::new(Code::TriggerTaken, detail));
        }
    }
    Ok(())
}
