//! Send: one bounded attempt, whatever the receiver does, and the fault that names it.

use std::time::{Duration, Instant};

use bytes::Bytes;
use hookmill_model::{Answer, DeliveryId, Request, Secret, SendFault, SendFaultCode, Signing, SpaceId};
use hookmill_server::config::SendConfig;
use hookmill_server::stages::send::{Client, Sent};
use hookmill_server::stages::sign::{SignedContent, sign};
use http::{HeaderMap, HeaderValue, Method};
use jiff::Timestamp;
use tokio::net::TcpListener;

use crate::support::receiver::{Receiver, Reply};

/// Longer than anything here takes.
const LONG: Duration = Duration::from_secs(60);
/// For receivers that hang: long enough for the request to reach them.
const SHORT: Duration = Duration::from_millis(1_200);

fn open_config() -> SendConfig {
    let networks = ["127.0.0.0/8", "::1/128"].map(|network| network.parse().unwrap());
    SendConfig { allow_networks: networks.to_vec(), ..SendConfig::default() }
}

fn space() -> SpaceId {
    "acme".parse().unwrap()
}

fn client() -> Client {
    Client::new(&open_config()).unwrap()
}

fn post(url: &str, body: &str) -> Request {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static("application/json"));
    let body = Bytes::copy_from_slice(body.as_bytes());
    Request { method: Method::POST, url: url.parse().unwrap(), headers, body, sealed: Vec::new() }
}

async fn send(client: &Client, url: &str, timeout: Duration) -> Sent {
    client.send(&space(), &post(url, "{}"), &HeaderMap::new(), timeout).await.unwrap()
}

/// What comes of one reply, and that it cost one connection, one request and not much more than the timeout.
async fn reply(reply: Reply, timeout: Duration) -> Result<Answer, SendFault> {
    let receiver = Receiver::start().await;
    receiver.otherwise(reply);
    let start = Instant::now();
    let sent = send(&client(), &receiver.url("/hook"), timeout).await;
    assert!(start.elapsed() < timeout + Duration::from_secs(30), "took {:?}", start.elapsed());
    assert!(u128::from(sent.took_us) <= start.elapsed().as_micros());
    assert_eq!((receiver.connections(), receiver.requests().len()), (1, 1));
    sent.result
}

async fn fault(with: Reply, timeout: Duration) -> SendFault {
    reply(with, timeout).await.unwrap_err()
}

#[tokio::test]
async fn a_request_arrives_byte_for_byte_and_its_answer_comes_back() {
    let receiver = Receiver::start().await;
    let headers = vec![("x-a".to_owned(), "1".to_owned()), ("x-a".to_owned(), "2".to_owned())];
    receiver.script("/hook", [Reply::Answer { status: 418, headers, body: b"teapot".to_vec() }]);
    let body = "{ \"a\":12.50, \"name\":\"Zoë 🦀\" }";
    let request = post(&receiver.url("/hook?token=a+b&x=%20"), body);
    let id = DeliveryId::new(Timestamp::now());
    let signed = SignedContent { id, timestamp_s: 1_700_000_000, url: request.url.as_str(), body: body.as_bytes() };
    let signature = sign(&Signing::default(), &[Secret::generate()], &signed);

    let answer = client().send(&space(), &request, &signature, LONG).await.unwrap().result.unwrap();

    assert_eq!((answer.status, &answer.body[..], answer.truncated), (418, b"teapot".as_slice(), false));
    let own: Vec<_> =
        answer.headers.iter().filter(|(name, _)| name == "x-a").map(|(_, value)| value.as_str()).collect();
    assert_eq!(own, ["1", "2"]);
    let received = &receiver.take(1).await[0];
    assert_eq!((received.method.as_str(), received.target.as_str()), ("POST", "/hook?token=a+b&x=%20"));
    assert_eq!(received.text(), body);
    assert_eq!(received.header("content-type"), Some("application/json"));
    assert_eq!(received.header("webhook-timestamp"), Some("1700000000"));
    assert_eq!(received.header("webhook-signature"), signature["webhook-signature"].to_str().ok());
}

