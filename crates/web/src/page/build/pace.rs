//! How far a job or build is against what such ones usually take, in a bar and in words.
//!
//! What always holds: the bar never says more than what went by; past the usual it says by how
//! much, in words too, and not only by another colour.

use chrono::{DateTime, TimeDelta, Utc};
use model::job::{JobState, Outcome};
use model::worker_api::Progress;
use store::job::Job;
use store::usual::Usual;

use crate::page::view::Far;

/// Under a second over nobody calls late.
const LATE: TimeDelta = TimeDelta::seconds(1);

/// What began so long ago, against what is usual.
pub(in crate::page) fn against(took: TimeDelta, usual: TimeDelta) -> Far {
    let milliseconds = |time: TimeDelta| time.num_milliseconds().max(0);
    let over = took - usual;
    let (class, text) = if over >= LATE {
        ("over", format!("{} over the usual {}", words(over), words(usual)))
    } else if over >= TimeDelta::zero() {
        ("run", format!("as long as the usual {}", words(usual)))
    } else {
        ("run", format!("about {} left", words(usual - took)))
    };
    Far {
        class,
        value: milliseconds(took.min(usual)),
        max: milliseconds(usual).max(1),
        label: format!("{} of the usual {}", words(took), words(usual)),
        text,
    }
}

/// The bar of a job that runs, if such jobs ran before.
pub(in crate::page) fn of_job(job: &Job, usual: &Usual, now: DateTime<Utc>) -> Option<Far> {
    match &job.state {
        JobState::Running(_) => Some(against(now - job.started_at?, usual.of(job)?)),
        JobState::Blocked | JobState::Waiting | JobState::Queued { .. } | JobState::Finished(_) => {
            None
        }
    }
}

/// How far CloudFormation is: of a job that runs, and where one stopped that failed.
pub(in crate::page) fn resources(job: &Job, progress: Option<&Progress>) -> Option<String> {
    let Progress { done, total, doing } = progress.filter(|progress| progress.total > 0)?;
    match &job.state {
        JobState::Running(_) => Some(match doing {
            Some(doing) => format!("{done}/{total} resources, {doing}"),
            None => format!("{done}/{total} resources"),
        }),
        JobState::Finished(Outcome::Failed(_)) if done < total => {
            Some(format!("{done} of {total} resources were done"))
        }
        JobState::Finished(_) | JobState::Blocked | JobState::Waiting | JobState::Queued { .. } => {
            None
        }
    }
}

/// The same of a job that runs, where there is little room.
pub(in crate::page) fn resources_in_short(
    job: &Job,
    progress: Option<&Progress>,
) -> Option<String> {
    let Progress { done, total, doing } = progress.filter(|progress| progress.total > 0)?;
    let running = matches!(job.state, JobState::Running(_));
    let doing = doing.as_deref().unwrap_or("resources");
    running.then(|| format!("{done}/{total} {doing}"))
}

/// What a job took, or will have taken as far as one can know.
pub(in crate::page) fn expected(job: &Job, usual: &Usual, now: DateTime<Utc>) -> TimeDelta {
    let usually = || usual.of(job).unwrap_or_default();
    match (&job.state, job.started_at) {
        (JobState::Finished(_), Some(began)) => job.finished_at.unwrap_or(now) - began,
        (JobState::Finished(_), None) => TimeDelta::zero(),
        (JobState::Running(_), Some(began)) => (now - began).max(usually()),
        (
            JobState::Running(_) | JobState::Blocked | JobState::Waiting | JobState::Queued { .. },
            _,
        ) => usually(),
    }
}

/// A time span as people say it, in one unit or two.
pub(in crate::page) fn words(time: TimeDelta) -> String {
    let seconds = (time.num_milliseconds().max(0) + 500) / 1000;
    match seconds {
        0..=99 => format!("{} s", seconds.max(1)),
        100..=3569 => format!("{} min", (seconds + 30) / 60),
        _ => format!("{} h {:02} min", (seconds + 30) / 3600, (seconds + 30) % 3600 / 60),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(0, 120, "run", "about 2 min left")]
    #[case(100, 120, "run", "about 20 s left")]
    #[case(120, 120, "run", "as long as the usual 2 min")]
    #[case(180, 120, "over", "60 s over the usual 2 min")]
    #[case(300, 120, "over", "3 min over the usual 2 min")]
    #[case(3, 1, "over", "2 s over the usual 1 s")]
    fn the_words_say_what_is_left_or_by_how_much_it_is_late(
        #[case] took: i64,
        #[case] usual: i64,
        #[case] class: &str,
        #[case] text: &str,
    ) {
        let far = against(TimeDelta::seconds(took), TimeDelta::seconds(usual));
        assert_eq!((far.class, far.text.as_str()), (class, text));
        assert!(far.value <= far.max && far.max > 0);
    }

    #[rstest]
    #[case(0, "1 s")]
    #[case(99, "99 s")]
    #[case(100, "2 min")]
    #[case(3569, "59 min")]
    #[case(3570, "1 h 00 min")]
    #[case(5400, "1 h 30 min")]
    fn a_span_has_two_units_at_most(#[case] seconds: i64, #[case] said: &str) {
        assert_eq!(words(TimeDelta::seconds(seconds)), said);
    }

    #[test]
    fn a_clock_that_was_set_back_makes_no_bar_below_nothing() {
        let far = against(TimeDelta::seconds(-5), TimeDelta::zero());
        assert_eq!((far.value, far.max), (0, 1));
    }
}
