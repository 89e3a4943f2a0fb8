//! `hookmill demo --profile …`: the behavior of a subscription with only a profile, a name, a URL and event types: one
//! activation, one success, one failure until the last retry, one pause.
//!
//! Sockets, TLS and signatures are real; the clock is simulated, so that there is nothing to wait for. Each signature is
//! computed again with code independent of the host's.

use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use hookmill_server::clock::{self, Clock};
use hookmill_server::config::Config;
use hookmill_server::subscriptions::profile;
use jiff::Timestamp;
use serde_json::{Value, json};

use super::secure::{Secure, SecureRequest};
use super::{Api, PATIENCE};

/// The expected behavior of a profile.
struct Script {
    /// The type of the events.
    kind: &'static str,
    /// Requests on activation.
    asked: usize,
    /// Events of one delivery, and seconds until it is due.
    together: (usize, u64),
    /// Seconds between the attempts of a failing delivery.
    waits_s: &'static [u64],
    /// Consecutive failed deliveries that pause it.
    pause_after: Option<usize>,
    /// Checks a request; the error states what is wrong. The text is the subscription's secret.
    check: fn(&SecureRequest, &str) -> Result<&'static str, String>,
}

/// The profiles that can be shown.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(super) enum Choice {
    /// Livespace: a handshake, a signature over URL and body, three attempts
    Livespace,
    /// Breakcold: the secret in the body, one attempt, a pause after ten failures
    Breakcold,
    /// LeadSquared: activities batched by the minute, parameters in the URL, three attempts
    Leadsquared,
}

impl Choice {
    fn name(self) -> &'static str {
        match self {
            Self::Livespace => "livespace",
            Self::Breakcold => "breakcold",
            Self::Leadsquared => "leadsquared",
        }
    }

    fn script(self) -> Script {
        match self {
            Self::Livespace => Script {
                kind: "deal.created",
                asked: 1,
                together: (1, 0),
                waits_s: &[5, 15],
                pause_after: None,
                check: livespace,
            },
            Self::Breakcold => Script {
                kind: "lead.create",
                asked: 0,
                together: (1, 0),
                waits_s: &[],
                pause_after: Some(10),
                check: breakcold,
            },
            Self::Leadsquared => Script {
                kind: "SalesActivity_Post_Create",
                asked: 0,
                together: (3, 60),
                waits_s: &[60, 300],
                pause_after: None,
                check: leadsquared,
            },
        }
    }
}

/// `X-Livespace-Signature`: hexadecimal HMAC-SHA256 over the URL and the body.
fn livespace(request: &SecureRequest, secret: &str) -> Result<&'static str, String> {
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, secret.as_bytes());
    let signature = request.headers.get("x-livespace-signature").ok_or("x-livespace-signature is missing")?;
    let signature = hex::decode(signature.as_bytes()).map_err(|err| err.to_string())?;
    let signed = [request.url.as_bytes(), &request.body].concat();
    ring::hmac::verify(&key, &signed, &signature).map_err(|_| "the signature does not match".to_owned())?;
    Ok("the signature over URL and body matches one computed independently")
}

fn breakcold(request: &SecureRequest, secret: &str) -> Result<&'static str, String> {
    let body: Value = serde_json::from_slice(&request.body).map_err(|err| err.to_string())?;
    if body["secret"] == secret {
        Ok("the body contains the secret")
    } else {
        Err("the body contains another secret".into())
    }
}

fn leadsquared(request: &SecureRequest, _: &str) -> Result<&'static str, String> {
    let body: Value = serde_json::from_slice(&request.body).map_err(|err| err.to_string())?;
    let query = request.url.contains("?entityType=Webhook&entityId=sub_") && request.url.contains("&eventType=Sales");
    if query && body.is_array() {
        Ok("entityType, entityId and eventType in the URL, a list of activities in the body")
    } else {
        Err("the URL or the body is not LeadSquared's".into())
    }
}

