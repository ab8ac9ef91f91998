//! Runs one step: a command in a room, its output into the log, its limits, its end.
//!
//! What always holds: when [`run`] returns, no process of the step lives and all it printed is in
//! the log (up to its limit), standard output and standard error in the order they were written.
//! A step that is canceled or out of time is asked to end first, and ended after its grace.

mod order;

use std::collections::BTreeMap;
use std::io::{PipeReader, PipeWriter};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use model::worker_api::GroupOutcome;
use secrecy::SecretString;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe::Receiver;
use tokio_util::sync::CancellationToken;

use crate::log::{Log, MaskError};
use crate::sandbox::{Ending, Executor, Invocation, Limits, Room, SandboxError};
pub use order::Order;

/// What is read of a pipe at once.
const READ_BYTES: usize = 64 * 1024;

/// How much of a step's last output is kept for whoever wants to know why it failed.
const END_BYTES: usize = 16 * 1024;

/// How long output may take to arrive after the last process ended.
const DRAIN: Duration = Duration::from_secs(10);

/// What a step runs.
#[derive(Debug, Clone)]
pub enum Command {
    /// A line of a pipeline file, for bash.
    Shell(String),
    /// A program of ours to start, with its arguments.
    Argv(Vec<String>),
}

/// One command inside a job.
#[derive(Debug, Clone)]
pub struct StepSpec {
    /// The heading in the log.
    pub name: String,
    pub command: Command,
    /// Relative to the workspace.
    pub cwd: PathBuf,
    pub env: BTreeMap<String, String>,
    /// Masked in the log from here on.
    pub secrets: Vec<SecretString>,
    pub limits: Limits,
}

/// How a step ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepOutcome {
    Exited(i32),
    Signaled(i32),
    TimedOut,
    OutputLimit,
    MemoryLimit,
    Canceled,
}

impl StepOutcome {
    pub fn succeeded(self) -> bool {
        self == Self::Exited(0)
    }

