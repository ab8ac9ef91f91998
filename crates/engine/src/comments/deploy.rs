//! A build of the pull request as it is now, for its preview: where the rules put it, also when they
//! would not have built it by themselves (a draft, a title that says so).

use std::collections::BTreeSet;

use github::{PullRequestInfo, PullRequestState};
use model::ServiceName;
use model::build::{BuildEvent, Source};
use model::permission::Action;
use model::rule::{
    BuildWanted, Decision, PullRequestAction, PullRequestEvent, RepositoryEvent, Wanted, decide,
};
use serde_json::json;
use store::PgConnection;
use store::audit::Deed;
use store::pull_request::Heard;

use super::act::{Scene, Stop};
use crate::order::{Asked, begun};

/// What of it is deployed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Extent {
    /// What has changed since it was.
    Changed,
    Everything,
}

pub(super) async fn deploy(
    scene: Scene<'_>,
    conn: &mut PgConnection,
    services: &BTreeSet<ServiceName>,
    extent: Extent,
) -> Result<String, Stop> {
    scene.may(Action::Build)?;
    let pull = scene.own_pull()?;
    match pull.state {
        PullRequestState::Open => {}
        PullRequestState::Closed | PullRequestState::Merged => {
            return Err(Stop::Refused(
                "the pull request is closed: only an open one is deployed".to_owned(),
            ));
        }
    }
    note(scene, conn, pull).await?;
    let wanted = wanted(scene, pull, services)?;
    let asked = Asked { delivery: None, forced: extent == Extent::Everything };
    let begun = begun(scene.engine, conn, scene.app, wanted, &asked).await?;
    let build = &begun.build;
    let detail = json!({
        "commit": build.source.commit, "services": build.services, "forced": build.forced,
    });
    scene.record(conn, Deed::Start, build.stage.as_ref(), Some(build.number), detail).await?;
    Ok(begun.sentence())
}

/// One that nobody has told of yet. Of one that is known the events have their say: GitHub's time of
/// its last change is by now that of the comment, and would make them come late.
async fn note(
    scene: Scene<'_>,
    conn: &mut PgConnection,
    pull: &PullRequestInfo,
) -> Result<(), Stop> {
    let number = scene.comment.pull_request;
    if store::pull_request::find(conn, scene.app.id, number).await?.is_some() {
        return Ok(());
    }
    let heard = Heard {
        number,
        branch: pull.head.branch.parse()?,
        base: pull.base_branch.parse()?,
        commit: pull.head.sha.clone(),
        title: pull.title.clone(),
        author: pull.author.clone().unwrap_or_default(),
        draft: pull.draft,
        state: store::pull_request::PullRequestState::Open,
        changed_at: pull.updated_at,
    };
    store::pull_request::note(conn, scene.app.id, &heard).await?;
    Ok(())
}

fn wanted(
    scene: Scene<'_>,
    pull: &PullRequestInfo,
    services: &BTreeSet<ServiceName>,
) -> Result<BuildWanted, Stop> {
    let event = RepositoryEvent::PullRequest(PullRequestEvent {
        action: PullRequestAction::Reopened,
        source: Source {
            commit: pull.head.sha.clone(),
            branch: Some(pull.head.branch.parse()?),
            tag: None,
            pull_request: Some(scene.comment.pull_request),
            // whatever it says of skipping: somebody wants it built
            title: String::new(),
            author: scene.who.login.to_string(),
        },
        base: pull.base_branch.parse()?,
        draft: false,
        fork: false,
    });
    let wanted = match decide(&scene.app.settings, &event) {
        Decision::Start(wanted) => wanted.into_iter().find_map(|wanted| match wanted {
            Wanted::Build(build) => Some(*build),
            Wanted::RemovePreview { .. } => None,
        }),
        Decision::Nothing { reason } => return Err(Stop::Refused(reason)),
    };
    let Some(wanted) = wanted else {
        return Err(Stop::Refused("the rules want no build of this pull request".to_owned()));
    };
    let title = pull.title.lines().next().unwrap_or_default().trim().to_owned();
    Ok(BuildWanted {
        event: BuildEvent::Manual,
        source: Source { title, ..wanted.source },
        services: if services.is_empty() { wanted.services } else { Some(services.clone()) },
        ..wanted
    })
}