/// Runs the demo of a profile.
pub(super) async fn run(choice: Choice, dir: &Path) -> anyhow::Result<()> {
    let mut receiver = Secure::start(&dir.join("receiver.pem")).await?;
    let mut config = Config { data_dir: dir.join("data"), ..Config::default() };
    config.send.allow_networks.push("127.0.0.0/8".parse()?);
    config.send.trusted_certificates = Some(dir.join("receiver.pem"));
    let clock = Clock::manual(clock::whole_microseconds(Timestamp::now()));
    let api = Api::start(config, clock.clone(), super::LOOPBACK).await?;
    api.post("/v1/spaces", json!({"id": "demo", "name": "Demo"})).await?;
    let mut show =
        Show { script: choice.script(), receiver: &mut receiver, api, clock, secret: String::new(), at_s: 0 };
    let subscription = show.activation(choice.name()).await?;
    show.success(choice.name()).await?;
    show.failure(choice.name()).await?;
    show.pause(choice.name(), &subscription).await?;
    show.api.shutdown.cancel();
    say("\nEverything was as expected.");
    Ok(())
}

/// A delivery's state, and the CRM's name for it if the profile has one.
fn shown_state(delivery: &Value) -> String {
    let named = delivery["profile_status"].as_str().map(|name| format!(", as the CRM shows it: {name}"));
    format!("{}{}", delivery["state"], named.unwrap_or_default())
}

#[expect(clippy::print_stdout, reason = "the output of the command")]
fn say(line: &str) {
    println!("{line}");
}

struct Show<'a> {
    script: Script,
    receiver: &'a mut Secure,
    api: Api,
    clock: Clock,
    secret: String,
    at_s: u64,
}

