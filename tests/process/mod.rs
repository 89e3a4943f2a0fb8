//! The real binary in a process of its own: crashes, durability, commands.

mod bench;
mod browser;
mod crash;
mod durability;
mod import_e2e;
mod isolation;
mod poverty;
mod restart;
