//! Does what people ask for in comments on pull requests, if they may, and answers: by a reaction, and
//! in the pull request's one comment.
//!
//! What always holds: who somebody is, what they may and how the pull request stands is asked of
//! GitHub when it is acted upon, before the transaction; in that one everything that a comment asks
//! for is done, written into the audit log and answered, so a comment has its effect once or not at
//! all. As long as GitHub cannot be asked a comment waits, and those behind it on the same pull request
//! with it; what waited for a day is given up, with a reaction.
//!
//! After a crash: what was not committed did not happen, and is due still.

mod act;
mod approve;
mod deploy;
mod standing;

use std::time::Duration;

use chrono::TimeDelta;
use github::GitHub;
use model::comment::command::{Answer, Line, Reaction};
use model::permission::Role;
use store::PgConnection;
use store::app::App;
use store::issue_comment::IssueComment;
use store::leader::Leader;
use store::outbox::{ReactionWish, Urgency, Want, Wish};
use tokio_util::sync::CancellationToken;

use crate::{Engine, POLL, Progress, RECOVERY, drain, pause, surface};

const PER_TURN: usize = 20;
const FIRST_RETRY: Duration = Duration::from_secs(1);
const LAST_RETRY: Duration = Duration::from_secs(300);
/// For what waits until somebody grants us something.
const LAST_RETRY_OF_MISSING_RIGHT: Duration = Duration::from_secs(60 * 60);
/// How long a comment is tried: later nobody expects anything of it.
const PATIENCE: TimeDelta = TimeDelta::days(1);
/// Faults of ours after which a comment is given up.
const MAX_ATTEMPTS: i32 = 5;

/// Runs until `stop`, in one process at a time.
pub(crate) async fn run(engine: &Engine, stop: &CancellationToken) {
    tokio::select! {
        _ = engine.github.connected() => {}
        () = stop.cancelled() => return,
    }
    while let Some(mut leader) = engine.lead("comments", stop).await {
        while !stop.is_cancelled() {
            // registered before the rows are read: what comes in between is not missed
            let asked = engine.asked.notified();
            if let Err(error) = turn(engine, &mut leader).await {
                tracing::error!(
                    error = format!("{error:#}"),
                    "comments could not be acted upon; tried again"
                );
                pause(RECOVERY, stop).await;
                break;
            }
            tokio::select! {
                () = asked => {}
                () = pause(POLL, stop) => {}
            }
        }
    }
}

async fn turn(engine: &Engine, leader: &mut Leader) -> anyhow::Result<()> {
    leader.confirm().await?;
    // asked for each time: the identity may be another by now
    let Some(github) = engine.github.get() else { return Ok(()) };
    while pass(engine, &github).await? == Progress::Made {}
    Ok(())
}

pub(crate) async fn pass(engine: &Engine, github: &GitHub) -> anyhow::Result<Progress> {
    drain(PER_TURN, || one(engine, github)).await
}

/// Why a comment has no answer yet.
#[derive(Debug)]
enum Halt {
    /// GitHub could not be asked. `passes`: it may be over soon, without anybody's help.
    GitHub {
        why: String,
        passes: bool,
        retry_after: Option<Duration>,
    },
    Ours(anyhow::Error),
}

impl From<github::Error> for Halt {
    fn from(error: github::Error) -> Self {
        Self::GitHub {
            why: error.to_string(),
            passes: error.is_transient(),
            retry_after: error.retry_after(),
        }
    }
}

impl From<store::Error> for Halt {
    fn from(error: store::Error) -> Self {
        Self::Ours(error.into())
    }
}

impl From<anyhow::Error> for Halt {
    fn from(error: anyhow::Error) -> Self {
        Self::Ours(error)
    }
}

async fn one(engine: &Engine, github: &GitHub) -> anyhow::Result<Progress> {
    let due = {
        let mut conn = engine.db.acquire().await?;
        store::issue_comment::due(&mut conn, engine.now()).await?
    };
    let Some(comment) = due else { return Ok(Progress::None) };
    if let Err(halt) = handle(engine, github, &comment).await {
        put_off(engine, &comment, halt).await?;
    }
    Ok(Progress::Made)
}

