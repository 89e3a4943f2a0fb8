//! One command's calls of a host, and its output.

use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use hookmill_server::clock::Clock;
use http::Method;
use jiff::Timestamp;
use reqwest::Client;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::table::{Cell, Column, render};
use super::{Common, Confirm};
use crate::remote::{self, Remote, RemoteArgs, Usage};
use crate::text::on_one_line;

/// Time limit of a response: an activation's handshake gives the receiver a minute.
const TIMEOUT: Duration = Duration::from_secs(90);

/// The most entries of a page of the API.
const PAGE_MAX: usize = 200;

/// Largest file that is read: more than the largest body that a host accepts by default.
const FILE_BYTES_MAX: u64 = 64 << 20;

/// The host, and how the command answers.
pub(crate) struct Session {
    pub(super) remote: Remote,
    pub(super) json: bool,
    client: Client,
    clock: Clock,
}

/// Entries of a list, as the host wrote them.
#[derive(Deserialize, Serialize)]
pub(super) struct Listing {
    data: Vec<Box<RawValue>>,
    next_cursor: Option<String>,
}

impl Session {
    /// Finds the host and the key.
    pub(super) fn new(common: Common) -> anyhow::Result<Self> {
        let Common { json, remote } = common;
        Self::of(remote, json)
    }

    /// The same, of arguments that are not those of this module's commands.
    pub(crate) fn of(remote: RemoteArgs, json: bool) -> anyhow::Result<Self> {
        Ok(Self { remote: remote.resolve()?, json, client: remote::client(TIMEOUT)?, clock: Clock::system() })
    }

    /// Returns the present.
    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Returns the URL of a path in the space.
    pub(crate) fn at(&self, path: &str) -> anyhow::Result<String> {
        self.remote.at(path)
    }

    /// Returns the URL of a path of the API, outside of spaces.
    pub(super) fn top(&self, path: &str) -> String {
        format!("{}/v1/{path}", self.remote.url())
    }

    /// Gets a document as it is.
    pub(crate) async fn get(&self, url: String) -> anyhow::Result<String> {
        self.remote.ask_text(self.client.get(url)).await
    }

    /// Sends a JSON body, or none, and returns the response as it is.
    pub(crate) async fn send(&self, method: Method, url: String, body: Option<String>) -> anyhow::Result<String> {
        let mut request = self.client.request(method, url);
        if let Some(body) = body {
            request = request.header("content-type", "application/json").body(body);
        }
        self.remote.ask_text(request).await
    }

    /// Gets the first entries of a list, page by page.
    pub(super) async fn list(&self, url: &str, query: &[(&str, String)], limit: usize) -> anyhow::Result<Listing> {
        let mut all = Listing { data: Vec::new(), next_cursor: None };
        while all.data.len() < limit {
            let page = (limit - all.data.len()).min(PAGE_MAX).to_string();
            let mut request = self.client.get(url).query(query).query(&[("limit", page)]);
            if let Some(cursor) = &all.next_cursor {
                request = request.query(&[("cursor", cursor)]);
            }
            let Listing { data, next_cursor } = self.remote.ask(request).await?;
            all.data.extend(data);
            all.next_cursor = next_cursor;
            if all.next_cursor.is_none() {
                break;
            }
        }
        Ok(all)
    }

    /// Prints a document: as it is with `--json`, else what `show` makes of it.
    pub(super) fn answer(&self, text: &str, show: impl FnOnce(&Value) -> String) -> anyhow::Result<()> {
        if self.json {
            return print(text.trim_end());
        }
        print(&show(&serde_json::from_str(text).context("parsing the host's response")?))
    }

