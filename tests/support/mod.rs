//! What the tests share.

pub mod fixtures;
pub mod host;
pub mod process;
pub mod receiver;
pub mod signature;
pub mod sink;
pub mod smtp;
pub mod tls;
