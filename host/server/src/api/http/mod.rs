//! HTTP, whatever the resource: who may call, reading a request, pages of a list, problems, the OpenAPI document.

pub(crate) mod access;
pub(crate) mod extract;
pub(crate) mod openapi;
pub(crate) mod page;
pub(crate) mod problem;

pub(crate) use crate::{json, number};
