//! Quotes numbers that JavaScript would change.

use hookmill_plugin::json::string_len;
use hookmill_plugin::number::survives_float;

/// Puts quotes around each number of a JSON text that a 64-bit float changes. Everything else stays byte for byte.
pub(crate) fn quote(json: &str) -> String {
    let mut out = String::with_capacity(json.len() + 16);
    let mut rest = json;
    // In JSON text a digit or a minus is either within a string or at the start of a number.
    while let Some(at) = rest.find(|c: char| c == '"' || c == '-' || c.is_ascii_digit()) {
        let (before, from) = rest.split_at(at);
        let (token, after) = from.split_at(if from.starts_with('"') { string_len(from) } else { number_len(from) });
        out.push_str(before);
        if token.starts_with('"') || survives_float(token) {
            out.push_str(token);
        } else {
            out.extend(["\"", token, "\""]);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

fn number_len(from: &str) -> usize {
    from.find(|c: char| !(c.is_ascii_digit() || "+-.eE".contains(c))).unwrap_or(from.len())
}

#[cfg(test)]
mod tests {
    use super::quote;

    #[test]
    fn only_numbers_that_javascript_changes_are_quoted() {
        assert_eq!(
            quote(r#"{ "a1" : [12.50,-1e400, 9007199254740993],"b":12345678901234567890 }"#),
            r#"{ "a1" : [12.50,"-1e400", "9007199254740993"],"b":"12345678901234567890" }"#
        );
        assert_eq!(quote("1e400"), r#""1e400""#);
    }

    #[test]
    fn digits_in_strings_are_unchanged() {
        let json = r#"{"12345678901234567890":"\"12345678901234567890","\\":"ż 1e400","":""}"#;
        assert_eq!(quote(json), json);
    }
}
