//! A failure that is known to pass: said, waited out, and tried again a few times.
//!
//! What always holds: only what [`model::transient`] lists is tried again, and only after a try
//! that ended by itself; whoever tries again looks at the stack first. The log says each time what
//! is tried again and why. What does not pass is the failure it was.

use std::collections::VecDeque;
use std::time::Duration;

use model::job::FailureKind;
use model::transient::{Doing, transient};

use super::context::Job;
use super::halt::Halt;

/// A try that failed, with all that was said of why.
#[derive(Debug)]
pub(super) struct Misfire {
    pub(super) halt: Halt,
    /// What is nowhere in the failure itself: a command's last output, reasons of events.
    pub(super) said: Vec<String>,
}

impl From<Halt> for Misfire {
    fn from(halt: Halt) -> Self {
        Self { halt, said: Vec::new() }
    }
}

/// The tries that are left to a piece of work.
#[derive(Debug)]
pub(super) struct Retries {
    doing: Doing,
    waits: VecDeque<Duration>,
    tries: u32,
}

impl Retries {
    pub(super) fn of(job: &Job, doing: Doing) -> Self {
        Self { doing, waits: job.machine().retry_waits.clone().into(), tries: 1 }
    }

    /// Waits until the next try; or gives the failure back, when it is not known to pass or did
    /// not.
    pub(super) async fn after(&mut self, job: &Job, misfire: Misfire) -> Result<(), Halt> {
        let Misfire { halt, said } = misfire;
        let Some(because) = passing(&halt, &said, self.doing) else { return Err(halt) };
        let Some(wait) = self.waits.pop_front() else {
            let tries = self.tries;
            job.log().note(&format!("{because}: it was tried {tries} times and is given up")).await;
            return Err(halt);
        };
        self.tries += 1;
        if let Halt::Failed(failure) = &halt {
            job.log().note(&failure.message).await;
        }
        let seconds = wait.as_secs();
        job.log().heading(&format!("{because}: this passes, tried again in {seconds} s")).await;
        job.or_stopped(tokio::time::sleep(wait)).await
    }
}

/// Why a failure will pass, if it will.
fn passing(halt: &Halt, said: &[String], doing: Doing) -> Option<&'static str> {
    let failure = match halt {
        Halt::Failed(failure) => failure,
        Halt::Refused(_) | Halt::Stopped => return None,
    };
    match failure.kind {
        FailureKind::Step | FailureKind::Aws => {}
        FailureKind::Configuration
        | FailureKind::Safeguard
        | FailureKind::Limit
        | FailureKind::Checkout
        | FailureKind::Lost
        | FailureKind::Internal => return None,
    }
    let all = said.iter().chain([&failure.message]).map(String::as_str);
    transient(all, doing).map(|known| known.because)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passes(kind: FailureKind, message: &str, said: &[&str]) -> bool {
        let said: Vec<String> = said.iter().map(|&text| text.to_owned()).collect();
        passing(&Halt::failed(kind, message), &said, Doing::Deploy).is_some()
    }

    #[test]
    fn what_a_command_printed_last_tells_that_its_failure_passes() {
        let printed = "ServerlessError: Rate exceeded\n";
        assert!(passes(FailureKind::Step, "`osls deploy` ended with exit status 1", &[printed]));
        assert!(passes(FailureKind::Aws, "stack a: F (X): Rate exceeded", &[]));
        assert!(!passes(FailureKind::Step, "`osls deploy` ended with exit status 1", &["no"]));
    }

    #[test]
    fn a_mistake_or_a_limit_is_never_tried_again_whatever_it_says() {
        for kind in [FailureKind::Configuration, FailureKind::Safeguard, FailureKind::Limit] {
            assert!(!passes(kind, "Rate exceeded", &[]), "{kind:?}");
        }
        assert_eq!(passing(&Halt::Stopped, &["Rate exceeded".to_owned()], Doing::Deploy), None);
    }
}
