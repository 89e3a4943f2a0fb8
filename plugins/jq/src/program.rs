//! Runs a jq program with the jaq crates.

use hookmill_plugin::json::{Json, Parts};
use hookmill_plugin::{Failure, refuse};
use jaq_core::data::JustLut;
use jaq_core::load::{Arena, Error as LoadError, File, Loader};
use jaq_core::{Compiler, Ctx, Filter, Vars};
use jaq_json::{Num, Rc, Val};

/// Functions whose result depends on more than the delivery: a program that calls one does not compile.
const AMBIENT: [&str; 4] = ["now", "env", "localtime", "strflocaltime"];

/// A compiled program.
pub(crate) struct Program(Filter<JustLut<Val>>);

impl Program {
    /// Compiles a program.
    pub(crate) fn compile(code: &str) -> Result<Self, Failure> {
        let arena = Arena::default();
        let loader = Loader::new(jaq_core::defs().chain(jaq_std::defs()).chain(jaq_json::defs()));
        let modules = loader.load(&arena, File { code, path: () }).map_err(|errors| {
            let of = errors.into_iter().map(|(_, error)| load_error(code, error));
            refuse(format!("invalid program: {}", of.collect::<Vec<_>>().join("; ")))
        })?;
        let functions = jaq_core::funs().chain(jaq_std::funs()).chain(jaq_json::funs());
        let functions = functions.filter(|(name, _, _)| !AMBIENT.contains(name));
        let filter = Compiler::default().with_funs(functions).compile(modules).map_err(|errors| {
            let of = errors.into_iter().flat_map(|(_, errors)| errors);
            let of = of.map(|(name, kind)| format!("undefined {} `{name}`", kind.as_str()));
            refuse(format!("invalid program: {}", of.collect::<Vec<_>>().join("; ")))
        })?;
        Ok(Self(filter))
    }

    /// Runs the program on one input and returns its output as JSON text, or `None` if there is no output.
    pub(crate) fn run(&self, input: Val) -> Result<Option<String>, Failure> {
        let context = Ctx::<JustLut<Val>>::new(&self.0.lut, Vars::new([]));
        let mut outputs = self.0.id.run((context, input));
        let Some(output) = outputs.next() else { return Ok(None) };
        let output = output.map_err(|exception| match exception.get_err() {
            Ok(error) => refuse(format!("the program failed: {}", message(error.into_val()))),
            Err(_) => refuse("the program failed: it called `halt`"),
        })?;
        if outputs.next().is_some() {
            return Err(refuse("the program produced more than one output: collect them in a list, [ ... ]"));
        }
        json(&output).map(Some)
    }
}

/// Describes a syntax error and its position in the program.
fn load_error(code: &str, error: LoadError<&str>) -> String {
    let near = |part: &str| {
        let line = code[..jaq_core::load::span(code, part).start].lines().count().max(1);
        match part.lines().next() {
            Some(text) if !text.is_empty() => format!("at `{text}` on line {line}"),
            _ => "at the end".to_owned(),
        }
    };
    let parts: Vec<_> = match error {
        LoadError::Io(errors) => errors.into_iter().map(|(path, error)| format!("{error}: {path}")).collect(),
        LoadError::Lex(errors) => errors
            .into_iter()
            .map(|(expected, part)| format!("expected {} {}", expected.as_str(), near(part)))
            .collect(),
        LoadError::Parse(errors) => errors
            .into_iter()
            .map(|(expected, part)| format!("expected {} {}", expected.as_str(), near(part)))
            .collect(),
    };
    parts.join(", ")
}

/// Returns a string as is, any other value as JSON.
fn message(value: Val) -> String {
    match value {
        Val::TStr(text) => String::from_utf8_lossy(&text).into_owned(),
        other => other.to_string(),
    }
}

/// Converts JSON to jq's value. Numbers keep every digit until they are used in a calculation.
pub(crate) fn val(json: Json<'_>) -> Val {
    match json.parts() {
        Parts::Other("null") => Val::Null,
        Parts::Other("true") => Val::Bool(true),
        Parts::Other("false") => Val::Bool(false),
        Parts::Other(number) => {
            let integer = Num::from_str_radix(number, 10).filter(|_| number != "-0");
            Val::Num(integer.unwrap_or_else(|| Num::Dec(Rc::new(number.to_owned()))))
        }
        Parts::Text(text) => Val::from(text),
        Parts::Array(items) => items.into_iter().map(val).collect(),
        Parts::Object(members) => object(members.into_iter().map(|(name, value)| (name, val(value)))),
    }
}

/// Creates a jq object.
pub(crate) fn object<N: Into<String>>(members: impl IntoIterator<Item = (N, Val)>) -> Val {
    Val::obj(members.into_iter().map(|(name, value)| (Val::from(name.into()), value)).collect())
}

/// Converts jq's value to JSON. Fails for values that JSON does not have, such as `nan` and keys that are not strings.
fn json(value: &Val) -> Result<String, Failure> {
    let text = value.to_string();
    match Json::read(&text) {
        Ok(_) => Ok(text),
        Err(e) => {
            let start: String = text.chars().take(200).collect();
            Err(refuse(format!("the program's output is not JSON: {e}: {start}")))
        }
    }
}
