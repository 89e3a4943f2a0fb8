//! Work that must not be interrupted.

/// Runs `work` to completion in its own task, whether or not the caller waits for it: a caller that disconnects between a
/// commit and the update in memory must not prevent the latter.
pub async fn unbroken<T: Send + 'static>(work: impl Future<Output = T> + Send + 'static) -> T {
    tokio::spawn(work).await.unwrap_or_else(|err| std::panic::resume_unwind(err.into_panic()))
}
