//! Recipes: each folder in `recipes/` is set up as it is, and sends exactly what it shows.
//!
//! A run changes only the URL of a recipe: the receiver listens on loopback.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use reqwest::Method;
use serde::Deserialize;
use serde_json::{Map, Value};
use url::Url;

use crate::support::host::TestHost;
use crate::support::receiver::{Received, Receiver, Reply};

/// The request that a recipe results in.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    method: String,
    /// Path and query.
    target: String,
    /// Relevant headers, names in lower case.
    headers: Map<String, Value>,
    /// JSON, compared including the spelling of numbers; or, as a string, the exact text of a form.
    body: Value,
}

fn recipes() -> Vec<PathBuf> {
    let all = Path::new(env!("CARGO_MANIFEST_DIR")).join("../recipes");
    let entries = fs::read_dir(all).unwrap().map(|entry| entry.unwrap().path());
    let mut folders: Vec<_> = entries.filter(|path| path.is_dir()).collect();
    folders.sort_unstable();
    folders
}

fn read(recipe: &Path, file: &str) -> String {
    let path = recipe.join(file);
    fs::read_to_string(&path).unwrap_or_else(|err| panic!("{}: {err}", path.display()))
}

fn name(recipe: &Path) -> &str {
    recipe.file_name().unwrap().to_str().unwrap()
}

#[tokio::test]
async fn every_recipe_sends_exactly_what_it_shows() {
    let recipes = recipes();
    assert!(recipes.len() >= 4, "{recipes:?}");
    for recipe in recipes {
        // Shown on failure, to identify the recipe.
        println!("{}", name(&recipe));
        run(&recipe).await;
    }
}

async fn run(recipe: &Path) {
    let receiver = Receiver::start_tls().await;
    let mut host = TestHost::start_with(|config| config.send.trusted_certificates = Some(receiver.certificate())).await;
    let subscription = to(&receiver, serde_json::from_str(&read(recipe, "subscription.json")).unwrap());
    // A receiver that creates something may respond with 201, where the recipe treats that as success.
    let livespace = subscription["profile"] == "livespace";
    receiver.otherwise(Reply::status(if livespace { 200 } else { 201 }));
    let made = host.ok(Method::POST, "/v1/spaces/acme/subscriptions", subscription).await;
    assert_eq!(made["state"], "active");
    assert_eq!(receiver.requests().len(), usize::from(livespace));
    assert_eq!(post(&host, &read(recipe, "other-event.json")).await, 0);
    assert_eq!(post(&host, &read(recipe, "event.json")).await, 1);
    host.advance(Duration::from_secs(made["delay_s"].as_u64().unwrap())).await;
    let requests = receiver.requests().split_off(usize::from(livespace));
    let [request] = <[_; 1]>::try_from(requests).unwrap();
    compare(&request, serde_json::from_str(&read(recipe, "expected.json")).unwrap());
    assert_eq!(host.delivery().await["state"], "delivered");
}

/// The subscription with the URL of this receiver.
fn to(receiver: &Receiver, mut subscription: Value) -> Value {
    let url = Url::parse(subscription["url"].as_str().unwrap()).unwrap();
    assert!(url.scheme() == "https" && url.host_str().unwrap().ends_with(".example.com"), "{url}");
    subscription["url"] = receiver.url(&url[url::Position::BeforePath..]).into();
    subscription
}

/// Number of deliveries that the event creates.
async fn post(host: &TestHost, event: &str) -> u64 {
    let (status, receipt) = host.call(Method::POST, "/v1/spaces/acme/events", event).await;
    assert_eq!(status, 202, "{receipt}");
    receipt["deliveries"].as_u64().unwrap()
}

fn compare(request: &Received, Expected { method, target, headers, body }: Expected) {
    assert_eq!((&request.method, &request.target), (&method, &target));
    for (name, value) in &headers {
        assert_eq!(request.header(name), value.as_str(), "{name}");
    }
    match body {
        Value::String(text) => assert_eq!(request.text(), text),
        body => assert_eq!(serde_json::from_slice::<Value>(&request.body).unwrap(), body),
    }
}

#[test]
fn every_recipe_explains_how_to_use_its_files() {
    let index = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../recipes/README.md")).unwrap();
    for recipe in recipes() {
        let (text, name) = (read(&recipe, "README.md"), name(&recipe));
        assert!(text.contains(&format!("cd recipes/{name}\n")), "{name}");
        for file in ["subscription.json", "event.json", "other-event.json"] {
            assert!(text.contains(&format!("--data-binary @{file}\n")), "{name}: {file}");
        }
        assert!(index.contains(&format!("]({name}/README.md)")), "{name} is not in the list");
    }
}
