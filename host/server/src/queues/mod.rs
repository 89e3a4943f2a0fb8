//! The bounded in-memory queues between loops. The rows in the store are the truth: what is lost here is read from there
//! again.

pub mod accepting;
pub mod alarm;
pub mod commits;
pub mod inbox;
pub mod notices;
pub mod shadows;
pub mod slots;

pub use accepting::Accepting;
pub use alarm::Alarm;
pub use commits::Commits;
pub use inbox::{Inbox, Leased, Reservation};
pub use notices::Notices;
pub use shadows::{ShadowJob, Shadows};
pub use slots::{ActiveComparisons, PreviewSlots};
