//! What a badge says. Pure.
//!
//! What always holds: a build that is under way does not change a badge, nor does one that was
//! canceled or overtaken: it says what came of the last one that was through.

use model::AppName;
use model::build::{BuildOutcome, Purpose};
use store::monitor::{Last, Standing};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Words {
    /// Whose it is.
    pub(super) label: String,
    pub(super) message: String,
    pub(super) look: Look,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Look {
    Good,
    Bad,
    /// There is nothing to say.
    Moot,
}

impl Words {
    pub(super) fn of_stage(app: &AppName, standing: &Standing) -> Self {
        let label = format!("{app} {}", standing.stage);
        let (message, look) = match &standing.last {
            None => ("nothing yet", Look::Moot),
            Some(last) if is_failed(last) => match last.purpose {
                Purpose::Remove => ("removal failed", Look::Bad),
                Purpose::Rollback => ("rollback failed", Look::Bad),
                Purpose::Deploy | Purpose::Recover | Purpose::Test | Purpose::Inspect => {
                    ("failed", Look::Bad)
                }
            },
            Some(last) => match last.purpose {
                Purpose::Remove => ("removed", Look::Moot),
                Purpose::Rollback => ("rolled back", Look::Good),
                Purpose::Recover => ("recovered", Look::Good),
                Purpose::Deploy | Purpose::Test | Purpose::Inspect => ("deployed", Look::Good),
            },
        };
        Self { label, message: message.into(), look }
    }

    /// Of all stages that live long.
    pub(super) fn of_app(app: &AppName, standings: &[Standing]) -> Self {
        let failed: Vec<&Standing> =
            standings.iter().filter(|one| one.last.as_ref().is_some_and(is_failed)).collect();
        let (message, look) = match failed[..] {
            [] if standings.iter().all(|one| one.last.is_none()) => {
                ("nothing yet".to_owned(), Look::Moot)
            }
            [] => ("deployed".to_owned(), Look::Good),
            [one] => (format!("{} failed", one.stage), Look::Bad),
            [..] => (format!("{} of {} failed", failed.len(), standings.len()), Look::Bad),
        };
        Self { label: app.to_string(), message, look }
    }
}

fn is_failed(last: &Last) -> bool {
    last.outcome == BuildOutcome::Failed
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn standing(stage: &str, last: Option<(Purpose, BuildOutcome)>) -> Standing {
        let last = last.map(|(purpose, outcome)| Last {
            number: 7,
            purpose,
            outcome,
            finished_at: DateTime::UNIX_EPOCH,
        });
        Standing {
            app: "workshop".parse().unwrap(),
            stage: stage.parse().unwrap(),
            created_at: DateTime::UNIX_EPOCH,
            last,
            newest: None,
        }
    }

    const WELL: Option<(Purpose, BuildOutcome)> = Some((Purpose::Deploy, BuildOutcome::Succeeded));
    const FAILED: Option<(Purpose, BuildOutcome)> = Some((Purpose::Deploy, BuildOutcome::Failed));

    fn app(standings: &[Standing]) -> (String, Look) {
        let words = Words::of_app(&"workshop".parse().unwrap(), standings);
        (words.message, words.look)
    }

    #[test]
    fn an_app_is_as_bad_as_its_worst_stage_which_it_names() {
        let dev = standing("dev", WELL);
        assert_eq!(app(&[dev.clone(), standing("prod", WELL)]), ("deployed".into(), Look::Good));
        let one = [dev.clone(), standing("prod", FAILED)];
        assert_eq!(app(&one), ("prod failed".into(), Look::Bad));
        let two = [standing("dev", FAILED), standing("prod", FAILED), standing("test", None)];
        assert_eq!(app(&two), ("2 of 3 failed".into(), Look::Bad));
        assert_eq!(app(&[standing("dev", None)]), ("nothing yet".into(), Look::Moot));
        assert_eq!(app(&[]), ("nothing yet".into(), Look::Moot));
    }

    #[test]
    fn a_stage_says_what_was_done_with_it_last() {
        let of = |last| {
            let words = Words::of_stage(&"workshop".parse().unwrap(), &standing("dev", last));
            (words.label, words.message, words.look)
        };
        let said = |message: &str, look| ("workshop dev".to_owned(), message.to_owned(), look);
        assert_eq!(of(WELL), said("deployed", Look::Good));
        assert_eq!(of(FAILED), said("failed", Look::Bad));
        let back = Some((Purpose::Rollback, BuildOutcome::Succeeded));
        assert_eq!(of(back), said("rolled back", Look::Good));
        let gone = Some((Purpose::Remove, BuildOutcome::Succeeded));
        assert_eq!(of(gone), said("removed", Look::Moot));
        assert_eq!(of(None), said("nothing yet", Look::Moot));
    }
}
