//! Diagnose: why a webhook does not arrive. Runs the checks that a person would make one by one in one call.
//!
//! Each check is a small function that returns findings: what was found, in plain English, and what to do about it. Most
//! are pure; the endpoint is probed with the same client, address policy and signature as a delivery.
//!
//! A diagnosis is harmless: the endpoint gets one request, that of its handshake or a HEAD; nothing is written, and no
//! delivery is created. Its time is bounded by the limits of the lookup, the endpoint and the plugin.

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

use std::sync::Arc;

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

/// The number of recent events and deliveries that are examined: those that a person who asks still remembers.
const LAST: usize = 20;

/// Runs all checks. `test_event` is the event that a handshake by test event sends.
///
/// # Errors
/// If the host itself fails. Faults of the receiver, the plugin or the configuration are findings.
pub async fn diagnose(
    host: &Host,
    subscription: &Subscription,
    activity: Activity,
    test_event: Event,
) -> anyhow::Result<Vec<Finding>> {
    let mut found = vec![state::state(subscription, activity), scheme(subscription)];
    found.extend(spelling(&subscription.url, host.client.policy()));
    found.extend(reach(host, subscription, test_event.clone()).await?);
    let compiled = Arc::new(CompiledSubscription::new(subscription.clone()));
    let last = host.store.events(&subscription.space, None, LAST).await?.entries;
    let catalog = Catalog::read(&*host.store, &subscription.space, &subscription.event_types).await?;
    let mut judged = Vec::with_capacity(last.len());
    for event in &last {
        judged.push((event, host.registry.verdict(&compiled, event).await));
    }
    found.push(events::events(subscription, &judged));
    found.extend(catalog.unknown(&subscription.event_types, &last));
    found.extend(identical::identical(&host.registry, subscription));
    let matched = judged.iter().find(|(_, verdict)| *verdict == Verdict::Wanted).map(|(event, _)| (*event).clone());
    found.push(try_plugin(host, &compiled, matched, catalog, test_event).await?);
    let filter = DeliveryFilter { subscription: Some(subscription.id), ..DeliveryFilter::default() };
    let last = host.store.deliveries(&subscription.space, filter, LAST).await?.entries;
    found.push(deliveries::deliveries(subscription, activity, &last));
    Ok(found)
}

/// Checks the route to the endpoint, and its response.
async fn reach(host: &Host, subscription: &Subscription, test_event: Event) -> anyhow::Result<Vec<Finding>> {
    let url = &subscription.url;
    let (dns, addresses) = network::dns(host, &subscription.space, url).await;
    let policy = network::address_policy(url, &addresses, host.client.policy());
    if policy.grade != Grade::Ok {
        let unreachable = "the endpoint was not contacted, since none of its addresses can be reached";
        return Ok(vec![dns, policy, network::tls(url, None), Finding::skipped(Check::Endpoint, unreachable)]);
    }
    let question = endpoint::question(subscription);
    let probed = handshake::probe(host, subscription, &question, Some(test_event)).await?;
    let tls = network::tls(url, probed.result.as_ref());
    Ok(vec![dns, policy, tls, endpoint(subscription, &question, &probed)])
}

/// Runs the plugin on the newest event that matched, or on an example.
async fn try_plugin(
    host: &Host,
    compiled: &CompiledSubscription,
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
        (None, None) => return Ok(plugin::without_event(&compiled.subscription)),
    };
    let delivery = test_delivery(&compiled.subscription, DeliveryId::new(host.clock.now()), event.clone());
    let tried = dispatch::shape(host, compiled, &delivery, 1).await?;
    Ok(plugin::plugin(&compiled.subscription, &event, is_example, &tried))
}

/// Returns the API path of a subscription, or of a resource below it.
fn path(subscription: &Subscription, below: &str) -> String {
    format!("/v1/spaces/{}/subscriptions/{}{below}", subscription.space, subscription.id)
}
