//! Searches: what each filter finds, and that it costs what it returns.

use hookmill_model::{
    DeliveryId, DeliveryState, FaultCode, Outcome, Pattern, PluginFault, PluginFaultCode, SendFault, SendFaultCode,
    SpaceId, SubscriptionId,
};
use hookmill_store::{DeliveryFilter, Record, Store};

use super::{Kept, To as _, after, answered, delivered, event_at, record, space_called};

/// One delivery a second to two subscriptions in turn, each with a result of its own.
struct Searched {
    kept: Kept,
    subscriptions: [SubscriptionId; 2],
    all: Vec<DeliveryId>,
}

fn rejected(status: u16) -> Outcome {
    Outcome::Rejected(answered(status))
}

fn unreachable(code: SendFaultCode) -> Outcome {
    Outcome::Unreachable(SendFault { code, message: "Connection refused".to_owned() })
}

fn plugin_failed(code: PluginFaultCode) -> Outcome {
    Outcome::PluginFailed(PluginFault { code, message: "no field `email`".to_owned(), retry: false })
}

/// The results, in order of acceptance; the last delivery has none.
fn results() -> Vec<(Outcome, DeliveryState, &'static str)> {
    use DeliveryState::{Delivered, Failed, Pending, Skipped};
    vec![
        (Outcome::Succeeded(answered(204)), Delivered, ""),
        (rejected(503), Failed, "the receiver answered 503"),
        (rejected(500), Failed, "the receiver answered 500"),
        (rejected(404), Failed, "the receiver answered 404"),
        (rejected(503), Pending, "the receiver answered 503"),
        (unreachable(SendFaultCode::Connect), Failed, "Connection REFUSED by ÄRZTE.example"),
        (unreachable(SendFaultCode::Timeout), Pending, "no response in 15 s"),
        (plugin_failed(PluginFaultCode::Failed), Failed, "no field `email`"),
        (Outcome::Skipped("not ours".to_owned()), Skipped, "not ours"),
        (rejected(200), Failed, "the receiver answered 200, and its response reports a failure"),
    ]
}

async fn searched() -> Searched {
    let kept = Kept::new().await;
    let subscriptions = [kept.subscription().await.id, kept.subscription().await.id];
    let (results, mut all) = (results(), Vec::new());
    for number in 0..=results.len() {
        let at = after(60 * number as u64);
        let event = event_at(&kept.space, &format!("e{number}"), "{}", at).to(subscriptions[number % 2], at);
        all.push(event.deliveries[0].id);
        kept.store.accept(vec![event]).await.unwrap();
    }
    let leased = kept.lease_up_to(100, after(60 * results.len() as u64 - 1), after(10_000)).await;
    let mut records: Vec<Record> = Vec::new();
    for (number, (outcome, state, reason)) in results.into_iter().enumerate() {
        let of = leased.iter().find(|leased| leased.id == all[number]).unwrap();
        let reason = Some(reason.to_owned()).filter(|reason| !reason.is_empty());
        records.push(Record { reason, ..record(of, Some(outcome), state) });
    }
    kept.store.record(records.into()).await.unwrap();
    Searched { kept, subscriptions, all }
}

fn status(text: &str) -> DeliveryFilter {
    DeliveryFilter { status: Some(text.parse().unwrap()), ..DeliveryFilter::default() }
}

fn fault(text: &str) -> DeliveryFilter {
    DeliveryFilter { fault: Some(text.parse().unwrap()), ..DeliveryFilter::default() }
}

fn reason(text: &str) -> DeliveryFilter {
    DeliveryFilter { reason: Some(text.to_owned()), ..DeliveryFilter::default() }
}

impl Searched {
    /// The numbers of the deliveries found, newest first, on pages of one.
    async fn find(&self, filter: DeliveryFilter) -> Vec<usize> {
        let (mut found, mut before) = (Vec::new(), None);
        loop {
            let filter = DeliveryFilter { before, ..filter.clone() };
            let part = self.kept.store.deliveries(&self.kept.space, filter, 1).await.unwrap();
            let number = |id| self.all.iter().position(|one| *one == id).unwrap();
            found.extend(part.entries.iter().map(|head| number(head.id)));
            before = part.next;
            if before.is_none() {
                return found;
            }
        }
    }
}

#[tokio::test]
async fn a_status_is_that_of_the_last_attempt_alone_or_as_a_class() {
    let searched = searched().await;
    assert_eq!(searched.find(status("503")).await, [4, 1]);
    assert_eq!(searched.find(status("5xx")).await, [4, 2, 1]);
    assert_eq!(searched.find(status("4xx")).await, [3]);
    assert_eq!(searched.find(status("599")).await, [0; 0]);
    // Of a delivered one, or of one whose response reported a failure.
    assert_eq!(searched.find(status("204")).await, [0]);
    assert_eq!(searched.find(status("2xx")).await, [9, 0]);
    let failed = DeliveryFilter { state: Some(DeliveryState::Failed), ..status("2xx") };
    assert_eq!(searched.find(failed).await, [9]);
    let delivered = DeliveryFilter { state: Some(DeliveryState::Delivered), ..status("5xx") };
    assert_eq!(searched.find(delivered).await, [0; 0]);
}

