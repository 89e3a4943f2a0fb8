//! The subjects that are measured: the host as its users run it, the floor, and the limit.

use std::net::SocketAddr;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use hookmill_engine::{Engine, Limits};
use reqwest::{Client, Method};
use serde_json::{Value, json};

use super::child::{Child, Used};
use super::floor;
use super::load::Load;

/// The space that events are posted to.
pub(super) const SPACE: &str = "bench";

/// A workload: what the host does with each event.
#[derive(Clone, Copy, Debug)]
pub(super) struct Workload {
    pub(super) name: &'static str,
    pub(super) content_type: &'static str,
    pub(super) plugin: Option<&'static str>,
    pub(super) subscriptions: usize,
    /// Events per request, as lines; 0 for one event as JSON.
    pub(super) lines: usize,
}

/// A data directory with a space and all bundled plugins compiled; each host gets a copy.
pub(super) struct Template {
    pub(super) folder: PathBuf,
    pub(super) key: String,
}

impl Template {
    /// Makes it, with a first start of a host.
    pub(super) async fn make(folder: PathBuf) -> anyhow::Result<Self> {
        let mut template = Self { folder, key: String::new() };
        let (mut child, address) = serve(&template.folder).await?;
        let line = child.line().await?;
        line.rsplit(' ').next().context("the host printed no key")?.clone_into(&mut template.key);
        let host = Host { child, address, key: template.key.clone() };
        host.call(Method::POST, "/v1/spaces", &json!({"id": SPACE, "name": "Bench"})).await?;
        host.child.terminate().await?;
        // A host compiles plugins in the background after its start, which would distort the figures: compile them now.
        let engine = Engine::new(&Limits::default(), &template.folder.join("compiled"), std::env::current_exe()?)?;
        for plugin in hookmill_bundled::PLUGINS {
            engine.inspect(Bytes::from(plugin.component())).await.context(plugin.name)?;
        }
        Ok(template)
    }

    /// A host on a copy.
    pub(super) async fn host(&self, folder: &Path) -> anyhow::Result<Host> {
        copy(&self.folder, folder).context("copying a data directory")?;
        self.host_on(folder).await
    }

    /// Starts a host on an existing copy.
    pub(super) async fn host_on(&self, folder: &Path) -> anyhow::Result<Host> {
        let (child, address) = serve(folder).await?;
        Ok(Host { child, address, key: self.key.clone() })
    }
}

async fn serve(folder: &Path) -> anyhow::Result<(Child, SocketAddr)> {
    let folder = folder.to_str().context("the folder's path is not Unicode")?;
    let arguments = ["serve", "--listen", "127.0.0.1:0", "--allow-network", "127.0.0.0/8", "--data-dir", folder];
    let mut child = Child::start(&arguments)?;
    let line = child.line().await?;
    let address = line.rsplit('/').next().unwrap_or_default().parse().with_context(|| line.clone())?;
    // The data directory.
    child.line().await?;
    Ok((child, address))
}

/// Creates a folder for its owner only, as a host does for its data.
pub(super) fn create_private(folder: &Path) -> std::io::Result<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Copies a folder; locks are not copied.
pub(super) fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    create_private(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        let target = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &target)?;
        } else {
            std::fs::copy(entry.path(), target)?;
        }
    }
    Ok(())
}

/// A running host.
pub(super) struct Host {
    pub(super) child: Child,
    pub(super) address: SocketAddr,
    pub(super) key: String,
}

