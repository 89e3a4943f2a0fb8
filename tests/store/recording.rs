use bytes::Bytes;
use hookmill_model::{
    Activity, Answer, Attempt, Delivery, DeliveryState, Digest, Figures, LogLevel, LogLine, Outcome, PauseReason,
    PluginFault, PluginFaultCode, SendFault, SendFaultCode, SentRequest, SubscriptionState,
};
use hookmill_store::{Command, Commanded, Recorded, Store};

use super::{Kept, after, answered, attempt, delivered, ids, now, record};

/// A store with one leased delivery.
async fn leased() -> (Kept, Delivery) {
    let kept = Kept::new().await;
    let subscription = kept.subscription().await.id;
    kept.delivery(subscription, now()).await;
    let leased = kept.lease(now()).await.remove(0);
    (kept, leased)
}

async fn write(kept: &Kept, record: hookmill_store::Record) {
    let recorded = kept.store.record(vec![record].into()).await.unwrap();
    assert!(matches!(recorded[..], [Recorded::Written { .. }]), "{recorded:?}");
}

async fn activity(kept: &Kept, of: &Delivery) -> Activity {
    kept.store.subscription(&kept.space, of.subscription_id).await.unwrap().unwrap().1
}

#[tokio::test]
async fn a_success_ends_a_delivery() {
    let (kept, leased) = leased().await;
    write(&kept, delivered(&leased)).await;

    let (delivery, attempts) = kept.read(leased.id).await;
    assert_eq!((delivery.state, delivery.attempts), (DeliveryState::Delivered, 1));
    assert_eq!((delivery.leased_until, delivery.completed_at), (None, Some(after(2))));
    assert_eq!(attempts, [attempt(leased.id, 1, Outcome::Succeeded(answered(204)))]);
    assert!(kept.lease(after(100_000)).await.is_empty());
}

#[tokio::test]
async fn a_failure_is_due_again_at_the_time_that_was_decided() {
    let (kept, leased) = leased().await;
    write(&kept, record(&leased, Some(Outcome::Rejected(answered(500))), DeliveryState::Pending)).await;

    assert_eq!(kept.next_due().await, Some(after(300)));
    let again = kept.lease(after(300)).await.remove(0);
    assert_eq!((again.attempts, again.completed_at, again.reason.as_deref()), (1, None, Some("because")));
}

#[tokio::test]
async fn whats_recorded_twice_is_written_once() {
    let (kept, leased) = leased().await;
    let answers = kept.store.record(vec![delivered(&leased), delivered(&leased)].into()).await.unwrap();

    assert_eq!(answers, [Recorded::Written { paused: false }, Recorded::Stale]);
    assert_eq!(kept.read(leased.id).await.1.len(), 1);
}

#[tokio::test]
async fn an_attempt_comes_back_as_it_was_made() {
    let request = SentRequest {
        method: "POST".to_owned(),
        url: "https://example.com/hook?a=%C3%A9".to_owned(),
        headers: vec![("x-a".to_owned(), "é\"".to_owned()), ("x-a".to_owned(), String::new())],
        body: Bytes::from_static(b"{\"p\":12.50,\"n\":1e400,\"p\":12345678901234567890}\x00\xff\xfe"),
        signature_headers: 1,
        sealed: vec![],
    };
    let answer = Answer {
        status: 200,
        headers: vec![("date".to_owned(), "Sat, 21 Nov 2026 12:00:01 GMT".to_owned())],
        body: Bytes::from_static(b"\xff\x00ok"),
        truncated: true,
    };
    let send_fault = SendFault { code: SendFaultCode::Timeout, message: "15 s passed".to_owned() };
    let plugin_fault = PluginFault { code: PluginFaultCode::OutOfFuel, message: "endless".to_owned(), retry: false };
    let outcomes = [
        Outcome::Succeeded(answer.clone()),
        Outcome::Rejected(answer),
        Outcome::Unreachable(send_fault),
        Outcome::Skipped("not wanted".to_owned()),
        Outcome::PluginFailed(plugin_fault),
    ];
    for outcome in outcomes {
        let (kept, leased) = leased().await;
        let whole = Attempt {
            request: Some(request.clone()),
            plugin_digest: Some(Digest::of(b"component")),
            plugin_fault: Some(PluginFault { code: PluginFaultCode::Trapped, message: "bang".to_owned(), retry: true }),
            figures: Figures {
                fuel_used: 17_000,
                fuel_max: 50_000_000,
                memory_bytes: 1 << 20,
                memory_bytes_max: 1 << 26,
                transform_us: 31,
            },
            logs: vec![LogLine { level: LogLevel::Warn, message: "odd\n\u{1F4E6}".to_owned() }],
            ..attempt(leased.id, 1, outcome)
        };
        let recorded = hookmill_store::Record { attempt: Some(whole.clone()), ..delivered(&leased) };
        write(&kept, recorded).await;

        assert_eq!(kept.reopened().read(leased.id).await.1, [whole]);
    }
}

