//! A client of a running host's API, for the commands that need one.

use std::time::Duration;

use anyhow::{Context as _, bail};
use hookmill_model::SpaceId;
use reqwest::{Client, RequestBuilder};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

/// A host, the key to it, and a space.
#[derive(Debug, clap::Args)]
pub(super) struct Remote {
    /// The address of the host's API
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8470")]
    pub(super) url: Url,

    /// An API key with access to the space
    #[arg(long, env = "HOOKMILL_KEY", hide_env_values = true)]
    pub(super) key: String,

    /// The space
    #[arg(long)]
    pub(super) space: SpaceId,
}

impl Remote {
    /// Returns the URL of a path in the space: `plugins`, `subscriptions/sub_…`.
    pub(super) fn at(&self, path: &str) -> String {
        format!("{}/v1/spaces/{}/{path}", self.url.as_str().trim_end_matches('/'), self.space)
    }

    /// Sends a request with the key, and returns the response's JSON.
    ///
    /// # Errors
    /// If there is no response, or its status is not a success; then with the detail that the host gives.
    pub(super) async fn ask<T: DeserializeOwned>(&self, request: RequestBuilder) -> anyhow::Result<T> {
        let response = request.bearer_auth(&self.key).send().await.context("calling the host")?;
        let status = response.status();
        let text = response.text().await.context("reading the host's response")?;
        if !status.is_success() {
            let problem: Value = serde_json::from_str(&text).unwrap_or_default();
            bail!("the host responded with {status}: {}", problem["detail"].as_str().unwrap_or_default());
        }
        serde_json::from_str(&text).context("parsing the host's response")
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
