//! `greenroom exec`
//!
//! What always holds: what the command itself says of stage and region is held against ours before the
//! server is asked for anything; its end is told, whatever it is, and is the end of this program.

use clap::Args;
use model::personal::{Use, agreed, without_values, words};
use model::stage::StageKind;

use crate::error::{Error, Result};
use crate::exit::Code;
use crate::laptop::renewal::Renewal;
use crate::laptop::{Place, Room, Session, child};
use crate::{Surroundings, out, words as said};

/// As shells have it for a program that cannot be run.
const NOT_RUN: u8 = 127;

#[derive(Debug, Args)]
pub struct Arguments {
    #[command(flatten)]
    place: Place,
    /// Renew the credentials while the command runs: SDKs of AWS then fetch them from this program
    #[arg(long)]
    renew: bool,
    /// The command, like `npx serverless deploy`
    #[arg(last = true, required = true, value_name = "COMMAND")]
    command: Vec<String>,
}

pub(crate) async fn run(given: Arguments, around: &Surroundings) -> Result<Code> {
    let Arguments { place, renew, command } = given;
    if place.app.common.json {
        return Err(Error::Usage(
            "exec prints what its command prints; `greenroom env --json` is the environment".into(),
        ));
    }
    agreed(&command, &place.stage, place.region.as_ref())
        .map_err(|disagreement| Error::Usage(disagreement.to_string()))?;
    let renewal = if renew { Some(Renewal::open().await?) } else { None };
    let session = place.begin(around, Use::Exec, without_values(&command)).await?;
    let ran = ran(&session, renewal, &command, around).await;
    let (code, declared) = match &ran {
        Ok((code, room)) => (*code, room.declared(&session.directory)),
        Err(_) => (NOT_RUN, None),
    };
    if let Err(error) = session.end(code, declared).await {
        out::said(&format!(
            "greenroom: the server was not told of the end ({error}); the next `greenroom exec` for {} \
             tells it, and a removal looks at the stacks itself",
            session.begun.stage
        ))?;
    }
    ran.map(|(code, _)| Code::OfCommand(code))
}

async fn ran(
    session: &Session,
    renewal: Option<Renewal>,
    command: &[String],
    around: &Surroundings,
) -> Result<(u8, Room)> {
    let begun = &session.begun;
    agreed(command, &begun.stage, Some(&begun.region))
        .map_err(|disagreement| Error::Usage(disagreement.to_string()))?;
    let room = Room::make(begun, around.now)?;
    let whose = match begun.stage_kind {
        StageKind::Personal => "your stage",
        StageKind::LongLived | StageKind::Preview => "the stage",
    };
    out::said(&format!(
        "greenroom: {} of {} for {whose} {} in {} ({}), with credentials until {}",
        begun.service,
        begun.app,
        begun.stage,
        begun.account,
        begun.region,
        said::moment(begun.credentials.expires_at)
    ))?;
    let mut variables = session.variables(&room, around.variable("NODE_OPTIONS"))?;
    let command = words(command, &begun.stage, &begun.region);
    let code = match renewal {
        None => child::run(&command, &variables, &around.directory).await?,
        Some(renewal) => {
            renewal.replace_keys(&mut variables);
            let running = child::run(&command, &variables, &around.directory);
            tokio::select! {
                ran = running => ran?,
                never = renewal.serve(session, around.now) => match never {},
            }
        }
    };
    Ok((code, room))
}
