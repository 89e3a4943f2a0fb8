//! JSON merge patch (RFC 7396).

use serde_json::{Map, Value};

/// Merges `patch` into `target`: a member that is null is removed, an object is merged, anything else replaces.
fn merge(target: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *target = patch;
        return;
    };
    if !target.is_object() {
        *target = Value::Object(Map::new());
    }
    let Some(members) = target.as_object_mut() else { return };
    for (name, value) in patch {
        if value.is_null() {
            members.shift_remove(&name);
        } else {
            merge(members.entry(name).or_insert(Value::Null), value);
        }
    }
}

/// A subscription as it is written, with a change merged in.
///
/// Another plugin's name replaces the plugin as a whole, and another scheme the signing: what the one is told means
/// nothing to the other.
pub(super) fn changed(mut written: Value, patch: Map<String, Value>) -> Value {
    for (member, kind) in [("plugin", "name"), ("signing", "scheme")] {
        if let Some(new) = patch.get(member).and_then(|value| value.get(kind))
            && written.get(member).and_then(|value| value.get(kind)) != Some(new)
        {
            written[member] = Value::Null;
        }
    }
    merge(&mut written, Value::Object(patch));
    written
}

/// What is null is as good as not there.
pub(super) fn without_nulls(mut members: Map<String, Value>) -> Map<String, Value> {
    members.retain(|_, value| !value.is_null());
    members
}
