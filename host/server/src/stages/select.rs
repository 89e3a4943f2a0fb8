//! Field selection: removes from an event's data what a subscription does not want its plugin to see.
//!
//! Paths are JSONPath (RFC 9535). They are evaluated on a parsed copy, but the result is cut from the data's own text:
//! what is kept stays as it was written, numbers included, in its order. White space between kept parts is dropped, and
//! if an object repeats a name, the last value counts.
//!
//! Two things differ from the RFC. Filters compare numbers as 64-bit floats, and a number outside their range (`1e400`)
//! equals nothing and is less than nothing. And constructs that let a short path run for hours on a small document (a
//! descent below a descent, a search inside a filter, a regular expression for each node) are refused, so that the work
//! stays proportional to the data: at most [`WEIGHT_MAX`] visits of each value, and [`VISITS_MAX`] of all.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};

use serde_json::Value;
use serde_json::value::RawValue;
use serde_json_path::JsonPath;

use super::json::{self, Level, Members};
use hookmill_model::{FieldSelection, Invalid, PluginFault, PluginFaultCode};

/// The most that all paths of a selection may weigh: one each, times the alternatives of their lists (`['a','b']` is
/// two), times one more than the values that their filters read.
pub const WEIGHT_MAX: usize = 100;

/// The longest path: longer than any that a person writes.
pub const PATH_BYTES_MAX: usize = 1 << 10;

/// The most combinations that the lists of one path may multiply to: each finds its own copy of what follows. More are
/// possible with more paths.
const ALTERNATIVES_MAX: usize = 20;

/// The most visits that all paths together may make in one event: about 0.2 s of one core. Paths that search (`*`, `..`,
/// `[?…]`, `[1:]`) visit as many values as the data has, times what they weigh: 100 such paths fit data of 100 KB.
pub const VISITS_MAX: usize = 1_000_000;

/// The most data that is selected from on the caller's thread: about 0.5 ms with a few paths.
const QUICK_BYTES: usize = 16 << 10;

/// A compiled field selection.
#[derive(Clone, Debug)]
pub struct Selector {
    include: Vec<JsonPath>,
    exclude: Vec<JsonPath>,
    /// What the paths that search weigh.
    searching: usize,
    /// Why nothing can be selected.
    invalid: Option<Invalid>,
}

impl Selector {
    /// Compiles the paths.
    ///
    /// # Errors
    /// If a path is not JSONPath, too long, or needs more work than is allowed; names the path and what is wrong.
    pub fn compile(selection: &FieldSelection) -> Result<Self, Invalid> {
        let mut weight_left = WEIGHT_MAX;
        let mut all = |paths: &[String]| -> Result<Vec<_>, _> {
            paths.iter().map(|path| compile(path, &mut weight_left)).collect()
        };
        let (include, exclude) = (all(&selection.include)?, all(&selection.exclude)?);
        let paths = selection.include.iter().chain(&selection.exclude);
        let searching = paths.filter(|path| path.contains(['*', '?', ':']) || path.contains(".."));
        let searching = searching.filter_map(|path| weight(path).ok()).sum();
        Ok(Self { include, exclude, searching, invalid: None })
    }

    /// Returns the selector of paths that cannot be compiled, from which nothing can be selected.
    pub fn invalid(why: Invalid) -> Self {
        Self { include: Vec::new(), exclude: Vec::new(), searching: 0, invalid: Some(why) }
    }

    /// Whether selecting from this data takes so long that it should not hold up other work of its thread.
    pub fn is_slow(&self, data: &RawValue) -> bool {
        let paths = self.include.len() + self.exclude.len();
        paths > 0 && data.get().len().saturating_mul(1 + self.searching / 4) > QUICK_BYTES
    }

