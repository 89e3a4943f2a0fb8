//! Transform: a delivery's event becomes a request.
//!
//! In order: field selection ([`select`]) takes away what the subscription does not want seen, then the subscription's
//! plugin runs ([`Engine`]) or, without one, a default shape is made ([`shape`]), and the result is put together with
//! what the subscription itself asks for into the [`Request`](crate::model::Request) that is signed and sent
//! ([`request`]).

pub mod request;
pub mod select;
pub mod shape;
