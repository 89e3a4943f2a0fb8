//! The budget of an evaluation: work in steps, memory in bytes.
//!
//! `cel` neither counts nor interrupts an evaluation. So a condition that could take long is rewritten when it is parsed
//! ([`super::metered`]): what reads or copies whole values, and each turn of a loop, calls one of the functions here, which
//! charge the budget of the evaluation under way on this thread and fail once it is used up.

use std::cell::Cell;
use std::sync::Arc;

use cel::common::functions::Function;
use cel::common::types::{CelBool, CelBytes, CelDouble, CelInt, CelList, CelMap, CelMapKey, CelString, DYN_TYPE, Kind};
use cel::common::value::{CowVal, Val};
use cel::{Env, ExecutionError};

/// Charges an operand that is read as a whole: compared, searched, or copied into an error.
pub(super) const WEIGH: &str = "@weigh";
/// Charges an operand that is copied into a new value.
pub(super) const BUILD: &str = "@build";
/// Charges the operand of a function that reads texts, but of lists and maps no more than their size.
pub(super) const READ: &str = "@read";
/// Charges an index, and refuses one for which `cel` would copy the whole list or map into its error.
pub(super) const KEY: &str = "@key";
/// Charges one turn of a loop, `(item, nodes of the body)`; true.
pub(super) const TURN: &str = "@turn";
/// Ends a loop that goes on after errors once the budget is used up; else returns its operand.
pub(super) const MORE: &str = "@more";

/// The work and memory of one evaluation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Budget {
    /// Steps: a node of the expression evaluated, a value compared, 64 bytes of text read. One takes 20 to 60 ns, in
    /// the worst case 120 ns.
    pub steps: u64,
    /// Bytes of values that the evaluation makes, whether or not they are freed again.
    pub bytes: u64,
}

impl Budget {
    /// What one evaluation may use: 10 to 30 ms of one core, in the worst case 60 ms, and 32 MiB. Reading an event of
    /// 1 MiB takes 50 ms.
    pub const FULL: Self = Self { steps: 500_000, bytes: 32 << 20 };
}

/// Bytes of a value in a list or map, besides those of its text: a box, its allocation, its slot or half-filled slots.
const VALUE_BYTES: u64 = 96;

thread_local! {
    static LEFT: Cell<Option<Budget>> = const { Cell::new(None) };
}

/// Evaluates with a budget. None if it was used up, whatever the evaluation made of that, and the steps used.
pub(super) fn within<T>(budget: Budget, evaluate: impl FnOnce() -> T) -> (Option<T>, u64) {
    LEFT.set(Some(budget));
    let result = evaluate();
    let left = LEFT.take();
    (left.map(|_| result), budget.steps - left.map_or(0, |left| left.steps))
}

/// Takes from the budget.
pub(super) fn charge(steps: u64, bytes: u64) -> Result<(), ExecutionError> {
    let charged = LEFT
        .get()
        .and_then(|left| Some(Budget { steps: left.steps.checked_sub(steps)?, bytes: left.bytes.checked_sub(bytes)? }));
    LEFT.set(charged);
    charged.map(|_| ()).ok_or_else(|| ExecutionError::function_error("budget", "used up"))
}

/// Charges a value with all that is in it, which is read and so many times `copied`; ends as soon as the budget does.
fn charge_deep(value: &dyn Val, copied: u64) -> Result<(), ExecutionError> {
    let each = 1 + 2 * copied;
    if let Some(list) = value.downcast_ref::<CelList<'_>>() {
        charge(each, copied * VALUE_BYTES)?;
        return list.inner().iter().try_for_each(|item| charge_deep(item.as_ref(), copied));
    }
    if let Some(map) = value.downcast_ref::<CelMap<'_>>() {
        charge(each, copied * VALUE_BYTES)?;
        return map.inner().iter().try_for_each(|(key, item)| {
            let bytes = if let CelMapKey::String(text) = key { text.inner().len() as u64 } else { 0 };
            // Hashed and compared, besides what its value costs.
            charge((2 + bytes / 64) * each, copied * (VALUE_BYTES + bytes))?;
            charge_deep(item.as_ref(), copied)
        });
    }
    let bytes = text_bytes(value);
    charge((1 + bytes / 64) * each, copied * (VALUE_BYTES + bytes))
}

fn text_bytes(value: &dyn Val) -> u64 {
    let text = value.downcast_ref::<CelString<'_>>().map(|text| text.inner().len());
    text.or_else(|| value.downcast_ref::<CelBytes<'_>>().map(|bytes| bytes.inner().len())).unwrap_or(0) as u64
}

type Charged<'b, 'v> = Result<CowVal<'b, 'v>, ExecutionError>;

fn weigh<'b, 'v>(mut args: Vec<CowVal<'b, 'v>>) -> Charged<'b, 'v> {
    charge_deep(args[0].as_ref(), 0)?;
    Ok(args.remove(0))
}

fn build<'b, 'v>(mut args: Vec<CowVal<'b, 'v>>) -> Charged<'b, 'v> {
    charge_deep(args[0].as_ref(), 1)?;
    Ok(args.remove(0))
}

fn read<'b, 'v>(mut args: Vec<CowVal<'b, 'v>>) -> Charged<'b, 'v> {
    let bytes = text_bytes(args[0].as_ref());
    charge(1 + bytes / 64, bytes)?;
    Ok(args.remove(0))
}

fn key<'b, 'v>(mut args: Vec<CowVal<'b, 'v>>) -> Charged<'b, 'v> {
    let index = args[0].as_ref();
    charge(1 + text_bytes(index) / 64, 0)?;
    let whole = |double: &CelDouble| double.inner().fract() == 0.0;
    let usable = match index.get_type().kind() {
        Kind::Int | Kind::UInt | Kind::Boolean | Kind::String => true,
        Kind::Double => index.downcast_ref::<CelDouble>().is_some_and(whole),
        _ => false,
    };
    if !usable {
        let kind = index.get_type().name().to_owned();
        return Err(ExecutionError::no_such_overload("_[_]", vec!["dyn".to_owned(), kind]));
    }
    Ok(args.remove(0))
}

#[expect(clippy::needless_pass_by_value, reason = "the type of `cel`'s functions")]
fn turn<'b, 'v>(args: Vec<CowVal<'b, 'v>>) -> Charged<'b, 'v> {
    let nodes = args[1].downcast_ref::<CelInt>().map_or(1, |nodes| nodes.inner().unsigned_abs());
    charge(12 + 3 * nodes, 0)?;
    // The loop copied the item.
    charge_deep(args[0].as_ref(), 1)?;
    Ok(CowVal::owned(CelBool::from(true)))
}

fn more<'b, 'v>(mut args: Vec<CowVal<'b, 'v>>) -> Charged<'b, 'v> {
    Ok(if LEFT.get().is_some() { args.remove(0) } else { CowVal::owned(CelBool::from(false)) })
}

/// Returns the environment that all conditions share: CEL's standard library, and the functions that charge budgets, whose
/// names no source can contain.
pub fn environment() -> Arc<Env> {
    let mut env = Env::stdlib();
    let one: [(&str, Function); 5] = [(WEIGH, weigh), (BUILD, build), (READ, read), (KEY, key), (MORE, more)];
    for (name, function) in one {
        env.add_overload(name, name, vec![DYN_TYPE], function).expect("the standard library has no names with an @");
    }
    env.add_overload(TURN, TURN, vec![DYN_TYPE, DYN_TYPE], turn).expect("the standard library has no names with an @");
    Arc::new(env)
}
