//! Waits for changes to a project's files.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use file_notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher as _};
use tokio::sync::mpsc;

/// Folders that tools write to, where a change is not the author's.
const MADE: [&str; 7] = ["build", "dist", "target", "node_modules", ".venv", ".git", "__pycache__"];

/// How long files must stay unchanged before a change counts: an editor writes several files, or one in several steps.
const QUIET: Duration = Duration::from_millis(200);

/// Changes to the files below a folder.
pub(super) struct Changes {
    changed: mpsc::UnboundedReceiver<()>,
    /// Watches until it is dropped.
    _watcher: RecommendedWatcher,
}

/// Watches a project.
pub(super) fn watch(root: &Path) -> anyhow::Result<Changes> {
    let (tell, changed) = mpsc::unbounded_channel();
    let below = root.to_owned();
    let mut watcher = file_notify::recommended_watcher(move |event: file_notify::Result<Event>| {
        if event.is_ok_and(|event| matters(&below, &event)) {
            // Fails only while the program exits.
            let _ = tell.send(());
        }
    })
    .context("watching files")?;
    watcher.watch(root, RecursiveMode::Recursive).with_context(|| format!("watching {}", root.display()))?;
    Ok(Changes { changed, _watcher: watcher })
}

fn matters(root: &Path, event: &Event) -> bool {
    let authors = |path: &PathBuf| {
        let within = path.strip_prefix(root).unwrap_or(path);
        !within.iter().any(|part| MADE.iter().any(|made| part == *made))
    };
    !matches!(event.kind, EventKind::Access(_)) && event.paths.iter().any(authors)
}

impl Changes {
    /// Waits for a change, and then until files stay unchanged for a moment.
    pub(super) async fn next(&mut self) {
        self.changed.recv().await;
        while let Ok(Some(())) = tokio::time::timeout(QUIET, self.changed.recv()).await {}
    }
}
