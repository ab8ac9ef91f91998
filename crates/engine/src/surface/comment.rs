//! The comment on a pull request, from the rows of its newest build and of its preview.

use model::change_set::StackChange;
use model::comment::{
    BuildLine, Comment, Facts, Life, Note, Place, Row, Secrets, Standing, markdown, marker,
    standing,
};
use model::deployment::InstanceState;
use model::job::{JobKind, JobState};
use model::plan::Decision;
use model::stage::StageState;
use model::status::{Status, StatusState, overall};
use model::worker_api::JobResult;
use model::{Region, ServiceName};
use store::PgConnection;
use store::app::App;
use store::build::Build;
use store::instance::Instance;
use store::job::Job;
use store::order::foresights;
use store::outbox::{CommentWish, Urgency, Wish};
use store::pull_request::PullRequest;
use store::stage::Stage;

use super::{Settled, build_url, stage_url, wished};
use crate::Engine;
use crate::settle::views;

/// What people asked for that a comment tells of, at most.
const ASKED: i64 = 5;

/// The rows that a comment is written from.
struct Subject {
    pull_request: Option<PullRequest>,
    build: Build,
    jobs: Vec<Job>,
    held: Option<String>,
    stage: Option<Stage>,
    instances: Vec<Instance>,
}

pub(super) async fn want(
    engine: &Engine,
    conn: &mut PgConnection,
    settled: Settled<'_>,
    number: i64,
) -> anyhow::Result<()> {
    let app = settled.app;
    // one that is only tested has its statuses, and no row is read for more; where a newer build
    // has a preview, that one has its say when it is settled
    if settled.build.stage_id.is_none() && !is_told(conn, app, number).await? {
        return Ok(());
    }
    let Some(subject) = Subject::load(conn, settled, number).await? else { return Ok(()) };
    if subject.stage.is_none() && !is_told(conn, app, number).await? {
        return Ok(());
    }
    let secrets = secrets(engine, conn, app).await?;
    let status = subject.status();
    let urgency = match status.state {
        StatusState::Pending => Urgency::Soon,
        StatusState::Success | StatusState::Failure | StatusState::Error => Urgency::Now,
    };
    let foreseen = foresights(&subject.jobs);
    let asked = store::issue_comment::told(conn, app.id, number, ASKED).await?;
    let pages = Pages {
        build: build_url(engine, app, subject.build.number),
        stage: subject.stage.as_ref().map(|stage| stage_url(engine, app, stage)),
    };
    let comment = subject.comment(app, number, &status, &secrets, &pages);
    let body = markdown(&Comment { foreseen: &foreseen, asked: &asked, ..comment });
    let wish = Wish::Comment(CommentWish { pull_request: number, marker: marker(&app.name), body });
    // found from the newest rows, whichever build was settled: it has the last word
    let newest = subject.build.number.max(settled.build.number);
    wished(engine, conn, app, newest, &[wish], urgency).await
}

/// Somebody asked for something in a comment, and has an answer: what the pull request's comment says
/// is found anew. One that was never built gets a comment for the answer alone.
pub(crate) async fn answered(
    engine: &Engine,
    conn: &mut PgConnection,
    app: &App,
    number: i64,
) -> anyhow::Result<()> {
    let known = store::pull_request::find(conn, app.id, number).await?;
    let shown_in = known.and_then(|known| known.stage_id);
    let newest = store::build::latest_of_pull_request(conn, app.id, number, shown_in).await?;
    if let Some(newest) = newest {
        store::build::mark_dirty(conn, newest.id).await?;
        // a removal of the preview since has the last word on what the comment says
        if let Some(stage) = shown_in
            && let Some(last) = store::build::latest_on(conn, stage).await?
        {
            store::build::mark_dirty(conn, last.id).await?;
        }
        return Ok(());
    }
    let asked = store::issue_comment::told(conn, app.id, number, ASKED).await?;
    if asked.is_empty() {
        return Ok(());
    }
    let body = markdown(&Comment {
        app: &app.name,
        place: Place::None,
        build: None,
        rows: Vec::new(),
        foreseen: &[],
        notes: Vec::new(),
        asked: &asked,
        secrets: &Secrets::Unknown,
    });
    let wish = Wish::Comment(CommentWish { pull_request: number, marker: marker(&app.name), body });
    // any build has more to say
    wished(engine, conn, app, 0, &[wish], Urgency::Now).await
}