#[tokio::test]
async fn failures_in_a_row_are_counted_until_a_success() {
    let kept = Kept::new().await;
    let subscription = kept.subscription().await.id;
    for _ in 0..7 {
        kept.delivery(subscription, now()).await;
    }
    let leased = kept.lease(now()).await;
    let refused = |of| record(of, Some(Outcome::Rejected(answered(500))), DeliveryState::Pending);
    let skipped = record(&leased[2], Some(Outcome::Skipped("no".to_owned())), DeliveryState::Skipped);

    assert_eq!(activity(&kept, &leased[0]).await, Activity::default());
    kept.store.record(vec![refused(&leased[0]), refused(&leased[1]), skipped].into()).await.unwrap();
    assert_eq!(
        activity(&kept, &leased[0]).await,
        Activity { failure_streak: 2, last_triggered_at: Some(after(1)), ..Activity::default() }
    );
    kept.store.record(vec![refused(&leased[3])].into()).await.unwrap();
    assert_eq!(activity(&kept, &leased[0]).await.failure_streak, 3);
    kept.store.record(vec![refused(&leased[4]), delivered(&leased[5]), refused(&leased[6])].into()).await.unwrap();
    assert_eq!(activity(&kept, &leased[0]).await.failure_streak, 1);
}

#[tokio::test]
async fn a_stale_record_counts_for_nothing() {
    let (kept, leased) = leased().await;
    kept.store.hand_back(vec![(leased.id, leased.leased_until.unwrap())]).await.unwrap();
    let mut gone = record(&leased, Some(Outcome::Rejected(answered(410))), DeliveryState::Failed);
    gone.pause_policy.on_gone = true;

    assert_eq!(kept.store.record(vec![gone].into()).await.unwrap(), [Recorded::Stale]);

    let (subscription, activity) = kept.store.subscription(&kept.space, leased.subscription_id).await.unwrap().unwrap();
    assert_eq!((subscription.state, activity), (SubscriptionState::Active, Activity::default()));
    assert!(kept.read(leased.id).await.1.is_empty());
}

#[tokio::test]
async fn a_receiver_that_is_gone_pauses_its_subscription_unless_a_caller_did() {
    let (kept, leased) = leased().await;
    let mut gone = record(&leased, Some(Outcome::Rejected(answered(410))), DeliveryState::Failed);
    gone.pause_policy.on_gone = true;
    write(&kept, gone).await;

    let (mut subscription, _) = kept.store.subscription(&kept.space, leased.subscription_id).await.unwrap().unwrap();
    assert_eq!(subscription.state, SubscriptionState::Paused);
    assert_eq!(subscription.pause_reason, Some(PauseReason::Gone));
    assert_eq!(subscription.updated_at, now());

    subscription.pause_reason = Some(PauseReason::Requested);
    kept.store.put_subscription(&subscription, after(1)).await.unwrap();
    kept.delivery(subscription.id, now()).await;
    let second = kept.lease(now()).await.remove(0);
    let mut gone = record(&second, Some(Outcome::Rejected(answered(410))), DeliveryState::Failed);
    gone.pause_policy.on_gone = true;
    write(&kept, gone).await;
    let (subscription, _) = kept.store.subscription(&kept.space, subscription.id).await.unwrap().unwrap();
    assert_eq!(subscription.pause_reason, Some(PauseReason::Requested));
}

#[tokio::test]
async fn what_is_held_goes_on_when_its_subscription_is_activated() {
    let (kept, leased) = leased().await;
    let (mut subscription, _) = kept.store.subscription(&kept.space, leased.subscription_id).await.unwrap().unwrap();
    subscription.state = SubscriptionState::Paused;
    kept.store.put_subscription(&subscription, now()).await.unwrap();
    write(&kept, record(&leased, None, DeliveryState::Held)).await;
    assert_eq!(kept.state(leased.id).await, DeliveryState::Held);
    assert!(kept.lease(after(1_000)).await.is_empty());

    subscription.state = SubscriptionState::Active;
    kept.store.put_subscription(&subscription, after(1_000)).await.unwrap();

    assert_eq!(kept.next_due().await, Some(after(1_000)));
    assert_eq!(ids(&kept.lease(after(1_000)).await), [leased.id]);
}

