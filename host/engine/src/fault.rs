//! Classifying an error from wasmtime: the plugin's fault, with a message that helps its author, or the host's own.

use std::fmt::Write as _;
use std::str::Utf8Error;

use hookmill_model::{PluginFault, PluginFaultCode};
use wasmtime::{Trap, WasmBacktrace};

use super::limits::{Exceeded, HostOutOfMemory};
use super::settings::BACKTRACE_FRAMES;
use super::wasi::NotGranted;
use super::{EngineError, cut};

/// Functions of a backtrace that a message lists.
const FUNCTIONS_NAMED: usize = 5;

/// Bytes of one function's name in a message; a generic Rust function's name can have hundreds.
const NAME_BYTES: usize = 120;

/// Returns a fault that a retry would repeat.
pub(super) fn permanent(code: PluginFaultCode, message: impl Into<String>) -> PluginFault {
    PluginFault { code, message: message.into(), retry: false }
}

/// Classifies an error that ended a call. `fuel` is the call's limit.
pub(super) fn from_error(error: wasmtime::Error, fuel: u64) -> Result<PluginFault, EngineError> {
    let place = error.downcast_ref::<WasmBacktrace>().map(place).unwrap_or_default();
    if let Some(exceeded) = error.downcast_ref::<Exceeded>() {
        return Ok(permanent(PluginFaultCode::OutOfMemory, format!("{exceeded}{place}")));
    }
    if let Some(not_granted) = error.downcast_ref::<NotGranted>() {
        return Ok(permanent(PluginFaultCode::Trapped, format!("{not_granted}{place}")));
    }
    if error.is::<Utf8Error>() {
        return Ok(permanent(
            PluginFaultCode::InvalidOutput,
            format!("returned a string that is not UTF-8: {}{place}", error.root_cause()),
        ));
    }
    if error.is::<HostOutOfMemory>() || error.is::<wasmtime::PoolConcurrencyLimitError>() {
        return Err(EngineError::Instance(error.into()));
    }
    match error.downcast_ref::<Trap>() {
        Some(trap) => Ok(from_trap(*trap, error.downcast_ref(), &place, fuel)),
        None => Ok(from_conversion(&error, &place)),
    }
}

fn from_trap(trap: Trap, backtrace: Option<&WasmBacktrace>, place: &str, fuel: u64) -> PluginFault {
    let (code, what) = match trap {
        Trap::OutOfFuel => (
            PluginFaultCode::OutOfFuel,
            format!("used all of its {fuel} units of fuel: an endless loop, or too much work for this input"),
        ),
        Trap::StackOverflow => (PluginFaultCode::StackOverflow, "recursed too deeply".to_owned()),
        // Most compilers keep a second stack in the first bytes of memory; an overflow of it reaches below zero.
        Trap::MemoryOutOfBounds if backtrace.is_some_and(is_recursion) => {
            (PluginFaultCode::StackOverflow, "recursed too deeply for its stack in memory".to_owned())
        }
        Trap::UnreachableCodeReached => (
            PluginFaultCode::Trapped,
            "panicked or aborted: the message is in the log if the plugin writes it there".to_owned(),
        ),
        trap => (PluginFaultCode::Trapped, format!("trapped: {}", strip(&trap.to_string()))),
    };
    permanent(code, what + place)
}

/// An error without a trap comes from passing values: a string, a list or a variant that violates the contract.
///
/// Exceeding the limit of what may be passed at once has no error type in wasmtime, so its message is searched; a test
/// checks that.
fn from_conversion(error: &wasmtime::Error, place: &str) -> PluginFault {
    let cause = error.root_cause().to_string();
    if cause.contains("fuel allocated for hostcalls") {
        return permanent(
            PluginFaultCode::OutputTooLarge,
            format!("returned more data than a request may have{place}"),
        );
    }
    permanent(
        PluginFaultCode::InvalidOutput,
        format!("returned a value that violates the contract: {}{place}", strip(&cause)),
    )
}

fn strip(text: &str) -> &str {
    text.strip_prefix("wasm trap: ").unwrap_or(text)
}

/// Whether a backtrace has its maximum length and consists mostly of the same few functions.
fn is_recursion(backtrace: &WasmBacktrace) -> bool {
    let frames = backtrace.frames();
    let repeated = |index| frames.iter().filter(|frame| frame.func_index() == index).count();
    frames.len() >= BACKTRACE_FRAMES && frames.iter().any(|frame| repeated(frame.func_index()) >= BACKTRACE_FRAMES / 8)
}

/// Formats a backtrace as ` (in a < b < c)`; empty for a component without names.
fn place(backtrace: &WasmBacktrace) -> String {
    let names = backtrace.frames().iter().filter_map(|frame| frame.func_name()).map(demangled);
    let mut names = names.skip_while(|name| is_machinery(name)).peekable();
    let mut place = String::new();
    for index in 0..FUNCTIONS_NAMED {
        let Some(name) = names.next() else { break };
        let before = if index == 0 { " (in " } else { " < " };
        let mut times = 1;
        while names.next_if_eq(&name).is_some() {
            times += 1;
        }
        let _ = write!(place, "{before}{}", cut(name, NAME_BYTES));
        if times > 1 {
            let _ = write!(place, " ×{times}");
        }
    }
    if !place.is_empty() {
        place.push(')');
    }
    place
}

fn demangled(name: &str) -> String {
    format!("{:#}", rustc_demangle::demangle(name))
}

/// Whether this is one of the functions between a panic and its trap in every Rust and C program.
fn is_machinery(name: &str) -> bool {
    const PREFIXES: [&str; 7] = [
        "core::panicking",
        "std::panicking",
        "std::process::abort",
        "std::sys",
        "rust_begin_unwind",
        "rust_panic",
        "__rust",
    ];
    name == "abort" || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}
