//! `hookmill listen`: a receiver for developers, which verifies, prints and answers as told.

mod receive;
mod verify;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use http::{Method, StatusCode};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use url::Url;

use crate::client::{Session, print};
use crate::remote::{HOSTS_HELP, RemoteArgs, Usage, note, warn};
use crate::text::on_one_line;
use receive::{Answer, Printed};
use verify::Verifier;

/// Requests that wait to be printed, beyond which the receiver takes its time to answer.
const WAITING_MAX: usize = 64;

const EXAMPLES: &str = "\
Prints the time, method and path of each request, whether its signature is valid, its headers and its body: JSON indented, a
form one pair a line. Listens on 127.0.0.1 only. A host sends there if it was started with `--allow-network 127.0.0.0/8`.

Examples:
  hookmill listen --subscribe 'deal.*'                     a temporary subscription on the host, deleted at the end
  hookmill listen --subscribe '*' --status 503             what does the host do when a receiver is down?
  hookmill listen --secret whsec_… --delay-ms 20000        a slow receiver of a subscription that there is
  hookmill listen --secret s3cret --hmac-header x-hub-signature-256
  hookmill listen --subscribe '*' --public-url https://a1b2.tunnel.example/        the host is elsewhere

After `kill -9` the temporary subscription is left: `hookmill subscriptions list` shows it, as `hookmill listen`.";

/// The arguments of `listen`.
#[derive(Debug, clap::Args)]
#[command(after_help = format!("{EXAMPLES}\n\n{HOSTS_HELP}\n\nExit codes: 0 success, 1 failure, 2 invalid arguments."))]
pub(super) struct Args {
    /// The port on 127.0.0.1; 0 chooses a free one
    #[arg(long, default_value_t = 9000)]
    port: u16,

    /// The secret to verify with: whsec_… of Standard Webhooks, or any text with --hmac-header
    #[arg(long, env = "HOOKMILL_SECRET", hide_env_values = true)]
    secret: Option<String>,

    /// Verify this header instead: HMAC-SHA256 of the body, in hexadecimal or base64, perhaps behind `sha256=`
    #[arg(long, value_name = "NAME", requires = "secret")]
    hmac_header: Option<http::HeaderName>,

    /// The status to answer with
    #[arg(long, default_value_t = 204, value_parser = clap::value_parser!(u16).range(200..600))]
    status: u16,

    /// Milliseconds to wait before the answer
    #[arg(long, value_name = "MS", default_value_t = 0)]
    delay_ms: u64,

    /// The body to answer with
    #[arg(long, value_name = "TEXT", default_value = "")]
    body: String,

    /// Receive events of these types by a temporary subscription on a host: `deal.won`, `deal.*`, `*`
    #[arg(long, value_name = "EVENT_TYPE", num_args = 1..)]
    subscribe: Vec<String>,

    /// The URL at which the host reaches this receiver [default: http://127.0.0.1:PORT/]
    #[arg(long, value_name = "URL", requires = "subscribe")]
    public_url: Option<Url>,

    #[command(flatten)]
    remote: RemoteArgs,
}

