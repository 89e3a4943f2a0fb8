//! A client of a running host's API, for the commands that need one.
//!
//! Address, key and space are taken from flags, then from the environment, then from the file of named hosts. `--host NAME`
//! is a flag: the values of that host come before the environment. A key of the file is sent only to the address that it
//! stands with.

use std::fmt;
use std::time::Duration;

use anyhow::{Context as _, bail};
use hookmill_model::SpaceId;
use reqwest::{Client, RequestBuilder};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::hosts::{self, Entry, Hosts};

/// The address without any other.
const DEFAULT_URL: &str = "http://127.0.0.1:8470";

/// Largest response that is read. A page of deliveries or an upload's response is far smaller; another program may listen at
/// the address.
const RESPONSE_BYTES_MAX: usize = 256 << 20;

/// Which host, with which key, and which space.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Host")]
pub(super) struct RemoteArgs {
    /// A host of hosts.toml, by its name
    #[arg(long, value_name = "NAME", global = true)]
    host: Option<String>,

    /// The address of the host's API [env: HOOKMILL_URL] [default: http://127.0.0.1:8470]
    #[arg(long, value_name = "URL", global = true)]
    url: Option<Url>,

    /// An API key; others on this machine can see it here: better HOOKMILL_KEY, or hosts.toml [env: HOOKMILL_KEY]
    #[arg(long, global = true)]
    key: Option<String>,

    /// The space [env: HOOKMILL_SPACE]
    #[arg(long, global = true)]
    space: Option<SpaceId>,
}

/// How `--help` explains where the values come from.
pub(super) const HOSTS_HELP: &str = "\
Address, key and space are taken from flags, then from HOOKMILL_URL, HOOKMILL_KEY and HOOKMILL_SPACE, then from
~/.config/hookmill/hosts.toml (mode 0600). `--host NAME` chooses one of its hosts, before the environment:
  default = \"staging\"
  [hosts.staging]
  url = \"https://hookmill.example\"
  key = \"hmk_…\"
  space = \"acme\"";

/// A host and the key to it.
pub(super) struct Remote {
    url: Url,
    key: String,
    space: Option<SpaceId>,
}

/// A command that lacks an argument, or has one that is invalid: exit code 2.
#[derive(Debug)]
pub(super) struct Usage(pub(super) String);

impl fmt::Display for Usage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Usage {}

impl RemoteArgs {
    /// Finds the host, the key and the space.
    ///
    /// # Errors
    /// If there is no key, if `--host` is unknown, or if the file of hosts or a variable is invalid.
    pub(super) fn resolve(self) -> anyhow::Result<Remote> {
        let Self { host, url, key, space } = self;
        if host.is_some() && url.is_some() {
            bail!(Usage("--host and --url name two hosts: give one of them".to_owned()));
        }
        if key.is_some() {
            warn("others on this machine can see a key on the command line: set HOOKMILL_KEY, or add it to hosts.toml");
        }
        let (env_url, env_key) = (variable::<Url>("HOOKMILL_URL")?, variable::<String>("HOOKMILL_KEY")?);
        let env_space = variable("HOOKMILL_SPACE")?;
        if let Some(name) = host {
            let Entry { url, key: own, space: own_space } = Hosts::read()?.named(&name)?.clone();
            let key = key.or(own).or(env_key).ok_or_else(no_key)?;
            return Ok(Remote { url, key, space: space.or(own_space).or(env_space) });
        }
        let (url, key, space) = (url.or(env_url), key.or(env_key), space.or(env_space));
        // What is given completely needs no file.
        if let (Some(url), Some(key), Some(space)) = (&url, &key, &space) {
            return Ok(Remote { url: url.clone(), key: key.clone(), space: Some(space.clone()) });
        }
        let hosts = Hosts::read()?;
        let entry = match &url {
            Some(url) => hosts.at(url),
            None => hosts.default_host()?,
        };
        let own_url = entry.map(|entry| entry.url.clone());
        let default = || DEFAULT_URL.parse().expect("the constant is a URL");
        let key = key.or_else(|| entry?.key.clone()).ok_or_else(no_key)?;
        Ok(Remote { url: url.or(own_url).unwrap_or_else(default), key, space: space.or_else(|| entry?.space.clone()) })
    }
}

/// Reads a variable of the environment; an empty one counts as missing.
fn variable<T: std::str::FromStr<Err: fmt::Display>>(name: &str) -> anyhow::Result<Option<T>> {
    let text = std::env::var(name).ok().filter(|text| !text.is_empty());
    let parsed = text.map(|text| text.parse::<T>().map_err(|err| Usage(format!("invalid {name}: {err}"))));
    Ok(parsed.transpose()?)
}

