//! The default shapes, and the request that is put together: all pure.

use hookmill_engine::Limits;
use hookmill_model::{
    Body, ContentType, CustomHeader, DeliveryId, Draft, EventType, Method, PluginFaultCode, Request, Subscription,
    forbidden_header,
};
use hookmill_server::stages::request::{
    AttemptInfo, as_sent, assemble, check_header_name, check_header_value, check_url,
};
use hookmill_server::stages::shape::{Envelope, shape};
use hookmill_server::stages::sign::{SignedContent, sign};
use jiff::Timestamp;
use serde_json::value::RawValue;

use crate::support::fixtures::{delivery, event, subscription};

const NUMBERS: &str = r#"{"a":12.50,"b":1e400,"c":12345678901234567890,"d":-0,"e":1E+2,"f":0.10}"#;

fn raw(text: &str) -> Box<RawValue> {
    RawValue::from_string(text.to_owned()).unwrap()
}

fn draft_of(content_type: ContentType, data: &[&str]) -> Body {
    let kind = EventType::parse("lead.create").unwrap();
    let data: Vec<_> = data.iter().map(|data| raw(data)).collect();
    let occurred_at = "2026-04-29T11:13:55.021Z".parse().unwrap();
    let events: Vec<_> = data.iter().map(|data| Envelope { kind: &kind, occurred_at, data }).collect();
    shape(content_type, &events, 6 << 20).unwrap().body
}

fn form_of(data: &[&str]) -> String {
    let Body::Form(fields) = draft_of(ContentType::Form, data) else { panic!("a form was asked for") };
    fields.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&")
}

