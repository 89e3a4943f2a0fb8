//! Match: which subscriptions want an event.
//!
//! Three tests, cheapest first. The [`Index`] finds candidates by the event's type: the work grows with the words of the
//! type and with the matches, not with the number of subscriptions. A subscription's trigger, if any, is compared with
//! the [changes](EventChanges). The [`Condition`], a CEL expression, decides last.
//!
//! Nothing here relies on being called once per event, or on the subscriptions' state: the index contains those that the
//! registry inserted.

mod trigger;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use cel::common::ast::{EntryExpr, Expr};
use cel::objects::{Key, Map};
use cel::{Context, Env, IdedExpr, Program, Value};

use hookmill_model::{Event, EventType, Invalid, Pattern, SubscriptionId};

pub use trigger::{EventChanges, check_trigger};

/// Whether a subscription wants an event, and if not, why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The subscription wants the event.
    Wanted,
    /// The subscription selects other types.
    OtherType,
    /// No change fires its trigger.
    NotTriggered,
    /// Its condition is false.
    ConditionFalse,
    /// Its condition cannot be evaluated, for this reason; the event does not match.
    ConditionFailed(String),
}

/// The longest condition: enough for a page of rules, and quick to parse.
const CONDITION_BYTES_MAX: usize = 4 << 10;

/// Subscriptions by the event types that they select.
#[derive(Debug, Default)]
pub struct Index {
    exactly: HashMap<EventType, BTreeSet<SubscriptionId>>,
    below: HashMap<EventType, BTreeSet<SubscriptionId>>,
    all: BTreeSet<SubscriptionId>,
}

impl Index {
    /// Inserts a subscription under each of its patterns.
    pub fn insert(&mut self, id: SubscriptionId, patterns: &[Pattern]) {
        for pattern in patterns {
            match pattern {
                Pattern::All => self.all.insert(id),
                Pattern::Below(words) => self.below.entry(words.clone()).or_default().insert(id),
                Pattern::Exactly(kind) => self.exactly.entry(kind.clone()).or_default().insert(id),
            };
        }
    }

    /// Removes a subscription; `patterns` are those that it was inserted with.
    pub fn remove(&mut self, id: SubscriptionId, patterns: &[Pattern]) {
        for pattern in patterns {
            match pattern {
                Pattern::All => _ = self.all.remove(&id),
                Pattern::Below(words) => remove_from(&mut self.below, words, id),
                Pattern::Exactly(kind) => remove_from(&mut self.exactly, kind, id),
            }
        }
    }

    /// Returns the subscriptions that select this type, each once, oldest first.
    pub fn candidates(&self, kind: &EventType) -> Vec<SubscriptionId> {
        // `*` selects all events of producers, but not operational events.
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
/// `changed_fields` (empty if the producer named none) and `previous` (null if the producer sent none).
#[derive(Debug)]
pub struct Condition(Program);

impl Condition {
    /// Parses a condition.
    ///
    /// # Errors
    /// If it is not CEL, too long, names a variable other than `event`, or nests loops (`all`, `exists`, `map`,
    /// `filter`): over an event of 1 MiB that could delay all other events.
    pub fn parse(source: &str) -> Result<Self, Invalid> {
        if source.len() > CONDITION_BYTES_MAX {
            return Err(Invalid::new(format!("the condition is longer than {CONDITION_BYTES_MAX} bytes")));
        }
        let program = Program::compile(source).map_err(|err| Invalid::new(format!("not a CEL expression: {err}")))?;
        let mut scan = Scan { loops_deepest: 0, unknown: None };
        scan.expression(program.expression(), &mut vec!["event".to_owned()], 0);
        if let Some(name) = scan.unknown {
            return Err(Invalid::new(format!("unknown variable `{name}`: a condition can read only `event`")));
        }
        if scan.loops_deepest > 1 {
            return Err(Invalid::new("a loop (all, exists, exists_one, map, filter) must not contain another loop"));
        }
        Ok(Self(program))
    }

    /// Returns whether the condition is true for the event.
    ///
    /// # Errors
    /// If it cannot be evaluated (a missing field, a comparison of different types): the message, which means no match.
    pub fn holds(&self, event: &EventFacts<'_>) -> Result<bool, String> {
        match self.0.execute(&event.0) {
            Ok(Value::Bool(holds)) => Ok(holds),
            Ok(other) => Err(format!("the condition evaluates to a {:?}, expected a bool", other.type_of())),
            Err(err) => Err(err.to_string()),
        }
    }
}

/// An event as conditions see it; built once for all of them.
///
/// Integers that fit 64 bits are CEL integers, other numbers CEL doubles: a condition only compares them.
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

/// Converts by hand, since `cel`'s own conversion through serde turns serde_json's exact numbers into maps.
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

/// Walks an expression to find what a condition must not contain.
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

/// Returns the environment that all conditions share: CEL's standard library.
pub fn environment() -> Arc<Env> {
    Arc::new(Env::stdlib())
}
