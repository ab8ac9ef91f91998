//! Running a job's steps: their environment, their limits, what their ends mean.
//!
//! What always holds: a step gets credentials only where the job's kind says so; a failure names
//! the command as it was written.

use model::job::FailureKind;
use model::pipeline::Step;
use model::worker_api::AwsCredentials;
use tracing::Instrument;

use super::context::Job;
use super::environment::{self, Environment, Scene};
use super::halt::Halt;
use crate::sandbox::Limits;
use crate::step::{self, Command, Order, StepEnd, StepOutcome, StepSpec};

const ANSWER_MAX_BYTES: u64 = 4 * 1024;

/// Whether a step works with AWS.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Access<'a> {
    None,
    Aws(&'a AwsCredentials),
}

impl Job {
    /// Runs one step, however it ends.
    pub(crate) async fn step(
        &mut self,
        order: &Order,
        scene: &Scene,
        access: Access<'_>,
    ) -> Result<StepEnd, Halt> {
        let mut env = scene.env.clone();
        if let (Access::Aws(credentials), Some(region)) = (access, &scene.region) {
            let bundle = self.ca_bundle()?;
            let endpoint = &self.assignment().aws;
            env = environment::with_aws(env, credentials, region, endpoint, bundle.as_deref());
        }
        let package = self.inside(&self.package_directory())?;
        env.insert("GREENROOM_PACKAGE_DIR".to_owned(), package.to_string_lossy().into_owned());
        let spec = StepSpec {
            name: order.announced(),
            command: order.command.clone(),
            cwd: scene.cwd.clone(),
            env,
            secrets: Vec::new(),
            limits: order.limits(),
        };
        let executor = self.machine().executor.as_ref();
        let span = tracing::info_span!("step", step = order.heading.as_str());
        let running = step::run(&spec, self.room(), executor, self.log(), self.hold().token());
        let end = running.instrument(span).await?;
        if end.outcome == StepOutcome::Canceled {
            return Err(Halt::Stopped);
        }
        Ok(end)
    }

    /// A step that must succeed.
    pub(crate) async fn expect(
        &mut self,
        order: &Order,
        scene: &Scene,
        access: Access<'_>,
    ) -> Result<(), Halt> {
        let end = self.step(order, scene, access).await?;
        failure(order, end.outcome).map_or(Ok(()), Err)
    }

    /// A command of the pipeline file that must succeed, or nothing where there is none.
    pub(crate) async fn expect_step(
        &mut self,
        step: Option<&Step>,
        scene: &Scene,
        access: Access<'_>,
    ) -> Result<(), Halt> {
        match step {
            Some(step) => self.expect(&step.into(), scene, access).await,
            None => Ok(()),
        }
    }

    /// What a command of ours prints, in an environment that has no more than it is given; `None` if
    /// it did not end by itself.
    pub(crate) async fn ask(&self, line: &str, env: Environment) -> Result<Option<String>, Halt> {
        let spec = StepSpec {
            name: line.to_owned(),
            command: Command::Shell(line.to_owned()),
            cwd: ".".into(),
            env,
            secrets: Vec::new(),
            limits: Limits::default(),
        };
        let executor = self.machine().executor.as_ref();
        let token = self.hold().token();
        let end = step::capture(&spec, ANSWER_MAX_BYTES, self.room(), executor, self.log(), token)
            .await?;
        match end.outcome {
            StepOutcome::Exited(_) => Ok(Some(String::from_utf8_lossy(&end.captured).into_owned())),
            StepOutcome::Canceled => Err(Halt::Stopped),
            StepOutcome::Signaled(_)
            | StepOutcome::TimedOut
            | StepOutcome::OutputLimit
            | StepOutcome::MemoryLimit => Ok(None),
        }
    }
}

/// The failure that a step's end means; `None` when it succeeded.
pub(crate) fn failure(order: &Order, outcome: StepOutcome) -> Option<Halt> {
    let (kind, what) = match outcome {
        StepOutcome::Exited(0) => return None,
        StepOutcome::Exited(126) => (
            FailureKind::Step,
            "could not be started (exit status 126): it is not executable".to_owned(),
        ),
        StepOutcome::Exited(127) => {
            (FailureKind::Step, "was not found (exit status 127)".to_owned())
        }
        StepOutcome::Exited(code) => (FailureKind::Step, format!("ended with exit status {code}")),
        StepOutcome::Signaled(signal) => {
            (FailureKind::Step, format!("was ended by signal {signal}"))
        }
        StepOutcome::TimedOut => (
            FailureKind::Limit,
            format!(
                "did not end within {} and was ended: make it faster, or give the step a longer `timeout` in greenroom.yml, as in `{{ run: …, timeout: 2h }}`",
                order.allowed()
            ),
        ),
        StepOutcome::OutputLimit => (FailureKind::Limit, "printed more than a step may".to_owned()),
        StepOutcome::MemoryLimit => {
            (FailureKind::Limit, "needed more memory than a step may have".to_owned())
        }
        StepOutcome::Canceled => return Some(Halt::Stopped),
    };
    Some(Halt::failed(kind, format!("`{}` {what}", order.heading)))
}
