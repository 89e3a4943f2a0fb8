//! Compiling a component in a separate process: this program again, as `hookmill compile`.
//!
//! wasmtime does not consider it a bug if compiling takes minutes and gigabytes, and its compiler aborts under a memory
//! limit. So a child compiles, under limits that it sets on itself, and the host survives any failure of it. The child
//! reads the component from standard input and writes the artefact to standard output; its environment is empty.

use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

use super::queue::{CompilerQueue, CompilerTurn};
use super::{EngineError, InspectError, Refusal, cut, settings};
use crate::config::Limits;

/// The child's exit status if the component is at fault; standard error has the reason.
pub const REFUSED: u8 = 3;

/// The wall-clock limit of a child as a multiple of its CPU limit, for a busy machine.
const STARVED: u64 = 10;

/// The environment variable of a child that limits its address space. Its allocator would reserve a GiB before the limit is
/// set, and may then fail at once, or not before that GiB is used.
pub const SMALL_ARENAS: (&str, &str) = ("MIMALLOC_ARENA_RESERVE", "64M");

/// Bytes of a child's standard error that are kept.
const COMPLAINT_BYTES: usize = 4 << 10;

/// Compiles components to artefacts.
#[derive(Debug)]
pub(super) struct Compiler {
    pub(super) binary: PathBuf,
    seconds: u64,
    memory_bytes: u64,
    pub(super) queue: CompilerQueue,
}

/// The result of a child.
struct CompilerRun {
    status: ExitStatus,
    artefact: Vec<u8>,
    complaint: String,
}

impl Compiler {
    pub(super) fn new(binary: PathBuf, limits: &Limits) -> Self {
        Self {
            binary,
            seconds: limits.compile_s_max,
            memory_bytes: limits.compile_memory_bytes_max,
            queue: CompilerQueue::new(limits.compilers_max),
        }
    }

    /// Compiles a component that has been scanned.
    pub(super) async fn compile(&self, component: &[u8], _turn: &CompilerTurn) -> Result<Vec<u8>, InspectError> {
        // The child limits its own CPU time; this timeout is for a child that is stuck. Dropping it kills it.
        let ended = tokio::time::timeout(Duration::from_secs(self.seconds * STARVED), self.run(component));
        let Ok(ended) = ended.await else { return Err(self.too_slow().into()) };
        let ended = ended.map_err(|source| EngineError::Compiler { binary: self.binary.clone(), source })?;
        match (ended.status.code(), ended.status.signal()) {
            (Some(0), _) => Ok(ended.artefact),
            (Some(code), _) if code == i32::from(REFUSED) => {
                Err(Refusal(format!("it does not compile: {}", ended.complaint)).into())
            }
            (None, Some(signal)) => Err(self.killed(signal, &ended.complaint).into()),
            (code, _) => Err(EngineError::CompilerExit { code, complaint: ended.complaint }.into()),
        }
    }

    async fn run(&self, component: &[u8]) -> std::io::Result<CompilerRun> {
        let mut child = self.spawn(&self.binary)?;
        let mut stdin = child.stdin.take().expect("the stream is piped");
        let mut stdout = child.stdout.take().expect("the stream is piped");
        let stderr = child.stderr.take().expect("the stream is piped");
        let mut artefact = Vec::new();
        let mut complaint = Vec::new();
        let feed = async {
            // A child that exited early is recognized by its status, not by the broken pipe.
            let _ = stdin.write_all(component).await;
            drop(stdin);
        };
        let mut stderr = stderr.take(COMPLAINT_BYTES as u64);
        let (_, read, complained) =
            tokio::join!(feed, stdout.read_to_end(&mut artefact), stderr.read_to_end(&mut complaint));
        read?;
        complained?;
        drop(stderr);
        let complaint = String::from_utf8_lossy(&complaint).trim().to_owned();
        Ok(CompilerRun { status: child.wait().await?, artefact, complaint })
    }

    fn spawn(&self, binary: &Path) -> std::io::Result<Child> {
        let mut command = Command::new(binary);
        command.args(["compile", &self.seconds.to_string(), &self.memory_bytes.to_string()]);
        let (name, value) = SMALL_ARENAS;
        command.env_clear().env(name, value).kill_on_drop(true);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()
    }

    fn too_slow(&self) -> Refusal {
        Refusal(format!("compiling it takes more than {} s", self.seconds))
    }

    fn killed(&self, signal: i32, complaint: &str) -> Refusal {
        const SIGABRT: i32 = 6;
        const SIGKILL: i32 = 9;
        const SIGXCPU: i32 = 24;
        match signal {
            SIGXCPU | SIGKILL => self.too_slow(),
            SIGABRT if complaint.contains("memory allocation") => {
                Refusal(format!("compiling it takes more than {} MiB of memory", self.memory_bytes >> 20))
            }
            _ => Refusal(format!(
                "compiling it crashed the compiler (signal {signal}): {}",
                cut(complaint.to_owned(), 200)
            )),
        }
    }
}

/// Compiles a component in the current process, which is the child. The inner error is the component's fault.
pub fn precompile(component: &[u8]) -> Result<Result<Vec<u8>, String>, EngineError> {
    let mut config = settings::code();
    // One upload keeps one core busy, not all.
    config.parallel_compilation(false);
    let engine = wasmtime::Engine::new(&config).map_err(|error| EngineError::Setup(error.into()))?;
    // A message longer than what the host reads would fill the pipe and block this process.
    Ok(engine.precompile_component(component).map_err(|error| cut(format!("{error:#}"), COMPLAINT_BYTES)))
}
