//! Output for people: colors and a spinner for long work, on a terminal only.

use std::time::Duration;

use anstyle::{AnsiColor, Style};
use hookmill_model::Figures;
use indicatif::{ProgressBar, ProgressStyle};

/// Success.
pub(super) const GOOD: Style = AnsiColor::Green.on_default().bold();
/// Failure.
pub(super) const BAD: Style = AnsiColor::Red.on_default().bold();
/// Secondary information.
pub(super) const DIM: Style = Style::new().dimmed();
/// A heading.
pub(super) const BOLD: Style = Style::new().bold();

/// Shows a spinner with this message on a terminal, until the result is dropped.
pub(super) fn working(message: impl Into<String>) -> Working {
    let bar = ProgressBar::new_spinner().with_message(message.into());
    // The template is a valid constant; if it were not, the default would do.
    if let Ok(style) = ProgressStyle::with_template("{spinner} {msg} {elapsed}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(100));
    Working(bar)
}

/// A spinner.
pub(super) struct Working(ProgressBar);

impl Drop for Working {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// Formats a number with its digits in groups of three.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Formats a size in bytes, KiB or MiB.
pub(super) fn bytes(bytes: u64) -> String {
    let unit = |unit: u64, name: &str| format!("{}.{} {name}", bytes / unit, bytes % unit * 10 / unit);
    match bytes {
        0..1024 => format!("{bytes} B"),
        1024..0x10_0000 => unit(1024, "KiB"),
        _ => unit(0x10_0000, "MiB"),
    }
}

/// Formats the cost of a transform, relative to its limits.
pub(super) fn figures(figures: &Figures) -> String {
    let Figures { fuel_used, fuel_max, memory_bytes, memory_bytes_max, transform_us } = *figures;
    format!(
        "fuel {} of {}, memory {} of {}, {} µs",
        grouped(fuel_used),
        grouped(fuel_max),
        bytes(memory_bytes),
        bytes(memory_bytes_max),
        grouped(transform_us)
    )
}
