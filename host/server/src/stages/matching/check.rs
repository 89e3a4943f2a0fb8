//! What a condition must not contain, and how deep and large it may be.

use cel::IdedExpr;
use cel::common::ast::operators::{
    ADD, CONDITIONAL, DIVIDE, EQUALS, GREATER, GREATER_EQUALS, IN, INDEX, LESS, LESS_EQUALS, LOGICAL_AND, LOGICAL_NOT,
    LOGICAL_OR, MODULO, MULTIPLY, NEGATE, NOT_EQUALS, NOT_STRICTLY_FALSE, SUBSTRACT,
};
use cel::common::ast::{EntryExpr, Expr};
use hookmill_model::Invalid;

/// The deepest nesting: evaluating and dropping an expression recurse. A chain of operators (`a + b + c`) nests as deep as it
/// is long, but for `&&` and `||`, which are balanced.
const DEPTH_MAX: usize = 64;

/// The most nodes: a page of rules has some 200.
const NODES_MAX: usize = 1_000;

/// Functions that read texts at most, and of lists and maps the size. Others are charged for copying what they get.
const READING: [&str; 23] = [
    "bool",
    "bytes",
    "contains",
    "double",
    "duration",
    "dyn",
    "endsWith",
    "getDate",
    "getDayOfMonth",
    "getDayOfWeek",
    "getDayOfYear",
    "getFullYear",
    "getHours",
    "getMilliseconds",
    "getMinutes",
    "getMonth",
    "getSeconds",
    "int",
    "size",
    "startsWith",
    "string",
    "timestamp",
    "uint",
];

/// What a call costs besides its nodes, by what is done to its operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cost {
    /// Nothing that depends on their size.
    None,
    /// The second is looked up in the first.
    Key,
    /// Texts are read.
    Read,
    /// They are read as a whole: compared, searched, or copied into an error.
    Weigh,
    /// They are copied into a new value.
    Build,
}

impl Cost {
    /// Returns the cost of a function or operator.
    pub(super) fn of(function: &str) -> Self {
        match function {
            CONDITIONAL | LOGICAL_AND | LOGICAL_OR | LOGICAL_NOT | NEGATE | NOT_STRICTLY_FALSE => Self::None,
            INDEX => Self::Key,
            EQUALS | NOT_EQUALS | LESS | LESS_EQUALS | GREATER | GREATER_EQUALS | IN => Self::Weigh,
            // Of operands that are no numbers, the error has copies.
            ADD | SUBSTRACT | MULTIPLY | DIVIDE | MODULO => Self::Build,
            name if READING.contains(&name) => Self::Read,
            _ => Self::Build,
        }
    }
}

/// What a walk over an expression found.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Size {
    /// Nodes.
    pub(super) nodes: usize,
    /// Nodes that read whole values.
    pub(super) whole: usize,
    /// Whether it has loops or makes values, so that its cost does not follow from the event's size.
    pub(super) builds: bool,
}

/// Checks an expression as it was parsed.
///
/// # Errors
/// If it is too deep or too large, names a variable other than `event`, or nests loops.
pub(super) fn check(expression: &IdedExpr) -> Result<Size, Invalid> {
    let mut scan = Scan { size: Size::default(), deepest: 0, loops_deepest: 0, unknown: None };
    scan.expression(expression, &mut vec!["event".to_owned()], 0, 1);
    if scan.deepest > DEPTH_MAX {
        return Err(Invalid::new(format!(
            "the condition nests {} levels deep, at most {DEPTH_MAX} are allowed; each operator of a chain such as \
             `a + b + c` is a level, except for `&&` and `||`",
            scan.deepest
        )));
    }
    if scan.size.nodes > NODES_MAX {
        return Err(Invalid::new(format!(
            "the condition has {} operators, names and values, at most {NODES_MAX} are allowed",
            scan.size.nodes
        )));
    }
    if let Some(name) = scan.unknown {
        return Err(Invalid::new(format!("unknown variable `{name}`: a condition can read only `event`")));
    }
    if scan.loops_deepest > 1 {
        return Err(Invalid::new("a loop (all, exists, exists_one, map, filter) must not contain another loop"));
    }
    Ok(scan.size)
}

/// Returns the nodes of an expression.
pub(super) fn nodes(expression: &IdedExpr) -> usize {
    let mut scan = Scan { size: Size::default(), deepest: 0, loops_deepest: 0, unknown: None };
    scan.expression(expression, &mut Vec::new(), 0, 1);
    scan.size.nodes
}

struct Scan {
    size: Size,
    deepest: usize,
    loops_deepest: u32,
    unknown: Option<String>,
}

impl Scan {
    fn expression(&mut self, expression: &IdedExpr, known: &mut Vec<String>, loops: u32, depth: usize) {
        self.size.nodes += 1;
        self.deepest = self.deepest.max(depth);
        let below = depth + 1;
        match &expression.expr {
            Expr::Unspecified | Expr::Literal(_) => {}
            Expr::Ident(name) => {
                if !known.contains(name) {
                    self.unknown.get_or_insert_with(|| name.clone());
                }
            }
            Expr::Call(call) => {
                let cost = Cost::of(&call.func_name);
                self.size.builds |= cost == Cost::Build;
                self.size.whole += usize::from(cost != Cost::None);
                call.target.iter().for_each(|target| self.expression(target, known, loops, below));
                call.args.iter().for_each(|arg| self.expression(arg, known, loops, below));
            }
            Expr::Select(select) => self.expression(&select.operand, known, loops, below),
            Expr::List(list) => {
                self.size.builds |= list.elements.iter().any(|element| !is_literal(element));
                list.elements.iter().for_each(|element| self.expression(element, known, loops, below));
            }
            Expr::Map(map) => {
                self.size.builds = true;
                map.entries.iter().for_each(|entry| self.entry(&entry.expr, known, loops, below));
            }
            Expr::Struct(fields) => {
                self.size.builds = true;
                fields.entries.iter().for_each(|entry| self.entry(&entry.expr, known, loops, below));
            }
            Expr::Comprehension(comprehension) => {
                self.size.builds = true;
                self.loops_deepest = self.loops_deepest.max(loops + 1);
                self.expression(&comprehension.iter_range, known, loops, below);
                self.expression(&comprehension.accu_init, known, loops, below);
                let outside = known.len();
                known.extend([comprehension.iter_var.clone(), comprehension.accu_var.clone()]);
                known.extend(comprehension.iter_var2.clone());
                for inside in [&comprehension.loop_cond, &comprehension.loop_step, &comprehension.result] {
                    self.expression(inside, known, loops + 1, below);
                }
                known.truncate(outside);
            }
        }
    }

    fn entry(&mut self, entry: &EntryExpr, known: &mut Vec<String>, loops: u32, depth: usize) {
        match entry {
            EntryExpr::StructField(field) => self.expression(&field.value, known, loops, depth),
            EntryExpr::MapEntry(entry) => {
                self.expression(&entry.key, known, loops, depth);
                self.expression(&entry.value, known, loops, depth);
            }
        }
    }
}

/// Whether an expression is a literal of one value.
pub(super) fn is_literal(expression: &IdedExpr) -> bool {
    matches!(expression.expr, Expr::Literal(_))
}
