//! A build's deployment: made once, then given one status after the other.
//!
//! What always holds: before one is made, ours is looked for, so that an answer which was lost does
//! not make two. One that GitHub never heard of is not made to be ended, and one that a person has
//! deleted stays so once it has ended.

use github::{DeploymentStatus, GitHub, Lasting, NewDeployment, Taken};
use model::status::deployment::DeploymentState;
use store::outbox::{DeploymentWish, OutboxRow};

use super::{Unsent, remember, remembered};
use crate::Engine;

pub(super) async fn send(
    engine: &Engine,
    github: &GitHub,
    row: &OutboxRow,
    wish: &DeploymentWish,
) -> Result<(), Unsent> {
    let status = status(wish);
    if let Some(id) = remembered(row) {
        match github.create_deployment_status(&row.repository, id, &status).await? {
            Taken::Done => return Ok(()),
            Taken::Gone => remember(engine, row, None).await?,
        }
        if wish.state == DeploymentState::Inactive {
            return Ok(());
        }
    }
    let new = NewDeployment {
        commit: wish.commit.clone(),
        environment: wish.environment.clone(),
        key: format!("build {}", wish.build),
        lasting: match wish.lasting {
            model::status::deployment::Lasting::Transient => Lasting::Transient,
            model::status::deployment::Lasting::LongLived => Lasting::LongLived,
            model::status::deployment::Lasting::Production => Lasting::Production,
        },
    };
    let id = match github.find_deployment(&row.repository, &new).await? {
        Some(id) => id,
        None if wish.state == DeploymentState::Inactive => return Ok(()),
        None => github.create_deployment(&row.repository, &new).await?,
    };
    remember(engine, row, Some(id)).await?;
    // deleted in this very moment: the next wish makes another
    github.create_deployment_status(&row.repository, id, &status).await?;
    Ok(())
}

fn status(wish: &DeploymentWish) -> DeploymentStatus {
    DeploymentStatus {
        state: match wish.state {
            DeploymentState::Queued => github::DeploymentState::Queued,
            DeploymentState::InProgress => github::DeploymentState::InProgress,
            DeploymentState::Success => github::DeploymentState::Success,
            DeploymentState::Failure => github::DeploymentState::Failure,
            DeploymentState::Error => github::DeploymentState::Error,
            DeploymentState::Inactive => github::DeploymentState::Inactive,
        },
        description: wish.description.clone(),
        environment_url: wish.environment_url.clone(),
        log_url: Some(wish.log_url.clone()),
    }
}
