//! A command to run in a job: of the pipeline file, or of a framework in its place. Pure.

use std::time::Duration;

use model::pipeline::{Step, Timeout};

use super::Command;
use crate::sandbox::Limits;

/// One command, with what the log calls it.
#[derive(Debug, Clone)]
pub struct Order {
    /// Without parameters' values: it is shown.
    pub heading: String,
    pub command: Command,
    /// Absent: the worker's own limit.
    pub timeout: Option<Timeout>,
}

impl Order {
    /// A program of ours to start, with its arguments.
    pub fn argv(heading: impl Into<String>, argv: Vec<String>) -> Self {
        Self { heading: heading.into(), command: Command::Argv(argv), timeout: None }
    }

    /// The heading in the log: what runs, and how long it may take where somebody said so.
    pub fn announced(&self) -> String {
        match self.timeout {
            Some(timeout) => format!("{} (at most {timeout})", self.heading),
            None => self.heading.clone(),
        }
    }

    pub fn limits(&self) -> Limits {
        let limits = Limits::default();
        match self.timeout {
            Some(timeout) => Limits { wall: timeout.duration(), ..limits },
            None => limits,
        }
    }

    /// How long it may take, in words.
    pub fn allowed(&self) -> String {
        match self.timeout {
            Some(timeout) => timeout.to_string(),
            None => words(Limits::default().wall),
        }
    }
}

impl From<&Step> for Order {
    fn from(step: &Step) -> Self {
        Self {
            heading: step.run.clone(),
            command: Command::Shell(step.run.clone()),
            timeout: step.timeout,
        }
    }
}

/// As a time limit is written in a pipeline file.
pub(super) fn words(time: Duration) -> String {
    match time.as_secs() {
        seconds if seconds > 0 && seconds % 3600 == 0 => format!("{}h", seconds / 3600),
        seconds if seconds > 0 && seconds % 60 == 0 => format!("{}m", seconds / 60),
        seconds => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_with_a_time_limit_says_so_in_its_heading_and_is_held_to_it() {
        let timeout = "90s".parse().expect("a time limit");
        let order = Order::from(&Step { run: "npm test".to_owned(), timeout: Some(timeout) });
        assert_eq!(order.announced(), "npm test (at most 90s)");
        assert_eq!(order.limits().wall, Duration::from_secs(90));
        assert_eq!(order.allowed(), "90s");
    }

    #[test]
    fn without_a_time_limit_the_workers_own_holds() {
        let order = Order::from(&Step::new("npm test"));
        assert_eq!(order.announced(), "npm test");
        assert_eq!(order.limits().wall, Limits::default().wall);
        assert_eq!(order.allowed(), "1h");
    }
}
