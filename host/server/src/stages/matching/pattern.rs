//! Regular expressions of a condition: `text.matches('pattern')`, compiled once.
//!
//! `cel` compiles a pattern at each call. So a call is rewritten to `text in @0`, a search in a container of all texts that
//! match the first pattern.

use std::any::Any;

use cel::ExecutionError;
use cel::IdedExpr;
use cel::common::ast::{CallExpr, EntryExpr, Expr, LiteralValue, operators};
use cel::common::traits::Container;
use cel::common::types::{CelString, Type};
use cel::common::value::{StaticVal, Val};
use hookmill_model::Invalid;
use regex::{Regex, RegexBuilder};
use regex_syntax::hir::{Hir, HirKind};

use super::meter;

/// The most patterns of one condition.
const PATTERNS_MAX: usize = 20;
/// The most places of a pattern that may match at once: each costs time for each byte of a text.
const PLACES_MAX: u64 = 500;
/// The most memory of a compiled pattern: Unicode's classes, such as `\w`, take tens of KiB each.
const COMPILED_BYTES_MAX: usize = 1 << 20;

/// The name of the type of patterns in errors.
pub(super) const TYPE_NAME: &str = "pattern";

static TYPE: Type = Type::new_unspecified_type(TYPE_NAME);

/// A compiled pattern, as a value of CEL.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    regex: Regex,
    places: u64,
}

impl Pattern {
    fn compile(source: &str) -> Result<Self, Invalid> {
        let wrong = |why: String| Invalid::new(format!("the pattern `{source}` of `matches` {why}"));
        let hir = regex_syntax::parse(source).map_err(|err| wrong(format!("is not a regular expression: {err}")))?;
        let places = places(&hir);
        if places > PLACES_MAX {
            return Err(wrong(format!(
                "is too large: its repetitions multiply to {places} places, at most {PLACES_MAX}"
            )));
        }
        let regex = RegexBuilder::new(source).size_limit(COMPILED_BYTES_MAX).build();
        let regex = regex.map_err(|err| wrong(format!("cannot be compiled: {err}")))?;
        Ok(Self { regex, places })
    }
}

/// Returns the places of a pattern, with its repetitions written out.
fn places(hir: &Hir) -> u64 {
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) | HirKind::Class(_) => 1,
        HirKind::Literal(literal) => literal.0.len() as u64,
        HirKind::Capture(capture) => places(&capture.sub),
        HirKind::Repetition(repetition) => {
            let times = repetition.max.unwrap_or(repetition.min).max(1);
            places(&repetition.sub).saturating_mul(times.into())
        }
        HirKind::Concat(parts) | HirKind::Alternation(parts) => parts.iter().map(places).fold(0, u64::saturating_add),
    }
}

impl Val for Pattern {
    fn get_type(&self) -> &Type {
        <Self as Val>::cel_type()
    }

    fn cel_type() -> &'static Type {
        &TYPE
    }

    fn as_container(&self) -> Option<&dyn Container> {
        Some(self)
    }

    fn clone_as_boxed<'v>(&self) -> Box<dyn Val + 'v> {
        Box::new(self.clone())
    }

    fn as_any(&self) -> Option<&dyn Any> {
        Some(self)
    }
}

impl StaticVal for Pattern {}

impl Container for Pattern {
    fn contains(&self, value: &dyn Val) -> Result<bool, ExecutionError> {
        let Some(text) = value.downcast_ref::<CelString<'_>>() else {
            // `cel` makes its own error of this, with the types of both.
            return Err(ExecutionError::no_such_member_overload("matches", Vec::new()));
        };
        // Measured: 2 to 3 ns a byte up to 100 places, 30 to 70 ns with 400, of which all may be active at each byte.
        meter::charge(5 + text.inner().len() as u64 * (8 + self.places) / 64, 0)?;
        Ok(self.regex.is_match(text.inner()))
    }
}

/// Returns the name of a condition's pattern.
pub(super) fn name(index: usize) -> String {
    format!("@{index}")
}

/// Takes the patterns out of an expression.
///
/// # Errors
/// If one is not a literal, not a regular expression, or too large.
pub(super) fn compile_patterns(expression: &mut IdedExpr, patterns: &mut Vec<Pattern>) -> Result<(), Invalid> {
    match &mut expression.expr {
        Expr::Unspecified | Expr::Literal(_) | Expr::Ident(_) => Ok(()),
        Expr::Select(select) => compile_patterns(&mut select.operand, patterns),
        Expr::Call(call) => {
            let mut operands = call.target.iter_mut().map(|target| &mut **target).chain(&mut call.args);
            operands.try_for_each(|operand| compile_patterns(operand, patterns))?;
            if call.func_name == "matches" { compile_call(call, patterns) } else { Ok(()) }
        }
        Expr::List(list) => list.elements.iter_mut().try_for_each(|element| compile_patterns(element, patterns)),
        Expr::Map(map) => map.entries.iter_mut().try_for_each(|entry| in_entry(&mut entry.expr, patterns)),
        Expr::Struct(fields) => fields.entries.iter_mut().try_for_each(|entry| in_entry(&mut entry.expr, patterns)),
        Expr::Comprehension(comprehension) => {
            compile_patterns(&mut comprehension.iter_range, patterns)?;
            compile_patterns(&mut comprehension.loop_step, patterns)
        }
    }
}

fn in_entry(entry: &mut EntryExpr, patterns: &mut Vec<Pattern>) -> Result<(), Invalid> {
    match entry {
        EntryExpr::StructField(field) => compile_patterns(&mut field.value, patterns),
        EntryExpr::MapEntry(entry) => {
            compile_patterns(&mut entry.key, patterns)?;
            compile_patterns(&mut entry.value, patterns)
        }
    }
}

fn compile_call(call: &mut CallExpr, patterns: &mut Vec<Pattern>) -> Result<(), Invalid> {
    let mut args = call.target.take().map(|target| *target).into_iter().chain(std::mem::take(&mut call.args));
    let (Some(text), Some(pattern), None) = (args.next(), args.next(), args.next()) else {
        return Err(Invalid::new(
            "`matches` takes a text and a pattern: `event.data.email.matches('@example\\\\.com$')`",
        ));
    };
    let Expr::Literal(LiteralValue::String(source)) = &pattern.expr else {
        return Err(Invalid::new("the pattern of `matches` must be a literal text, which is compiled once"));
    };
    if patterns.len() == PATTERNS_MAX {
        return Err(Invalid::new(format!("the condition has more than {PATTERNS_MAX} patterns")));
    }
    let compiled = IdedExpr { id: pattern.id, expr: Expr::Ident(name(patterns.len())) };
    patterns.push(Pattern::compile(source.inner())?);
    *call = CallExpr { func_name: operators::IN.to_owned(), target: None, args: vec![text, compiled] };
    Ok(())
}
