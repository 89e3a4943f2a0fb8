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

/// Members whose other members belong to the kind that one of them names.
const KINDS: [(&str, &str); 2] = [("plugin", "name"), ("signing", "scheme")];

/// A subscription as it is written, with a change merged in.
///
/// Another plugin's name replaces the plugin as a whole, and another scheme the signing: what the one is told means
/// nothing to the other.
pub fn changed(mut written: Value, patch: Map<String, Value>) -> Value {
    for (member, kind) in KINDS {
        if let Some(new) = patch.get(member).and_then(|value| value.get(kind))
            && written.get(member).and_then(|value| value.get(kind)) != Some(new)
        {
            written[member] = Value::Null;
        }
    }
    merge(&mut written, Value::Object(patch));
    written
}

/// Members as a caller gave them, with `defaults` for those that are not there or null. A null in a plugin's
/// configuration is the caller's.
pub fn with_defaults(mut given: Map<String, Value>, defaults: &Map<String, Value>) -> Value {
    given.retain(|_, value| !value.is_null());
    for (member, default) in defaults {
        let other = |kind: &str| given.get(member).is_some_and(|given| given.get(kind) != default.get(kind));
        match KINDS.iter().find(|(kinds, _)| kinds == member) {
            // Another plugin or scheme is whole as it is.
            Some((_, kind)) if other(kind) => {}
            _ => fill(given.entry(member.clone()).or_insert(Value::Null), default, member != "plugin"),
        }
    }
    Value::Object(given)
}

/// Fills in what is not there, or is null where that `is_absence`.
fn fill(given: &mut Value, default: &Value, is_absence: bool) {
    let (Value::Object(given), Value::Object(default)) = (&mut *given, default) else {
        if given.is_null() {
            *given = default.clone();
        }
        return;
    };
    for (member, default) in default {
        match given.get_mut(member) {
            Some(Value::Null) if !is_absence => {}
            Some(given) => fill(given, default, is_absence),
            None => _ = given.insert(member.clone(), default.clone()),
        }
    }
}
