//! What the exit code of a command tells: scripts rely on it, so a number never changes.

use std::process::ExitCode;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// It is done; of a build that was waited for: it succeeded, or had nothing to do.
    Succeeded,
    /// The server does not answer, or this machine stands in the way.
    Failed,
    /// The command is to be written otherwise.
    Usage,
    /// The build failed.
    BuildFailed,
    /// The build was canceled, or a newer one took its place.
    BuildEnded,
    /// The server knows who asks, and says no: there is no such thing, or not now.
    Refused,
    /// Nobody is signed in, or who is has not the right.
    NotAllowed,
    /// Ctrl-C.
    Interrupted,
    /// As the command that was run for somebody ended.
    OfCommand(u8),
}

impl Code {
    pub fn number(self) -> u8 {
        match self {
            Self::Succeeded => 0,
            Self::Failed => 1,
            // clap's own
            Self::Usage => 2,
            Self::BuildFailed => 3,
            Self::BuildEnded => 4,
            Self::Refused => 5,
            Self::NotAllowed => 6,
            // as shells have it: 128 and the signal
            Self::Interrupted => 130,
            Self::OfCommand(code) => code,
        }
    }

    /// Of a build that has ended.
    pub(crate) fn of_outcome(outcome: Option<&str>) -> Self {
        match outcome {
            Some("succeeded" | "skipped") => Self::Succeeded,
            Some("canceled" | "superseded") => Self::BuildEnded,
            // an outcome that this program does not know is no success
            Some(_) | None => Self::BuildFailed,
        }
    }
}

impl From<Code> for ExitCode {
    fn from(code: Code) -> Self {
        code.number().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_outcome_is_a_number_that_scripts_know() {
        for (outcome, number) in [
            (Some("succeeded"), 0),
            (Some("skipped"), 0),
            (Some("failed"), 3),
            (Some("canceled"), 4),
            (Some("superseded"), 4),
            (Some("something new"), 3),
            (None, 3),
        ] {
            assert_eq!(Code::of_outcome(outcome).number(), number, "{outcome:?}");
        }
    }
}
