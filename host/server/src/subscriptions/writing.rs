//! Creating, changing and deleting a subscription.

use std::sync::Arc;

use hookmill_model::Activity;
use hookmill_model::{SpaceId, Subscription, SubscriptionId, SubscriptionState};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::activation::{check_unchanged, shake_hands, verify};
use super::definition::Definition;
use super::saving::{catch_up, change, find, reread, save};
use super::{conflict, merge, profile};
use crate::error::{Code, Error};
use crate::host::Host;
use crate::json;
use crate::number::Whole;
use crate::plugins::versions;
use crate::quotas;
use crate::registry;
use crate::task::unbroken;

/// Attempts at a change that other changes of the same subscription get in the way of.
const PATCH_TRIES: u32 = 3;

/// Creates a subscription from its definition, and activates it unless it is a draft. If its endpoint does not pass the
/// handshake, the subscription stays `verifying`.
///
/// # Errors
/// If the definition is wrong or conflicts with another subscription, or the store fails: then nothing is created.
pub async fn create(
    host: &Arc<Host>,
    space: &SpaceId,
    definition: Map<String, Value>,
    allow_identical: bool,
) -> Result<(Subscription, Activity), Error> {
    let new = read(definition)?.check(host, space, None).await?;
    let host = Arc::clone(host);
    unbroken(async move {
        {
            let changing = host.registry.changing().await;
            let quota = host.quotas.limits(&new.space).subscriptions;
            quotas::check_count("subscriptions", quota, host.registry.count(&new.space) as u64)?;
            conflict::check(&changing, &new, allow_identical)?;
            versions::check_there(&host, &changing, &new, None).await.map_err(|err| err.at("/plugin"))?;
            save(&host, &changing, &new).await?;
        }
        // From here on it is committed: an error would make the caller create it twice.
        catch_up(&host, new.id).await;
        let (new, activity) = reread(&host, (new, Activity::default())).await;
        if let Err(err) = verify(&host, new.clone()).await {
            tracing::warn!(subscription.id = %new.id, error = err.detail(), "new subscription not activated");
        }
        Ok(reread(&host, (new, activity)).await)
    })
    .await
}

/// Merges a JSON merge patch (RFC 7396) into the definition of a subscription and saves the result.
///
/// # Errors
/// If the result is wrong or conflicts with another subscription, the endpoint does not pass a handshake that the
/// change requires, other changes keep getting in the way, or the store fails: then nothing is changed.
pub async fn patch(
    host: &Arc<Host>,
    space: SpaceId,
    id: SubscriptionId,
    patch: Map<String, Value>,
) -> Result<(Subscription, Activity), Error> {
    check_patch(&patch)?;
    let host = Arc::clone(host);
    unbroken(async move {
        let mut tries = 1;
        let saved = loop {
            match try_patch(&host, &space, id, patch.clone()).await {
                Err(err) if err.is(Code::SubscriptionState) && tries < PATCH_TRIES => tries += 1,
                result => break result?,
            }
        };
        // From here on it is committed.
        catch_up(&host, id).await;
        Ok(reread(&host, saved).await)
    })
    .await
}

/// Deletes a subscription; its deliveries that are not final are canceled.
///
/// # Errors
/// If there is none, or the store fails.
pub async fn delete(host: &Arc<Host>, space: SpaceId, id: SubscriptionId) -> Result<(), Error> {
    change(host, space, id, |subscription| {
        subscription.state = SubscriptionState::Deleted;
        Ok(())
    })
    .await?;
    Ok(())
}

/// Checks that a patch does not touch members that a change cannot have.
fn check_patch(patch: &Map<String, Value>) -> Result<(), Error> {
    let given = |name: &str| patch.get(name).is_some_and(|value| !value.is_null());
    for name in ["profile", "generation"] {
        if patch.contains_key(name) {
            return Err(Error::field(format!("/{name}"), "a subscription keeps its profile: create another one"));
        }
    }
    if patch.contains_key("state") {
        return Err(Error::field("/state", "the state is changed by POST …/activate and POST …/pause"));
    }
    if given("secret") && !given("signing") {
        return Err(Error::field("/secret", "the secret is changed by POST …/rotate-secret, which keeps the old one"));
    }
    Ok(())
}

/// Merges, checks and saves a change, if the subscription has not changed in the meantime. An active subscription with
/// a handshake moves to another URL only if the endpoint there passes.
async fn try_patch(
    host: &Host,
    space: &SpaceId,
    id: SubscriptionId,
    patch: Map<String, Value>,
) -> Result<(Subscription, Activity), Error> {
    let (old, activity) = find(host, space, id).await?;
    let definition = serde_json::to_value(Definition::of(old.clone())).map_err(|err| Error::internal(&err))?;
    let Value::Object(definition) = definition else { unreachable!("a struct is serialized as an object") };
    let mut new = read(merge::patched(definition, patch))?.check(host, space, Some(&old)).await?;
    let moves = new.state == SubscriptionState::Active && new.url != old.url;
    if let Some(handshake) = new.handshake.as_ref().filter(|_| moves) {
        let report = shake_hands(host, &new, handshake).await?;
        if !report.passed {
            return Err(Error::new(Code::HandshakeRejected, report.reason));
        }
        new.handshake_report = Some(report);
    }
    let changing = host.registry.changing().await;
    check_unchanged(host, &changing, &old).await?;
    // A subscription that was identical to another one before may stay so.
    conflict::check(&changing, &new, registry::identical(&old, &new))?;
    versions::check_there(host, &changing, &new, Some(&old)).await.map_err(|err| err.at("/plugin"))?;
    save(host, &changing, &new).await?;
    Ok((new, activity))
}

/// Profile that a definition names.
#[derive(Deserialize)]
struct ProfileChoice {
    profile: Option<String>,
    generation: Option<Whole<1, 100>>,
}

/// Reads a definition, with the defaults of its profile for members that are missing or null.
fn read(definition: Map<String, Value>) -> Result<Definition, Error> {
    let choice = ["profile", "generation"].into_iter().filter_map(|name| definition.get_key_value(name));
    let choice = choice.map(|(name, value)| (name.clone(), value.clone())).collect();
    let ProfileChoice { profile, generation } = json::from_value(Value::Object(choice))?;
    let (profile, generation) = (profile.as_deref().unwrap_or("standard"), generation.map_or(1, |number| number.0));
    let defaults = profile::defaults(profile, generation)?;
    json::from_value(merge::with_defaults(definition, defaults))
}
