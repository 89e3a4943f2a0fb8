//! WASI 0.2 for plugins whose language's runtime requires it: every import is defined, none grants access to anything.
//!
//! Standard output and error go to the plugin's log. The clocks stand still at the event's time and randomness is seeded
//! by the delivery's id, so that a retry makes the same request. There are no arguments, no environment and no
//! directories; waiting ends at once. Every other function traps with its name: files cannot be reached without a
//! directory. Sockets and HTTP are refused earlier (see `contract`).
//!
//! `wasmtime-wasi` is not used: it is designed to grant access. Its sleeps are real, its calls cost a guest no fuel, and
//! its setup costs more than a transform. What a runtime calls when it starts or panics is little enough to define here.

use wasmtime::component::types::ComponentItem;
use wasmtime::component::{Component, ComponentType, Lift, Linker, LinkerInstance, Lower, Resource, ResourceType};
use wasmtime::{Result, bail};

use super::limits::host_function;
use super::logs::Stream;
use super::state::State;

/// Bytes that an output stream accepts at once; WASI's minimum for its blocking write.
const WRITE_BYTES: u64 = 4096;

/// Random bytes that one call may request.
const RANDOM_BYTES_MAX: u64 = 64 << 10;

/// A resource of WASI. [`Absent`] stands for those that are never created.
struct Pollable;
struct InputStream;
struct OutputStream;
struct IoError;
struct Absent;

const STDOUT: u32 = 1;
const STDERR: u32 = 2;

/// An error of reading or writing.
#[derive(ComponentType, Lower, Lift)]
#[component(variant)]
enum StreamError {
    #[component(name = "last-operation-failed")]
    LastOperationFailed(Resource<IoError>),
    #[component(name = "closed")]
    Closed,
}

#[derive(ComponentType, Lower)]
#[component(record)]
struct Datetime {
    #[component(name = "seconds")]
    seconds: u64,
    #[component(name = "nanoseconds")]
    nanoseconds: u32,
}

/// A plugin called a function that it has no access to.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum NotGranted {
    #[error("called `{interface}#{function}`, which is not available to plugins")]
    Function { interface: String, function: String },
    #[error("called `exit` with {0}")]
    Exit(&'static str),
}

/// Defines the functions of WASI that `component` imports, and no others.
pub(super) fn link(linker: &mut Linker<State>, component: &Component) -> Result<()> {
    let engine = component.engine();
    for (name, item) in component.component_type().imports(engine) {
        let ComponentItem::ComponentInstance(imported) = item.ty else { continue };
        let Some((interface, _version)) = name.split_once('@').filter(|(name, _)| name.starts_with("wasi:")) else {
            continue;
        };
        let mut instance = linker.instance(name)?;
        for (member, item) in imported.exports(engine) {
            match item.ty {
                ComponentItem::ComponentFunc(_) => function(&mut instance, interface, member)?,
                ComponentItem::Resource(_) => resource(&mut instance, member)?,
                _ => {}
            }
        }
    }
    Ok(())
}

fn resource(instance: &mut LinkerInstance<'_, State>, name: &str) -> Result<()> {
    let ty = match name {
        "pollable" => ResourceType::host::<Pollable>(),
        "input-stream" => ResourceType::host::<InputStream>(),
        "output-stream" => ResourceType::host::<OutputStream>(),
        "error" => ResourceType::host::<IoError>(),
        _ => ResourceType::host::<Absent>(),
    };
    instance.resource(name, ty, |_, _| Ok(()))
}

fn function(to: &mut LinkerInstance<'_, State>, interface: &str, name: &str) -> Result<()> {
    match interface {
        "wasi:cli/environment" => environment(to, name),
        "wasi:cli/stdin" | "wasi:cli/stdout" | "wasi:cli/stderr" => standard_stream(to, name),
        "wasi:cli/terminal-stdin" | "wasi:cli/terminal-stdout" | "wasi:cli/terminal-stderr" => {
            host_function(to, name, |_, (): ()| Ok((None::<Resource<Absent>>,)))
        }
        "wasi:clocks/wall-clock" | "wasi:clocks/monotonic-clock" => clock(to, interface, name),
        "wasi:filesystem/preopens" => {
            host_function(to, name, |_, (): ()| Ok((Vec::<(Resource<Absent>, String)>::new(),)))
        }
        "wasi:io/poll" => poll(to, name),
        "wasi:io/streams" => stream(to, name),
        "wasi:random/random" | "wasi:random/insecure" | "wasi:random/insecure-seed" => random(to, name),
        "wasi:cli/exit" => exit(to, name),
        _ => refused(to, interface, name),
    }
}

fn refused(to: &mut LinkerInstance<'_, State>, interface: &str, name: &str) -> Result<()> {
    let error = NotGranted::Function { interface: interface.to_owned(), function: name.to_owned() };
    to.func_new(name, move |_, _, _, _| Err(error.clone().into()))
}

fn environment(to: &mut LinkerInstance<'_, State>, name: &str) -> Result<()> {
    match name {
        "get-environment" => host_function(to, name, |_, (): ()| Ok((Vec::<(String, String)>::new(),))),
        "get-arguments" => host_function(to, name, |_, (): ()| Ok((Vec::<String>::new(),))),
        "initial-cwd" => host_function(to, name, |_, (): ()| Ok((None::<String>,))),
        _ => refused(to, "wasi:cli/environment", name),
    }
}

