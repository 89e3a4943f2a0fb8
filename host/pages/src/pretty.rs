//! JSON and forms as people read them: each member on its own line, and each number with exactly the digits that it has.

use url::form_urlencoded;

/// The most bytes of a text that a page shows; the rest is in the file that the page offers.
const SHOWN_BYTES_MAX: usize = 64 << 10;

/// Indentation ends here, so that a text of brackets alone cannot become much larger than it is.
const DEPTH_MAX: usize = 32;

/// Returns JSON on lines, or `None` if the text is no JSON. Nothing but white space between its tokens changes.
pub(crate) fn json(text: &str) -> Option<String> {
    serde_json::from_str::<&serde_json::value::RawValue>(text).ok()?;
    let mut lines = String::with_capacity(text.len() * 2);
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let mut rest = text.trim().chars().filter(|c| *c != '\u{feff}').peekable();
    while let Some(c) = rest.next() {
        if in_string {
            lines.push(c);
            in_string = escaped || c != '"';
            escaped = c == '\\' && !escaped;
            continue;
        }
        match c {
            ' ' | '\n' | '\r' | '\t' => {}
            '{' | '[' => {
                lines.push(c);
                while rest.next_if(char::is_ascii_whitespace).is_some() {}
                if let Some(end) = rest.next_if(|next| matches!(next, '}' | ']')) {
                    lines.push(end);
                } else {
                    depth += 1;
                    indent(&mut lines, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                indent(&mut lines, depth);
                lines.push(c);
            }
            ',' => {
                lines.push(c);
                indent(&mut lines, depth);
            }
            ':' => lines.push_str(": "),
            _ => {
                in_string = c == '"';
                lines.push(c);
            }
        }
    }
    Some(lines)
}

fn indent(lines: &mut String, depth: usize) {
    lines.push('\n');
    lines.extend(std::iter::repeat_n("  ", depth.min(DEPTH_MAX)));
}

/// Returns a body as people read it, or `None` if it is best read as it is: JSON on lines, a form with a field on each line.
pub(crate) fn body(text: &str, content_type: &str) -> Option<String> {
    if content_type.starts_with("application/x-www-form-urlencoded") {
        let fields = form_urlencoded::parse(text.as_bytes()).map(|(name, value)| format!("{name} = {value}"));
        return Some(fields.collect::<Vec<_>>().join("\n")).filter(|fields| !fields.is_empty());
    }
    json(text)
}

/// Returns the beginning of a text that a page shows, and whether that is not all.
pub(crate) fn shown(text: &str) -> (&str, bool) {
    let end = text.floor_char_boundary(SHOWN_BYTES_MAX);
    (&text[..end], end < text.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_shown_on_lines_with_the_digits_it_has() {
        let text = r#"{"value":12.50,"big":123456789012345678901234567890,"e":1E+5,"s":"a,\"{b\\","none":{},"list":[1, 2,[ ]]}"#;
        let lines = "{\n  \"value\": 12.50,\n  \"big\": 123456789012345678901234567890,\n  \"e\": 1E+5,\n  \
            \"s\": \"a,\\\"{b\\\\\",\n  \"none\": {},\n  \"list\": [\n    1,\n    2,\n    []\n  ]\n}";
        assert_eq!(json(text).as_deref(), Some(lines));
        assert_eq!(json("not json"), None);
    }

    #[test]
    fn a_deeply_nested_text_stays_small() {
        let text = format!("{}{}", "[".repeat(100), "]".repeat(100));
        assert!(json(&text).is_some_and(|lines| lines.len() < 200 * (2 * DEPTH_MAX + 2)));
    }

    #[test]
    fn a_form_is_shown_with_a_field_on_each_line() {
        assert_eq!(body("a=1&b=x+y%21", "application/x-www-form-urlencoded").as_deref(), Some("a = 1\nb = x y!"));
    }

    #[test]
    fn a_long_text_is_cut_between_characters() {
        let (start, cut) = shown("short");
        assert_eq!((start, cut), ("short", false));
        let long = "é".repeat(SHOWN_BYTES_MAX);
        assert!(shown(&long).1);
    }
}