impl Host {
    /// Makes a request with the admin key.
    pub(super) async fn call(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<Value> {
        let client = Client::builder().no_proxy().build()?;
        let request = client.request(method.clone(), format!("http://{}{path}", self.address)).bearer_auth(&self.key);
        let response = request.header("content-type", "application/json").body(body.to_string()).send().await?;
        let (status, text) = (response.status(), response.text().await?);
        ensure!(status.is_success(), "{method} {path} returned {status}: {text}");
        Ok(serde_json::from_str(&text).unwrap_or_default())
    }

    /// Creates the subscriptions of a workload, which send to `receiver`; returns the path of the last.
    pub(super) async fn subscribe(&self, workload: &Workload, receiver: SocketAddr) -> anyhow::Result<String> {
        let all = format!("/v1/spaces/{SPACE}/subscriptions");
        let mut last = String::new();
        for number in 0..workload.subscriptions {
            let mut subscription = json!({
                "name": workload.name, "url": format!("http://{receiver}/{number}"), "event_types": ["deal.*"],
                "content_type": workload.content_type,
            });
            if let Some(plugin) = workload.plugin {
                subscription["plugin"] = json!({"name": plugin, "config": {}});
            }
            let made = self.call(Method::POST, &all, &subscription).await?;
            last = format!("{all}/{}", made["id"].as_str().context("the subscription has no id")?);
        }
        Ok(last)
    }

    /// Deletes the resource at this path.
    pub(super) async fn delete(&self, path: &str) -> anyhow::Result<()> {
        self.call(Method::DELETE, path, &json!({})).await.map(drop)
    }
}

/// A process that events are posted to.
pub(super) enum Subject {
    /// The receiver itself.
    Limit(SocketAddr),
    /// The least that a durable host can do.
    Floor(Child, SocketAddr),
    /// The host.
    Host(Host, Workload),
}

impl Subject {
    /// Starts the floor.
    pub(super) async fn floor(receiver: SocketAddr, folder: &Path) -> anyhow::Result<Self> {
        let (mut child, address) = Child::start_role("floor").await?;
        child.ask::<u64>(&floor::Ask::Begin(receiver, folder.to_owned())).await?;
        Ok(Self::Floor(child, address))
    }

    /// Makes a load of this duration, at the highest rate or at this many events per second.
    pub(super) fn load(
        &self,
        receiver: SocketAddr,
        connections: usize,
        seconds: f64,
        events_per_s: Option<f64>,
    ) -> Load {
        let (address, path, key, lines) = match self {
            Self::Limit(address) | Self::Floor(_, address) => (*address, "/".to_owned(), None, 0),
            Self::Host(host, workload) => {
                (host.address, format!("/v1/spaces/{SPACE}/events"), Some(host.key.clone()), workload.lines)
            }
        };
        let rate = events_per_s.map(|rate| rate / lines.max(1) as f64);
        let (signed, fan_out) = (matches!(self, Self::Limit(_)), self.fan_out());
        Load { address, path, key, signed, connections, receiver, fan_out, seconds, rate, lines }
    }

    /// Deliveries per event.
    pub(super) fn fan_out(&self) -> u64 {
        match self {
            Self::Limit(_) | Self::Floor(..) => 1,
            Self::Host(_, workload) => workload.subscriptions as u64,
        }
    }

    /// The resources that it has used; none for the limit, which is the load generator itself.
    pub(super) fn used(&self) -> anyhow::Result<Option<Used>> {
        match self {
            Self::Limit(_) => Ok(None),
            Self::Floor(child, _) => child.used().map(Some),
            Self::Host(host, _) => host.child.used().map(Some),
        }
    }

    /// The number of flushes to disk so far.
    pub(super) async fn flushes(&mut self) -> anyhow::Result<Option<u64>> {
        match self {
            Self::Limit(_) => Ok(None),
            Self::Floor(child, _) => child.ask(&floor::Ask::Flushes).await.map(Some),
            Self::Host(host, _) => {
                let client = Client::builder().no_proxy().build()?;
                let text = client.get(format!("http://{}/metrics", host.address)).send().await?.text().await?;
                let line = text.lines().find_map(|line| line.strip_prefix("hookmill_commits_total "));
                Ok(Some(line.context("the host reports no commits")?.trim().parse()?))
            }
        }
    }

    /// Ends the process.
    pub(super) async fn end(self) -> anyhow::Result<()> {
        match self {
            Self::Limit(_) => Ok(()),
            Self::Floor(child, _) => child.kill().await,
            Self::Host(host, _) => host.child.kill().await,
        }
    }
}