fn exit(to: &mut LinkerInstance<'_, State>, name: &str) -> Result<()> {
    match name {
        "exit" => host_function(to, name, |_, (status,): (Result<(), ()>,)| -> Result<()> {
            Err(NotGranted::Exit(if status.is_ok() { "success" } else { "failure" }).into())
        }),
        _ => refused(to, "wasi:cli/exit", name),
    }
}

fn standard_stream(to: &mut LinkerInstance<'_, State>, name: &str) -> Result<()> {
    match name {
        "get-stdin" => host_function(to, name, |_, (): ()| Ok((Resource::<InputStream>::new_own(0),))),
        "get-stdout" => host_function(to, name, |_, (): ()| Ok((Resource::<OutputStream>::new_own(STDOUT),))),
        _ => host_function(to, name, |_, (): ()| Ok((Resource::<OutputStream>::new_own(STDERR),))),
    }
}

/// The time stands still, so nothing ever waits.
fn clock(to: &mut LinkerInstance<'_, State>, interface: &str, name: &str) -> Result<()> {
    match (interface, name) {
        ("wasi:clocks/wall-clock", "now") => host_function(to, name, |state, (): ()| {
            Ok((Datetime { seconds: state.now.as_secs(), nanoseconds: state.now.subsec_nanos() },))
        }),
        ("wasi:clocks/wall-clock", "resolution") => {
            host_function(to, name, |_, (): ()| Ok((Datetime { seconds: 0, nanoseconds: 1_000 },)))
        }
        (_, "now") => host_function(to, name, |state, (): ()| Ok((state.now.as_nanos() as u64,))),
        (_, "resolution") => host_function(to, name, |_, (): ()| Ok((1_000_u64,))),
        (_, "subscribe-instant" | "subscribe-duration") => {
            host_function(to, name, |_, (_,): (u64,)| Ok((Resource::<Pollable>::new_own(0),)))
        }
        _ => refused(to, interface, name),
    }
}

fn poll(to: &mut LinkerInstance<'_, State>, name: &str) -> Result<()> {
    match name {
        "[method]pollable.ready" => host_function(to, name, |_, (_,): (Resource<Pollable>,)| Ok((true,))),
        "[method]pollable.block" => host_function(to, name, |_, (_,): (Resource<Pollable>,)| Ok(())),
        "poll" => host_function(to, name, |state, (pollables,): (Vec<Resource<Pollable>>,)| {
            state.moved += pollables.len() * 16;
            Ok(((0..).take(pollables.len()).collect::<Vec<u32>>(),))
        }),
        _ => refused(to, "wasi:io/poll", name),
    }
}

fn random(to: &mut LinkerInstance<'_, State>, name: &str) -> Result<()> {
    match name {
        "get-random-bytes" | "get-insecure-random-bytes" => host_function(to, name, |state, (length,): (u64,)| {
            if length > RANDOM_BYTES_MAX {
                bail!("asked for {length} random bytes at once; {RANDOM_BYTES_MAX} are allowed");
            }
            Ok((state.random(length as usize),))
        }),
        "get-random-u64" | "get-insecure-random-u64" => {
            host_function(to, name, |state, (): ()| Ok((random_u64(state),)))
        }
        "insecure-seed" => host_function(to, name, |state, (): ()| Ok(((random_u64(state), random_u64(state)),))),
        _ => refused(to, "wasi:random", name),
    }
}

fn random_u64(state: &mut State) -> u64 {
    state.random(8).into_iter().fold(0, |number, byte| number << 8 | u64::from(byte))
}

/// Reading returns the end of the stream, writing goes to the log.
fn stream(to: &mut LinkerInstance<'_, State>, name: &str) -> Result<()> {
    type Done = std::result::Result<(), StreamError>;
    type Read = std::result::Result<Vec<u8>, StreamError>;
    match name {
        "[method]input-stream.read" | "[method]input-stream.blocking-read" => {
            host_function(to, name, |_, _: (Resource<InputStream>, u64)| Ok((Read::Err(StreamError::Closed),)))
        }
        "[method]input-stream.subscribe" => {
            host_function(to, name, |_, _: (Resource<InputStream>,)| Ok((Resource::<Pollable>::new_own(0),)))
        }
        "[method]output-stream.subscribe" => {
            host_function(to, name, |_, _: (Resource<OutputStream>,)| Ok((Resource::<Pollable>::new_own(0),)))
        }
        "[method]output-stream.check-write" => host_function(to, name, |_, _: (Resource<OutputStream>,)| {
            Ok((std::result::Result::<u64, StreamError>::Ok(WRITE_BYTES),))
        }),
        "[method]output-stream.write" | "[method]output-stream.blocking-write-and-flush" => {
            host_function(to, name, |state, (stream, bytes): (Resource<OutputStream>, Vec<u8>)| {
                state.moved += bytes.len();
                let stream = if stream.rep() == STDOUT { Stream::Output } else { Stream::Error };
                state.logs.write_stream(stream, &bytes);
                Ok((Done::Ok(()),))
            })
        }
        "[method]output-stream.flush" | "[method]output-stream.blocking-flush" => {
            host_function(to, name, |_, _: (Resource<OutputStream>,)| Ok((Done::Ok(()),)))
        }
        _ => refused(to, "wasi:io/streams", name),
    }
}
