//! Rewrites an expression so that its evaluation charges a budget. See [`super::meter`].

use cel::IdedExpr;
use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, LiteralValue, operators};

use super::check::{Cost, is_literal, nodes};
use super::meter::{BUILD, KEY, MORE, READ, TURN, WEIGH};

/// Rewrites an expression; `None` if it has a loop of another shape than those of CEL's macros.
pub(super) fn metered(mut expression: IdedExpr) -> Option<IdedExpr> {
    rewrite(&mut expression)?;
    Some(expression)
}

fn rewrite(expression: &mut IdedExpr) -> Option<()> {
    match &mut expression.expr {
        Expr::Unspecified | Expr::Literal(_) | Expr::Ident(_) => {}
        Expr::Select(select) => rewrite(&mut select.operand)?,
        Expr::Call(call) => rewrite_call(call)?,
        Expr::List(list) => list.elements.iter_mut().try_for_each(rewrite_part)?,
        Expr::Map(map) => map.entries.iter_mut().try_for_each(|entry| rewrite_entry(&mut entry.expr))?,
        Expr::Struct(fields) => fields.entries.iter_mut().try_for_each(|entry| rewrite_entry(&mut entry.expr))?,
        Expr::Comprehension(comprehension) => rewrite_loop(comprehension)?,
    }
    Some(())
}

fn rewrite_entry(entry: &mut EntryExpr) -> Option<()> {
    match entry {
        EntryExpr::StructField(field) => rewrite_part(&mut field.value),
        EntryExpr::MapEntry(entry) => {
            rewrite_part(&mut entry.key)?;
            rewrite_part(&mut entry.value)
        }
    }
}

/// Rewrites what becomes part of a new value.
fn rewrite_part(expression: &mut IdedExpr) -> Option<()> {
    rewrite(expression)?;
    wrap(expression, BUILD);
    Some(())
}

fn rewrite_call(call: &mut CallExpr) -> Option<()> {
    let operands = call.target.iter_mut().map(|target| &mut **target).chain(&mut call.args);
    let function = match Cost::of(&call.func_name) {
        Cost::None => None,
        Cost::Key => {
            call.args.iter_mut().try_for_each(rewrite)?;
            if let Some(index) = call.args.get_mut(1)
                && !matches!(index.expr, Expr::Literal(LiteralValue::Int(_) | LiteralValue::String(_)))
            {
                called(index, KEY, []);
            }
            return Some(());
        }
        Cost::Read => Some(READ),
        Cost::Weigh => Some(WEIGH),
        Cost::Build => Some(BUILD),
    };
    for operand in operands {
        rewrite(operand)?;
        if let Some(function) = function {
            wrap(operand, function);
        }
    }
    Some(())
}

/// Rewrites a loop, but for what makes `cel` append to the list that it makes in place of copying it: the addition, and the
/// condition of a loop that has none.
fn rewrite_loop(comprehension: &mut ComprehensionExpr) -> Option<()> {
    rewrite(&mut comprehension.iter_range)?;
    let item = comprehension.iter_var.clone();
    let Expr::Call(step) = &mut comprehension.loop_step.expr else { return None };
    match (step.func_name.as_str(), step.args.as_mut_slice()) {
        // They go on after an error.
        (operators::LOGICAL_AND | operators::LOGICAL_OR, [_, decides]) => {
            rewrite_turn(decides, &item)?;
            called(&mut comprehension.loop_cond, MORE, []);
        }
        (operators::CONDITIONAL, [decides, then, _]) => {
            rewrite_turn(decides, &item)?;
            if let Some(part) = appended(then) {
                rewrite_part(part)?;
            }
        }
        _ => {
            let part = appended(&mut comprehension.loop_step)?;
            let nodes = nodes(part);
            rewrite_part(part)?;
            charge_turn(part, &item, nodes);
        }
    }
    Some(())
}

fn rewrite_turn(decides: &mut IdedExpr, item: &str) -> Option<()> {
    let nodes = nodes(decides);
    rewrite(decides)?;
    charge_turn(decides, item, nodes);
    Some(())
}

/// Makes `TURN(item, nodes) ? body : null` of the body of a loop: a turn is charged before it, since it may fail.
fn charge_turn(body: &mut IdedExpr, item: &str, nodes: usize) {
    let id = body.id;
    let nodes = Expr::Literal(LiteralValue::Int(i64::try_from(nodes).unwrap_or(i64::MAX).into()));
    let mut charged = IdedExpr { id, expr: Expr::Ident(item.to_owned()) };
    called(&mut charged, TURN, [nodes]);
    let args = vec![charged, std::mem::take(body), IdedExpr { id, expr: Expr::Literal(LiteralValue::Null) }];
    let expr = Expr::Call(CallExpr { func_name: operators::CONDITIONAL.to_owned(), target: None, args });
    *body = IdedExpr { id, expr };
}

/// Returns what `@result + [part]` appends.
fn appended(step: &mut IdedExpr) -> Option<&mut IdedExpr> {
    let Expr::Call(step) = &mut step.expr else { return None };
    match (step.func_name.as_str(), step.args.as_mut_slice()) {
        (operators::ADD, [_, IdedExpr { expr: Expr::List(list), .. }]) => list.elements.first_mut(),
        _ => None,
    }
}

/// Wraps an operand in a call, unless it is a literal, whose size the source bounds.
fn wrap(operand: &mut IdedExpr, function: &str) {
    if !is_literal(operand) {
        called(operand, function, []);
    }
}

fn called<const N: usize>(operand: &mut IdedExpr, function: &str, more: [Expr; N]) {
    let id = operand.id;
    let more = more.map(|expr| IdedExpr { id, expr });
    let args = std::iter::once(std::mem::take(operand)).chain(more).collect();
    let expr = Expr::Call(CallExpr { func_name: function.to_owned(), target: None, args });
    *operand = IdedExpr { id, expr };
}
