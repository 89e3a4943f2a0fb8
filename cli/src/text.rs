//! Text of others on a terminal.

/// Returns the text on one line, without characters that control a terminal or reverse what follows: responses of receivers,
/// logs of plugins and names are written by others.
pub(super) fn on_one_line(text: &str) -> String {
    text.replace(is_control, " ")
}

/// Returns the text with its lines, but without other characters that control a terminal.
#[cfg(feature = "client")]
pub(super) fn on_lines(text: &str) -> String {
    text.replace(|c| is_control(c) && c != '\n' && c != '\t', "\u{fffd}")
}

fn is_control(c: char) -> bool {
    c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}
