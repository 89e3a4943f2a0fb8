//! Running work that must not be cut off.

/// Runs `work` to its end in a task of its own, whether or not the caller waits for it: a caller who hangs up between a
/// commit and what follows from it in memory must not keep that from happening.
pub async fn unbroken<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    tokio::spawn(work).await.unwrap_or_else(|err| std::panic::resume_unwind(err.into_panic()))
}