fn no_key() -> anyhow::Error {
    let path = hosts::path().map_or_else(|| "hosts.toml".to_owned(), |path| path.display().to_string());
    Usage(format!(
        "no API key: set HOOKMILL_KEY, add `key` to the host in {path} (mode 0600), or give --key; a host prints an admin \
         key on its first start, and `hookmill keys create` makes others"
    ))
    .into()
}

fn no_space() -> anyhow::Error {
    let text = "no space: give --space, set HOOKMILL_SPACE, or add `space` to the host in hosts.toml";
    Usage(format!("{text}; `hookmill spaces list` lists them")).into()
}

/// Prints a warning, which no script reads.
pub(super) fn warn(text: &str) {
    note(&format!("warning: {text}"));
}

/// Prints what is no part of the output.
#[expect(clippy::print_stderr, reason = "what a command says beside its output")]
pub(super) fn note(text: &str) {
    eprintln!("hookmill: {text}");
}

impl Remote {
    /// Returns the host's address, without a slash at its end.
    pub(super) fn url(&self) -> &str {
        self.url.as_str().trim_end_matches('/')
    }

    /// Returns the space.
    ///
    /// # Errors
    /// If there is none.
    pub(super) fn space(&self) -> anyhow::Result<&SpaceId> {
        self.space.as_ref().ok_or_else(no_space)
    }

    /// Returns the URL of a path in the space: `plugins`, `subscriptions/sub_…`.
    ///
    /// # Errors
    /// If there is no space.
    pub(super) fn at(&self, path: &str) -> anyhow::Result<String> {
        Ok(format!("{}/v1/spaces/{}/{path}", self.url(), self.space()?))
    }

    /// Adds the key to a request.
    pub(super) fn signed_in(&self, request: RequestBuilder) -> RequestBuilder {
        request.bearer_auth(&self.key)
    }

    /// Sends a request with the key, and returns the response's JSON.
    ///
    /// # Errors
    /// If there is no response, or its status is not a success; then with the detail that the host gives.
    pub(super) async fn ask<T: DeserializeOwned>(&self, request: RequestBuilder) -> anyhow::Result<T> {
        serde_json::from_str(&self.ask_text(request).await?).context("parsing the host's response")
    }

    /// Sends a request with the key, and returns the response's body as it is.
    ///
    /// # Errors
    /// The same as of [`ask`](Self::ask).
    pub(super) async fn ask_text(&self, request: RequestBuilder) -> anyhow::Result<String> {
        let sent = self.signed_in(request).send().await;
        let mut response = sent.with_context(|| {
            format!("calling the host at {}; does it run? Another address: --url, HOOKMILL_URL or --host", self.url())
        })?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.context("reading the host's response")? {
            body.extend_from_slice(&chunk);
            if body.len() > RESPONSE_BYTES_MAX {
                bail!("the response of {} is larger than {RESPONSE_BYTES_MAX} bytes", self.url());
            }
        }
        let text = String::from_utf8(body).context("reading the host's response")?;
        if !status.is_success() {
            let problem: Value = serde_json::from_str(&text).unwrap_or_default();
            let member = |name: &str| super::text::on_one_line(problem[name].as_str().unwrap_or_default());
            let (detail, hint) = (member("detail"), hint(problem["code"].as_str().unwrap_or_default()));
            let at = problem["field"].as_str().filter(|at| !at.is_empty() && !detail.contains(*at));
            let at = at.map(|at| format!(" (at {})", super::text::on_one_line(at))).unwrap_or_default();
            bail!("the host responded with {status}: {detail}{at}{hint}");
        }
        Ok(text)
    }
}

/// Returns what to do about a problem of this code, where the host's own text does not say.
fn hint(code: &str) -> &'static str {
    match code {
        "unauthenticated" => {
            "; check HOOKMILL_KEY, or the host's `key` in hosts.toml: a key is valid only at the host that made it"
        }
        "forbidden" => {
            "; `hookmill keys list` shows what each key may do, `hookmill keys create` makes another (admin)"
        }
        "not_found" => "; the command `list` shows what there is",
        "subscription_identical" => "; --allow-identical creates it nevertheless",
        _ => "",
    }
}

/// Makes a client with this time limit for a response.
#[expect(clippy::disallowed_methods, reason = "calls a host's API, which may be at any address")]
pub(super) fn client(timeout: Duration) -> anyhow::Result<Client> {
    // reqwest needs a default provider; this fails if one is installed already.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).timeout(timeout);
    client.build().context("creating an HTTP client; are CA certificates installed?")
}
