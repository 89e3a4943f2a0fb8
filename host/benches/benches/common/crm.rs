//! Data as a CRM posts it: a deal with its owner, and with as many activities as fit.

use serde_json::json;

/// A deal of exactly this many bytes, at least 200.
pub(crate) fn deal(bytes: usize) -> String {
    const HEAD: &str = concat!(
        r#"{"deal":{"id":"4b6f2e0a-8a0c-4d3e","name":"Licences 2026","status":"won","value":12500.50,"#,
        r#""owner":{"id":11,"email":"anna@example.com"},"activities":["#
    );
    let tail = |note: &str| format!(r#"],"note":"{note}"}}}}"#);
    let mut text = HEAD.to_owned();
    for number in 1.. {
        let activity = json!({
            "id": number, "type": "call", "subject": format!("Offer no. {number}"), "at": "2026-04-29T11:13:55.021Z",
            "by": {"id": 12, "name": "Piotr Nowak", "email": null}, "cost": 99.95, "tags": ["warm", "2026"]
        });
        let activity = format!("{}{activity}", if number == 1 { "" } else { "," });
        if text.len() + activity.len() + tail("").len() > bytes {
            break;
        }
        text.push_str(&activity);
    }
    let room = bytes.checked_sub(text.len() + tail("").len()).expect("a deal has at least 200 bytes");
    // A note in natural language, up to the exact size.
    let note: String = "They ask for a call next week. ".chars().cycle().take(room).collect();
    text.push_str(&tail(&note));
    assert_eq!(text.len(), bytes);
    text
}
