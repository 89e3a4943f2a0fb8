//! Match: which subscriptions want this event.
//!
//! Three questions, cheap first. The [`Index`] finds by its type the subscriptions that may want an event: the work
//! grows with the words of the type and with what is found, not with how many subscriptions there are. The trigger, if
//! one has it, is held against what [changed](EventChanges). The [`Condition`], a CEL expression, decides last.
//!
//! Nothing here relies on being asked once an event, or on the subscriptions' state: the index holds those that the
//! registry put into it.

mod trigger;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use cel::common::ast::{EntryExpr, Expr};
use cel::objects::{Key, Map};
use cel::{Context, Env, IdedExpr, Program, Value};

use hookmill_model::{Event, EventType, Invalid, Pattern, SubscriptionId};

pub use trigger::{EventChanges, check_trigger};

/// Whether a subscription wants an event, and why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It does.
    Wanted,
    /// It wants other types.
    OtherType,
    /// Nothing that triggers it changed.
    NotTriggered,
    /// Its condition is false.
    ConditionFalse,
    /// Its condition cannot be told, for this reason: that means no.
    ConditionFailed(String),
}

/// The longest condition: enough for a page of rules, little to parse.
const CONDITION_BYTES_MAX: usize = 4 << 10;

/// Subscriptions by what they want.
#[derive(Debug, Default)]
pub struct Index {
    exactly: HashMap<EventType, BTreeSet<SubscriptionId>>,
    below: HashMap<EventType, BTreeSet<SubscriptionId>>,
    all: BTreeSet<SubscriptionId>,
}

impl Index {
    /// Enters a subscription under each of its patterns.
    pub fn insert(&mut self, id: SubscriptionId, patterns: &[Pattern]) {
        for pattern in patterns {
            match pattern {
                Pattern::All => self.all.insert(id),
                Pattern::Below(words) => self.below.entry(words.clone()).or_default().insert(id),
                Pattern::Exactly(kind) => self.exactly.entry(kind.clone()).or_default().insert(id),
            };
        }
    }

    /// Takes a subscription out again; `patterns` are those that it was entered with.
    pub fn remove(&mut self, id: SubscriptionId, patterns: &[Pattern]) {
        for pattern in patterns {
            match pattern {
                Pattern::All => _ = self.all.remove(&id),
                Pattern::Below(words) => remove_from(&mut self.below, words, id),
                Pattern::Exactly(kind) => remove_from(&mut self.exactly, kind, id),
            }
        }
    }

    /// The subscriptions that want events of this type, each once, oldest first.
    pub fn candidates(&self, kind: &EventType) -> Vec<SubscriptionId> {
        // Who wants everything of its producers did not ask for the host's own events.
        let all = Some(&self.all).filter(|_| !kind.is_operational());
        let mut found: Vec<_> = all.into_iter().flatten().copied().collect();
        found.extend(self.exactly.get(kind).into_iter().flatten());
        for (dot, _) in kind.as_str().match_indices('.') {
            let words = EventType::parse(&kind.as_str()[..dot]).expect("whole words of a type are a type");
            found.extend(self.below.get(&words).into_iter().flatten());
        }
        found.sort_unstable();
        found.dedup();
        found
    }
}

fn remove_from(map: &mut HashMap<EventType, BTreeSet<SubscriptionId>>, key: &EventType, id: SubscriptionId) {
    if let Some(ids) = map.get_mut(key) {
        ids.remove(&id);
        if ids.is_empty() {
            map.remove(key);
        }
    }
}

/// A condition: a CEL expression over `event`, which has `id`, `type`, `occurred_at` (RFC 3339 text), `data`,
/// `changed_fields` (empty if the producer named none) and `previous` (null if it told none).
#[derive(Debug)]
pub struct Condition(Program);

impl Condition {
    /// Parses a condition.
    ///
    /// # Errors
    /// If it is no CEL, too long, names another variable than `event`, or puts a loop (`all`, `exists`, `map`,
    /// `filter`) into a loop: over an event of 1 MiB that could hold up everybody else's events.
    pub fn parse(source: &str) -> Result<Self, Invalid> {
        if source.len() > CONDITION_BYTES_MAX {
            return Err(Invalid::new(format!("a condition has at most {CONDITION_BYTES_MAX} bytes")));
        }
        let program = Program::compile(source).map_err(|err| Invalid::new(format!("not a CEL expression: {err}")))?;
        let mut scan = Scan { loops_deepest: 0, unknown: None };
        scan.expression(program.expression(), &mut vec!["event".to_owned()], 0);
        if let Some(name) = scan.unknown {
            return Err(Invalid::new(format!("`{name}` is not known here, a condition reads `event` only")));
        }
        if scan.loops_deepest > 1 {
            return Err(Invalid::new("a loop (all, exists, exists_one, map, filter) may not stand inside a loop"));
        }
        Ok(Self(program))
    }

