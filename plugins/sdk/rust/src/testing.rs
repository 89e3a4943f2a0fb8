//! Runs a plugin as native code, for its own unit tests: no component build, no host.
//!
//! The contract's imports are simulated: log lines are collected and returned, and the placeholder of a secret is
//! `{{secret:name}}`, as in golden pairs. Limits are not enforced here; golden pairs (`hookmill plugin test`) test
//! those.

use std::cell::RefCell;

use crate::{Delivery, Event, Failure, Level, Outcome, Plugin, Subscription, config};

thread_local! {
    static LOGS: RefCell<Vec<(Level, String)>> = const { RefCell::new(Vec::new()) };
}

pub(crate) fn log(level: Level, message: &str) {
    LOGS.with_borrow_mut(|logs| logs.push((level, message.to_owned())));
}

/// The result of a transform.
#[derive(Debug)]
pub struct Transformed {
    /// The plugin's outcome or failure.
    pub result: Result<Outcome, Failure>,
    /// The lines that it logged.
    pub logs: Vec<(Level, String)>,
}

/// Returns a first attempt to deliver one event, with an empty configuration. Change the fields that the test is about.
pub fn delivery(kind: &str, data: &str) -> Delivery {
    let event = Event {
        id: "evt_1".into(),
        kind: kind.into(),
        occurred_at: "2026-04-29T11:13:55.021Z".into(),
        data: data.into(),
    };
    let subscription = Subscription {
        id: "sub_01K9ZQ4S1N8M0V6T3X5B7C2D4E".into(),
        name: "A test".into(),
        content_type: "application/json".into(),
        config: "{}".into(),
    };
    Delivery {
        id: "dlv_01K9ZQ4S1N8M0V6T3X5B7C2D4E".into(),
        attempt: 1,
        space: "acme".into(),
        subscription,
        events: vec![event],
        extra: vec![],
    }
}

/// Runs a plugin on a delivery, with its configuration parsed as on the host.
pub fn transform<P: Plugin>(delivery: Delivery) -> Transformed {
    LOGS.take();
    let result = config(&delivery.subscription.config).and_then(|config| P::transform(delivery, config));
    Transformed { result, logs: LOGS.take() }
}
