//! HTTP aspects common to all resources: authorization, reading requests, pagination, problem details and the API
//! description.

pub(crate) mod access;
pub(crate) mod extract;
pub(crate) mod formats;
pub(crate) mod memory;
pub(crate) mod openapi;
pub(crate) mod page;
pub(crate) mod problem;
pub(crate) mod serve;

pub(crate) use hookmill_server::{json, number};
