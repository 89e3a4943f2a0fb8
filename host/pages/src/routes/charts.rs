//! The charts of a space and of a subscription: the last hour by minutes, the last day by hours.

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use crate::chart::{self, Step};
use crate::page::{Page, PageError};

/// Both charts as SVG, and the sums of the last hour.
pub(super) struct Charts {
    pub(super) hour: String,
    pub(super) day: String,
    pub(super) delivered: u64,
    pub(super) failed: u64,
    pub(super) retried: u64,
}

#[derive(Deserialize)]
struct Counts {
    steps: Vec<Step>,
}

/// Draws the charts of a space, or of one subscription.
pub(super) async fn charts(page: &mut Page, subscription: Option<&str>) -> Result<Charts, PageError> {
    let now = page.now;
    let of = subscription.map_or_else(String::new, |id| format!("subscription_id={id}&"));
    let since = |before| now.checked_sub(before).unwrap_or(Timestamp::MIN);
    let (hour, day) = (since(SignedDuration::from_mins(59)), since(SignedDuration::from_hours(23)));
    let Counts { steps: minutes } = page.in_space(&format!("counts?{of}step=minute&since={hour}")).await?;
    let Counts { steps: hours } = page.in_space(&format!("counts?{of}step=hour&since={day}")).await?;
    let sum = |of: fn(&Step) -> u64| minutes.iter().map(of).sum();
    Ok(Charts {
        hour: chart::bars(&minutes, SignedDuration::from_mins(1), 60, now, "Per minute, the last hour"),
        day: chart::bars(&hours, SignedDuration::from_hours(1), 24, now, "Per hour, the last day"),
        delivered: sum(|step| step.delivered),
        failed: sum(|step| step.failed),
        retried: sum(|step| step.retried),
    })
}
