//! Memory of large responses: what lists, events and deliveries with their attempts take until they are sent.
//!
//! A response may be megabytes, and a caller may read it slowly, or not at all. So each takes its bytes from a budget before
//! it reads rows, and gives them back when it is sent or dropped. A space takes at most half.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use hookmill_model::SpaceId;
use hookmill_server::error::Error;
use hookmill_turns::Shares;
use serde::Serialize;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Bytes of all large responses together: 16 of the largest pages at once, or a hundred of the usual ones.
const BUDGET_BYTES: usize = 64 << 20;

/// Bytes of a page of rows without bodies: 200 of half a kilobyte, in rows and in JSON.
pub(crate) const PAGE_BYTES: usize = 512 << 10;

/// Bytes of a page that ends after 1 MiB of rows with JSON in them, which is parsed and rendered; and of an event.
pub(crate) const LARGE_BYTES: usize = 4 << 20;

/// A permit stands for so many bytes.
const UNIT_BYTES: usize = 1 << 10;

/// The budget.
pub(crate) struct ResponseMemory {
    all: Arc<Semaphore>,
    /// The half of each space.
    halves: Shares,
}

/// A part of the budget.
pub(crate) struct ResponseBytes {
    _of_space: OwnedSemaphorePermit,
    _of_all: OwnedSemaphorePermit,
}

impl Default for ResponseMemory {
    fn default() -> Self {
        let units = BUDGET_BYTES / UNIT_BYTES;
        Self { all: Arc::new(Semaphore::new(units)), halves: Shares::new(units / 2) }
    }
}

impl ResponseMemory {
    /// Takes so many bytes for a space's response; the space's whole half for one that needs more. Waits until they are
    /// free.
    pub(crate) async fn take(&self, space: &SpaceId, bytes: usize) -> ResponseBytes {
        let half = BUDGET_BYTES / UNIT_BYTES / 2;
        let units = u32::try_from(bytes.div_ceil(UNIT_BYTES).min(half)).expect("half of the budget is small");
        // In this order: what waits for its space holds nothing that others wait for.
        let _of_space = self.halves.take(space, units as usize).await;
        let of_all = Arc::clone(&self.all).acquire_many_owned(units).await;
        ResponseBytes { _of_space, _of_all: of_all.expect("the semaphore is never closed") }
    }
}

impl ResponseBytes {
    /// Renders a response, which gives the bytes back when it is sent.
    pub(crate) fn json(self, value: &impl Serialize) -> Result<Response, Error> {
        let text = serde_json::to_vec(value).map_err(|err| Error::internal(&err))?;
        Ok(([(CONTENT_TYPE, "application/json")], self.body(text.into())).into_response())
    }

    /// Returns a body, which gives the bytes back when it is sent.
    pub(crate) fn body(self, bytes: Bytes) -> Body {
        struct Sent(Bytes, #[expect(dead_code, reason = "held until it is dropped")] ResponseBytes);
        impl AsRef<[u8]> for Sent {
            fn as_ref(&self) -> &[u8] {
                &self.0
            }
        }
        Body::from(Bytes::from_owner(Sent(bytes, self)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    const AT_ONCE: Duration = Duration::from_millis(50);

    #[tokio::test]
    async fn a_space_has_half_of_the_memory_and_has_it_again_when_its_responses_are_sent() {
        let memory = ResponseMemory::default();
        let [busy, quiet] = ["busy", "quiet"].map(|id| SpaceId::parse(id).expect("an id"));
        let mut responses = Vec::new();
        while let Ok(bytes) = timeout(AT_ONCE, memory.take(&busy, LARGE_BYTES)).await {
            responses.push(bytes.json(&"a page").expect("text"));
        }
        assert_eq!(responses.len(), BUDGET_BYTES / 2 / LARGE_BYTES);
        let largest = timeout(AT_ONCE, memory.take(&quiet, usize::MAX)).await.expect("the other half is free");
        assert!(timeout(AT_ONCE, memory.take(&quiet, 1)).await.is_err());
        drop(largest);
        assert!(timeout(AT_ONCE, memory.take(&quiet, LARGE_BYTES)).await.is_ok());
        let sent = responses.pop().expect("there are some").into_body();
        let sent = axum::body::to_bytes(sent, usize::MAX).await.expect("the body");
        assert!(timeout(AT_ONCE, memory.take(&busy, LARGE_BYTES)).await.is_err(), "its bytes are still there");
        drop(sent);
        assert!(timeout(AT_ONCE, memory.take(&busy, LARGE_BYTES)).await.is_ok());
    }
}
