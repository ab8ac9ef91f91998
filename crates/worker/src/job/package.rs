//! A package job: install, package for one stage and region, check, upload.
//!
//! What always holds: what is reported is read from the package, not from the request; a package
//! that turns out to be for another stage or region is never uploaded.

use model::job::FailureKind;
use model::pipeline::Service;
use model::worker_api::{Packaged, Target};

use super::context::{Access, Job};
use super::halt::Halt;
use super::install;
use crate::archive::{self, ArchiveLimits};
use crate::framework::serverless::argv::{self, Action};
use crate::framework::serverless::package::{PackageState, STATE_FILE};
use crate::framework::serverless::tool::Tool;
use crate::git::{Workspace, WorkspaceError};
use crate::step::Command;

const STATE_MAX_BYTES: u64 = 64 * 1024 * 1024;

pub(super) async fn run(
    job: &mut Job,
    service: &Service,
    target: &Target,
    trust: &str,
) -> Result<Packaged, Halt> {
    let workspace = job.checkout().await?;
    if service.commands.package.is_some() {
        // Before any step runs: later a link could stand in its place.
        make_directory(job)?;
    }
    install::run(job, &workspace, service, Some(target), trust).await?;
    let credentials = job.credentials().await?;
    let access = Access::Aws(&credentials);
    if let Some(line) = &service.commands.package {
        job.expect_line(Some(line), service, Some(target), access).await?;
    } else {
        let tool = Tool::find(&workspace, &service.path)?;
        job.log().note(&format!("framework: {}", tool.describe())).await;
        let into = package_path(job, service)?;
        let action = Action::Package { into: &into };
        let name = argv::shown(&tool.package, action, target);
        let command = Command::Argv(argv::argv(&tool.program, action, target));
        job.expect_step(&name, command, service, Some(target), access).await?;
    }
    let state = read_state(job)?;
    state.check(target)?;
    let file = job.room().backstage()?.join("artifact.tar.zst");
    let home = job.home();
    let pack = archive::pack(&home, job.package_name(), &file, ArchiveLimits::default());
    let packed = job.or_stopped(pack).await??;
    let stored = job
        .hold()
        .ask(|| job.client().store_artifact(&file))
        .await
        .map_err(|error| Halt::unanswered(FailureKind::Internal, "the artifact", error))?;
    if stored.digest != packed.digest {
        return Err(Halt::internal(format!(
            "the artifact was changed on its way to the server ({} became {})",
            packed.digest, stored.digest
        )));
    }
    let place = format!("{} in {}", state.stage, state.region);
    let size = packed.size_bytes.div_ceil(1024);
    job.log().heading(&format!("packaged for {place}: {size} KiB, sha256 {}", packed.digest)).await;
    Ok(Packaged { artifact: stored, stage: state.stage, region: state.region })
}

/// The package directory as the framework is told it.
pub(super) fn package_path(job: &Job, service: &Service) -> Result<String, Halt> {
    let from = job.inside(&job.room().workspace())?;
    let from = if service.path == "." { from } else { from.join(&service.path) };
    let to = job.inside(&job.package_directory())?;
    Ok(argv::relative(&from, &to).to_string_lossy().into_owned())
}

/// What the package in the room says about itself.
pub(super) fn read_state(job: &Job) -> Result<PackageState, Halt> {
    let text = read_packaged(&job.home(), job, STATE_FILE)?;
    Ok(PackageState::parse(&text)?)
}

pub(super) fn read_packaged(home: &Workspace, job: &Job, file: &str) -> Result<Vec<u8>, Halt> {
    home.read(job.package_name().join(file), STATE_MAX_BYTES).map_err(|error| match error {
        WorkspaceError::Missing(_) => Halt::failed(
            FailureKind::Configuration,
            format!(
                "the package command left no {file}: a command of your own must package into $GREENROOM_PACKAGE_DIR (osls package --package \"$GREENROOM_PACKAGE_DIR\" …)"
            ),
        ),
        error @ (WorkspaceError::Outside(_)
        | WorkspaceError::WrongKind { .. }
        | WorkspaceError::TooLarge { .. }
        | WorkspaceError::Io { .. }) => error.into(),
    })
}

fn make_directory(job: &Job) -> Result<(), Halt> {
    let directory = job.package_directory();
    std::fs::create_dir(&directory).map_err(Halt::internal)?;
    let user = job.machine().executor.user(job.room().slot());
    Ok(job.room().give(user, &directory)?)
}