impl Show<'_> {
    async fn activation(&mut self, name: &str) -> anyhow::Result<String> {
        let given = json!({"profile": name, "name": format!("Demo of {name}"), "event_types": [self.script.kind],
            "url": format!("{}/hook", self.receiver.base)});
        say(&format!("1. Activation\n   created with {given}"));
        let made = self.api.post("/v1/spaces/demo/subscriptions", given).await?;
        let path = format!("/v1/spaces/demo/subscriptions/{}", made["id"].as_str().unwrap_or_default());
        for _ in 0..self.script.asked {
            let request = self.next().await?;
            ensure!(request.body.is_empty(), "the handshake has a body");
            self.print(&request, "responded with 200");
        }
        let report = made["handshake_report"]["reason"].as_str().unwrap_or("this profile has no handshake");
        say(&format!("   {report}: the subscription is {}", made["state"]));
        ensure!(made["state"] == "active", "the subscription is {}", made["state"]);
        let secret = self.api.call(http::Method::GET, &format!("{path}/secret"), String::new()).await?;
        secret["secret"].as_str().unwrap_or_default().clone_into(&mut self.secret);
        Ok(path)
    }

    async fn success(&mut self, name: &str) -> anyhow::Result<()> {
        let (events, wait_s) = self.script.together;
        say(&format!("\n2. Success: {events} event(s) `{}` while the endpoint responds with 200", self.script.kind));
        let mut last = String::new();
        for _ in 0..events {
            last = self.event(name).await?;
        }
        self.advance(wait_s);
        self.checked("responded with 200").await?;
        let delivery = self.delivery(&last, 1).await?;
        ensure!(delivery["state"] == "delivered", "the delivery is {}", delivery["state"]);
        say(&format!("   the delivery is {}", shown_state(&delivery)));
        Ok(())
    }

    async fn failure(&mut self, name: &str) -> anyhow::Result<()> {
        say("\n3. Failure: the endpoint responds to every attempt with 500");
        self.receiver.respond_with(500);
        let event = self.event(name).await?;
        self.advance(self.script.together.1);
        self.checked("responded with 500").await?;
        let mut delivery = self.delivery(&event, 1).await?;
        for (attempts, wait_s) in (2..).zip(self.script.waits_s) {
            ensure!(delivery["state"] == "pending", "after {} attempts it is {}", attempts - 1, delivery["state"]);
            self.advance(*wait_s);
            self.checked(&format!("{wait_s} s later, responded with 500")).await?;
            delivery = self.delivery(&event, attempts).await?;
        }
        ensure!(delivery["state"] == "failed", "the delivery is {}", delivery["state"]);
        say(&format!("   the delivery is {}: {}", shown_state(&delivery), delivery["reason"]));
        Ok(())
    }

    async fn pause(&mut self, name: &str, path: &str) -> anyhow::Result<()> {
        if let Some(pause_after) = self.script.pause_after {
            say(&format!("\n4. Pause: {} more deliveries fail", pause_after - 1));
            for _ in 1..pause_after {
                let event = self.event(name).await?;
                self.next().await?;
                self.delivery(&event, 1).await?;
            }
        } else {
            say("\n4. Pause: this profile does not pause automatically, so through the API");
            self.api.post(&format!("{path}/pause"), json!({})).await?;
        }
        let paused = self.paused(path).await?;
        say(&format!("   the subscription is paused: {} {}", paused["pause_reason"], paused["pause_detail"]));
        let passed = self.api.post("/v1/spaces/demo/events", self.example(name)?).await?;
        ensure!(passed["deliveries"] == 0, "a paused subscription got an event");
        say("   a new event is not delivered to it");
        self.receiver.respond_with(200);
        let resumed = self.api.post(&format!("{path}/activate"), json!({})).await?;
        for _ in 0..self.script.asked {
            let request = self.next().await?;
            self.print(&request, "responded with 200");
        }
        say(&format!("   activated again, it is {}", resumed["state"]));
        ensure!(resumed["state"] == "active", "the subscription is {}", resumed["state"]);
        Ok(())
    }

    /// Returns the catalog's example as an event to post.
    fn example(&self, name: &str) -> anyhow::Result<Value> {
        let types = profile::find(name).context("no such profile")?.event_types();
        let entry = types.iter().find(|entry| entry.name.as_str() == self.script.kind).context("no such event type")?;
        Ok(json!({"type": self.script.kind, "data": entry.example}))
    }

    /// Posts the example; returns the event's id.
    async fn event(&self, name: &str) -> anyhow::Result<String> {
        let receipt = self.api.post("/v1/spaces/demo/events", self.example(name)?).await?;
        Ok(receipt["id"].as_str().unwrap_or_default().to_owned())
    }

    fn advance(&mut self, by_s: u64) {
        self.at_s += by_s;
        self.clock.advance(Duration::from_secs(by_s));
    }

    async fn next(&mut self) -> anyhow::Result<SecureRequest> {
        let next = tokio::time::timeout(PATIENCE, self.receiver.requests.recv()).await;
        next.ok().flatten().with_context(|| format!("no request arrived within {PATIENCE:?}"))
    }

    /// Waits for the next request, which must be as the profile requires.
    async fn checked(&mut self, response: &str) -> anyhow::Result<()> {
        let request = self.next().await?;
        self.print(&request, response);
        let fine = (self.script.check)(&request, &self.secret).map_err(|wrong| anyhow::anyhow!("✗ {wrong}"))?;
        say(&format!("   ✓ {fine}"));
        Ok(())
    }

    fn print(&self, request: &SecureRequest, response: &str) {
        say(&format!("   at {} s: {} {}   ({response})", self.at_s, request.method, request.url));
        for (name, value) in request.headers.iter().filter(|(name, _)| super::matters(name.as_str())) {
            say(&format!("     {name}: {}", value.to_str().unwrap_or("(not text)")));
        }
        if !request.body.is_empty() {
            say(&format!("     {}", String::from_utf8_lossy(&request.body)));
        }
    }

    /// Returns the delivery of an event, once this many attempts are recorded.
    async fn delivery(&self, event: &str, attempts: u64) -> anyhow::Result<Value> {
        let path = format!("/v1/spaces/demo/deliveries?event={event}");
        // The attempt is recorded after the response, so shortly after the request.
        for _ in 0..500 {
            let list = self.api.call(http::Method::GET, &path, String::new()).await?;
            if list["data"][0]["attempt_count"].as_u64() == Some(attempts) {
                return Ok(list["data"][0].clone());
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        anyhow::bail!("attempt {attempts} for the event {event} was not recorded within 5 s")
    }

    /// Returns the subscription, once it is paused.
    async fn paused(&self, path: &str) -> anyhow::Result<Value> {
        for _ in 0..500 {
            let now = self.api.call(http::Method::GET, path, String::new()).await?;
            if now["state"] == "paused" {
                return Ok(now);
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        anyhow::bail!("the subscription was not paused within 5 s")
    }
}
