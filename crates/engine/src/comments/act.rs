//! One thing that a comment asks for: done as by the button for it, or refused with the reason.
//!
//! What always holds: what may not be done is a sentence, and what else the comment asks for is done
//! all the same. A fork's branch may be called like one of ours: of its pull request there is no
//! preview to do anything with.

use github::PullRequestInfo;
use model::comment::command::{Answer, Command, Span, usage};
use model::permission::Action;
use model::worker_api::RemoveHow;
use model::{BranchName, InvalidName, StageName};
use serde_json::{Value, json};
use store::PgConnection;
use store::app::App;
use store::audit::{Deed, Entry, Via};
use store::issue_comment::IssueComment;
use store::order::{self, Moment, Removal, RemovalWanted};
use store::pull_request::PullRequestState;
use store::stage::Stage;

use super::deploy::{Extent, deploy};
use super::standing::Standing;
use super::{Halt, approve};
use crate::{Engine, surface};

/// What a comment is acted upon by.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) engine: &'a Engine,
    pub(super) app: &'a App,
    pub(super) comment: &'a IssueComment,
    pub(super) who: &'a Standing,
    /// As GitHub has it now.
    pub(super) pull: Option<&'a PullRequestInfo>,
}

/// Why something is not done.
pub(super) enum Stop {
    Refused(String),
    /// It cannot be said yet.
    Halt(Halt),
}

impl From<store::Error> for Stop {
    fn from(error: store::Error) -> Self {
        match error {
            store::Error::NotAllowed(why) => Self::Refused(why),
            error => Self::Halt(error.into()),
        }
    }
}

impl From<InvalidName> for Stop {
    fn from(invalid: InvalidName) -> Self {
        Self::Refused(invalid.to_string())
    }
}

pub(super) async fn carry_out(
    scene: Scene<'_>,
    conn: &mut PgConnection,
    command: &Command,
) -> Result<Answer, Halt> {
    let done = match command {
        Command::Deploy { services } => deploy(scene, conn, services, Extent::Changed).await,
        Command::Redeploy { services } => deploy(scene, conn, services, Extent::Everything).await,
        Command::Remove => remove(scene, conn).await,
        Command::Approve { stage, commit } => {
            approve::approve(scene, conn, stage.as_ref(), commit.as_ref()).await
        }
        Command::Extend { span } => extend(scene, conn, *span).await,
        Command::Help => scene.may(Action::Read).map(|()| usage()),
    };
    match done {
        Ok(what) => Ok(Answer::Done { what }),
        Err(Stop::Refused(why)) => Ok(Answer::Refused { why }),
        Err(Stop::Halt(halt)) => Err(halt),
    }
}

async fn remove(scene: Scene<'_>, conn: &mut PgConnection) -> Result<String, Stop> {
    scene.may(Action::Build)?;
    let Scene { engine, app, comment, .. } = scene;
    let stage = scene.preview(conn).await?;
    order::removable(&stage)?;
    let shown = store::pull_request::shown_in(conn, stage.id).await?;
    let other = shown.iter().find(|other| {
        other.number != comment.pull_request && other.state == PullRequestState::Open
    });
    if let Some(other) = other {
        return Err(Stop::Refused(format!(
            "the pull request number {} is shown in {} too: remove it on its page, {}",
            other.number,
            stage.name,
            surface::stage_url(engine, app, &stage)
        )));
    }
    let at = Moment { now: engine.now(), ids: &*engine.ids };
    let wanted = RemovalWanted::by_hand(RemoveHow::Careful);
    let (done, build) = match order::removal(conn, app, &stage, wanted, at).await? {
        Removal::Ordered(build) => (
            format!("build {} removes the preview {}", build.number, stage.name),
            Some(build.number),
        ),
        Removal::NothingThere => {
            (format!("the preview {} held nothing and is closed", stage.name), None)
        }
    };
    let detail = json!({ "how": RemoveHow::Careful.as_str() });
    scene.record(conn, Deed::Remove, Some(&stage.name), build, detail).await?;
    Ok(done)
}

