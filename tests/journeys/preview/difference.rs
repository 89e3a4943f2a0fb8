//! How two requests differ, by the places in them.

use bytes::Bytes;
use hookmill_model::{Change, Part, PluginFault, PluginFaultCode, Sealed, SentRequest, TransformOutcome};
use hookmill_server::dry_run::compare::difference::between;

fn request(content_type: &str, body: &str) -> SentRequest {
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    SentRequest {
        method: "POST".to_owned(),
        url: "https://example.com/in?a=1&b=2".to_owned(),
        headers: vec![header("x-a", "1"), header("content-type", content_type), header("webhook-signature", "v1,x")],
        signature_headers: 1,
        body: Bytes::from(body.to_owned()),
        sealed: Vec::new(),
    }
}

/// `part at before after`, for each change.
fn told(before: SentRequest, after: SentRequest) -> Vec<String> {
    let changes = between(&TransformOutcome::Request(before), &TransformOutcome::Request(after))
        .map_or_else(Vec::new, |found| found.list);
    changes.iter().map(line).collect()
}

fn line(change: &Change) -> String {
    let Change { part, at, before, after } = change;
    let or = |text: &Option<String>, none: &str| text.clone().unwrap_or_else(|| none.to_owned());
    format!("{part:?} {} {} → {}", or(at, "-"), or(before, "none"), or(after, "none"))
}

fn bodies(content_type: &str, before: &str, after: &str) -> Vec<String> {
    told(request(content_type, before), request(content_type, after))
}

#[test]
fn the_same_request_does_not_differ_whatever_its_signature() {
    let (before, mut after) = (request("text/plain", "x"), request("text/plain", "x"));
    after.headers[2].1 = "v1,y".to_owned();
    assert_eq!(told(before, after), Vec::<String>::new());
}

#[test]
fn method_url_query_and_headers_are_told_by_name() {
    let (before, mut after) = (request("text/plain", "x"), request("text/plain", "x"));
    after.method = "PUT".to_owned();
    after.url = "https://example.com/out?a=1&c=3".to_owned();
    after.headers[0].1 = "2".to_owned();
    after.headers.insert(0, ("x-b".to_owned(), "new".to_owned()));
    assert_eq!(
        told(before, after),
        [
            "Method - POST → PUT",
            "Url - https://example.com/in → https://example.com/out",
            "Query b 2 → none",
            "Query c none → 3",
            "Header x-a 1 → 2",
            "Header x-b none → new",
        ]
    );
}

#[test]
fn an_order_of_the_query_counts_and_one_of_headers_does_not() {
    let (before, mut after) = (request("text/plain", "x"), request("text/plain", "x"));
    after.headers.swap(0, 1);
    assert_eq!(told(before.clone(), after.clone()), Vec::<String>::new());
    after.url = "https://example.com/in?b=2&a=1".to_owned();
    assert_eq!(told(before, after), ["Query - a=1&b=2 → b=2&a=1"]);
}

#[test]
fn json_is_told_by_pointers_and_numbers_by_their_text() {
    let before = r#"{"deal":{"value":12.50,"a/b~":1,"gone":{"x":[1]}},"list":[1,2,3],"text":"\u00fc"}"#;
    let after = r#"{"deal":{"value":12.5,"a/b~":2},"list":[1,4],"text":"ü","new":null}"#;
    assert_eq!(
        bodies("application/json", before, after),
        [
            "Body /deal/value 12.50 → 12.5",
            "Body /deal/a~1b~0 1 → 2",
            r#"Body /deal/gone {"x":[1]} → none"#,
            "Body /list/1 2 → 4",
            "Body /list/2 3 → none",
            "Body /new none → null",
        ]
    );
}