    /// What the step's lines in the log are marked with.
    fn of_group(self) -> GroupOutcome {
        match self {
            Self::Exited(0) => GroupOutcome::Succeeded,
            Self::Canceled => GroupOutcome::Canceled,
            Self::Exited(_)
            | Self::Signaled(_)
            | Self::TimedOut
            | Self::OutputLimit
            | Self::MemoryLimit => GroupOutcome::Failed,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepEnd {
    pub outcome: StepOutcome,
    pub duration: Duration,
    /// What was kept of the output: of [`capture`] all of the standard output; of [`run`] the last
    /// of what the step printed, not masked.
    pub captured: Vec<u8>,
}

/// Why a step could not be run at all.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    #[error(transparent)]
    Sandbox(#[from] SandboxError),
    #[error(transparent)]
    Mask(#[from] MaskError),
    #[error("reading the output of step {step:?}: {source}")]
    Output { step: String, source: std::io::Error },
}

/// Runs a step with its output in the log.
pub async fn run(
    step: &StepSpec,
    room: &Room,
    executor: &dyn Executor,
    log: &Log,
    cancel: &CancellationToken,
) -> Result<StepEnd, StepError> {
    log.mask(&step.secrets).await?;
    log.begin_step(&step.name).await;
    let end = grouped(step, room, executor, log, cancel).await;
    log.end_step(match &end {
        Ok(end) => end.outcome.of_group(),
        Err(_) => GroupOutcome::Failed,
    })
    .await;
    end
}

async fn grouped(
    step: &StepSpec,
    room: &Room,
    executor: &dyn Executor,
    log: &Log,
    cancel: &CancellationToken,
) -> Result<StepEnd, StepError> {
    let (reader, stdout) = pipe(step)?;
    let stderr = stdout.try_clone().map_err(output(step))?;
    let sink = Sink { reader: receiver(step, reader)?, into: Into::LogAndEnd(log) };
    follow(step, room, executor, log, cancel, (stdout, stderr), vec![sink]).await
}

/// Runs a step whose standard output is an answer for us: it is returned (up to `max_bytes`, more
/// ends the step), and only standard error is logged, without a heading.
pub async fn capture(
    step: &StepSpec,
    max_bytes: u64,
    room: &Room,
    executor: &dyn Executor,
    log: &Log,
    cancel: &CancellationToken,
) -> Result<StepEnd, StepError> {
    log.mask(&step.secrets).await?;
    let (answer, stdout) = pipe(step)?;
    let (remarks, stderr) = pipe(step)?;
    let sinks = vec![
        Sink { reader: receiver(step, answer)?, into: Into::Memory { max_bytes } },
        Sink { reader: receiver(step, remarks)?, into: Into::Log(log) },
    ];
    follow(step, room, executor, log, cancel, (stdout, stderr), sinks).await
}

struct Sink<'a> {
    reader: Receiver,
    into: Into<'a>,
}

enum Into<'a> {
    Log(&'a Log),
    /// Its end is kept besides.
    LogAndEnd(&'a Log),
    Memory {
        max_bytes: u64,
    },
}

#[derive(Debug)]
enum ReadError {
    TooMuch,
    Io(std::io::Error),
}

async fn follow(
    step: &StepSpec,
    room: &Room,
    executor: &dyn Executor,
    log: &Log,
    cancel: &CancellationToken,
    (stdout, stderr): (PipeWriter, PipeWriter),
    sinks: Vec<Sink<'_>>,
) -> Result<StepEnd, StepError> {
    let began = Instant::now();
    let limits = &step.limits;
    let argv = match &step.command {
        Command::Shell(line) => ["bash", "-eo", "pipefail", "-c", line].map(str::to_owned).to_vec(),
        Command::Argv(argv) => argv.clone(),
    };
    let invocation =
        Invocation { argv, cwd: step.cwd.clone(), env: step.env.clone(), limits: limits.clone() };
    if cancel.is_cancelled() {
        return Ok(StepEnd {
            outcome: StepOutcome::Canceled,
            duration: Duration::ZERO,
            captured: Vec::new(),
        });
    }
    let mut running = executor.start(room, &invocation, stdout, stderr).await?;
    let reading = async {
        let reads = sinks.into_iter().map(|sink| sink.read(limits.output_bytes));
        let mut captured = Vec::new();
        for read in futures_util::future::try_join_all(reads).await? {
            captured.extend(read);
        }
        Ok::<_, ReadError>(captured)
    };
    tokio::pin!(reading);
    let deadline = tokio::time::sleep(limits.wall);
    tokio::pin!(deadline);
    let mut read = None;
    let mut outcome = loop {
        tokio::select! {
            ending = running.wait() => break natural(ending?),
            result = &mut reading, if read.is_none() => match result {
                Err(ReadError::TooMuch) => {
                    read = Some(Ok(Vec::new()));
                    break StepOutcome::OutputLimit;
                }
                result => read = Some(result),
            },
            () = cancel.cancelled() => break StepOutcome::Canceled,
            () = &mut deadline => break StepOutcome::TimedOut,
        }
    };
    if matches!(outcome, StepOutcome::Canceled | StepOutcome::TimedOut) {
        running.terminate();
        let grace = tokio::time::sleep(limits.grace);
        tokio::pin!(grace);
        loop {
            tokio::select! {
                ending = running.wait() => {
                    ending?;
                    break;
                }
                result = &mut reading, if read.is_none() => read = Some(result),
                () = &mut grace => break,
            }
        }
    }
    running.end().await?;
    let duration = began.elapsed();
    let read = match read {
        Some(result) => result,
        // Nothing but a process that escaped the executor could still hold the pipe.
        None => tokio::time::timeout(DRAIN, reading).await.unwrap_or_else(|_| Ok(Vec::new())),
    };
    let captured = match read {
        Ok(captured) => captured,
        Err(ReadError::Io(source)) => return Err(output(step)(source)),
        Err(ReadError::TooMuch) => {
            outcome = StepOutcome::OutputLimit;
            Vec::new()
        }
    };
    if let Some(remark) = remark(outcome, limits) {
        log.note(&format!("▶ {}: {remark}", step.name)).await;
    }
    Ok(StepEnd { outcome, duration, captured })
}

impl Sink<'_> {
    /// Reads to the end of the pipe, or of what is allowed. What is too much is not passed on.
    async fn read(mut self, output_bytes: u64) -> Result<Vec<u8>, ReadError> {
        let limit = match self.into {
            Into::Log(_) | Into::LogAndEnd(_) => output_bytes,
            Into::Memory { max_bytes } => max_bytes.min(output_bytes),
        };
        let mut kept = Vec::new();
        let mut seen = 0_u64;
        let mut buffer = vec![0; READ_BYTES];
        loop {
            let length = self.reader.read(&mut buffer).await.map_err(ReadError::Io)?;
            if length == 0 {
                return Ok(kept);
            }
            let room = usize::try_from(limit - seen).unwrap_or(usize::MAX);
            let fits = &buffer[..length.min(room)];
            match self.into {
                Into::Log(log) => log.write(fits).await,
                Into::LogAndEnd(log) => {
                    log.write(fits).await;
                    keep_end(&mut kept, fits);
                }
                Into::Memory { .. } => kept.extend_from_slice(fits),
            }
            seen += fits.len() as u64;
            if length > room {
                return Err(ReadError::TooMuch);
            }
        }
    }
}

/// Adds to what is kept, which stays below its measure.
fn keep_end(kept: &mut Vec<u8>, bytes: &[u8]) {
    kept.extend_from_slice(&bytes[bytes.len().saturating_sub(END_BYTES)..]);
    let over = kept.len().saturating_sub(END_BYTES);
    kept.drain(..over);
}

fn natural(ending: Ending) -> StepOutcome {
    match ending {
        Ending::Exited(code) => StepOutcome::Exited(code),
        Ending::Signaled(signal) => StepOutcome::Signaled(signal),
        Ending::MemoryLimit => StepOutcome::MemoryLimit,
    }
}

/// What the log says about an end that the step's own output cannot explain.
fn remark(outcome: StepOutcome, limits: &Limits) -> Option<String> {
    match outcome {
        StepOutcome::Exited(0) => None,
        StepOutcome::Exited(code) => Some(format!("ended with exit status {code}")),
        StepOutcome::Signaled(signal) => Some(format!("was ended by signal {signal}")),
        StepOutcome::TimedOut => {
            Some(format!("did not end within {} and was ended", order::words(limits.wall)))
        }
        StepOutcome::OutputLimit => {
            Some(format!("printed more than {} bytes and was ended", limits.output_bytes))
        }
        StepOutcome::MemoryLimit => {
            Some(format!("needed more than {} MiB of memory", limits.memory_bytes / (1024 * 1024)))
        }
        StepOutcome::Canceled => Some("was canceled".to_owned()),
    }
}

fn pipe(step: &StepSpec) -> Result<(PipeReader, PipeWriter), StepError> {
    std::io::pipe().map_err(output(step))
}

fn receiver(step: &StepSpec, reader: PipeReader) -> Result<Receiver, StepError> {
    Receiver::from_owned_fd(reader.into()).map_err(output(step))
}

fn output(step: &StepSpec) -> impl FnOnce(std::io::Error) -> StepError {
    let step = step.name.clone();
    |source| StepError::Output { step, source }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_of_the_output_is_kept() {
        let mut kept = Vec::new();
        keep_end(&mut kept, b"first ");
        keep_end(&mut kept, &vec![b'x'; END_BYTES - 4]);
        keep_end(&mut kept, b"last");
        assert_eq!(kept.len(), END_BYTES);
        assert!(kept.starts_with(b"x") && kept.ends_with(b"last"));
        keep_end(&mut kept, &vec![b'y'; END_BYTES * 2]);
        assert_eq!(kept, vec![b'y'; END_BYTES]);
    }
}
