//! Conditions: CEL expressions.

use std::fmt::{self, Write as _};

use cel::common::ast::{CallExpr, Expr, LiteralValue, operators};
use cel::parser::Parser;
use cel::{Context, ExecutionError, IdedExpr, Value};
use hookmill_model::{Event, Invalid};

use super::check::{Size, check};
use super::facts::EventFacts;
use super::members::{SeenMember, seen};
use super::meter::{Budget, within};
use super::metered::metered;
use super::pattern::{self, Pattern, compile_patterns};
use super::trigger::EventChanges;

/// The longest condition: enough for a page of rules.
const CONDITION_BYTES_MAX: usize = 4 << 10;

/// The stack of the thread that parses: CEL's parser recurses, some 3 KiB for a bracket and in a debug build three times as
/// much, and what it returns may be deeper than what is accepted. Only what is used becomes memory.
const PARSE_STACK_BYTES: usize = 64 << 20;

/// The longest reason: an error of CEL may repeat a whole event.
const REASON_BYTES_MAX: usize = 500;

/// A condition: a CEL expression over `event`, which has `id`, `type`, `occurred_at` (RFC 3339 text), `data`,
/// `changed_fields` (empty if the producer named none) and `previous` (null if the producer sent none).
#[derive(Debug)]
pub struct Condition {
    plain: IdedExpr,
    metered: IdedExpr,
    patterns: Vec<Pattern>,
    size: Size,
}

/// Why a condition has no result; the event does not match.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionError {
    /// It cannot be parsed, or is deeper or larger than it may be: an earlier version of the host had other limits.
    #[error("{0}")]
    Invalid(Invalid),
    /// A field is missing, different types are compared, or the result is not a bool.
    #[error("{0}")]
    Failed(String),
    /// The budget was used up.
    #[error("the condition needs too much work or memory for an event of this size")]
    OverBudget,
}

impl Condition {
    /// Parses a condition. Takes up to 0.1 s, on a thread of its own.
    ///
    /// # Errors
    /// If it is not CEL, too long, too deep or too large, names a variable other than `event`, nests loops (`all`, `exists`,
    /// `map`, `filter`), or has a pattern that is not a literal.
    pub fn parse(source: &str) -> Result<Self, Invalid> {
        if source.len() > CONDITION_BYTES_MAX {
            return Err(Invalid::new(format!("the condition is longer than {CONDITION_BYTES_MAX} bytes")));
        }
        let parser = std::thread::Builder::new().name("condition".to_owned()).stack_size(PARSE_STACK_BYTES);
        // What is too deep is dropped on that thread, too.
        let parsed = std::thread::scope(|scope| {
            let thread = parser.spawn_scoped(scope, || Self::parse_here(source));
            thread.expect("the system has a thread left, as tokio expects").join()
        });
        parsed.unwrap_or_else(|_| Err(Invalid::new("the condition cannot be parsed: the parser panicked")))
    }

    fn parse_here(source: &str) -> Result<Self, Invalid> {
        let parsed = Parser::default().parse(source);
        let mut plain = parsed.map_err(|err| Invalid::new(format!("not a CEL expression: {}", cut(&err))))?;
        let mut size = check(&plain)?;
        let mut patterns = Vec::new();
        compile_patterns(&mut plain, &mut patterns)?;
        size.builds |= !patterns.is_empty();
        let metered =
            metered(plain.clone()).ok_or_else(|| Invalid::new("the condition has an unknown kind of loop"))?;
        Ok(Self { plain: to_bool(plain), metered: to_bool(metered), patterns, size })
    }

    /// Returns whether the condition is true for the event.
    ///
    /// # Errors
    /// If it cannot be evaluated (a missing field, a comparison of different types), or only with more than
    /// [`Budget::FULL`]: no match.
    pub fn holds(&self, event: &EventFacts<'_>) -> Result<bool, ConditionError> {
        self.holds_within(event, Budget::FULL).0
    }

    /// As [`holds`](Self::holds), with this budget. Returns the steps used, too.
    pub fn holds_within(&self, event: &EventFacts<'_>, budget: Budget) -> (Result<bool, ConditionError>, u64) {
        let most = self.steps_max(event.bytes);
        if let Some(most) = most.filter(|most| *most <= budget.steps) {
            return (decided(&self.plain, &event.context), most);
        }
        let mut context = event.context.new_inner_scope();
        for (index, pattern) in self.patterns.iter().enumerate() {
            context.add_variable_as_val(pattern::name(index), Box::new(pattern.clone()));
        }
        let (decided, steps) = within(budget, || decided(&self.metered, &context));
        (decided.unwrap_or(Err(ConditionError::OverBudget)), steps)
    }

    /// Returns the members of the event that the condition names, with their values: up to 20, each of them bounded.
    pub fn seen(&self, event: &Event, changes: &EventChanges) -> Vec<SeenMember> {
        seen(&self.plain, event, changes)
    }

    /// Returns the most steps for an event of this size. None if that does not follow from its size.
    fn steps_max(&self, event_bytes: usize) -> Option<u64> {
        // A value takes at least two bytes of JSON.
        let whole = self.size.whole as u64 * (event_bytes as u64 / 2);
        (!self.size.builds).then_some(3 * self.size.nodes as u64 + whole)
    }
}

/// Makes `expression ? true : false` of an expression: its value is never copied out of the evaluation.
fn to_bool(expression: IdedExpr) -> IdedExpr {
    let literal = |bool: bool| IdedExpr { id: expression.id, expr: Expr::Literal(LiteralValue::Boolean(bool.into())) };
    let (id, [yes, no]) = (expression.id, [true, false].map(literal));
    let args = vec![expression, yes, no];
    IdedExpr { id, expr: Expr::Call(CallExpr { func_name: operators::CONDITIONAL.to_owned(), target: None, args }) }
}

fn decided(expression: &IdedExpr, context: &Context<'_, '_>) -> Result<bool, ConditionError> {
    match Value::resolve(expression, context) {
        Ok(value) => Ok(value == Value::Bool(true)),
        Err(ExecutionError::UnexpectedType { got, want }) if want == "bool" => {
            Err(ConditionError::Failed(format!("the condition evaluates to a {got}, expected a bool")))
        }
        Err(ExecutionError::NoSuchOverload(err))
            if err.argument_types().iter().any(|kind| kind == pattern::TYPE_NAME) =>
        {
            Err(ConditionError::Failed(format!("`matches` needs a string, not a {}", err.argument_types()[0])))
        }
        Err(err) => Err(ConditionError::Failed(cut(&err))),
    }
}

/// Writes the beginning of an error.
fn cut(err: &dyn fmt::Display) -> String {
    struct Start(String);

    impl fmt::Write for Start {
        fn write_str(&mut self, text: &str) -> fmt::Result {
            let left = REASON_BYTES_MAX - self.0.len();
            let text = &text[..text.floor_char_boundary(left)];
            self.0.push_str(text);
            if self.0.len() + 3 >= REASON_BYTES_MAX { Err(fmt::Error) } else { Ok(()) }
        }
    }

    let mut start = Start(String::new());
    if write!(start, "{err}").is_err() {
        start.0.push('…');
    }
    start.0
}
