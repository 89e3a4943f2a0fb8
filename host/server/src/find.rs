//! Finds what a text may mean in a space: an id of any kind, or a part of a name.

use std::sync::Arc;

use hookmill_model::{SpaceId, Subscription, SubscriptionId};
use hookmill_store::LookupHit;

use crate::error::Error;
use crate::host::Host;
use crate::task::long_in_turn;

/// The longest text: longer than an event's id, and than most names.
pub const TEXT_CHARS_MAX: usize = 200;

/// The most hits: a person who sees so many types on.
pub const HITS_MAX: usize = 20;

/// The most plugins, and the most event types: they leave room for subscriptions.
const NAMES_MAX: usize = 5;

/// Subscriptions that are examined at a time, while the registry is locked for changes.
const PAGE: usize = 1_000;

/// Something that a text was found in.
#[derive(Clone, Debug)]
#[expect(clippy::large_enum_variant, reason = "a search returns twenty at most")]
pub enum Hit {
    /// The space itself.
    Space {
        /// Its name.
        name: String,
    },
    /// A subscription.
    Subscription {
        /// Its id.
        id: SubscriptionId,
        /// Its name.
        name: String,
    },
    /// Anything else.
    Other(LookupHit),
}

/// Returns what has this text as its id, and then what has it in its name, in upper or lower case.
///
/// # Errors
/// If the text is empty or too long, or the store fails.
pub async fn find(host: &Arc<Host>, space: &SpaceId, text: &str) -> Result<Vec<Hit>, Error> {
    let text = text.trim();
    if !(1..=TEXT_CHARS_MAX).contains(&text.chars().count()) {
        return Err(Error::parameter("q", format!("expected 1 to {TEXT_CHARS_MAX} characters")));
    }
    let found = host.store.find(space, text, NAMES_MAX).await?;
    let is_name = |hit: &LookupHit| matches!(hit, LookupHit::Plugin(_) | LookupHit::EventType(_));
    let (names, ids): (Vec<_>, Vec<_>) = found.into_iter().partition(is_name);
    let mut hits: Vec<_> = ids.into_iter().map(Hit::Other).collect();
    let by_id = text.parse().ok().and_then(|id| host.registry.get(id));
    let by_id = by_id.filter(|compiled| compiled.subscription.space == *space);
    hits.extend(by_id.map(|compiled| hit(&compiled.subscription)));
    let part = text.to_lowercase();
    let own = host.store.space(space).await?;
    let own = own.filter(|own| space.as_str().contains(&part) || own.name.to_lowercase().contains(&part));
    hits.extend(own.map(|own| Hit::Space { name: own.name }));
    let left = HITS_MAX.saturating_sub(hits.len() + names.len());
    let (all, of) = (host.clone(), space.clone());
    hits.extend(long_in_turn(space, move || named(&all, &of, &part, left)).await);
    hits.extend(names.into_iter().map(Hit::Other));
    Ok(hits)
}

fn hit(subscription: &Subscription) -> Hit {
    Hit::Subscription { id: subscription.id, name: subscription.name.clone() }
}

/// Returns up to `limit` of the oldest subscriptions with `part`, which is in lower case, in their names.
fn named(host: &Host, space: &SpaceId, part: &str, limit: usize) -> Vec<Hit> {
    let (mut hits, mut after) = (Vec::new(), None);
    loop {
        let page = host.registry.of_space(space, after, PAGE);
        let Some(last) = page.last() else { return hits };
        after = Some(last.subscription.id);
        for compiled in page.iter().filter(|compiled| compiled.subscription.name.to_lowercase().contains(part)) {
            if hits.len() == limit {
                return hits;
            }
            hits.push(hit(&compiled.subscription));
        }
    }
}
