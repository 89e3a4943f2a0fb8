//! Pinned plugins, failures of plugins in a row, and deleted versions.

use std::sync::Arc;

use bytes::Bytes;
use hookmill_model::{
    Delivery, DeliveryState, Digest, Outcome, PausePolicy, PauseReason, PinnedPlugin, Plugin, PluginFault,
    PluginFaultCode,
};
use hookmill_store::{Command, Commanded, DeletedPlugin, Record, Recorded, Store as _, WaitingDeliveries};

use super::resources::plugin;
use super::{Kept, after, answered, delivered, now, record};

const COMPONENT: Bytes = Bytes::from_static(b"component");

fn setup(config: &str) -> Arc<PinnedPlugin> {
    Arc::new(PinnedPlugin { digest: Some(Digest::of(&COMPONENT)), config: config.to_owned() })
}

/// A store with a plugin and leased deliveries of one subscription.
async fn leased(count: usize) -> (Kept, Plugin, Vec<Delivery>) {
    let kept = Kept::new().await;
    let plugin = plugin(Some(&kept.space), "1.0.0", &COMPONENT);
    assert!(kept.store.put_plugin(&plugin, COMPONENT).await.unwrap());
    let subscription = kept.subscription().await.id;
    for _ in 0..count {
        kept.delivery(subscription, now()).await;
    }
    let leased = kept.lease(now()).await;
    (kept, plugin, leased)
}

/// The record of a rejected attempt, after which a retry is due.
fn refused(leased: &Delivery, pinned: Option<Arc<PinnedPlugin>>) -> Record {
    let refused = record(leased, Some(Outcome::Rejected(answered(500))), DeliveryState::Pending);
    Record { pinned, ..refused }
}

fn setups(kept: &Kept) -> i64 {
    kept.beside().query_row("SELECT count(*) FROM pinned_plugins", [], |row| row.get(0)).unwrap()
}