async fn handle(engine: &Engine, github: &GitHub, comment: &IssueComment) -> Result<(), Halt> {
    let app = {
        let mut conn = engine.db.acquire().await?;
        store::app::get(&mut conn, comment.app_id).await?
    };
    let who = standing::look(engine, github, &app, comment).await?;
    let number = u64::try_from(comment.pull_request).unwrap_or_default();
    let pull = github.pull_request(&app.repository, number).await?;
    let mut tx = engine.db.begin().await?;
    let Some(comment) = store::issue_comment::lock(&mut tx, app.id, comment.github_id).await?
    else {
        return Ok(());
    };
    let scene = act::Scene { engine, app: &app, comment: &comment, who: &who, pull: pull.as_ref() };
    let mut answers = Vec::new();
    // the webhook was asked for again after a time in which this server was away
    let is_late = comment.taken_at - comment.written_at >= PATIENCE;
    for line in &comment.lines {
        answers.push(match line {
            Line::Asks(_) if is_late => Answer::Refused {
                why: "it came here more than a day after it was written: write it again".into(),
            },
            Line::Asks(command) => act::carry_out(scene, &mut tx, command).await?,
            Line::NotUnderstood { why, .. } => Answer::NotUnderstood { why: why.clone() },
        });
    }
    conclude(engine, &mut tx, &app, &comment, &answers, who.role).await?;
    tx.commit().await.map_err(anyhow::Error::from)?;
    for (line, answer) in comment.lines.iter().zip(&answers) {
        let labels = [("outcome", answer.as_str())];
        metrics::counter!("greenroom_comment_commands_total", &labels).increment(1);
        tracing::info!(
            app = %app.name,
            pull_request = comment.pull_request,
            by = %who.login,
            asked = line.said(),
            answer = answer.sentence(),
            "somebody asked for something in a comment"
        );
    }
    engine.signals.wake_engine();
    engine.signals.wake_workers();
    engine.owed.notify_one();
    Ok(())
}

/// The answer, as a row and as what GitHub is to show of it.
async fn conclude(
    engine: &Engine,
    conn: &mut PgConnection,
    app: &App,
    comment: &IssueComment,
    answers: &[Answer],
    role: Option<Role>,
) -> anyhow::Result<()> {
    let (id, number, now) = (comment.github_id, comment.pull_request, engine.now());
    store::issue_comment::answer(conn, app.id, id, answers, role, now).await?;
    let content = Reaction::to(answers);
    let wish = Wish::Reaction(ReactionWish { comment: id, pull_request: number, content });
    let want = Want {
        repository: &app.repository,
        // it is of no build
        build: 0,
        wishes: &[wish],
        urgency: Urgency::Now,
    };
    store::outbox::want(conn, &*engine.ids, &want, now).await?;
    match role {
        Some(_) => surface::answered(engine, conn, app, number).await,
        // whoever is nobody here does not fill the comment that others read
        None => Ok(()),
    }
}

async fn put_off(engine: &Engine, comment: &IssueComment, halt: Halt) -> anyhow::Result<()> {
    let now = engine.now();
    let (why, wait, is_over) = match halt {
        Halt::GitHub { why, passes, retry_after } => {
            let longest = if passes { LAST_RETRY } else { LAST_RETRY_OF_MISSING_RIGHT };
            let wait = retry_after.unwrap_or_else(|| doubled(comment.attempts, longest));
            (why, wait, now - comment.taken_at >= PATIENCE)
        }
        Halt::Ours(error) => {
            let why = format!("an error of the server's own: {error:#}");
            (why, doubled(comment.attempts, LAST_RETRY), comment.attempts + 1 >= MAX_ATTEMPTS)
        }
    };
    let (id, number) = (comment.github_id, comment.pull_request);
    if !is_over {
        tracing::warn!(comment = id, number, why, "a comment cannot be acted upon now");
        let mut conn = engine.db.acquire().await?;
        store::issue_comment::put_off(&mut conn, comment.app_id, id, &why, now + wait).await?;
        return Ok(());
    }
    tracing::error!(comment = id, number, why, "a comment is given up");
    let mut tx = engine.db.begin().await?;
    let app = store::app::get(&mut tx, comment.app_id).await?;
    let refused = Answer::Refused { why: format!("it was given up: {why}") };
    let answers = vec![refused; comment.lines.len()];
    conclude(engine, &mut tx, &app, comment, &answers, None).await?;
    tx.commit().await?;
    engine.owed.notify_one();
    Ok(())
}

fn doubled(attempts: i32, longest: Duration) -> Duration {
    FIRST_RETRY.saturating_mul(1 << attempts.clamp(0, 16)).min(longest)
}