#[tokio::test]
async fn each_method_goes_out_and_a_get_has_no_body() {
    let receiver = Receiver::start().await;
    for method in [Method::POST, Method::PUT, Method::PATCH, Method::GET] {
        let body = if method == Method::GET { "" } else { "a=1&b=%20" };
        let request = Request { method: method.clone(), ..post(&receiver.url("/hook"), body) };
        assert_eq!(
            client().send(&space(), &request, &HeaderMap::new(), LONG).await.unwrap().result.unwrap().status,
            204
        );
        let received = &receiver.take(1).await[0];
        assert_eq!((received.method.as_str(), received.text()), (method.as_str(), body));
        assert_eq!(received.header("content-length").is_some(), method != Method::GET);
    }
}

#[tokio::test]
async fn connections_are_kept_and_used_again() {
    let receiver = Receiver::start().await;
    let client = client();
    for _ in 0..5 {
        assert_eq!(send(&client, &receiver.url("/hook"), LONG).await.result.unwrap().status, 204);
    }
    assert_eq!((receiver.connections(), receiver.take(5).await.len()), (1, 5));
}

#[tokio::test]
async fn nothing_is_said_of_proxies_cookies_and_encodings() {
    let receiver = Receiver::start().await;
    receiver.otherwise(Reply::header(200, "set-cookie", "a=1"));
    let client = client();
    for _ in 0..2 {
        send(&client, &receiver.url("/hook"), LONG).await.result.unwrap();
    }
    for received in receiver.take(2).await {
        for name in ["cookie", "referer", "accept-encoding", "proxy-authorization"] {
            assert_eq!(received.header(name), None, "{name}");
        }
    }
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_is_not_followed() {
    let receiver = Receiver::start().await;
    let own = receiver.url("/elsewhere");
    for target in ["http://169.254.169.254/latest/meta-data/", own.as_str()] {
        receiver.script("/hook", [Reply::header(307, "location", target)]);
        let answer = send(&client(), &receiver.url("/hook"), LONG).await.result.unwrap();
        assert_eq!(answer.status, 307);
        assert!(answer.headers.contains(&("location".to_owned(), target.to_owned())));
        assert_eq!(receiver.take(1).await[0].target, "/hook");
    }
    assert_eq!((receiver.connections(), receiver.requests().len()), (2, 2));
}

#[tokio::test]
async fn a_receiver_that_hangs_is_a_timeout() {
    let fault = fault(Reply::Hang, SHORT).await;
    assert_eq!(fault.code, SendFaultCode::Timeout);
    assert_eq!(fault.message, "no response within 1.2 s");
}

#[tokio::test]
async fn a_head_that_drips_is_a_timeout() {
    assert_eq!(fault(Reply::Drip, SHORT).await.code, SendFaultCode::Timeout);
}

#[tokio::test]
async fn a_body_that_hangs_is_a_timeout_although_the_status_came() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc";
    let fault = fault(Reply::RawThenHang(head.to_vec()), SHORT).await;
    assert_eq!(fault.code, SendFaultCode::Timeout);
    assert!(fault.message.contains("status 200"), "{}", fault.message);
}

#[tokio::test]
async fn an_endless_body_is_read_to_the_cap() {
    let answer = reply(Reply::EndlessBody, LONG).await.unwrap();
    assert_eq!((answer.status, answer.body.len(), answer.truncated), (200, 16 << 10, true));
}

#[tokio::test]
async fn a_body_of_exactly_the_cap_is_whole() {
    let answer = reply(Reply::body(200, vec![b'a'; 16 << 10]), LONG).await.unwrap();
    assert_eq!((answer.body.len(), answer.truncated), (16 << 10, false));
    let answer = reply(Reply::body(200, vec![b'a'; (16 << 10) + 1]), LONG).await.unwrap();
    assert_eq!((answer.body.len(), answer.truncated), (16 << 10, true));
}