#[test]
fn json_of_other_bytes_and_the_same_meaning_differs_at_its_first_byte() {
    assert_eq!(
        bodies("application/json", r#"{"a":1,"b":2}"#, r#"{"a":1, "b":2}"#),
        [r#"Body byte 7 {"a":1,"b":2} → {"a":1, "b":2}"#]
    );
    assert_eq!(
        bodies("application/json", r#"{"a":1,"b":2}"#, r#"{"b":2,"a":1}"#),
        [r#"Body byte 2 {"a":1,"b":2} → {"b":2,"a":1}"#]
    );
}

#[test]
fn forms_are_told_by_fields_and_texts_by_lines() {
    let form = "application/x-www-form-urlencoded";
    assert_eq!(
        bodies(form, "a=1&b=x%20y&b=z&c=3", "a=1&b=x%20y&b=w&d=4"),
        ["Body b z → w", "Body c 3 → none", "Body d none → 4"]
    );
    assert_eq!(bodies(form, "a=1&b=2", "b=2&a=1"), ["Body byte 0 a=1&b=2 → b=2&a=1"]);
    assert_eq!(
        bodies("text/plain; charset=utf-8", "one\ntwo\nthree\n", "one\n2\nthree\nfour\n"),
        ["Body line 2 two\n → 2\n", "Body line 4 none → four\n"]
    );
}

#[test]
fn a_placeholder_counts_as_the_name_of_its_secret() {
    let sealed = |placeholder: &str| {
        let mut request = request("application/json", &format!(r#"{{"key":"{placeholder}"}}"#));
        request.headers[0].1 = format!("Key {placeholder}");
        request.sealed = vec![Sealed { placeholder: placeholder.to_owned(), name: "key".to_owned() }];
        request
    };
    assert_eq!(told(sealed("hmsec_1"), sealed("hmsec_2")), Vec::<String>::new());
    let plain = request("application/json", r#"{"key":"none"}"#);
    assert_eq!(
        told(sealed("hmsec_1"), plain),
        ["Header x-a Key {{secret:key}} → 1", r#"Body /key "{{secret:key}}" → "none""#]
    );
}

#[test]
fn words_do_not_count_and_what_comes_of_it_does() {
    let skipped = |reason: &str| TransformOutcome::Skipped(reason.to_owned());
    let failed =
        |code, message: &str| TransformOutcome::Failed(PluginFault { code, message: message.to_owned(), retry: false });
    assert!(between(&skipped("a"), &skipped("b")).is_none());
    assert!(between(&failed(PluginFaultCode::Failed, "a"), &failed(PluginFaultCode::Failed, "b")).is_none());
    let found = |before: &TransformOutcome, after: &TransformOutcome| {
        between(before, after).unwrap().list.iter().map(line).collect::<Vec<_>>()
    };
    assert_eq!(
        found(&failed(PluginFaultCode::Failed, "a"), &failed(PluginFaultCode::Trapped, "b")),
        ["Outcome - failed: a → failed: b"]
    );
    assert_eq!(
        found(&TransformOutcome::Request(request("text/plain", "x")), &skipped("a")),
        ["Outcome - a request → skipped: a"]
    );
}

#[test]
fn what_is_shown_is_bounded_and_shows_where_long_values_differ() {
    let long = |end: &str| format!(r#"{{"text":"{}{end}"}}"#, "ü".repeat(500));
    let found = between(
        &TransformOutcome::Request(request("application/json", &long("a"))),
        &TransformOutcome::Request(request("application/json", &long("b"))),
    );
    let Change { before, after, at, .. } = &found.unwrap().list[0];
    assert_eq!(at.as_deref(), Some("/text"));
    assert!(before.as_ref().unwrap().ends_with("üa\"") && after.as_ref().unwrap().ends_with("üb\""));
    assert!(before.as_ref().unwrap().len() < 210);

    let many = |from: usize| {
        let members: Vec<_> = (0..100).map(|n| format!(r#""m{n}":{}"#, n + from)).collect();
        TransformOutcome::Request(request("application/json", &format!("{{{}}}", members.join(","))))
    };
    let found = between(&many(0), &many(1)).unwrap();
    assert_eq!((found.list.len(), found.more), (20, 80));
    assert!(found.list.iter().all(|change| change.part == Part::Body));
}

#[test]
fn bytes_that_are_no_text_and_json_that_is_none_differ_too() {
    assert_eq!(bodies("application/json", "{", "["), ["Body byte 0 { → ["]);
    let (mut before, mut after) = (request("image/png", ""), request("image/png", ""));
    (before.body, after.body) = (Bytes::from_static(&[0, 255, 1]), Bytes::from_static(&[0, 255, 2, 3]));
    assert_eq!(told(before, after), ["Body byte 2 \0\u{fffd}\u{1} → \0\u{fffd}\u{2}\u{3}"]);
}
