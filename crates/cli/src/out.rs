//! Standard output for answers, standard error for what is said along.

use std::io::{ErrorKind, IsTerminal, Write};

use serde_json::Value;

use crate::error::{Error, Result};

/// A part of the answer, with its line end.
pub(crate) fn line(text: &str) -> Result<()> {
    bytes(text.as_bytes())?;
    bytes(b"\n")
}

/// The answer as it is.
pub(crate) fn bytes(bytes: &[u8]) -> Result<()> {
    let mut out = std::io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush()).map_err(|error| written(&error))
}

/// What the API answered.
pub(crate) fn json(value: &Value) -> Result<()> {
    let text = serde_json::to_string_pretty(value)
        .map_err(|error| Error::Local(format!("the answer cannot be written: {error}")))?;
    line(&text)
}

/// What is said along.
pub(crate) fn said(text: &str) -> Result<()> {
    let mut out = std::io::stderr().lock();
    writeln!(out, "{text}").map_err(|error| written(&error))
}

/// Somebody sits there who can be asked.
pub(crate) fn is_dialog() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

fn written(error: &std::io::Error) -> Error {
    match error.kind() {
        ErrorKind::BrokenPipe => Error::Closed,
        _ => Error::Local(format!("the output cannot be written: {error}")),
    }
}