#[tokio::test]
async fn a_header_of_a_megabyte_is_no_answer() {
    let fault = fault(Reply::HugeHeader, LONG).await;
    assert_eq!(fault.code, SendFaultCode::Protocol, "{}", fault.message);
}

#[tokio::test]
async fn headers_are_kept_as_far_as_there_is_room() {
    let headers = (0..40).map(|n| (format!("x-{n:02}"), "v".repeat(1 << 10))).collect();
    let answer = reply(Reply::Answer { status: 200, headers, body: Vec::new() }, LONG).await.unwrap();
    let bytes: usize = answer.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
    assert!(((15 << 10)..=(16 << 10)).contains(&bytes), "{bytes}");
    assert_eq!(answer.headers[0].0, "x-00");
}

#[tokio::test]
async fn a_connection_that_breaks_or_closes_is_no_answer() {
    for reply in [Reply::Reset, Reply::Close] {
        let fault = fault(reply.clone(), LONG).await;
        assert_eq!(fault.code, SendFaultCode::Protocol, "{reply:?}: {}", fault.message);
    }
}

#[tokio::test]
async fn what_is_no_http_is_no_answer() {
    let fault = fault(Reply::Raw(b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()), LONG).await;
    assert_eq!(fault.code, SendFaultCode::Protocol, "{}", fault.message);
}

#[tokio::test]
async fn an_answer_whose_body_breaks_off_is_broken() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc";
    let fault = fault(Reply::Raw(head.to_vec()), LONG).await;
    assert_eq!(fault.code, SendFaultCode::AnswerBroken, "{}", fault.message);
}

#[tokio::test]
async fn a_connection_left_with_more_body_is_not_used_again() {
    let receiver = Receiver::start().await;
    receiver.script("/hook", [Reply::EndlessBody]);
    let client = client();
    for _ in 0..2 {
        send(&client, &receiver.url("/hook"), LONG).await.result.unwrap();
    }
    let connections: Vec<_> = receiver.take(2).await.iter().map(|received| received.connection).collect();
    assert_eq!(connections, [0, 1]);
}

#[tokio::test]
async fn a_closed_port_is_no_connection() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/?token=s3cret", listener.local_addr().unwrap());
    drop(listener);
    let fault = send(&client(), &url, LONG).await.result.unwrap_err();
    assert_eq!(fault.code, SendFaultCode::Connect, "{}", fault.message);
    assert!(fault.message.contains("refused") && !fault.message.contains("s3cret"), "{}", fault.message);
}

#[tokio::test]
async fn a_name_that_does_not_exist_is_a_fault_of_dns() {
    // A label has at most 63 characters: the resolver says no without asking anybody.
    let url = format!("http://{}.invalid/", "a".repeat(64));
    let fault = send(&client(), &url, LONG).await.result.unwrap_err();
    assert_eq!(fault.code, SendFaultCode::Dns, "{}", fault.message);
}

#[tokio::test]
async fn local_addresses_are_refused_in_every_spelling() {
    let receiver = Receiver::start().await;
    let port = receiver.address().port();
    let client = Client::new(&SendConfig::default()).unwrap();
    for host in [
        "127.0.0.1",
        "localhost",
        "127.1",
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "0",
        "[::1]",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "169.254.169.254",
        "10.0.0.1",
        "１２７.0.0.1",
    ] {
        let fault = send(&client, &format!("http://{host}:{port}/"), LONG).await.result.unwrap_err();
        assert_eq!(fault.code, SendFaultCode::AddressRefused, "{host}: {}", fault.message);
    }
    assert_eq!(receiver.connections(), 0);
}

#[tokio::test]
async fn an_allowed_network_is_reached_by_address_and_by_name() {
    let receiver = Receiver::start().await;
    let port = receiver.address().port();
    for host in ["127.0.0.1", "localhost"] {
        let sent = send(&client(), &format!("http://{host}:{port}/"), LONG).await;
        assert_eq!(sent.result.unwrap().status, 204, "{host}");
    }
}