#[tokio::test]
async fn nothing_is_held_for_a_subscription_that_is_no_longer_paused() {
    for (state, then) in
        [(SubscriptionState::Active, DeliveryState::Pending), (SubscriptionState::Deleted, DeliveryState::Cancelled)]
    {
        let (kept, leased) = leased().await;
        let (mut subscription, _) =
            kept.store.subscription(&kept.space, leased.subscription_id).await.unwrap().unwrap();
        subscription.state = state;
        kept.store.put_subscription(&subscription, now()).await.unwrap();

        write(&kept, record(&leased, None, DeliveryState::Held)).await;

        assert_eq!(kept.state(leased.id).await, then);
    }
}

#[tokio::test]
async fn a_deleted_subscriptions_deliveries_are_cancelled_but_not_one_being_sent() {
    let (kept, being_sent) = leased().await;
    let (mut subscription, _) =
        kept.store.subscription(&kept.space, being_sent.subscription_id).await.unwrap().unwrap();
    let other = kept.subscription().await.id;
    let waiting = kept.delivery(subscription.id, after(100)).await;
    let unconcerned = kept.delivery(other, after(100)).await;

    subscription.state = SubscriptionState::Deleted;
    kept.store.put_subscription(&subscription, after(1)).await.unwrap();

    let (cancelled, _) = kept.read(waiting).await;
    assert_eq!((cancelled.state, cancelled.completed_at), (DeliveryState::Cancelled, Some(after(1))));
    assert_eq!(kept.state(being_sent.id).await, DeliveryState::Pending);
    assert_eq!(kept.state(unconcerned).await, DeliveryState::Pending);
    assert!(kept.store.subscription(&kept.space, subscription.id).await.unwrap().is_none());
    write(&kept, delivered(&being_sent)).await;
}

#[tokio::test]
async fn a_caller_can_cancel_what_goes_on_and_retry_what_does_not() {
    let (kept, leased) = leased().await;
    let id = leased.id;
    let command = async |command, at| kept.store.command(&kept.space, id, command, at).await.unwrap();

    assert_eq!(command(Command::Cancel, after(1)).await, Commanded::InFlight);
    assert_eq!(command(Command::Resend { verbatim: false }, after(1)).await, Commanded::InFlight);
    write(&kept, record(&leased, Some(Outcome::Rejected(answered(500))), DeliveryState::Pending)).await;
    assert_eq!(command(Command::Resend { verbatim: false }, after(10)).await, Commanded::Done);
    assert_eq!(kept.next_due().await, Some(after(10)));
    assert_eq!(command(Command::Cancel, after(11)).await, Commanded::Done);
    assert_eq!(command(Command::Cancel, after(12)).await, Commanded::NotIn(DeliveryState::Cancelled));
    assert_eq!(kept.next_due().await, None);
    assert_eq!(command(Command::Resend { verbatim: false }, after(13)).await, Commanded::Done);
    let again = kept.lease(after(13)).await.remove(0);
    assert_eq!((again.attempts, again.completed_at, again.reason), (1, None, None));
}

#[tokio::test]
async fn an_expired_lease_does_not_block_a_caller() {
    let (kept, leased) = leased().await;
    assert_eq!(kept.store.command(&kept.space, leased.id, Command::Cancel, after(60)).await.unwrap(), Commanded::Done);
    assert_eq!(kept.store.record(vec![delivered(&leased)].into()).await.unwrap(), [Recorded::Stale]);
}

#[tokio::test]
async fn what_is_held_can_be_cancelled_but_not_retried() {
    let (kept, leased) = leased().await;
    let (mut subscription, _) = kept.store.subscription(&kept.space, leased.subscription_id).await.unwrap().unwrap();
    subscription.state = SubscriptionState::Paused;
    kept.store.put_subscription(&subscription, now()).await.unwrap();
    write(&kept, record(&leased, None, DeliveryState::Held)).await;

    let command = async |command| kept.store.command(&kept.space, leased.id, command, after(9)).await.unwrap();
    assert_eq!(command(Command::Resend { verbatim: false }).await, Commanded::NotIn(DeliveryState::Held));
    assert_eq!(command(Command::Cancel).await, Commanded::Done);
    assert_eq!(kept.state(leased.id).await, DeliveryState::Cancelled);
}

#[tokio::test]
async fn a_delivery_of_another_space_is_unknown() {
    let (kept, leased) = leased().await;
    let elsewhere = hookmill_model::SpaceId::parse("other").unwrap();
    kept.store.create_space(super::space_called(&elsewhere)).await.unwrap();

    let commanded = kept.store.command(&elsewhere, leased.id, Command::Cancel, after(100)).await.unwrap();

    assert_eq!(commanded, Commanded::Unknown);
    assert!(kept.store.delivery(&elsewhere, leased.id).await.unwrap().is_none());
}
