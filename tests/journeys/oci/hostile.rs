//! Registries that lie about sizes, lead elsewhere, or never end.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderValue, Response, StatusCode, header};
use bytes::Bytes;
use hookmill_model::Digest;
use hookmill_server::plugins::oci::{OciError, Registries, pull};
use hookmill_server::stages::send::address::AddressPolicy;
use serde_json::json;

use super::{ECHO, reference, registries};
use crate::support::receiver::{Receiver, Reply};

/// A registry that answers as it is told, on an address of this machine; and how many requests it got.
async fn scripted(
    ip: &str,
    answer: impl Fn(&str) -> Response<Body> + Clone + Send + Sync + 'static,
) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = tokio::net::TcpListener::bind((ip, 0)).await.unwrap();
    let address = listener.local_addr().unwrap();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&count);
    let router = Router::new().fallback(move |request: Request| {
        counted.fetch_add(1, Ordering::Relaxed);
        let answer = answer(request.uri().path());
        async move { answer }
    });
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (address, count)
}

fn manifest(size: usize) -> Vec<u8> {
    let empty = Digest::of(b"{}").to_string();
    let manifest = json!({
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.wasm.config.v0+json", "digest": empty, "size": 2},
        "layers": [{"mediaType": "application/wasm", "digest": Digest::of(&ECHO).to_string(), "size": size}],
    });
    serde_json::to_vec(&manifest).unwrap()
}

/// A body without a length and without an end.
fn endless() -> Body {
    let chunks = futures::stream::repeat_with(|| Ok::<_, std::io::Error>(Bytes::from_static(&[b' '; 64 << 10])));
    Body::from_stream(chunks)
}

fn redirect(to: &str) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::TEMPORARY_REDIRECT;
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_str(to).unwrap());
    response
}

async fn error(address: SocketAddr, registries: &Registries) -> OciError {
    pull(registries, &reference(&format!("{address}/x:1"))).await.unwrap_err()
}

#[tokio::test]
async fn a_component_that_does_not_end_where_its_manifest_says_is_refused_there() {
    for size in [10, ECHO.len()] {
        let (address, _) = scripted("127.0.0.1", move |path| match path {
            "/v2/" => Response::new(Body::empty()),
            path if path.contains("/manifests/") => Response::new(manifest(size).into()),
            _ => Response::new(endless()),
        })
        .await;
        let error = error(address, &registries()).await.to_string();
        assert!(error.contains("tampered") && error.ends_with(&format!("continues after its {size} bytes")), "{error}");
    }
}

#[tokio::test]
async fn a_manifest_without_end_is_cut_off() {
    let (address, _) = scripted("127.0.0.1", |path| match path {
        "/v2/" => Response::new(Body::empty()),
        _ => Response::new(endless()),
    })
    .await;
    let small = Registries { component_bytes_max: 1 << 20, ..registries() };
    let error = error(address, &small).await;
    assert!(matches!(error, OciError::TooLarge { .. }), "{error:?}");
    assert!(error.to_string().ends_with("the registry sent more than 2097152 bytes"), "{error}");
}

#[tokio::test]
async fn a_manifest_that_is_larger_than_any_needs_is_refused() {
    let (address, _) = scripted("127.0.0.1", |path| match path {
        "/v2/" => Response::new(Body::empty()),
        _ => Response::new(vec![b' '; 300 << 10].into()),
    })
    .await;
    let error = error(address, &registries()).await.to_string();
    assert!(error.ends_with("is too large: its manifest has 307200 bytes: at most 262144 are allowed"), "{error}");
}

#[tokio::test]
async fn a_registry_at_an_address_that_is_not_public_is_not_asked() {
    let (address, asked) = scripted("127.0.0.1", |_| Response::new(Body::empty())).await;
    let strict = Registries { policy: AddressPolicy::default(), ..registries() };
    let told = error(address, &strict).await;
    assert!(matches!(told, OciError::OutOfBounds(_)), "{told:?}");
    assert!(told.to_string().contains("`127.0.0.1` resolves only to addresses that"), "{told}");
    let by_name = reference(&format!("localhost:{}/x:1", address.port()));
    let told = pull(&strict, &by_name).await.unwrap_err().to_string();
    assert!(told.contains("`localhost` resolves only to addresses that"), "{told}");
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

/// A registry that sends its clients to this address for a token.
async fn wants_token_of(realm: &str) -> SocketAddr {
    let challenge = HeaderValue::from_str(&format!(r#"Bearer realm="{realm}",service="x""#)).unwrap();
    let answer = move |_: &str| {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::UNAUTHORIZED;
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge.clone());
        response
    };
    scripted("127.0.0.1", answer).await.0
}

/// A registry whose blobs lie at this address.
async fn keeps_blobs_at(url: &str) -> SocketAddr {
    let url = url.to_owned();
    let answer = move |path: &str| match path {
        "/v2/" => Response::new(Body::empty()),
        path if path.contains("/manifests/") => Response::new(manifest(ECHO.len()).into()),
        _ => redirect(&url),
    };
    scripted("127.0.0.1", answer).await.0
}

#[tokio::test]
async fn nothing_that_a_registry_names_leads_out_of_bounds() {
    let (elsewhere, asked) = scripted("127.0.0.2", |_| Response::new(Body::from(ECHO))).await;
    let networks = |text: &str| text.split(' ').map(|network| network.parse().unwrap()).collect();
    let allow_networks = networks("127.0.0.1/32 192.0.2.0/24");
    let near = Registries { policy: AddressPolicy { allow_networks, ..AddressPolicy::default() }, ..registries() };
    let private = "`127.0.0.2` resolves only to addresses that";
    for (address, why) in [
        (wants_token_of(&format!("http://{elsewhere}/token")).await, private),
        (wants_token_of(&format!("https://{elsewhere}/token")).await, private),
        (wants_token_of("http://192.0.2.1/token").await, "`192.0.2.1` would be connected to without TLS"),
        (keeps_blobs_at(&format!("https://{elsewhere}/blob")).await, private),
        (
            keeps_blobs_at(&format!("http://{elsewhere}/blob")).await,
            "a redirect to `127.0.0.2` without TLS is not followed",
        ),
    ] {
        let told = error(address, &near).await.to_string();
        assert!(told.starts_with(&format!("the registry is out of bounds: {why}")), "{told}");
    }
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

#[tokio::test]
async fn a_blob_behind_tls_is_had_through_the_gate_if_its_certificate_is_trusted() {
    let storage = Receiver::start_tls().await;
    storage.otherwise(Reply::body(200, hookmill_guests::ECHO));
    let address = keeps_blobs_at(&storage.url("/blob")).await;
    let told = error(address, &registries()).await;
    assert!(matches!(told, OciError::Registry(_)), "{told:?}");
    let certificate = std::fs::read(storage.certificate()).unwrap();
    let trusting = Registries { trusted_certificates: Some(certificate), ..registries() };
    assert_eq!(pull(&trusting, &reference(&format!("{address}/x:1"))).await.unwrap().component, ECHO);
}
