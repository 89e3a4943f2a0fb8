//! What one loop hands another, in memory and within bounds. Rows are the truth; what is lost here is found there again.

pub mod alarm;
pub mod inbox;
pub mod notices;
pub mod shadows;
pub mod turns;

pub use alarm::Alarm;
pub use inbox::{Claimed, Inbox, Room};
pub use notices::Notices;
pub use shadows::{Seen, Shadows};
pub use turns::{Comparing, Trials};