    /// Prints a list: with `--json` as one document, else as a table.
    pub(super) fn answer_list(
        &self,
        listing: &Listing,
        columns: &[Column],
        row: impl Fn(&Value) -> Vec<Cell>,
        empty: &str,
    ) -> anyhow::Result<()> {
        if self.json {
            return print(&serde_json::to_string(listing)?);
        }
        let rows = listing.entries()?.iter().map(row).collect::<Vec<_>>();
        if rows.is_empty() {
            return print(empty);
        }
        print(render(columns, &rows, width()).trim_end())?;
        if listing.next_cursor.is_some() {
            remote::warn(&format!("only the first {} are listed: --limit N lists more", rows.len()));
        }
        Ok(())
    }

    /// Asks whether to do what cannot be undone.
    pub(super) fn confirm(&self, confirm: &Confirm, question: &str) -> anyhow::Result<()> {
        if confirm.yes {
            return Ok(());
        }
        if !std::io::stdin().is_terminal() {
            bail!(Usage(format!("{question} There is no terminal to ask on: confirm with --yes")));
        }
        ask(question)?;
        let mut line = String::new();
        // An answer is short; what is longer is none.
        std::io::stdin().lock().take(16).read_line(&mut line)?;
        ensure!(matches!(line.trim(), "y" | "Y" | "yes"), "nothing was changed");
        Ok(())
    }
}

#[expect(clippy::print_stderr, reason = "a question, which is not part of the output")]
fn ask(question: &str) -> anyhow::Result<()> {
    eprint!("{question} [y/N] ");
    Ok(std::io::stderr().flush()?)
}

impl Listing {
    /// Returns the entries parsed.
    pub(super) fn entries(&self) -> anyhow::Result<Vec<Value>> {
        let parsed = self.data.iter().map(|entry| serde_json::from_str(entry.get()));
        parsed.collect::<Result<_, _>>().context("parsing the host's response")
    }

    /// Returns the entries as the host wrote them.
    pub(super) fn texts(&self) -> impl Iterator<Item = &str> {
        self.data.iter().map(|entry| entry.get())
    }

    /// Whether there are no further entries.
    pub(super) fn is_whole(&self) -> bool {
        self.next_cursor.is_none()
    }

    /// Returns the entry with this value of a member, as the host wrote it.
    pub(super) fn find(&self, member: &str, value: &str) -> anyhow::Result<Option<&str>> {
        let index = self.entries()?.iter().position(|entry| entry[member] == value);
        Ok(index.map(|index| self.data[index].get()))
    }
}

/// Prints a text and a line's end. A closed output is an error that ends the command in good order.
pub(crate) fn print(text: &str) -> anyhow::Result<()> {
    let mut out = anstream::stdout();
    writeln!(out, "{text}")?;
    Ok(out.flush()?)
}

/// Returns the columns that a table may have: those of the terminal, or of COLUMNS; none if the output is no terminal.
fn width() -> Option<usize> {
    let set = std::env::var("COLUMNS").ok().and_then(|columns| columns.parse().ok());
    set.or_else(|| console::Term::stdout().size_checked().map(|(_, columns)| columns.into()))
}

/// Returns a member as text on one line; empty if it is null or missing.
pub(super) fn text(value: &Value, member: &str) -> String {
    match &value[member] {
        Value::Null => String::new(),
        Value::String(text) => on_one_line(text),
        other => on_one_line(&other.to_string()),
    }
}

/// Reads a JSON document from a file, or from standard input if it is `-`, and returns its text.
///
/// # Errors
/// If it cannot be read, is too large, or is no JSON.
pub(super) fn read_json(file: &Path) -> anyhow::Result<String> {
    let read = || {
        let mut text = String::new();
        let source: Box<dyn std::io::Read> =
            if file == Path::new("-") { Box::new(std::io::stdin()) } else { Box::new(std::fs::File::open(file)?) };
        source.take(FILE_BYTES_MAX + 1).read_to_string(&mut text)?;
        ensure!(text.len() as u64 <= FILE_BYTES_MAX, "larger than {FILE_BYTES_MAX} bytes");
        serde_json::from_str::<&RawValue>(&text).context("not JSON")?;
        Ok(text)
    };
    read().with_context(|| format!("reading {}", file.display()))
}
