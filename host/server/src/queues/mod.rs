//! What one loop hands another, in memory and within bounds. Rows are the truth; what is lost here is found there again.

pub mod alarm;
pub mod inbox;
pub mod notices;
pub mod shadows;
pub mod slots;

pub use alarm::Alarm;
pub use inbox::{Inbox, Leased, Reservation};
pub use notices::Notices;
pub use shadows::{ShadowJob, Shadows};
pub use slots::{ActiveComparisons, PreviewSlots};