/// Whether a pull request without a preview is told something nonetheless: it was before, or it
/// waits for one.
async fn is_told(conn: &mut PgConnection, app: &App, number: i64) -> anyhow::Result<bool> {
    Ok(store::outbox::is_told(conn, app.id, &app.repository, number).await?)
}

/// The values that must not be read in a comment. What cannot be decrypted must not stop a build:
/// then nothing is shown.
pub(crate) async fn secrets(
    engine: &Engine,
    conn: &mut PgConnection,
    app: &App,
) -> anyhow::Result<Secrets> {
    match store::secret::all(conn, &engine.vault, app.id).await {
        Ok(secrets) => Ok(Secrets::known(secrets.into_values())),
        Err(store::Error::Vault(error)) => {
            tracing::error!(app = %app.name, %error, "secrets cannot be read; no output is shown");
            Ok(Secrets::Unknown)
        }
        Err(error) => Err(error.into()),
    }
}

struct Pages {
    build: String,
    stage: Option<String>,
}

impl Subject {
    /// Nothing where the pull request was never built.
    async fn load(
        conn: &mut PgConnection,
        settled: Settled<'_>,
        number: i64,
    ) -> anyhow::Result<Option<Self>> {
        let app = settled.app;
        let pull_request = store::pull_request::find(conn, app.id, number).await?;
        let shown_in = pull_request.as_ref().and_then(|known| known.stage_id);
        let newest = store::build::latest_of_pull_request(conn, app.id, number, shown_in).await?;
        let Some(newest) = newest else { return Ok(None) };
        let (build, jobs, held) = if newest.id == settled.build.id {
            let held = settled.held.map(str::to_owned);
            (settled.build.clone(), settled.jobs.to_vec(), held)
        } else {
            let jobs = store::job::list(conn, newest.id).await?;
            (newest, jobs, None)
        };
        let stage = match build.stage_id {
            Some(stage) => Some(store::stage::get(conn, stage).await?),
            None => None,
        };
        let stage = stage.filter(|stage| stage.preview().is_some());
        let instances = match &stage {
            Some(stage) => store::instance::list(conn, stage.id).await?,
            None => Vec::new(),
        };
        Ok(Some(Self { pull_request, build, jobs, held, stage, instances }))
    }

    fn waits(&self) -> bool {
        self.pull_request.as_ref().is_some_and(|known| known.waiting_since.is_some())
    }

    fn status(&self) -> Status {
        let reason = self.build.reason.as_deref();
        let end = self.build.outcome.map(|outcome| model::status::End { outcome, reason });
        overall(self.build.planned.is_some(), &views(&self.jobs), self.held.as_deref(), end)
    }

