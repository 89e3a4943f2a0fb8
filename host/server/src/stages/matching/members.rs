//! The members of an event that a condition names, with the values that it finds there: why it is true or false.

use std::fmt::{self, Write as _};
use std::io;

use cel::IdedExpr;
use cel::common::ast::{EntryExpr, Expr, LiteralValue, SelectExpr, operators};
use serde_json::Value;

use super::trigger::EventChanges;
use hookmill_model::Event;

/// The most members of one condition that are shown.
const MEMBERS_MAX: usize = 20;

/// The longest JSON of a value that is shown whole.
const VALUE_BYTES_MAX: usize = 500;

/// A member of an event that a condition names.
#[derive(Clone, Debug, PartialEq)]
pub struct SeenMember {
    /// Its path, as in the condition: `event.data.value`.
    pub path: String,
    /// Its value; none if the event has no such member. Of a large one, the beginning of its text.
    pub value: Option<Value>,
    /// Whether the value is only the beginning.
    pub cut: bool,
}

/// Returns the members of an event that an expression names, each once, in the order in which it names them.
pub(super) fn seen(expression: &IdedExpr, event: &Event, changes: &EventChanges) -> Vec<SeenMember> {
    let mut paths = Vec::new();
    collect(expression, &mut paths);
    paths.into_iter().map(|path| path.seen(event, changes)).collect()
}

/// A path below `event`.
#[derive(Clone, Debug, Default, PartialEq)]
struct MemberPath(Vec<Step>);

#[derive(Clone, Debug, PartialEq)]
enum Step {
    Member(String),
    Index(usize),
}

impl MemberPath {
    /// Returns the path that an expression is, if it is one.
    fn of(expression: &IdedExpr) -> Option<Self> {
        match &expression.expr {
            Expr::Ident(name) => (name == "event").then(Self::default),
            Expr::Select(SelectExpr { operand, field, .. }) => {
                Self::of(operand).map(|path| path.then(Step::Member(field.clone())))
            }
            Expr::Call(call) if call.func_name == operators::INDEX => {
                let [operand, index] = call.args.as_slice() else { return None };
                let step = match &index.expr {
                    Expr::Literal(LiteralValue::String(name)) => Step::Member(name.inner().to_owned()),
                    Expr::Literal(LiteralValue::Int(index)) => Step::Index(usize::try_from(*index.inner()).ok()?),
                    _ => return None,
                };
                Self::of(operand).map(|path| path.then(step))
            }
            _ => None,
        }
    }

    fn then(mut self, step: Step) -> Self {
        self.0.push(step);
        self
    }

    fn seen(self, event: &Event, changes: &EventChanges) -> SeenMember {
        let path = self.to_string();
        let text = |text: &str| Some(Value::from(text));
        let (first, below) = self.0.split_first().expect("`event` alone is not collected");
        let root = match first {
            Step::Member(name) if below.is_empty() => match name.as_str() {
                "id" => text(event.id.as_str()),
                "type" => text(event.kind.as_str()),
                "occurred_at" => text(&event.occurred_at.to_string()),
                "changed_fields" => Some(event.changed_fields.clone().unwrap_or_default().into()),
                _ => None,
            },
            _ => None,
        };
        if let Some(root) = root {
            let (value, cut) = shown(&root);
            return SeenMember { path, value: Some(value), cut };
        }
        let root = match first {
            Step::Member(name) if name == "data" => Some(changes.data()),
            Step::Member(name) if name == "previous" => Some(changes.previous().unwrap_or(&Value::Null)),
            _ => None,
        };
        let found = below.iter().try_fold(root, |value, step| {
            let value = match step {
                Step::Member(name) => value?.get(name),
                Step::Index(index) => value?.get(index),
            };
            value.map(Some)
        });
        match found.flatten().map(shown) {
            Some((value, cut)) => SeenMember { path, value: Some(value), cut },
            None => SeenMember { path, value: None, cut: false },
        }
    }
}

impl fmt::Display for MemberPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("event")?;
        self.0.iter().try_for_each(|step| match step {
            Step::Member(name) if is_name(name) => write!(f, ".{name}"),
            Step::Member(name) => write!(f, "[{}]", Value::from(name.as_str())),
            Step::Index(index) => write!(f, "[{index}]"),
        })
    }
}

/// Whether a member can be written behind a dot.
fn is_name(name: &str) -> bool {
    let letters = |c: char| c.is_ascii_alphanumeric() || c == '_';
    name.starts_with(|c: char| !c.is_ascii_digit()) && name.chars().all(letters)
}

fn collect(expression: &IdedExpr, paths: &mut Vec<MemberPath>) {
    if let Some(path) = MemberPath::of(expression) {
        if !path.0.is_empty() && paths.len() < MEMBERS_MAX && !paths.contains(&path) {
            paths.push(path);
        }
        return;
    }
    match &expression.expr {
        Expr::Unspecified | Expr::Literal(_) | Expr::Ident(_) => {}
        Expr::Select(select) => collect(&select.operand, paths),
        Expr::Call(call) => call.target.as_deref().into_iter().chain(&call.args).for_each(|part| collect(part, paths)),
        Expr::List(list) => list.elements.iter().for_each(|element| collect(element, paths)),
        Expr::Map(map) => map.entries.iter().for_each(|entry| collect_entry(&entry.expr, paths)),
        Expr::Struct(fields) => fields.entries.iter().for_each(|entry| collect_entry(&entry.expr, paths)),
        Expr::Comprehension(comprehension) => {
            collect(&comprehension.iter_range, paths);
            // Within the loop, the name may be that of an item.
            if comprehension.iter_var != "event" {
                [&comprehension.loop_cond, &comprehension.loop_step].into_iter().for_each(|part| collect(part, paths));
            }
        }
    }
}

fn collect_entry(entry: &EntryExpr, paths: &mut Vec<MemberPath>) {
    match entry {
        EntryExpr::StructField(field) => collect(&field.value, paths),
        EntryExpr::MapEntry(entry) => [&entry.key, &entry.value].into_iter().for_each(|part| collect(part, paths)),
    }
}

/// Returns a value, or the beginning of its text if it is large, and whether it is only that.
fn shown(value: &Value) -> (Value, bool) {
    let start = match value {
        Value::String(text) if text.len() > VALUE_BYTES_MAX => &text[..text.floor_char_boundary(VALUE_BYTES_MAX)],
        Value::String(_) => return (value.clone(), false),
        _ => {
            let mut start = Start(Vec::new());
            if serde_json::to_writer(&mut start, value).is_ok() {
                return (value.clone(), false);
            }
            return (begun(start.0.utf8_chunks().next().map_or("", |chunk| chunk.valid())), true);
        }
    };
    (begun(start), true)
}

fn begun(start: &str) -> Value {
    let mut text = start.to_owned();
    // Writing to a string cannot fail.
    let _ = text.write_char('…');
    text.into()
}

/// Takes so many bytes and fails then, so that a large value is not written to its end.
struct Start(Vec<u8>);

impl io::Write for Start {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let left = VALUE_BYTES_MAX - self.0.len();
        self.0.extend_from_slice(&bytes[..bytes.len().min(left)]);
        if bytes.len() > left { Err(io::ErrorKind::WriteZero.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