    /// Returns the selected part of `data`; the same bytes if there are no paths.
    ///
    /// What `include` finds is kept in its place, with the arrays and objects around it; items of an array move up.
    /// What `exclude` finds is removed, wherever it is. If nothing is left, the data is empty: `{}`, `[]` or `null`.
    ///
    /// # Errors
    /// If the paths are invalid. If the data is grammatical JSON but cannot be parsed: nested too deeply, or with text that is not Unicode. If the
    /// paths would visit more than [`VISITS_MAX`] values.
    pub fn apply<'a>(&self, data: &'a RawValue) -> Result<Cow<'a, RawValue>, PluginFault> {
        if let Some(why) = &self.invalid {
            let message = format!("the field selection is invalid: {why}");
            return Err(PluginFault { code: PluginFaultCode::InvalidOutput, message, retry: false });
        }
        if self.include.is_empty() && self.exclude.is_empty() {
            return Ok(Cow::Borrowed(data));
        }
        let root: Value = serde_json::from_str(data.get()).map_err(|error| json::unreadable(&error.to_string()))?;
        if self.searching > 0 {
            let values = values(&root);
            if values.saturating_mul(self.searching) > VISITS_MAX {
                return Err(too_much(values));
            }
        }
        let mut cut =
            Cut { kept: found(&self.include, &root), removed: found(&self.exclude, &root), out: String::new() };
        if !cut.write(data, &root, self.include.is_empty())? {
            cut.out.push_str(match root {
                Value::Object(_) => "{}",
                Value::Array(_) => "[]",
                _ => "null",
            });
        }
        Ok(Cow::Owned(RawValue::from_string(cut.out).expect("parts of JSON were put together as JSON")))
    }
}

fn compile(path: &str, weight_left: &mut usize) -> Result<JsonPath, Invalid> {
    if path.len() > PATH_BYTES_MAX {
        let start: String = path.chars().take(40).collect();
        return Err(Invalid::new(format!("the path `{start}…` is longer than {PATH_BYTES_MAX} bytes")));
    }
    let expensive = |why| Invalid::new(format!("`{path}` is too expensive: {why}"));
    let weight = weight(path);
    // Before it is parsed: each level of filters doubles the time that parsing takes, 6 s for 20 levels, and some hundred
    // levels of parentheses overflow the stack.
    if let Err(why @ (NESTED_FILTER | NESTED_DEEPLY)) = weight {
        return Err(expensive(why));
    }
    let parsed = JsonPath::parse(path).map_err(|error| {
        let place = error.position() + 1;
        Invalid::new(format!("`{path}` is not JSONPath (RFC 9535); at character {place}: {}", error.message()))
    })?;
    let weight = weight.map_err(expensive)?;
    *weight_left = weight_left.checked_sub(weight).ok_or_else(|| {
        Invalid::new(format!(
            "with `{path}` the paths are too expensive: at most {WEIGHT_MAX} are allowed, fewer with lists or filters"
        ))
    })?;
    Ok(parsed)
}

const NESTED_FILTER: &str = "a filter must not contain another filter";
const NESTED_DEEPLY: &str = "its brackets nest more than 16 levels deep";

/// The deepest nesting of brackets and parentheses: deeper than any that a person writes.
const DEPTH_MAX: usize = 16;

/// Returns the weight of a path, if it is well-formed; the error says why it is refused.
fn weight(path: &str) -> Result<usize, &'static str> {
    let (mut alternatives, mut listed, mut looks) = (1_usize, 1, 1);
    let (mut depth, mut filter_depth, mut descents, mut parentheses) = (0_usize, None, 0, 0_usize);
    let mut chars = path.chars().peekable();
    while let Some(c) = chars.next() {
        let in_filter = filter_depth.is_some();
        match c {
            '\'' | '"' => skip_quoted(&mut chars, c),
            '[' | '(' if depth + parentheses == DEPTH_MAX => return Err(NESTED_DEEPLY),
            '[' => depth += 1,
            '(' => parentheses += 1,
            ')' => parentheses = parentheses.saturating_sub(1),
            ']' => {
                if depth == 1 {
                    alternatives = alternatives.saturating_mul(std::mem::replace(&mut listed, 1));
                }
                filter_depth = filter_depth.filter(|at| *at != depth);
                depth = depth.saturating_sub(1);
            }
            '?' if in_filter => return Err(NESTED_FILTER),
            '?' => filter_depth = Some(depth),
            ',' if in_filter => return Err("a filter must not contain a comma"),
            ',' => listed += 1,
            '*' if in_filter => return Err("a filter must not contain `*`"),
            '.' if chars.peek() == Some(&'.') && in_filter => return Err("a filter must not contain `..`"),
            '.' if chars.peek() == Some(&'.') => descents += 1,
            '@' | '$' if in_filter => looks += 1,
            _ => {}
        }
    }
    if descents > 1 {
        return Err("`..` may occur only once");
    }
    if alternatives > ALTERNATIVES_MAX {
        return Err("its lists have more than 20 combinations");
    }
    Ok(alternatives * looks)
}

