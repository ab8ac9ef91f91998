//! Why a job that is due has not begun.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use model::JobId;
use model::job::JobState;
use store::PgConnection;
use store::app::App;
use store::build::Build;
use store::job::Job;
use store::queued::{self, FAR, Queued};
use store::worker::SILENT;

use crate::error::Result;

/// What keeps every queued job of the build.
#[derive(Debug, Clone, Copy, Default)]
struct Keeping {
    /// Nobody runs jobs.
    nobody: bool,
    /// The app runs as many as it may.
    full: Option<usize>,
}

/// In words, of each queued job.
pub(super) async fn waits(
    conn: &mut PgConnection,
    app: &App,
    build: &Build,
    jobs: &[Job],
    now: DateTime<Utc>,
) -> Result<BTreeMap<JobId, String>> {
    if !jobs.iter().any(|job| matches!(job.state, JobState::Queued { .. })) {
        return Ok(BTreeMap::new());
    }
    let workers = store::worker::list(conn).await?;
    let full = match app.settings.concurrency {
        Some(limit) => {
            let running = queued::running_of(conn, app.id).await?;
            let running = usize::try_from(running).unwrap_or_default();
            let limit = usize::from(limit.get());
            (running >= limit).then_some(running)
        }
        None => None,
    };
    let nobody = !workers.iter().any(|worker| worker.seen_at + SILENT > now);
    let keeping = Keeping { nobody, full };
    Ok(queued::of_builds(conn, &[build.id])
        .await?
        .into_iter()
        .map(|one| (one.job, words(&one, keeping)))
        .collect())
}

fn words(queued: &Queued, keeping: Keeping) -> String {
    if keeping.nobody {
        return "no worker is connected".to_owned();
    }
    if let Some(build) = queued.behind {
        return format!("after build {build}, which changes the same service there");
    }
    let place = match queued.older {
        0 => "next in the queue".to_owned(),
        1 => "1 job is before it in the queue".to_owned(),
        many if many >= FAR => format!("more than {FAR} jobs are before it in the queue"),
        many => format!("{many} jobs are before it in the queue"),
    };
    match keeping.full {
        None => place,
        Some(1) => format!("{place}; the app runs 1 job, as many as it may"),
        Some(running) => format!("{place}; the app runs {running} jobs, as many as it may"),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(0, None, Keeping::default(), "next in the queue")]
    #[case(1, None, Keeping::default(), "1 job is before it in the queue")]
    #[case(FAR, None, Keeping::default(), "more than 1000 jobs are before it in the queue")]
    #[case(3, Some(12), Keeping::default(), "after build 12, which changes the same service there")]
    #[case(3, Some(12), Keeping { nobody: true, full: None }, "no worker is connected")]
    #[case(2, None, Keeping { nobody: false, full: Some(4) },
        "2 jobs are before it in the queue; the app runs 4 jobs, as many as it may")]
    fn the_first_thing_that_has_to_change_is_named(
        #[case] older: i64,
        #[case] behind: Option<i64>,
        #[case] keeping: Keeping,
        #[case] said: &str,
    ) {
        let id = "0192d1c0-0000-7000-8000-000000000001";
        let (build, job) = (id.parse().unwrap(), id.parse().unwrap());
        assert_eq!(words(&Queued { build, job, older, behind }, keeping), said);
    }
}
