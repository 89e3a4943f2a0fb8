//! Rotation of a subscription's signing secrets.
//!
//! A rotation puts a new secret first and keeps the previous ones, with which every request is signed too, so that a
//! receiver can switch over at its own pace. The previous secrets stay until the caller ends them.

use std::sync::Arc;

use hookmill_model::{Secret, SpaceId, Subscription, SubscriptionId};

use super::saving::change;
use crate::error::{Code, Error};
use crate::host::Host;

/// Each signs every request, and a receiver tries all of the signatures.
const SECRETS_MAX: usize = 5;

/// Adds a signing secret, a generated one if none is given, and keeps the newest `keep_previous` of the present ones;
/// all of them if there is no number.
///
/// # Errors
/// If the signing scheme cannot use the secret, there would be more than 5, or the store fails.
pub async fn rotate(
    host: &Arc<Host>,
    space: SpaceId,
    id: SubscriptionId,
    secret: Option<Secret>,
    keep_previous: Option<u32>,
) -> Result<Subscription, Error> {
    let (subscription, _) = change(host, space, id, move |subscription| {
        let secret = secret.unwrap_or_else(|| subscription.signing.new_secret());
        subscription.signing.check_secret(&secret).map_err(|right| Error::field("/secret", right))?;
        let secrets = &mut subscription.secrets;
        secrets.truncate(keep_previous.map_or(usize::MAX, |keep| keep as usize));
        if secrets.len() >= SECRETS_MAX {
            let detail = "the subscription has 5 secrets: end some with `keep_previous`, or DELETE …/secrets/previous";
            return Err(Error::new(Code::SecretsMax, detail));
        }
        secrets.insert(0, secret);
        Ok(())
    })
    .await?;
    Ok(subscription)
}

/// Ends all signing secrets except the newest.
///
/// # Errors
/// If there is no such subscription, or the store fails.
pub async fn end_previous(host: &Arc<Host>, space: SpaceId, id: SubscriptionId) -> Result<(), Error> {
    change(host, space, id, |subscription| {
        subscription.secrets.truncate(1);
        Ok(())
    })
    .await?;
    Ok(())
}