async fn extend(scene: Scene<'_>, conn: &mut PgConnection, span: Span) -> Result<String, Stop> {
    scene.may(Action::Build)?;
    let stage = scene.preview(conn).await?;
    let stage = order::extend(conn, scene.app, &stage, span, scene.engine.now()).await?;
    let detail = json!({ "expires_at": stage.expires_at });
    scene.record(conn, Deed::Extend, Some(&stage.name), None, detail).await?;
    let end = stage.expires_at.map(|end| end.format("%Y-%m-%d at %H:%M UTC").to_string());
    Ok(format!("the preview {} is kept until {}", stage.name, end.unwrap_or_default()))
}

impl<'a> Scene<'a> {
    /// Refuses whoever may not do this in the app.
    pub(super) fn may(self, action: Action) -> Result<(), Stop> {
        if self.who.role.is_some_and(|role| role.allows(action)) {
            return Ok(());
        }
        let needed = match action {
            Action::Read => "viewer, deployer or admin",
            Action::Build => "deployer or admin",
            Action::Configure => "admin",
            Action::Work => "worker",
        };
        Err(self.refusal(format!(
            "{} has {} in {}; this needs {needed}",
            self.who.login,
            self.held(),
            self.app.name
        )))
    }

    /// The role in the app, in words.
    pub(super) fn held(self) -> String {
        let role = self.who.role;
        role.map_or_else(|| "no role".to_owned(), |role| format!("the role {}", role.as_str()))
    }

    /// A refusal for want of a right; nothing is refused while GitHub may yet say that it is there.
    pub(super) fn refusal(self, why: String) -> Stop {
        match &self.who.unsure {
            Some(error) if error.is_transient() => Stop::Halt(error.clone().into()),
            Some(error) => Stop::Refused(format!("{why} (teams could not be asked: {error})")),
            None => Stop::Refused(why),
        }
    }

    pub(super) fn pull(self) -> Result<&'a PullRequestInfo, Stop> {
        self.pull.ok_or_else(|| {
            let number = self.comment.pull_request;
            Stop::Refused(format!("{} has no pull request {number}", self.app.repository))
        })
    }

    /// One whose head is a branch of the app's own repository.
    pub(super) fn own_pull(self) -> Result<&'a PullRequestInfo, Stop> {
        let pull = self.pull()?;
        if pull.head.fork {
            return Err(Stop::Refused(
                "the pull request comes from a fork: it is tested, and nothing of it is deployed"
                    .to_owned(),
            ));
        }
        Ok(pull)
    }

    /// The preview that the pull request is shown in.
    async fn preview(self, conn: &mut PgConnection) -> Result<Stage, Stop> {
        let branch: BranchName = self.own_pull()?.head.branch.parse()?;
        let number = self.comment.pull_request;
        let known = store::pull_request::find(conn, self.app.id, number).await?;
        if let Some(id) = known.and_then(|known| known.stage_id) {
            let stage = store::stage::get(conn, id).await?;
            if stage.closed_at.is_none() {
                return Ok(stage);
            }
        }
        order::preview_for(conn, self.app, &branch)
            .await?
            .ok_or_else(|| Stop::Refused(format!("the pull request {number} has no preview")))
    }

    /// Into the audit log. `detail` is an object.
    pub(super) async fn record(
        self,
        conn: &mut PgConnection,
        deed: Deed,
        stage: Option<&StageName>,
        build: Option<i64>,
        mut detail: Value,
    ) -> Result<(), Stop> {
        let Self { engine, app, comment, who, .. } = self;
        detail["source"] = json!(format!("comment on #{}", comment.pull_request));
        detail["comment"] = json!(comment.github_id);
        let entry = Entry {
            at: engine.now(),
            who: who.login.to_string(),
            role: who.role,
            via: Via::Comment,
            from: None,
            deed,
            app: Some(app.name.clone()),
            stage: stage.cloned(),
            build,
            detail,
        };
        Ok(store::audit::record(conn, engine.id(), &entry).await?)
    }
}
