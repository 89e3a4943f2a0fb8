//! Values and the pure decisions over them.

mod failure_group;
mod mail_address;
mod pause;
mod time;
