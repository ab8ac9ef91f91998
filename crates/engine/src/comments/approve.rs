//! An approval by a comment: of what waits of the pull request's newest commit.
//!
//! What always holds: it is bound to the head as whoever wrote it saw it. A head that was pushed since,
//! or in the very second of the comment, is approved only by its name; a name is refused that is not
//! the head's. Who may is the stage's to say, as on its page; the answer is the same, with what it
//! is bound to and until when it counts.

use github::PullRequestInfo;
use model::comment::command::{CommitPrefix, WORD};
use model::permission::Action;
use model::{StageName, approval};
use serde_json::json;
use store::PgConnection;
use store::audit::Deed;
use store::build::Build;
use store::gate::{self, Gates};
use store::job::Job;

use super::act::{Scene, Stop};

/// A build that stops at the gate of a stage with approvers; its row is held.
struct Waiting {
    build: Build,
    jobs: Vec<Job>,
    gates: Gates,
    stage: StageName,
}

pub(super) async fn approve(
    scene: Scene<'_>,
    conn: &mut PgConnection,
    stage: Option<&StageName>,
    commit: Option<&CommitPrefix>,
) -> Result<String, Stop> {
    scene.may(Action::Build)?;
    let pull = scene.own_pull()?;
    bound(scene, conn, pull, commit).await?;
    let head = pull.head.sha.short();
    let mut waiting = waiting(scene, conn, pull).await?;
    if let Some(stage) = stage {
        let key = |name: &StageName| name.as_str().to_ascii_lowercase();
        waiting.retain(|one| key(&one.stage) == key(stage));
    }
    // those that ask for an answer now; of one alone that does not it can be said why
    if waiting.iter().any(|one| one.gates.open().is_some()) {
        waiting.retain(|one| one.gates.open().is_some());
    }
    let there = match stage {
        Some(stage) => format!(" for {stage}"),
        None => String::new(),
    };
    let one = match waiting.as_slice() {
        [] => {
            return Err(Stop::Refused(format!("nothing of {head} waits to be approved{there}")));
        }
        [one] => one,
        several => {
            let named: Vec<String> =
                several.iter().map(|one| format!("{WORD} approve {}", one.stage)).collect();
            return Err(Stop::Refused(format!(
                "builds for several stages wait: write {}",
                named.join(", or ")
            )));
        }
    };
    let Waiting { build, jobs, gates, stage } = one;
    let (engine, who) = (scene.engine, scene.who);
    if !who.role.is_some_and(|role| role.may_approve(&who.known, gates.approvers())) {
        return Err(scene.refusal(format!(
            "{} ({}) may not decide about deploys to {stage}: ask {}",
            who.login,
            scene.held(),
            approval::who_may(gates.approvers())
        )));
    }
    let now = engine.now();
    let kept = gate::question(build, gates, jobs, false, now)?;
    gate::approve(conn, gates, kept, who.login.as_str(), now).await?;
    let services = kept.approval.ask.services.iter().map(|asked| {
        json!({ "service": asked.service, "region": asked.region, "artifact": asked.artifact })
    });
    let detail = json!({
        "commit": build.source.commit,
        "bound_to": kept.approval.bound_to,
        "services": services.collect::<Vec<_>>(),
    });
    scene.record(conn, Deed::Approve, Some(stage), Some(build.number), detail).await?;
    store::build::mark_dirty(conn, build.id).await?;
    let frozen = gates.freezes().first();
    let frozen = frozen.map(|freeze| format!("; the stage is {}", freeze.sentence()));
    Ok(format!(
        "build {} of {head} is approved for {stage}{}",
        build.number,
        frozen.unwrap_or_default()
    ))
}

/// Refuses an approval that may have been meant for another commit.
async fn bound(
    scene: Scene<'_>,
    conn: &mut PgConnection,
    pull: &PullRequestInfo,
    commit: Option<&CommitPrefix>,
) -> Result<(), Stop> {
    let head = &pull.head.sha;
    let look = format!("look at it, and write {WORD} approve {}", head.short());
    if let Some(named) = commit {
        if named.names(head) {
            return Ok(());
        }
        return Err(Stop::Refused(format!(
            "the newest commit is {}, not {}: {look}",
            head.short(),
            named.as_str()
        )));
    }
    let comment = scene.comment;
    let known = store::pull_request::find(conn, scene.app.id, comment.pull_request).await?;
    let (Some(then), Some(known)) = (&comment.head, known) else {
        return Err(Stop::Refused(format!(
            "it is not known which commit was the newest when this was written: {look}"
        )));
    };
    let is_newer = then != head
        || known.commit != *head
        // GitHub's times have whole seconds: within one nobody knows what came first
        || known.head_since >= comment.written_at;
    if is_newer {
        return Err(Stop::Refused(format!(
            "{} was pushed after this was written, or in the same second: {look}",
            head.short()
        )));
    }
    Ok(())
}

async fn waiting(
    scene: Scene<'_>,
    conn: &mut PgConnection,
    pull: &PullRequestInfo,
) -> Result<Vec<Waiting>, Stop> {
    let (app, now) = (scene.app, scene.engine.now());
    let mut found = Vec::new();
    for build in store::build::deploying(conn, app.id, &pull.head.sha).await? {
        store::build::lock(conn, build.id).await?;
        // as it is now that nobody else changes it
        let build = store::build::get(conn, build.id).await?;
        let jobs = store::job::list(conn, build.id).await?;
        let gates = Gates::load(conn, app, &build, now).await?;
        let Some((gates, stage)) = gates.zip(build.stage.clone()) else { continue };
        if !gates.approvers().is_empty() {
            found.push(Waiting { build, jobs, gates, stage });
        }
    }
    Ok(found)
}