/// Listens until SIGINT or SIGTERM.
///
/// # Errors
/// If the port is taken, the secret is invalid, the host refuses the subscription, or the output cannot be written.
pub(super) async fn run(args: Args) -> anyhow::Result<()> {
    // Before anything is created that has to be deleted.
    let mut ended = Ended(signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let listener = TcpListener::bind(("127.0.0.1", args.port)).await;
    let listener = listener.with_context(|| {
        format!("listening on 127.0.0.1:{}; is another receiver running? Choose another port with --port", args.port)
    })?;
    let address = format!("http://{}/", listener.local_addr()?);
    let status = StatusCode::from_u16(args.status).map_err(|err| Usage(format!("--status: {err}")))?;
    let answer = Answer { status, delay: Duration::from_millis(args.delay_ms), body: args.body };
    if args.subscribe.is_empty() {
        let verifier = Verifier::new(args.secret.as_deref(), args.hmac_header)?;
        let ready = async |open: &AtomicBool| {
            open.store(true, Ordering::Relaxed);
            Ok(())
        };
        return serve(listener, &address, verifier, answer, &mut ended, ready).await;
    }
    if args.secret.is_some() {
        warn("--secret is left aside: a temporary subscription has its own");
    }
    let session = Session::of(args.remote, false)?;
    let url = args.public_url.map_or_else(|| address.clone(), String::from);
    let temporary = Temporary::create(&session, &url, &args.subscribe).await?;
    let received = async {
        let verifier = Verifier::new(Some(&temporary.secret().await?), None)?;
        let ready = async |open: &AtomicBool| {
            temporary.check_way().await?;
            open.store(true, Ordering::Relaxed);
            temporary.activate().await
        };
        serve(listener, &address, verifier, answer, &mut ended, ready).await
    };
    let result = received.await;
    // Whatever happened.
    temporary.delete().await?;
    result
}

/// The signals that end the program.
struct Ended(Signal, Signal);

impl Ended {
    async fn recv(&mut self) {
        let Self(interrupt, terminate) = self;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    }
}

/// Serves, and prints what is received, until a signal. `ready` runs once requests are answered; from when it opens the
/// receiver, they are answered as told, and printed.
async fn serve(
    listener: TcpListener,
    address: &str,
    verifier: Verifier,
    answer: Answer,
    ended: &mut Ended,
    ready: impl AsyncFnOnce(&AtomicBool) -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let (sender, mut received) = mpsc::channel(WAITING_MAX);
    let open = Arc::new(AtomicBool::new(false));
    let app: Router = receive::router(verifier, answer, sender, Arc::clone(&open));
    let serving = tokio::spawn(async move { axum::serve(listener, app).await });
    tokio::select! {
        ready = ready(&open) => ready?,
        () = ended.recv() => return Ok(()),
    }
    print(&format!("listening on {address}; Ctrl-C ends it"))?;
    let (mut requests, mut invalid) = (0_u64, 0_u64);
    loop {
        tokio::select! {
            next = received.recv() => {
                let Some(Printed { text, is_valid }) = next else { break };
                requests += 1;
                invalid += u64::from(!is_valid);
                print(&text)?;
            }
            () = ended.recv() => break,
        }
    }
    serving.abort();
    note(&format!("requests: {requests}, with an invalid signature: {invalid}"));
    Ok(())
}

/// A subscription that lasts as long as the command.
struct Temporary<'a> {
    session: &'a Session,
    id: String,
}

impl<'a> Temporary<'a> {
    /// Creates it as a draft, which sends nothing yet.
    async fn create(session: &'a Session, url: &str, types: &[String]) -> anyhow::Result<Self> {
        let description = "Temporary: created by `hookmill listen`, which deletes it at its end.";
        let body = json!({
            "name": "hookmill listen", "description": description, "url": url, "event_types": types, "state": "draft"
        });
        let at = format!("{}?allow_identical=true", session.at("subscriptions")?);
        let created: Value = serde_json::from_str(&session.send(Method::POST, at, Some(body.to_string())).await?)?;
        let id = created["id"].as_str().context("the host's response has no id")?.to_owned();
        Ok(Self { session, id })
    }

    fn at(&self, path: &str) -> anyhow::Result<String> {
        self.session.at(&format!("subscriptions/{}{path}", self.id))
    }

    async fn secret(&self) -> anyhow::Result<String> {
        let secret: Value = serde_json::from_str(&self.session.get(self.at("/secret")?).await?)?;
        Ok(secret["secret"].as_str().unwrap_or_default().to_owned())
    }

    /// Warns if the host does not reach this receiver.
    async fn check_way(&self) -> anyhow::Result<()> {
        let diagnosis: Value = self.session.send(Method::POST, self.at("/diagnose")?, None).await?.parse()?;
        let way = ["dns", "address_policy", "tls", "endpoint"];
        for finding in diagnosis["findings"].as_array().into_iter().flatten() {
            let of = |member: &str| on_one_line(finding[member].as_str().unwrap_or_default());
            if finding["result"] == "problem" && way.contains(&of("check").as_str()) {
                warn(&format!("the host does not reach this receiver: {}; {}", of("finding"), of("what_to_do")));
                break;
            }
        }
        Ok(())
    }

    async fn activate(&self) -> anyhow::Result<()> {
        let active: Value = self.session.send(Method::POST, self.at("/activate")?, None).await?.parse()?;
        let state = on_one_line(active["state"].as_str().unwrap_or_default());
        note(&format!("temporary subscription {} is {state}", self.id));
        Ok(())
    }

    async fn delete(&self) -> anyhow::Result<()> {
        let id = &self.id;
        let deleted = self.session.send(Method::DELETE, self.at("")?, None).await;
        deleted.with_context(|| {
            format!("deleting the temporary subscription; later: hookmill subscriptions delete {id}")
        })?;
        note(&format!("temporary subscription {id} was deleted"));
        Ok(())
    }
}
