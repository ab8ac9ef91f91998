//! Log lines on standard error, sentences with their fields for people or an object a line for
//! collectors; and traces, for whoever takes them.

mod json;
mod traces;

use std::io::IsTerminal;

use anyhow::{Context, bail};
use tracing_subscriber::fmt::format::JsonFields;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt};

use crate::config::Environment;
use traces::Traces;

/// The libraries below us speak only when something is wrong.
const USUAL: &str = "info,sqlx=warn,hyper=warn,aws_config=warn,aws_smithy_runtime=warn,\
                     opentelemetry_sdk=warn,opentelemetry_otlp=warn";

/// `GREENROOM_LOG` filters (`info`, `greenroom_engine=debug,info`), `GREENROOM_LOG_FORMAT` is `text`
/// or `json`. Must be called inside a tokio runtime.
pub(crate) fn start(environment: &Environment) -> anyhow::Result<Traces> {
    let filter = environment.get("GREENROOM_LOG").unwrap_or(USUAL.to_owned());
    let filter = EnvFilter::try_new(&filter)
        .with_context(|| format!("GREENROOM_LOG is {filter:?}; write it like info or debug"))?;
    let lines = fmt::layer().with_writer(std::io::stderr);
    let format = environment.get("GREENROOM_LOG_FORMAT");
    let lines: Box<dyn Layer<Registry> + Send + Sync> = match format.as_deref() {
        None | Some("text") => lines.with_ansi(std::io::stderr().is_terminal()).boxed(),
        Some("json") => lines.fmt_fields(JsonFields::new()).event_format(json::Json).boxed(),
        Some(other) => bail!("GREENROOM_LOG_FORMAT is {other:?}; write text or json"),
    };
    let traces = Traces::of_environment()?;
    tracing_subscriber::registry().with(lines.with_filter(filter)).with(traces.layer()).init();
    Ok(traces)
}
