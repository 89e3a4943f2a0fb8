//! Charts, drawn as SVG on the server: stacked bars of what happened in each step of a time.
//!
//! Written by hand: a chart is three rectangles a step, and a library would draw it with styles of its own, which the content
//! security policy does not permit.

use std::fmt::Write as _;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

/// What happened in one step, as the API's counts say it.
#[derive(Clone, Copy, Debug, Default, Deserialize)]
pub(crate) struct Step {
    /// The time at which it begins.
    pub(crate) at: Timestamp,
    /// Deliveries delivered.
    pub(crate) delivered: u64,
    /// Deliveries failed for good.
    pub(crate) failed: u64,
    /// Attempts that failed and are followed by another.
    pub(crate) retried: u64,
}

const WIDTH: f64 = 720.0;
const HEIGHT: f64 = 120.0;
/// Room below the bars for the times.
const AXIS: f64 = 18.0;

/// Draws `count` steps of this length, the last of which is `now`'s. The text says what the drawing shows.
pub(crate) fn bars(steps: &[Step], length: SignedDuration, count: u32, now: Timestamp, label: &str) -> String {
    let step_s = length.as_secs().max(1);
    let last = now.as_second().div_euclid(step_s);
    let first = last - i64::from(count) + 1;
    let mut slots = vec![Step::default(); count as usize];
    for step in steps {
        let slot = step.at.as_second().div_euclid(step_s) - first;
        if let Some(slot) = usize::try_from(slot).ok().and_then(|slot| slots.get_mut(slot)) {
            *slot = *step;
        }
    }
    let total = |step: &Step| step.delivered + step.failed + step.retried;
    let max = slots.iter().map(total).max().unwrap_or(0).max(1);
    let sum = |of: fn(&Step) -> u64| slots.iter().map(of).sum::<u64>();
    let (delivered, failed, retried) = (sum(|s| s.delivered), sum(|s| s.failed), sum(|s| s.retried));
    let mut svg = format!(
        "<svg class=\"chart\" viewBox=\"0 0 {WIDTH} {}\" role=\"img\" aria-label=\"{label}: {delivered} delivered, {failed} \
            failed, {retried} retried; at most {max} in a step\" preserveAspectRatio=\"none\">",
        HEIGHT + AXIS
    );
    let width = WIDTH / f64::from(count);
    let _ = write!(svg, "<line class=\"axis\" x1=\"0\" x2=\"{WIDTH}\" y1=\"{HEIGHT}\" y2=\"{HEIGHT}\"/>");
    for (index, slot) in slots.iter().enumerate() {
        let x = width * index as f64;
        let mut y = HEIGHT;
        for (class, value) in [("delivered", slot.delivered), ("retried", slot.retried), ("failed", slot.failed)] {
            if value == 0 {
                continue;
            }
            // What happened at all is seen.
            let height = (value as f64 / max as f64 * (HEIGHT - 4.0)).max(1.5);
            y -= height;
            let bar = width * 0.8;
            let _ = write!(
                svg,
                "<rect class=\"{class}\" x=\"{x:.1}\" y=\"{y:.1}\" width=\"{bar:.1}\" height=\"{height:.1}\">"
            );
            let _ = write!(svg, "<title>{}: {value} {class}</title></rect>", time(first + index as i64, step_s));
        }
    }
    svg.push_str("</svg>");
    let times = [0, count / 2, count - 1].map(|slot| time(first + i64::from(slot), step_s));
    let [start, middle, end] = times;
    let _ = write!(
        svg,
        "<div class=\"chart-times\" aria-hidden=\"true\"><span>{start}</span><span>{middle}</span><span>{end}</span></div>"
    );
    svg
}

/// The time of a step, UTC.
fn time(step: i64, step_s: i64) -> String {
    let at = Timestamp::from_second(step.saturating_mul(step_s)).unwrap_or_default();
    at.to_zoned(TimeZone::UTC).strftime("%H:%M").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_step_stands_in_its_own_place_and_the_label_says_the_sums() {
        let now: Timestamp = "2026-11-30T12:00:30Z".parse().expect("a time");
        let step =
            |at: &str, delivered, failed| Step { at: at.parse().expect("a time"), delivered, failed, retried: 0 };
        // The first is an hour ago, just outside.
        let steps = [
            step("2026-11-30T11:00:00Z", 9, 9),
            step("2026-11-30T11:01:00Z", 10, 0),
            step("2026-11-30T12:00:00Z", 5, 5),
        ];
        let svg = bars(&steps, SignedDuration::from_mins(1), 60, now, "The last hour");
        assert!(svg.contains("The last hour: 15 delivered, 5 failed, 0 retried; at most 10 in a step"), "{svg}");
        assert_eq!(svg.matches("<rect").count(), 3);
        assert!(svg.contains("<rect class=\"delivered\" x=\"0.0\" y=\"4.0\" width=\"9.6\" height=\"116.0\">"), "{svg}");
        assert!(svg.contains("12:00: 5 failed"), "{svg}");
    }
}