#[test]
fn the_envelope_holds_the_data_byte_for_byte() {
    let data = "{ \"b\":12.50 , \"a\":[1e400,12345678901234567890], \"c\":\"\\u00e9\" }";
    let text = format!(r#"{{"type":"lead.create","timestamp":"2026-04-29T11:13:55.021Z","data":{data}}}"#);
    assert_eq!(draft_of(ContentType::Json, &[data]), Body::Json(text.clone()));
    assert_eq!(draft_of(ContentType::Text, &[data]), Body::Text(text));
}

#[test]
fn several_events_are_an_array_of_envelopes() {
    let Body::Json(text) = draft_of(ContentType::Json, &["1", "2"]) else { panic!("JSON was asked for") };
    let one = |n| format!(r#"{{"type":"lead.create","timestamp":"2026-04-29T11:13:55.021Z","data":{n}}}"#);
    assert_eq!(text, format!("[{},{}]", one(1), one(2)));
    let type_and_time = |n| format!("events[{n}][type]=lead.create&events[{n}][timestamp]=2026-04-29T11:13:55.021Z");
    assert_eq!(
        form_of(&[r#"{"a":1}"#, "2"]),
        format!("{}&events[0][data][a]=1&{}&events[1][data]=2", type_and_time(0), type_and_time(1))
    );
}

#[test]
fn a_form_has_bracketed_keys_in_the_datas_order() {
    let data = r#"{"lead":{"name":"Zoë & Co","tags":["b","a"]},"deals":[{"id":1},{"id":2}],"yes":true,"no":false}"#;
    assert_eq!(
        form_of(&[data]),
        "type=lead.create&timestamp=2026-04-29T11:13:55.021Z&data[lead][name]=Zoë & Co&data[lead][tags][0]=b\
         &data[lead][tags][1]=a&data[deals][0][id]=1&data[deals][1][id]=2&data[yes]=true&data[no]=false"
    );
}

#[test]
fn a_form_shows_what_is_empty_with_an_empty_value() {
    let form = form_of(&[r#"{"null":null,"text":"","list":[],"object":{},"inner":[{}]}"#]);
    assert!(form.ends_with("Z&data[null]=&data[text]=&data[list]=&data[object]=&data[inner][0]="), "{form}");
    assert!(form_of(&["{}"]).ends_with("Z&data="));
}

#[test]
fn a_form_has_numbers_as_they_were_written() {
    let form = form_of(&[NUMBERS]);
    let numbers = "data[a]=12.50&data[b]=1e400&data[c]=12345678901234567890&data[d]=-0&data[e]=1E+2&data[f]=0.10";
    assert!(form.ends_with(numbers), "{form}");
}

#[test]
fn a_form_that_would_grow_out_of_bounds_is_a_fault() {
    // Each of 10,000 values would repeat a key of 10,000 bytes.
    let data = raw(&format!(r#"{{"{}":[{}0]}}"#, "k".repeat(10_000), "0,".repeat(9_999)));
    let deep = raw(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)));
    let kind = EventType::parse("lead.create").unwrap();
    let occurred_at = Timestamp::now();
    let form = |data: &RawValue| shape(ContentType::Form, &[Envelope { kind: &kind, occurred_at, data }], 1 << 20);
    assert_eq!(form(&data).unwrap_err().code, PluginFaultCode::OutputTooLarge);
    assert_eq!(form(&deep).unwrap_err().code, PluginFaultCode::InvalidOutput);
}

// The request.

fn draft(body: Body) -> Draft {
    Draft { method: None, query: Vec::new(), headers: Vec::new(), body }
}

fn fields(of: &[(&str, &str)]) -> Vec<(String, String)> {
    of.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn custom(name: &str, value: &str, secret: bool) -> CustomHeader {
    CustomHeader { name: name.to_owned(), value: value.to_owned(), secret }
}

fn request(subscription: &Subscription, draft: Draft) -> Result<Request, PluginFaultCode> {
    let delivery = delivery(subscription, event("lead.create", "{}"));
    let about = AttemptInfo { delivery: &delivery, attempt: 3 };
    assemble(subscription, draft, Vec::new(), &about, &Limits::default()).map_err(|fault| fault.code)
}

fn header<'a>(request: &'a Request, name: &str) -> Vec<&'a str> {
    request.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
}

#[test]
fn each_body_has_its_content_type_and_its_exact_bytes() {
    let binary = Body::Binary { content_type: "application/cloudevents+json".to_owned(), bytes: vec![0, 255] };
    for (body, content_type, bytes) in [
        (Body::Json("{ \"a\":12.50}".to_owned()), "application/json", b"{ \"a\":12.50}".to_vec()),
        (
            Body::Form(fields(&[("data[a b]", "Zoë + 1"), ("x", ""), ("data[a b]", "~*")])),
            "application/x-www-form-urlencoded",
            b"data%5Ba%20b%5D=Zo%C3%AB%20%2B%201&x=&data%5Ba%20b%5D=%7E*".to_vec(),
        ),
        (Body::Text("Zoë\n".to_owned()), "text/plain; charset=utf-8", "Zoë\n".as_bytes().to_vec()),
        (binary, "application/cloudevents+json", vec![0, 255]),
    ] {
        let request = request(&subscription("http://example.com/"), draft(body)).unwrap();
        assert_eq!(header(&request, "content-type"), [content_type]);
        assert_eq!(request.body, bytes);
    }
}

#[test]
fn a_query_is_appended_and_the_urls_own_stays_as_it_is() {
    let mut asks = draft(Body::Json("{}".to_owned()));
    asks.query = fields(&[("a b", "ü&="), ("plus", "1+1")]);
    let url = |url: &str, draft: Draft| request(&subscription(url), draft).unwrap().url.to_string();
    let own = "http://example.com/hook?token=a+b%20c&x=%C3%BC&flag";
    assert_eq!(url(own, draft(Body::Json("{}".to_owned()))), own);
    assert_eq!(url(own, asks.clone()), format!("{own}&a%20b=%C3%BC%26%3D&plus=1%2B1"));
    assert_eq!(url("http://example.com/hook?", asks), "http://example.com/hook?a%20b=%C3%BC%26%3D&plus=1%2B1");
}

#[test]
fn a_get_carries_its_fields_in_the_query() {
    let mut subscription = subscription("http://example.com/?t=1");
    subscription.method = Method::Get;
    let url = |body: Body| {
        let request = request(&subscription, draft(body))?;
        assert_eq!((request.body.len(), request.headers.contains_key("content-type")), (0, false));
        Ok::<_, PluginFaultCode>(request.url.query().unwrap_or_default().to_owned())
    };
    assert_eq!(url(Body::Form(fields(&[("a", "1 2")]))).unwrap(), "t=1&a=1%202");
    let json = r#"{"s":"x y","n":1e400,"o":{"k": 12.50},"z":null,"b":true}"#;
    let query = "t=1&s=x%20y&n=1e400&o=%7B%22k%22%3A%2012.50%7D&z=&b=true";
    assert_eq!(url(Body::Json(json.to_owned())).unwrap(), query);
    for body in [Body::Json("[1]".to_owned()), Body::Json("1".to_owned()), Body::Text("a".to_owned())] {
        assert_eq!(url(body).unwrap_err(), PluginFaultCode::InvalidOutput);
    }
    let long = Body::Form(fields(&[("a", &"ü".repeat(2_000))]));
    assert_eq!(url(long).unwrap_err(), PluginFaultCode::OutputTooLarge);
}

#[test]
fn a_plugins_method_wins_over_the_subscriptions() {
    let mut asks = draft(Body::Json("{}".to_owned()));
    asks.method = Some(Method::Patch);
    assert_eq!(request(&subscription("http://example.com/"), asks).unwrap().method, http::Method::PATCH);
}

#[test]
fn headers_tell_the_event_and_the_attempt() {
    let request = request(&subscription("http://example.com/"), draft(Body::Json("{}".to_owned()))).unwrap();
    assert_eq!(header(&request, "user-agent"), [concat!("Hookmill/", env!("CARGO_PKG_VERSION"))]);
    assert_eq!(header(&request, "hookmill-event-id"), ["evt_1"]);
    assert_eq!(header(&request, "hookmill-event-type"), ["lead.create"]);
    assert_eq!(header(&request, "hookmill-attempt"), ["3"]);
}

#[test]
fn a_custom_header_wins_over_a_plugins_of_the_same_name() {
    let mut subscription = subscription("http://example.com/");
    subscription.headers = vec![custom("X-Key", "mine", true), custom("User-Agent", "Own/1", false)];
    let mut asks = draft(Body::Json("{}".to_owned()));
    asks.headers = fields(&[("x-key", "theirs"), ("x-two", " a "), ("X-Two", "b")]);
    let request = request(&subscription, asks).unwrap();
    assert_eq!(header(&request, "x-key"), ["mine"]);
    assert_eq!(header(&request, "user-agent"), ["Own/1"]);
    assert_eq!(header(&request, "x-two"), ["a", "b"]);
}

#[test]
fn a_plugins_forbidden_header_is_a_fault() {
    for (name, value) in [("webhook-id", "x"), ("x", "a\r\nb: c"), ("a b", "x"), ("Host", "x"), ("x", "é")] {
        let mut asks = draft(Body::Json("{}".to_owned()));
        asks.headers = fields(&[(name, value)]);
        let fault = request(&subscription("http://example.com/"), asks).unwrap_err();
        assert_eq!(fault, PluginFaultCode::ForbiddenHeader, "{name}: {value}");
    }
}

#[test]
fn the_history_shows_the_signature_but_no_secret_header() {
    let mut subscription = subscription("http://example.com/?a=1");
    subscription.headers = vec![custom("X-Key", "hunter2", true), custom("X-Shown", "1", false)];
    let request = request(&subscription, draft(Body::Json("{}".to_owned()))).unwrap();
    let id = DeliveryId::new(Timestamp::now());
    let signed = SignedContent { id, timestamp_s: 1, url: request.url.as_str(), body: &request.body };
    let signature = sign(&subscription.signing, &subscription.secrets, &signed);
    let sent = as_sent(&request, &signature, &subscription.headers);
    let shown = |name: &str| sent.headers.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
    assert_eq!((sent.method.as_str(), sent.url.as_str()), ("POST", "http://example.com/?a=1"));
    assert_eq!((shown("x-key"), shown("x-shown")), (Some("***"), Some("1")));
    assert!(shown("webhook-signature").unwrap().starts_with("v1,"));
    assert!(!format!("{sent:?}").contains("hunter2"));
    assert_eq!(sent.body, request.body);
}

#[test]
fn headers_of_the_host_and_the_connection_may_not_be_set() {
    for name in [
        "webhook-id",
        "Webhook-Anything",
        "hookmill-attempt",
        "HOST",
        "content-length",
        "content-type",
        "connection",
        "keep-alive",
        "proxy-authorization",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ] {
        assert!(forbidden_header(name), "{name}");
        assert!(check_header_name(name).is_err(), "{name}");
    }
    for name in ["x-make-apikey", "authorization", "teapot", "hosted", "x-webhook-id", "content-language"] {
        assert!(check_header_name(name).is_ok(), "{name}");
    }
    for name in ["", "a b", "a:", "é", &"a".repeat(129)] {
        assert!(check_header_name(name).is_err(), "{name}");
    }
}

#[test]
fn a_headers_value_is_visible_ascii() {
    for value in ["", "Bearer a.b-c", "a\tb", &"a".repeat(8 << 10)] {
        assert!(check_header_value(value).is_ok(), "{value}");
    }
    for value in ["a\r\nb: c", "a\nb", "\0", "é", "\u{7f}", &"a".repeat((8 << 10) + 1)] {
        assert!(check_header_value(value).is_err(), "{value:?}");
    }
}

#[test]
fn a_url_is_http_without_user_password_and_fragment() {
    for url in ["http://example.com", "https://example.com:8443/a?b=c", "http://[::1]/", "https://bücher.example/ü"] {
        assert!(check_url(url).is_ok(), "{url}");
    }
    let long = format!("http://example.com/{}", "a".repeat(2_048));
    let long_once_encoded = format!("http://example.com/{}", "ü".repeat(1_000));
    for url in [
        "",
        "example.com",
        "/hook",
        "ftp://example.com/",
        "file:///etc/passwd",
        "javascript:alert(1)",
        "http://",
        "http://user@example.com/",
        "http://:secret@example.com/",
        "http://example.com/#a",
        &long,
        &long_once_encoded,
    ] {
        assert!(check_url(url).is_err(), "{url}");
    }
}
