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
/// Another plugin's name replaces the plugin as a whole: the version and the configuration of one mean nothing to
/// another.
pub(super) fn changed(mut written: Value, patch: Map<String, Value>) -> Value {
    if let Some(name) = patch.get("plugin").and_then(|plugin| plugin.get("name"))
        && written.pointer("/plugin/name") != Some(name)
    {
        written["plugin"] = Value::Null;
    }
    merge(&mut written, Value::Object(patch));
    written
}
