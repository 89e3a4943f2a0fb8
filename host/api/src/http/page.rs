//! Pagination: the query parameters `limit` and `cursor`, the members `data` and `next_cursor`.

use std::borrow::Cow;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize};
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr, Schema};
use utoipa::{IntoParams, PartialSchema, ToSchema};

use hookmill_server::error::Error;
use hookmill_store::ListPart;

/// Bounds on a page: enough entries for a screen, few enough that a page of the largest ones is built quickly.
const LIMIT_MAX: usize = 200;
const LIMIT_DEFAULT: usize = 50;

/// The page parameters of a list.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Maximum number of entries in the page.
    #[serde(default)]
    #[param(value_type = Option<u32>, minimum = 1, maximum = 200, default = 50)]
    pub(crate) limit: Limit,
    /// The `next_cursor` of the previous page.
    pub(crate) cursor: Option<String>,
}

/// Maximum number of entries in a page.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit(usize);

impl Default for Limit {
    fn default() -> Self {
        Self(LIMIT_DEFAULT)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let limit = String::deserialize(deserializer)?.parse().ok().filter(|limit| (1..=LIMIT_MAX).contains(limit));
        limit.map(Self).ok_or_else(|| serde::de::Error::custom("expected an integer from 1 to 200"))
    }
}

impl Limit {
    /// Returns the number of entries in the page.
    pub(crate) fn get(self) -> usize {
        self.0
    }

    /// Returns the number of entries to query: one more than the page shows, to detect a next page.
    pub(crate) fn ask(self) -> usize {
        self.0 + 1
    }
}

/// Parses a cursor. It is opaque to callers, and in fact the id of the last entry of the previous page.
pub(crate) fn after<T: FromStr>(cursor: Option<&str>) -> Result<Option<T>, Error> {
    let Some(cursor) = cursor else { return Ok(None) };
    let id = cursor.parse().ok();
    id.map(Some).ok_or_else(invalid_cursor)
}

/// The error of a cursor that no page had.
pub(crate) fn invalid_cursor() -> Error {
    Error::parameter("cursor", "invalid cursor: expected the `next_cursor` of the previous page")
}

/// A page of a list. It may have fewer entries than `limit`, or none, although more follow.
#[derive(Debug, Serialize)]
pub(crate) struct Page<T> {
    /// The entries.
    data: Vec<T>,
    /// The `cursor` of the next page; null on the last one.
    next_cursor: Option<String>,
}

// Not derived: the derived schema repeats the entries inline. Annotations name it through an alias without parameters.
impl<T: ToSchema> PartialSchema for Page<T> {
    fn schema() -> RefOr<Schema> {
        let entries = ArrayBuilder::new().items(Ref::from_schema_name(T::name())).description(Some("The entries."));
        let next_cursor = ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
            .description(Some("The `cursor` of the next page; null on the last one. A page may have fewer than `limit` entries, or none, although more follow."));
        ObjectBuilder::new()
            .description(Some("A page of a list."))
            .property("data", entries)
            .required("data")
            .property("next_cursor", next_cursor)
            .required("next_cursor")
            .into()
    }
}

impl<T: ToSchema> ToSchema for Page<T> {
    fn name() -> Cow<'static, str> {
        format!("{}Page", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
}

impl<T> Page<T> {
    /// Builds a page from the result of a query for [`Limit::ask`] entries.
    pub(crate) fn new<R, I: fmt::Display>(
        mut found: Vec<R>,
        limit: Limit,
        id: impl Fn(&R) -> I,
        view: impl FnMut(R) -> T,
    ) -> Self {
        let more = found.len() > limit.0;
        found.truncate(limit.0);
        let next_cursor = if more { found.last().map(|last| id(last).to_string()) } else { None };
        Self { data: found.into_iter().map(view).collect(), next_cursor }
    }

    /// Builds a page of these entries.
    pub(crate) fn with(data: Vec<T>, next_cursor: Option<String>) -> Self {
        Self { data, next_cursor }
    }

    /// Builds a page from a part of a listing.
    pub(crate) fn part<R, C: fmt::Display>(part: ListPart<R, C>, view: impl FnMut(R) -> T) -> Self {
        let next_cursor = part.next.map(|next| next.to_string());
        Self { data: part.entries.into_iter().map(view).collect(), next_cursor }
    }

    /// Builds a page from a complete, ordered list.
    pub(crate) fn of<R, I: fmt::Display>(
        all: Vec<R>,
        query: &PageQuery,
        id: impl Fn(&R) -> I,
        view: impl FnMut(R) -> T,
    ) -> Result<Self, Error> {
        let mut rest = all;
        if let Some(cursor) = &query.cursor {
            let last = rest.iter().position(|row| id(row).to_string() == *cursor);
            let last = last.ok_or_else(|| {
                Error::parameter("cursor", "the entry at the cursor no longer exists: start again without a cursor")
            })?;
            rest.drain(..=last);
        }
        Ok(Self::new(rest, query.limit, id, view))
    }
}
