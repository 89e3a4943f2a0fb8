//! The alarms of the two loops that send notices.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use hookmill_model::SpaceId;
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
    /// Spaces that have sent a test mail, until they may send the next.
    tested: Mutex<HashMap<SpaceId, Timestamp>>,
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
            tested: Mutex::default(),
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

    /// Lets a space send a test mail, and the next one from `until` on.
    ///
    /// # Errors
    /// If the space has to wait: until when.
    pub fn take_test(&self, space: &SpaceId, now: Timestamp, until: Timestamp) -> Result<(), Timestamp> {
        let mut tested = self.tested.lock().unwrap_or_else(PoisonError::into_inner);
        tested.retain(|_, until| *until > now);
        match tested.get(space) {
            Some(until) => Err(*until),
            None => {
                tested.insert(space.clone(), until);
                Ok(())
            }
        }
    }
}
