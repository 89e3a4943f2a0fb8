//! A running host, as the commands that call its API see it.

use std::time::Duration;

use anyhow::{Context as _, bail};
use reqwest::{Client, RequestBuilder};
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use hookmill_model::SpaceId;

/// Where a host is, and what one may do there.
#[derive(Debug, clap::Args)]
pub(super) struct Remote {
    /// Where the host's API is
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8470")]
    pub(super) url: Url,

    /// An API key that may manage the space
    #[arg(long, env = "HOOKMILL_KEY", hide_env_values = true)]
    pub(super) key: String,

    /// The space
    #[arg(long)]
    pub(super) space: SpaceId,
}

impl Remote {
    /// The address of something in the space: `plugins`, `subscriptions/sub_…`.
    pub(super) fn at(&self, path: &str) -> String {
        format!("{}/v1/spaces/{}/{path}", self.url.as_str().trim_end_matches('/'), self.space)
    }

    /// What the host answers to this request, with this key.
    ///
    /// # Errors
    /// If there is no answer, or it is none of success: then with the host's own words.
    pub(super) async fn ask<T: DeserializeOwned>(&self, request: RequestBuilder) -> anyhow::Result<T> {
        let response = request.bearer_auth(&self.key).send().await.context("calling the host")?;
        let status = response.status();
        let text = response.text().await.context("reading the host's answer")?;
        if !status.is_success() {
            let problem: Value = serde_json::from_str(&text).unwrap_or_default();
            bail!("the host answered {status}: {}", problem["detail"].as_str().unwrap_or_default());
        }
        serde_json::from_str(&text).context("the host's answer is not what was expected")
    }
}

/// A client that waits so long for an answer.
#[expect(clippy::disallowed_methods, reason = "calls a host's API, which may be at any address")]
pub(super) fn client(answer_within: Duration) -> anyhow::Result<Client> {
    // Without a default reqwest makes no client; there is one already if this process has made one before.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let client = Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).timeout(answer_within);
    client.build().context("making an HTTP client; are CA certificates installed?")
}
