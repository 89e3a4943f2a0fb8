//! How large a schema is, and how much work it can ask for.

use std::collections::HashMap;

use serde_json::Value;

/// The most bytes of a schema: some ten times the largest of a known plugin.
const BYTES_MAX: usize = 256 << 10;
/// The deepest nesting of a schema; compiling and checking recurse.
const DEPTH_MAX: usize = 64;
/// The most parts that a schema may have when each `$ref` is replaced by what it refers to. Parts that refer to themselves
/// count once: how often they are checked depends on the value.
const EXPANDED_MAX: u64 = 20_000;

/// The largest schema, with its references replaced, that is checked in the process of its caller: with
/// [`PLAIN_VALUE_BYTES_MAX`], a few milliseconds.
const PLAIN_EXPANDED_MAX: u64 = 500;
/// The largest value that is checked in the process of its caller.
const PLAIN_VALUE_BYTES_MAX: usize = 16 << 10;
/// The deepest schema that is checked in the process of its caller.
const PLAIN_DEPTH_MAX: usize = 32;

/// Checks that a schema is no larger than what is saved.
///
/// # Errors
/// What is too large.
pub fn limits(schema: &Value) -> Result<(), String> {
    let bytes = schema.to_string().len();
    if bytes > BYTES_MAX {
        return Err(format!("too large: {bytes} bytes, at most {BYTES_MAX}"));
    }
    let size = Size::of(schema);
    if size.depth > DEPTH_MAX {
        return Err(format!("too deep: {} levels, at most {DEPTH_MAX}", size.depth));
    }
    if size.expanded > EXPANDED_MAX {
        return Err(format!(
            "too much work: it has more than {EXPANDED_MAX} parts when each `$ref` is replaced by what it refers to"
        ));
    }
    Ok(())
}

/// Whether checking `value` takes so little work that it needs no process of its own: the schema is small, has neither
/// references to itself nor patterns, and the value is small.
pub fn is_plain(schema: &Value, value: Option<&Value>) -> bool {
    let size = Size::of(schema);
    let value_bytes = value.map_or(0, |value| value.to_string().len());
    !size.unbounded
        && size.expanded <= PLAIN_EXPANDED_MAX
        && size.depth <= PLAIN_DEPTH_MAX
        && value_bytes <= PLAIN_VALUE_BYTES_MAX
}

struct Size {
    /// Parts, with references replaced.
    expanded: u64,
    depth: usize,
    /// Whether the work does not follow from the other numbers: references to itself or elsewhere, patterns, comparisons of
    /// all items with each other.
    unbounded: bool,
}

impl Size {
    fn of(schema: &Value) -> Self {
        let mut walk = Walk { root: schema, known: HashMap::new(), depth: 0, unbounded: false };
        let expanded = walk.part(schema, 1);
        Self { expanded, depth: walk.depth, unbounded: walk.unbounded }
    }
}

struct Walk<'a> {
    root: &'a Value,
    /// What references refer to: the parts of each. None while it is being counted.
    known: HashMap<&'a str, Option<u64>>,
    depth: usize,
    unbounded: bool,
}

impl<'a> Walk<'a> {
    fn part(&mut self, part: &'a Value, depth: usize) -> u64 {
        self.depth = self.depth.max(depth);
        if depth > DEPTH_MAX {
            return 1;
        }
        match part {
            Value::Object(members) => members.iter().fold(1, |sum: u64, (name, member)| {
                sum.saturating_add(match (name.as_str(), member) {
                    ("$ref", Value::String(pointer)) => self.referred(pointer, depth),
                    (
                        "$dynamicRef" | "$recursiveRef" | "pattern" | "patternProperties" | "format" | "uniqueItems",
                        _,
                    ) => {
                        self.unbounded = true;
                        self.part(member, depth + 1)
                    }
                    _ => self.part(member, depth + 1),
                })
            }),
            Value::Array(items) => {
                items.iter().fold(1, |sum: u64, item| sum.saturating_add(self.part(item, depth + 1)))
            }
            _ => 1,
        }
    }

    fn referred(&mut self, pointer: &'a str, depth: usize) -> u64 {
        match self.known.get(pointer) {
            Some(Some(parts)) => return *parts,
            Some(None) => {
                self.unbounded = true;
                return 1;
            }
            None => {}
        }
        let target = pointer.strip_prefix('#').filter(|pointer| !pointer.contains('%'));
        let Some(target) = target.and_then(|pointer| self.root.pointer(pointer)) else {
            self.unbounded = true;
            return 1;
        };
        self.known.insert(pointer, None);
        // What is referred to is checked as deep below as the reference.
        let parts = self.part(target, depth + 1);
        self.known.insert(pointer, Some(parts));
        parts
    }
}
