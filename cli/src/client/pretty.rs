//! Bodies of webhooks for people.

use std::fmt::Write as _;

use serde_json::Value;

use crate::text::on_lines;

/// The most of a body that is shown: several screens.
const SHOWN_BYTES_MAX: usize = 16 << 10;

/// Formats a body by its content type: JSON indented, with its numbers as they are; a form one pair a line; text as it is.
pub(crate) fn body(bytes: &[u8], content_type: &str) -> String {
    let mut text = match str::from_utf8(bytes) {
        Ok("") => return String::new(),
        Ok(text) if content_type.starts_with("application/x-www-form-urlencoded") => form(text),
        Ok(text) => match serde_json::from_str::<Value>(text) {
            Ok(value) => format!("{value:#}"),
            Err(_) => text.to_owned(),
        },
        Err(_) => return format!("({} bytes that are no text)", bytes.len()),
    };
    let left_out = text.len().saturating_sub(SHOWN_BYTES_MAX);
    if left_out > 0 {
        text.truncate(text.floor_char_boundary(SHOWN_BYTES_MAX));
        let _ = write!(text, "\n… {left_out} more bytes");
    }
    on_lines(&text)
}

fn form(text: &str) -> String {
    let pairs = url::form_urlencoded::parse(text.as_bytes());
    pairs.map(|(name, value)| format!("{name} = {value}")).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_are_shown_by_their_type() {
        let json = body(br#"{"id":7,"value":12.50,"b":[0.0000001]}"#, "application/json");
        assert_eq!(json, "{\n  \"id\": 7,\n  \"value\": 12.50,\n  \"b\": [\n    0.0000001\n  ]\n}");
        let form = body(b"name=M%C3%BCller+GmbH&n=12.50", "application/x-www-form-urlencoded; charset=utf-8");
        assert_eq!(form, "name = Müller GmbH\nn = 12.50");
        assert_eq!(body(b"\x1b[2J red \xe2\x80\xae\n", "text/plain"), "\u{fffd}[2J red \u{fffd}\n");
        assert_eq!(body(&[0xff, 0xfe], ""), "(2 bytes that are no text)");
        assert!(body(&[b'a'; 20_000], "").ends_with("a\n… 3616 more bytes"));
    }
}
