//! JSON merge patch (RFC 7396), and defaults of profiles.

use serde_json::{Map, Value};

/// Merges `patch` into `target`: a null removes the member, an object is merged, any other value replaces.
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

/// Members that are replaced as a whole when the given one of their own members changes.
const KINDS: [(&str, &str); 2] = [("plugin", "name"), ("signing", "scheme")];

/// Merges a patch into a definition.
///
/// Another plugin name replaces the whole plugin, another scheme the whole signing: the settings of the one mean
/// nothing to the other. A null stays where it is, so that reading the result finds out whether there is such a member.
pub fn patched(mut definition: Map<String, Value>, patch: Map<String, Value>) -> Map<String, Value> {
    for (name, change) in patch {
        let member = definition.entry(name.as_str()).or_insert(Value::Null);
        let kind = KINDS.iter().find(|(member, _)| *member == name).map(|(_, kind)| *kind);
        if kind.is_some_and(|kind| change.get(kind).is_some_and(|new| member.get(kind) != Some(new))) {
            *member = Value::Null;
        }
        merge(member, change);
    }
    definition
}

/// Fills in `defaults` for members that are missing or null, except nulls in a plugin's configuration.
pub fn with_defaults(mut given: Map<String, Value>, defaults: &Map<String, Value>) -> Value {
    for (name, default) in defaults {
        let member = given.entry(name.as_str()).or_insert(Value::Null);
        let kind = KINDS.iter().find(|(member, _)| member == name).map(|(_, kind)| *kind);
        // Another plugin or scheme is complete as it is.
        if member.is_null() || kind.is_none_or(|kind| member.get(kind) == default.get(kind)) {
            fill(member, default, name != "plugin");
        }
    }
    Value::Object(given)
}

/// Fills in members that are missing; those that are null too if `nulls`.
fn fill(given: &mut Value, default: &Value, nulls: bool) {
    let (Value::Object(given), Value::Object(default)) = (&mut *given, default) else {
        if given.is_null() {
            *given = default.clone();
        }
        return;
    };
    for (member, default) in default {
        match given.get_mut(member) {
            Some(Value::Null) if !nulls => {}
            Some(given) => fill(given, default, nulls),
            None => _ = given.insert(member.clone(), default.clone()),
        }
    }
}