fn skip_quoted(chars: &mut impl Iterator<Item = char>, quote: char) {
    while let Some(c) = chars.next() {
        match c {
            '\\' => drop(chars.next()),
            c if c == quote => return,
            _ => {}
        }
    }
}

/// Returns the nodes that any of the paths finds, by address, which identifies them as long as the document lives.
fn found(paths: &[JsonPath], root: &Value) -> HashSet<*const Value> {
    paths.iter().flat_map(|path| path.query(root).all()).map(std::ptr::from_ref).collect()
}

/// Returns the number of values in a value, and of itself. Recurses as deeply as the parser did.
fn values(value: &Value) -> usize {
    match value {
        Value::Array(items) => 1 + items.iter().map(values).sum::<usize>(),
        Value::Object(members) => 1 + members.values().map(values).sum::<usize>(),
        _ => 1,
    }
}

fn too_much(values: usize) -> PluginFault {
    let message = format!(
        "the field selection would visit more than {VISITS_MAX} values of this event, which has {values}: use fewer paths \
         with `*`, `..` or filters"
    );
    PluginFault { code: PluginFaultCode::InvalidOutput, message, retry: false }
}

struct Cut {
    kept: HashSet<*const Value>,
    removed: HashSet<*const Value>,
    out: String,
}

impl Cut {
    /// Writes what is left of a value, given as text and parsed. Returns false, and writes nothing, if nothing is left.
    ///
    /// Recurses as deeply as the parser did, which has a limit.
    fn write(&mut self, raw: &RawValue, value: &Value, inside: bool) -> Result<bool, PluginFault> {
        let inside = inside || self.kept.contains(&std::ptr::from_ref(value));
        if self.removed.contains(&std::ptr::from_ref(value)) {
            return Ok(false);
        }
        if inside && self.removed.is_empty() {
            self.out.push_str(raw.get());
            return Ok(true);
        }
        match (value, Level::of(raw)?) {
            (Value::Object(values), Level::Object(Members(members))) => {
                let mut members: HashMap<_, _> = members.into_iter().collect();
                let children =
                    values.iter().filter_map(|(name, value)| Some((Some(name), members.remove(name)?, value)));
                self.write_children(['{', '}'], children, inside)
            }
            (Value::Array(values), Level::Array(items)) => {
                let children = items.into_iter().zip(values).map(|(raw, value)| (None, raw, value));
                self.write_children(['[', ']'], children, inside)
            }
            _ => {
                self.out.push_str(if inside { raw.get() } else { "" });
                Ok(inside)
            }
        }
    }

    fn write_children<'v>(
        &mut self,
        [open, close]: [char; 2],
        children: impl Iterator<Item = (Option<&'v String>, &'v RawValue, &'v Value)>,
        inside: bool,
    ) -> Result<bool, PluginFault> {
        let start = self.out.len();
        let mut is_empty = true;
        self.out.push(open);
        for (name, raw, value) in children {
            let before = self.out.len();
            self.out.push_str(if is_empty { "" } else { "," });
            if let Some(name) = name {
                self.out.push_str(&serde_json::to_string(name).expect("a string is always JSON"));
                self.out.push(':');
            }
            if self.write(raw, value, inside)? {
                is_empty = false;
            } else {
                self.out.truncate(before);
            }
        }
        self.out.push(close);
        if is_empty && !inside {
            self.out.truncate(start);
        }
        Ok(!is_empty || inside)
    }
}
