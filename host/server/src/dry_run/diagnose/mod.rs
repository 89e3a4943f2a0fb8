//! Diagnose: why does a webhook not come? The checks that somebody would make one by one, as one call.
//!
//! Each check is a small function over what it needs and gives findings: in plain words what is, and what to do. Most
//! are pure; the way to the endpoint is tried with the same client, address policy and signature as a delivery.
//!
//! It is harmless: the endpoint gets one request, that of its handshake or a HEAD, nothing is written, no delivery is
//! made. It is bounded by the lookup's limit, the endpoint's and the plugin's.

mod catalog;
mod deliveries;
mod distance;
mod endpoint;
mod events;
mod finding;
mod identical;
mod network;
mod plugin;
mod scheme;
mod spelling;
mod state;

use crate::dispatch::{self, handshake, test_delivery};
use crate::host::Host;
use crate::registry::CompiledSubscription;
use crate::stages::matching::Verdict;
use catalog::Catalog;
use hookmill_model::{Activity, DeliveryId, Event, Subscription};
use hookmill_store::DeliveryFilter;

pub use endpoint::endpoint;
pub use finding::{Check, Finding, Grade};
pub use scheme::scheme;
pub use spelling::spelling;

/// How many of the last events and deliveries are looked at: what somebody remembers who asks what went wrong.
const LAST: usize = 20;

/// Makes all checks. `test_event` is what a handshake by test event shows.
///
/// # Errors
/// If the host itself fails. What anybody else does wrong is a finding.
pub async fn diagnose(
    host: &Host,
    subscription: &Subscription,
    activity: Activity,
    test_event: Event,
) -> anyhow::Result<Vec<Finding>> {
    let mut found = vec![state::state(subscription, activity), scheme(subscription)];
    found.extend(spelling(&subscription.url, &host.config.send.allow_networks));
    found.extend(reach(host, subscription, test_event.clone()).await?);
    let live = CompiledSubscription::new(subscription.clone());
    let last = host.store.events(&subscription.space, None, LAST).await?;
    let catalog = Catalog::read(&*host.store, &subscription.space, &subscription.event_types).await?;
    let judged: Vec<_> = last.iter().map(|event| (event, host.registry.verdict(&live, event))).collect();
    found.push(events::events(subscription, &judged));
    found.extend(catalog.unknown(&subscription.event_types, &last));
    found.extend(identical::identical(&host.registry, subscription));
    let matched = judged.iter().find(|(_, verdict)| *verdict == Verdict::Wanted).map(|(event, _)| (*event).clone());
    found.push(rehearse(host, &live, matched, catalog, test_event).await?);
    let filter = DeliveryFilter { subscription: Some(subscription.id), ..DeliveryFilter::default() };
    let last = host.store.deliveries(&subscription.space, filter, LAST).await?;
    found.push(deliveries::deliveries(subscription, activity, &last));
    Ok(found)
}

/// The way to the endpoint, and what it answers.
async fn reach(host: &Host, subscription: &Subscription, test_event: Event) -> anyhow::Result<Vec<Finding>> {
    let url = &subscription.url;
    let (dns, addresses) = network::dns(url, &host.config.send.allow_networks).await;
    let policy = network::address_policy(url, &addresses, &host.config.send.allow_networks);
    if policy.grade != Grade::Ok {
        let unasked = "the endpoint was not asked, since there is no way to it";
        return Ok(vec![dns, policy, network::tls(url, None), Finding::skipped(Check::Endpoint, unasked)]);
    }
    let question = endpoint::question(subscription);
    let asked = handshake::ask(host, subscription, &question, Some(test_event)).await?;
    let tls = network::tls(url, asked.result.as_ref());
    Ok(vec![dns, policy, tls, endpoint(subscription, &question, &asked)])
}

/// Tries the plugin on the newest event that matched, or on an example.
async fn rehearse(
    host: &Host,
    live: &CompiledSubscription,
    matched: Option<Event>,
    catalog: Catalog,
    test_event: Event,
) -> anyhow::Result<Finding> {
    let is_example = matched.is_none();
    let event = match (matched, catalog.example) {
        (Some(event), _) => event,
        (None, Some((kind, example))) => {
            Event { kind, data: serde_json::value::to_raw_value(&example)?.into(), ..test_event }
        }
        (None, None) => return Ok(plugin::without_event(&live.subscription)),
    };
    let delivery = test_delivery(&live.subscription, DeliveryId::new(host.clock.now()), event.clone());
    let tried = dispatch::shape(host, live, &delivery, 1).await?;
    Ok(plugin::plugin(&live.subscription, &event, is_example, &tried))
}

/// The API's path of a subscription, or of something of it.
fn path(subscription: &Subscription, below: &str) -> String {
    format!("/v1/spaces/{}/subscriptions/{}{below}", subscription.space, subscription.id)
}