    /// Whether the condition is true of the event. An error (a field that the event does not have, a comparison of
    /// unlike things) is told in words, and means no.
    ///
    /// # Errors
    /// If it cannot be told.
    pub fn holds(&self, event: &EventFacts<'_>) -> Result<bool, String> {
        match self.0.execute(&event.0) {
            Ok(Value::Bool(holds)) => Ok(holds),
            Ok(other) => Err(format!("the condition gives a {:?}, not a bool", other.type_of())),
            Err(err) => Err(err.to_string()),
        }
    }
}

/// An event as conditions see it; made once for all of them.
///
/// Integers that fit 64 bits are CEL integers, other numbers CEL doubles: a condition compares, it changes nothing.
pub struct EventFacts<'a>(Context<'a, 'a>);

impl EventFacts<'_> {
    /// Reads the event.
    pub fn of(event: &Event, env: &Arc<Env>) -> Self {
        let data = serde_json::from_str(event.data.get()).map_or(Value::Null, |data| to_cel(&data));
        let text = |text: &str| Value::String(Arc::new(text.to_owned()));
        let changed = event.changed_fields.iter().flatten().map(|field| text(field)).collect();
        let previous = event.previous.as_ref().and_then(|previous| serde_json::from_str(previous.get()).ok());
        let facts = [
            ("id", text(event.id.as_str())),
            ("type", text(event.kind.as_str())),
            ("occurred_at", text(&event.occurred_at.to_string())),
            ("data", data),
            ("changed_fields", Value::List(Arc::new(changed))),
            ("previous", previous.map_or(Value::Null, |previous| to_cel(&previous))),
        ];
        let mut context = Context::with_env(env.clone());
        context.add_variable_from_value("event", map(facts.into_iter().map(|(name, value)| (name.to_owned(), value))));
        Self(context)
    }
}

fn map(members: impl Iterator<Item = (String, Value)>) -> Value {
    let map = members.map(|(name, value)| (Key::String(Arc::new(name)), value)).collect();
    Value::Map(Map { map: Arc::new(map) })
}

/// By hand, since `cel`'s own conversion through serde sees serde_json's exact numbers as maps.
fn to_cel(json: &serde_json::Value) -> Value {
    match json {
        serde_json::Value::Null => Value::Null,
        serde_json::Value::Bool(bool) => Value::Bool(*bool),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_u64()) {
            (Some(int), _) => Value::Int(int),
            (None, Some(uint)) => Value::UInt(uint),
            (None, None) => Value::Float(number.as_str().parse().unwrap_or(f64::NAN)),
        },
        serde_json::Value::String(text) => Value::String(Arc::new(text.clone())),
        serde_json::Value::Array(items) => Value::List(Arc::new(items.iter().map(to_cel).collect())),
        serde_json::Value::Object(members) => map(members.iter().map(|(name, value)| (name.clone(), to_cel(value)))),
    }
}

/// Walks an expression for what a condition may not have.
struct Scan {
    loops_deepest: u32,
    unknown: Option<String>,
}

impl Scan {
    fn expression(&mut self, expression: &IdedExpr, known: &mut Vec<String>, loops: u32) {
        match &expression.expr {
            Expr::Unspecified | Expr::Literal(_) => {}
            Expr::Ident(name) => {
                if !known.contains(name) {
                    self.unknown.get_or_insert_with(|| name.clone());
                }
            }
            Expr::Call(call) => {
                call.target.iter().for_each(|target| self.expression(target, known, loops));
                call.args.iter().for_each(|arg| self.expression(arg, known, loops));
            }
            Expr::Select(select) => self.expression(&select.operand, known, loops),
            Expr::List(list) => list.elements.iter().for_each(|element| self.expression(element, known, loops)),
            Expr::Map(map) => map.entries.iter().for_each(|entry| self.entry(&entry.expr, known, loops)),
            Expr::Struct(fields) => fields.entries.iter().for_each(|entry| self.entry(&entry.expr, known, loops)),
            Expr::Comprehension(comprehension) => {
                self.loops_deepest = self.loops_deepest.max(loops + 1);
                self.expression(&comprehension.iter_range, known, loops);
                self.expression(&comprehension.accu_init, known, loops);
                let outside = known.len();
                known.extend([comprehension.iter_var.clone(), comprehension.accu_var.clone()]);
                known.extend(comprehension.iter_var2.clone());
                for inside in [&comprehension.loop_cond, &comprehension.loop_step, &comprehension.result] {
                    self.expression(inside, known, loops + 1);
                }
                known.truncate(outside);
            }
        }
    }

    fn entry(&mut self, entry: &EntryExpr, known: &mut Vec<String>, loops: u32) {
        match entry {
            EntryExpr::StructField(field) => self.expression(&field.value, known, loops),
            EntryExpr::MapEntry(entry) => {
                self.expression(&entry.key, known, loops);
                self.expression(&entry.value, known, loops);
            }
        }
    }
}

/// The environment that all conditions share: CEL's standard library.
pub fn environment() -> Arc<Env> {
    Arc::new(Env::stdlib())
}
