//! What came of a build: the artifacts it packaged, the outputs and addresses of what it deployed.
//!
//! What always holds: what is or looks like a secret is not shown, by the same rules as in the
//! comments on pull requests.

use model::comment::Secrets;
use model::worker_api::{DeployedStack, JobResult};
use store::PgConnection;
use store::app::App;
use store::artifact::Artifact;
use store::build::Build;
use store::job::Job;

use crate::error::Result;
use crate::page::board::is_link;
use crate::page::place::Places;
use crate::state::State;

/// As much of a digest as tells it from others.
const DIGEST: usize = 12;

pub(super) struct Made {
    pub(super) deployed: Vec<Deployed>,
    pub(super) artifacts: Vec<ArtifactView>,
}

/// What one deploy published.
pub(super) struct Deployed {
    /// The service, with its region if it has several.
    pub(super) of: String,
    pub(super) stacks: Vec<String>,
    pub(super) endpoints: Vec<Text>,
    pub(super) outputs: Vec<Output>,
}

pub(super) struct Text {
    pub(super) text: String,
    pub(super) link: bool,
}

pub(super) struct Output {
    pub(super) key: String,
    /// `None`: hidden.
    pub(super) value: Option<Text>,
    /// It is not what it was before.
    pub(super) changed: bool,
}

pub(super) struct ArtifactView {
    pub(super) of: String,
    pub(super) digest: String,
    pub(super) short: String,
    pub(super) size: String,
}

pub(super) async fn made(
    state: &State,
    conn: &mut PgConnection,
    app: &App,
    build: &Build,
    jobs: &[Job],
    places: &Places<'_>,
) -> Result<Made> {
    let deployed: Vec<(&Job, &DeployedStack)> =
        jobs.iter().filter_map(|job| Some((job, published(job)?))).collect();
    let secrets = match deployed.is_empty() {
        true => Secrets::Unknown,
        false => secrets(state, conn, app).await?,
    };
    let artifacts = store::artifact::list(conn, build.id).await?;
    Ok(Made {
        deployed: deployed
            .into_iter()
            .map(|(job, what)| view(job, what, &secrets, places))
            .collect(),
        artifacts: artifacts.into_iter().map(|artifact| artifact_view(artifact, places)).collect(),
    })
}

/// What cannot be decrypted keeps nobody from the page: then nothing is shown.
async fn secrets(state: &State, conn: &mut PgConnection, app: &App) -> Result<Secrets> {
    match store::secret::all(conn, &state.vault, app.id).await {
        Ok(secrets) => Ok(Secrets::known(secrets.into_values())),
        Err(store::Error::Vault(error)) => {
            tracing::error!(app = %app.name, %error, "secrets cannot be read; no output is shown");
            Ok(Secrets::Unknown)
        }
        Err(error) => Err(error.into()),
    }
}

fn published(job: &Job) -> Option<&DeployedStack> {
    let Some(JobResult::Deployed { deployed, .. }) = &job.result else { return None };
    Some(deployed)
}

fn view(job: &Job, what: &DeployedStack, secrets: &Secrets, places: &Places<'_>) -> Deployed {
    let text = |text: &String| Text { link: is_link(text), text: text.clone() };
    let outputs = what.outputs.iter().map(|(key, value)| Output {
        key: key.clone(),
        value: (!secrets.hides(key, value)).then(|| text(value)),
        changed: job.changed_outputs().contains(key),
    });
    let shown = what.endpoints.iter().filter(|endpoint| !secrets.hides_value(endpoint));
    Deployed {
        of: match &job.service {
            Some(service) => places.service(service, job.region.as_ref()),
            None => places.job(job),
        },
        stacks: what.stacks.clone(),
        endpoints: shown.map(text).collect(),
        outputs: outputs.collect(),
    }
}

fn artifact_view(artifact: Artifact, places: &Places<'_>) -> ArtifactView {
    ArtifactView {
        of: places.service(&artifact.service, Some(&artifact.region)),
        short: artifact.digest.chars().take(DIGEST).collect(),
        digest: artifact.digest,
        size: size(artifact.size_bytes),
    }
}

fn size(bytes: i64) -> String {
    let bytes = bytes.max(0);
    match bytes {
        1 => "1 byte".to_owned(),
        0..=1023 => format!("{bytes} bytes"),
        1024..=1_048_575 => format!("{}.{} KB", bytes / 1024, bytes % 1024 * 10 / 1024),
        _ => format!("{}.{} MB", bytes / 1_048_576, bytes % 1_048_576 * 10 / 1_048_576),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_told_in_the_unit_that_fits() {
        let said = [1, 1023, 1536, 5 * 1_048_576 + 524_288].map(size);
        assert_eq!(said, ["1 byte", "1023 bytes", "1.5 KB", "5.5 MB"]);
    }
}
