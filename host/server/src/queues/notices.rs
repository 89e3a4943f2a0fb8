//! When there are notices to send: the alarms of the two loops that send them.

use jiff::{SignedDuration, Timestamp};

use super::Alarm;
use crate::config::NotifyConfig;

/// What the loops of notices sleep on.
#[derive(Debug)]
pub struct Notices {
    /// Operational events to commit.
    pub events: Alarm,
    /// Mails to send.
    pub mails: Alarm,
    /// How long failures are collected before they are reported.
    pub window: SignedDuration,
    /// How long it is quiet after that.
    pub quiet: SignedDuration,
}

impl Notices {
    /// From the configuration.
    pub fn new(config: &NotifyConfig) -> Self {
        let NotifyConfig { window_s, quiet_s } = config;
        Self {
            events: Alarm::default(),
            mails: Alarm::default(),
            window: SignedDuration::from_secs((*window_s).into()),
            quiet: SignedDuration::from_secs((*quiet_s).into()),
        }
    }

    /// A failed delivery was counted.
    pub fn failed(&self, now: Timestamp) {
        self.events.due(now.checked_add(self.window).unwrap_or(Timestamp::MAX));
    }

    /// A notice arose.
    pub fn arose(&self, now: Timestamp) {
        self.events.due(now);
    }
}
