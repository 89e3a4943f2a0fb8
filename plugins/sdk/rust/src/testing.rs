//! Runs a plugin as native code, for its own unit tests: no build, no host.
//!
//! What the contract imports is played here: log lines are kept and given back, and the placeholder of a secret is
//! `{{secret:name}}`, as golden pairs show it. Limits are the host's: golden pairs (`hookmill plugin test`) try those.

use std::cell::RefCell;

use crate::{Delivery, Event, Failure, Level, Outcome, Plugin, Subscription, config};

thread_local! {
    static LOGS: RefCell<Vec<(Level, String)>> = const { RefCell::new(Vec::new()) };
}

pub(crate) fn log(level: Level, message: &str) {
    LOGS.with_borrow_mut(|logs| logs.push((level, message.to_owned())));
}

/// What came of a transform.
#[derive(Debug)]
pub struct Transformed {
    /// What the plugin decided, or how it failed.
    pub result: Result<Outcome, Failure>,
    /// What it logged.
    pub logs: Vec<(Level, String)>,
}

/// A first attempt to deliver one event, with an empty configuration. Change what the test is about.
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

/// Runs a plugin on a delivery, its configuration read as on the host.
pub fn transform<P: Plugin>(delivery: Delivery) -> Transformed {
    LOGS.take();
    let result = config(&delivery.subscription.config).and_then(|config| P::transform(delivery, config));
    Transformed { result, logs: LOGS.take() }
}