    fn comment<'a>(
        &'a self,
        app: &'a App,
        number: i64,
        status: &'a Status,
        secrets: &'a Secrets,
        pages: &'a Pages,
    ) -> Comment<'a> {
        let place = match (&self.stage, &pages.stage) {
            (Some(stage), Some(url)) => {
                Place::Preview { stage: &stage.name, url, life: life(stage, number) }
            }
            (Some(_) | None, _) => Place::None,
        };
        Comment {
            app: &app.name,
            place,
            build: Some(BuildLine {
                number: self.build.number,
                url: &pages.build,
                commit: &self.build.source.commit,
                status,
            }),
            rows: self.rows(),
            foreseen: &[],
            notes: self.notes(app),
            asked: &[],
            secrets,
        }
    }

    fn notes(&self, app: &App) -> Vec<Note> {
        let mut notes = Vec::new();
        if let Some(limit) = app.settings.preview_limit.filter(|_| self.waits()) {
            notes.push(Note::NoPreview { limit: limit.get().into() });
        }
        if let Some(stage) = &self.stage
            && let (StageState::Active, Some(_), Some(at)) =
                (stage.state, stage.warned_at, stage.expires_at)
        {
            notes.push(Note::Expires { at });
        }
        notes
    }

    /// What was planned, then what is there besides.
    fn rows(&self) -> Vec<Row<'_>> {
        let planned = self.build.planned.as_deref().unwrap_or_default();
        let mut rows: Vec<Row<'_>> = planned
            .iter()
            .map(|one| self.row(&one.service.name, one.region.as_ref(), Some(&one.decision)))
            .collect();
        for Instance { service, region, state, .. } in &self.instances {
            let listed = |row: &Row<'_>| row.service == service && row.region == Some(region);
            let is_there = match state {
                InstanceState::Planned => false,
                InstanceState::Removed => !self.is_active(),
                InstanceState::Deploying
                | InstanceState::Deployed
                | InstanceState::Failed
                | InstanceState::Removing => true,
            };
            if is_there && !rows.iter().any(listed) {
                rows.push(self.row(service, Some(region), None));
            }
        }
        rows
    }

    fn is_active(&self) -> bool {
        self.stage.as_ref().is_none_or(|stage| stage.state == StageState::Active)
    }

    fn row<'a>(
        &'a self,
        service: &'a ServiceName,
        region: Option<&'a Region>,
        decision: Option<&'a Decision>,
    ) -> Row<'a> {
        let instance = self
            .instances
            .iter()
            .find(|instance| instance.service == *service && region == Some(&instance.region));
        let of_it = |job: &&Job| {
            job.service.as_ref() == Some(service)
                && job.kind != JobKind::Foresee
                && (job.region.is_none() || job.region.as_ref() == region)
        };
        Row {
            service,
            region,
            standing: self.standing(instance, decision, self.jobs.iter().filter(of_it)),
            endpoints: instance.map(|instance| instance.endpoints.as_slice()).unwrap_or_default(),
            outputs: instance.map_or(&NOTHING, |instance| &instance.outputs),
            change: self.jobs.iter().filter(of_it).filter_map(change).next_back(),
        }
    }

    fn standing<'a>(
        &self,
        instance: Option<&Instance>,
        decision: Option<&Decision>,
        jobs: impl Iterator<Item = &'a Job>,
    ) -> Standing {
        let state = instance.map(|instance| (instance.state, instance.reason.as_deref()));
        let left_over = self.stage.as_ref().is_some_and(|s| s.state == StageState::RemoveFailed);
        if let (true, Some((now, reason))) = (left_over, state)
            && now != InstanceState::Removed
        {
            let reason = reason.unwrap_or("its removal was not begun").to_owned();
            return Standing::RemoveFailed { reason };
        }
        // what a build did says nothing of a stage that is being removed since
        let jobs: Vec<(JobKind, &JobState)> = match self.is_active() {
            true => jobs.map(|job| (job.kind, &job.state)).collect(),
            false => Vec::new(),
        };
        let held = self.held.as_deref();
        standing(&Facts { decision, jobs: &jobs, held, instance: state })
    }
}

static NOTHING: std::collections::BTreeMap<String, String> = std::collections::BTreeMap::new();

fn life(stage: &Stage, number: i64) -> Life {
    match (stage.state, stage.closed_at) {
        (StageState::Active, _) => match (&stage.branch, stage.pull_request) {
            (None, Some(by)) if by != number => Life::TakenOver { by },
            (Some(_) | None, _) => Life::Standing { expires_at: stage.expires_at },
        },
        (StageState::Removing, _) => Life::Removing,
        (StageState::RemoveFailed, _) => {
            let reason = stage.left_over.clone();
            Life::RemoveFailed { reason: reason.unwrap_or_else(|| "something is left".to_owned()) }
        }
        (StageState::Closed, at) => Life::Removed { at: at.unwrap_or(stage.active_at) },
    }
}

/// What the job will do to its stacks, or has done.
fn change(job: &Job) -> Option<&[StackChange]> {
    match job.result.as_ref()? {
        JobResult::Packaged { package } => Some(&package.change),
        JobResult::Checked { change, .. } => Some(change),
        JobResult::Planned { .. }
        | JobResult::Deployed { .. }
        | JobResult::Removed { .. }
        | JobResult::Recovered
        | JobResult::Foreseen { .. }
        | JobResult::Swept { .. }
        | JobResult::Drifted { .. } => None,
    }
}