#[tokio::test]
async fn an_attempt_that_is_followed_by_another_is_not_found_by_its_status() {
    let searched = searched().await;
    let again = searched.kept.lease(after(600)).await;
    let again: Vec<_> = again.into_iter().filter(|leased| leased.id == searched.all[4]).collect();
    searched.kept.store.record([delivered(&again[0])].into()).await.unwrap();
    assert_eq!(searched.find(status("503")).await, [1]);
    assert_eq!(searched.find(status("204")).await, [4, 0]);
}

#[tokio::test]
async fn a_delivery_with_several_attempts_of_one_status_is_found_once() {
    let searched = searched().await;
    for round in 1..4 {
        let again = searched.kept.lease(after(600 * round)).await;
        let again = again.iter().find(|leased| leased.id == searched.all[4]).unwrap();
        let record =
            Record { due_at: after(600 * round), ..record(again, Some(rejected(503)), DeliveryState::Pending) };
        searched.kept.store.record([record].into()).await.unwrap();
    }
    assert_eq!(searched.find(status("503")).await, [4, 1]);
    assert_eq!(searched.find(status("5xx")).await, [4, 2, 1]);
}

#[tokio::test]
async fn a_fault_is_found_by_its_name() {
    let searched = searched().await;
    assert_eq!(searched.find(fault("connect")).await, [5]);
    assert_eq!(searched.find(fault("timeout")).await, [6]);
    assert_eq!(searched.find(fault("failed")).await, [7]);
    assert_eq!(searched.find(fault("dns")).await, [0; 0]);
}

#[tokio::test]
async fn text_in_the_reason_is_found_in_upper_and_lower_case() {
    let searched = searched().await;
    assert_eq!(searched.find(reason("refused")).await, [5]);
    assert_eq!(searched.find(reason("ärzte")).await, [5]);
    assert_eq!(searched.find(reason("Answered 50")).await, [4, 2, 1]);
    assert_eq!(searched.find(reason("e")).await, [9, 7, 6, 5, 4, 3, 2, 1]);
    assert_eq!(searched.find(reason("elsewhere")).await, [0; 0]);
}

#[tokio::test]
async fn filters_of_failures_combine_with_each_other_and_the_rest() {
    let searched = searched().await;
    let [one, two] = searched.subscriptions;
    let to = |subscription, filter| DeliveryFilter { subscription: Some(subscription), ..filter };
    assert_eq!(searched.find(to(one, status("503"))).await, [4]);
    assert_eq!(searched.find(to(two, status("503"))).await, [1]);
    assert_eq!(searched.find(to(one, reason("answered"))).await, [4, 2]);
    assert_eq!(searched.find(to(two, fault("connect"))).await, [5]);
    assert_eq!(searched.find(to(one, fault("connect"))).await, [0; 0]);
    let since = DeliveryFilter { since: Some(after(120)), ..status("5xx") };
    assert_eq!(searched.find(since).await, [4, 2]);
    let until = DeliveryFilter { until: Some(after(240)), ..status("5xx") };
    assert_eq!(searched.find(until).await, [2, 1]);
    let pending = DeliveryFilter { state: Some(DeliveryState::Pending), ..status("5xx") };
    assert_eq!(searched.find(pending).await, [4]);
    let text = DeliveryFilter { reason: Some("404".to_owned()), ..status("4xx") };
    assert_eq!(searched.find(text).await, [3]);
    let event = DeliveryFilter { event: Some("e2".parse().unwrap()), ..status("5xx") };
    assert_eq!(searched.find(event).await, [2]);
    let other = DeliveryFilter { event: Some("e3".parse().unwrap()), ..status("5xx") };
    assert_eq!(searched.find(other).await, [0; 0]);
    let kind = DeliveryFilter { event_type: Some(Pattern::parse("lead.*").unwrap()), ..status("5xx") };
    assert_eq!(searched.find(kind).await, [4, 2, 1]);
    let kind = DeliveryFilter { event_type: Some(Pattern::parse("deal.*").unwrap()), ..status("5xx") };
    assert_eq!(searched.find(kind).await, [0; 0]);
}

#[tokio::test]
async fn a_space_finds_no_failures_of_another() {
    let searched = searched().await;
    let elsewhere = SpaceId::parse("other").unwrap();
    searched.kept.store.create_space(space_called(&elsewhere)).await.unwrap();
    for filter in [status("5xx"), fault("connect"), reason("answered")] {
        let found = searched.kept.store.deliveries(&elsewhere, filter, 10).await.unwrap();
        assert!(found.entries.is_empty());
    }
}

#[test]
fn every_fault_has_a_name_that_leads_back_to_it() {
    for code in FaultCode::ALL {
        assert_eq!(code.name().parse::<FaultCode>().unwrap(), code);
    }
    assert!("refused".parse::<FaultCode>().unwrap_err().to_string().contains("`address_refused`"));
}
