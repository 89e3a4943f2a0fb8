//! The alarms of the two loops that send notices.

use jiff::{SignedDuration, Timestamp};

use super::Alarm;
use crate::clock::after;
use crate::config::NotifyConfig;

/// The alarms and intervals of notices.
#[derive(Debug)]
pub struct Notices {
    /// The alarm for operational events to commit.
    pub events: Alarm,
    /// The alarm for mails to send.
    pub mails: Alarm,
    /// The time for which failures are collected before they are reported.
    pub window: SignedDuration,
    /// The time after a report in which no other is sent.
    pub quiet: SignedDuration,
}

impl Notices {
    /// Creates the alarms with the configured intervals.
    pub fn new(config: &NotifyConfig) -> Self {
        let NotifyConfig { window_s, quiet_s } = config;
        Self {
            events: Alarm::default(),
            mails: Alarm::default(),
            window: SignedDuration::from_secs((*window_s).into()),
            quiet: SignedDuration::from_secs((*quiet_s).into()),
        }
    }

    /// Sets the alarm after a failed delivery was counted.
    pub fn failed(&self, now: Timestamp) {
        self.events.due(after(now, self.window));
    }

    /// Sets the alarm after a notice was created.
    pub fn arose(&self, now: Timestamp) {
        self.events.due(now);
    }
}
