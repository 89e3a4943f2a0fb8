//! The query parameters `path` and `value`: a value at a path that a space indexes.

use hookmill_model::{FieldPath, SpaceId};
use hookmill_store::IndexedValue;

use crate::Api;
use hookmill_server::error::Error;

/// Returns the value to search for, if both parameters are given.
///
/// # Errors
/// If one of them is missing, the value is longer than those that are indexed, or the space does not index the path.
pub(super) fn value(
    api: &Api,
    space: &SpaceId,
    path: Option<FieldPath>,
    value: Option<String>,
) -> Result<Option<IndexedValue>, Error> {
    let (path, value) = match (path, value) {
        (None, None) => return Ok(None),
        (None, Some(_)) => return Err(Error::parameter("path", "expected with `value`: the path of the value")),
        (Some(_), None) => {
            return Err(Error::parameter("value", "expected with `path`: the text, number or boolean there"));
        }
        (Some(path), Some(value)) => (path, value),
    };
    if value.len() > IndexedValue::BYTES_MAX {
        let expected = format!("expected at most {} bytes: longer values are not indexed", IndexedValue::BYTES_MAX);
        return Err(Error::parameter("value", expected));
    }
    let indexed = api.host.indexed.of(space);
    let indexed = indexed.as_deref().unwrap_or_default();
    if indexed.contains(&path) {
        return Ok(Some(IndexedValue { path, value }));
    }
    let names: Vec<_> = indexed.iter().map(|path| format!("`{path}`")).collect();
    let expected = match names.as_slice() {
        [] => "the space indexes none: add it to the space's `indexed_paths`".to_owned(),
        names => format!("expected one of {}, which the space indexes", names.join(", ")),
    };
    Err(Error::parameter("path", format!("`{path}` is not indexed: {expected}")))
}