#[tokio::test]
async fn deliveries_share_a_pinned_plugin_until_the_last_of_them_ends() {
    let (kept, _, leased) = leased(3).await;
    let exact = setup(r#"{"n":12.50}"#);
    let default = Arc::new(PinnedPlugin { digest: None, config: String::new() });
    let first = [exact.clone(), exact.clone(), default.clone()];
    let records = leased.iter().zip(&first).map(|(leased, setup)| refused(leased, Some(setup.clone()))).collect();
    kept.store.record(records).await.unwrap();
    assert_eq!(setups(&kept), 2);

    let kept = kept.reopened();
    let again = kept.lease(after(300)).await;
    let found: Vec<_> = again.iter().map(|delivery| delivery.pinned.clone().unwrap()).collect();
    assert_eq!(found, first);
    // The plugin of the first attempt stays pinned, whatever later records state.
    kept.store.record(vec![refused(&again[0], Some(setup("{}")))].into()).await.unwrap();
    assert_eq!(kept.read(again[0].id).await.0.pinned, Some(exact.clone()));
    let done = |delivery: &Delivery| Record { pinned: delivery.pinned.clone(), ..delivered(delivery) };
    kept.store.record(vec![done(&again[1]), done(&again[2])].into()).await.unwrap();
    assert_eq!(kept.read(again[1].id).await.0.pinned, None);
    let [third] = &kept.lease(after(600)).await[..] else { panic!("one is due") };
    assert_eq!(third.pinned, Some(exact));
    assert_eq!(setups(&kept), 1);
    kept.store.record(vec![done(third)].into()).await.unwrap();
    assert_eq!(setups(&kept), 0);
    assert_eq!(kept.beside().query_row("SELECT count(pinned) FROM waiting", [], |row| row.get(0)), Ok(0_i64));
}

#[tokio::test]
async fn a_fresh_resend_drops_the_pinned_plugin_and_a_verbatim_one_does_not() {
    let (kept, _, leased) = leased(1).await;
    kept.store.record(vec![refused(&leased[0], Some(setup("{}")))].into()).await.unwrap();
    let retry = async |verbatim| {
        let command = Command::Resend { verbatim };
        kept.store.command(&kept.space, leased[0].id, command, after(9)).await.unwrap()
    };
    // No request was stored, so there is none to resend.
    assert_eq!(retry(true).await, Commanded::NothingSent);
    assert_eq!(kept.read(leased[0].id).await.0.pinned, Some(setup("{}")));
    assert_eq!(retry(false).await, Commanded::Done);
    assert_eq!((kept.read(leased[0].id).await.0.pinned, setups(&kept)), (None, 0));
}

#[tokio::test]
async fn a_version_with_which_deliveries_wait_is_not_deleted() {
    let (kept, plugin, leased) = leased(3).await;
    let records = leased.iter().map(|leased| refused(leased, Some(setup("{}")))).collect();
    kept.store.record(records).await.unwrap();
    let delete = async |limit| kept.store.delete_plugin(&plugin, true, limit).await.unwrap();
    let first = leased[..2].iter().map(|delivery| (delivery.id, delivery.subscription_id)).collect();
    assert_eq!(delete(2).await, DeletedPlugin::InUse(WaitingDeliveries { count: 3, first }));
    assert_eq!(kept.store.component(plugin.digest).await.unwrap(), Some(COMPONENT));
    for delivery in &leased {
        kept.store.command(&kept.space, delivery.id, Command::Cancel, after(9)).await.unwrap();
    }
    assert_eq!(delete(2).await, DeletedPlugin::Done);
    assert_eq!(kept.store.component(plugin.digest).await.unwrap(), None);
    assert_eq!(kept.store.plugins(&kept.space, None).await.unwrap(), []);
}

#[tokio::test]
async fn a_component_stays_if_a_bundled_plugin_uses_it_or_the_caller_wants_that() {
    let (kept, plugin, _) = leased(0).await;
    let bundled = Plugin { space: None, ..plugin.clone() };
    kept.store.put_plugin(&bundled, COMPONENT).await.unwrap();
    assert_eq!(kept.store.delete_plugin(&plugin, true, 1).await.unwrap(), DeletedPlugin::Done);
    assert_eq!(kept.store.plugins(&kept.space, None).await.unwrap(), [bundled]);
    assert_eq!(kept.store.component(plugin.digest).await.unwrap(), Some(COMPONENT));

    let (kept, plugin, _) = leased(0).await;
    assert_eq!(kept.store.delete_plugin(&plugin, false, 1).await.unwrap(), DeletedPlugin::Done);
    assert_eq!(kept.store.component(plugin.digest).await.unwrap(), Some(COMPONENT));
}

#[tokio::test]
async fn an_attempt_is_recorded_although_its_version_was_deleted_meanwhile() {
    let (kept, plugin, leased) = leased(1).await;
    kept.store.delete_plugin(&plugin, true, 1).await.unwrap();
    let recorded = kept.store.record(vec![refused(&leased[0], Some(setup("{}")))].into()).await.unwrap();
    assert_eq!(recorded, [Recorded::Written { paused: false }]);
    let (delivery, attempts) = kept.read(leased[0].id).await;
    assert_eq!((delivery.state, delivery.pinned, attempts.len()), (DeliveryState::Pending, None, 1));
}

#[tokio::test]
async fn failures_of_a_plugin_are_counted_over_one_batch_of_records_and_the_next() {
    let (kept, _, leased) = leased(8).await;
    let fault = |n: usize| PluginFault { code: PluginFaultCode::Failed, message: format!("no {n}"), retry: false };
    let pause_policy = PausePolicy { after_plugin_failures: Some(3), ..PausePolicy::default() };
    let failed = |n: usize| {
        let failed = record(&leased[n], Some(Outcome::PluginFailed(fault(n))), DeliveryState::Failed);
        Record { pause_policy, current_plugin: true, ..failed }
    };
    let worked = |n: usize| Record { pause_policy, current_plugin: true, ..refused(&leased[n], None) };
    let in_a_row = async || {
        let subscription = leased[0].subscription_id;
        kept.store.subscription(&kept.space, subscription).await.unwrap().unwrap()
    };
    let other = Record { current_plugin: false, ..failed(3) };
    let test = Record { test: true, ..failed(4) };
    kept.store.record(vec![failed(0), failed(1), worked(2), other, test, failed(5)].into()).await.unwrap();
    assert_eq!(in_a_row().await.1.plugin_failures, 1);
    let mut default_shape = worked(6);
    default_shape.attempt.as_mut().unwrap().plugin_fault = Some(fault(6));
    assert_eq!(kept.store.record(vec![default_shape].into()).await.unwrap(), [Recorded::Written { paused: false }]);
    assert_eq!(kept.store.record(vec![failed(7)].into()).await.unwrap(), [Recorded::Written { paused: true }]);
    let (subscription, activity) = in_a_row().await;
    assert_eq!((subscription.pause_reason, activity.plugin_failures), (Some(PauseReason::PluginFailures), 3));
    let detail = "the plugin failed 3 times in a row; last failure: no 7";
    assert_eq!(subscription.pause_detail.as_deref(), Some(detail));
}
