//! Traces by OpenTelemetry: spans of requests, of settling a build, of jobs and of their steps, sent
//! by OTLP over HTTP to where `OTEL_EXPORTER_OTLP_ENDPOINT` says, and nowhere without it.
//!
//! What always holds: all spans of a build are of one trace, whichever process they come from, for
//! its number is the build's own id; so nothing has to be carried along. What is asked again and
//! again while nothing happens makes no span. A receiver that is away loses spans and holds up
//! nothing.

use std::cell::Cell;
use std::time::Duration;

use anyhow::Context as _;
use async_trait::async_trait;
use opentelemetry::Context;
use opentelemetry::trace::{SpanBuilder, SpanId, TraceContextExt, TraceId, Tracer, TracerProvider};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use opentelemetry_otlp::{SpanExporter, WithHttpConfig};
use opentelemetry_sdk::Resource;
use opentelemetry_sdk::trace::{
    IdGenerator, RandomIdGenerator, SdkTracer, SdkTracerProvider, Span,
};
use tokio::runtime::Handle;
use tracing::Subscriber;
use tracing_subscriber::Layer;
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::registry::LookupSpan;
use uuid::Uuid;

/// Ours; the libraries' own would bury them.
const SPANS: [&str; 4] = ["request", "build", "job", "step"];
/// The variables of OpenTelemetry that say where to ("OTLP Exporter Configuration",
/// opentelemetry.io); its libraries read them and their like themselves.
const ENDPOINTS: [&str; 2] = ["OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"];
/// The receiver is mostly near; what waits for it is dropped sooner or later.
const CONNECT: Duration = Duration::from_secs(5);
const WHOLE: Duration = Duration::from_secs(10);
const SERVICE: &str = "OTEL_SERVICE_NAME";

/// What sends spans, if any are.
pub(crate) enum Traces {
    Off,
    On(SdkTracerProvider),
}

impl Traces {
    /// Must be called inside a tokio runtime.
    pub(super) fn of_environment() -> anyhow::Result<Self> {
        let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
        if ENDPOINTS.iter().all(|name| set(name).is_none()) {
            return Ok(Self::Off);
        }
        let client = reqwest::Client::builder().connect_timeout(CONNECT).timeout(WHOLE).build();
        let client = client.context("traces cannot be sent: no HTTP client")?;
        let client = Client { client, runtime: Handle::current() };
        let exporter = SpanExporter::builder()
            .with_http()
            .with_http_client(client)
            .build()
            .context("traces cannot be sent: look at OTEL_EXPORTER_OTLP_ENDPOINT")?;
        let service = set(SERVICE).unwrap_or_else(|| "greenroom".to_owned());
        Ok(Self::On(
            SdkTracerProvider::builder()
                .with_batch_exporter(exporter)
                .with_id_generator(Ids::default())
                .with_resource(Resource::builder().with_service_name(service).build())
                .build(),
        ))
    }

    pub(super) fn layer<S>(&self) -> Option<impl Layer<S> + use<S>>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        match self {
            Self::Off => None,
            Self::On(provider) => {
                let tracer = OfBuild(provider.tracer("greenroom"));
                let ours = filter_fn(|meta| meta.is_span() && SPANS.contains(&meta.name()));
                Some(tracing_opentelemetry::layer().with_tracer(tracer).with_filter(ours))
            }
        }
    }

    /// Sends what was not sent yet, for some seconds at most.
    pub(crate) async fn end(self) {
        match self {
            Self::Off => {}
            Self::On(provider) => {
                let ended = tokio::task::spawn_blocking(move || provider.shutdown()).await;
                if let Ok(Err(error)) = ended {
                    tracing::warn!(%error, "the last traces were not sent");
                }
            }
        }
    }
}

thread_local! {
    /// The trace of the span that is being made on this thread.
    static NEXT: Cell<Option<TraceId>> = const { Cell::new(None) };
}

/// Puts a span that is about a build into the build's trace.
struct OfBuild(SdkTracer);

impl Tracer for OfBuild {
    type Span = Span;

    fn build_with_context(&self, builder: SpanBuilder, parent: &Context) -> Span {
        if is_poll(&builder) {
            return self.0.build_with_context(builder, &Context::new().with_telemetry_suppressed());
        }
        if !parent.span().span_context().is_valid() {
            NEXT.set(trace_of(&builder));
        }
        let span = self.0.build_with_context(builder, parent);
        NEXT.set(None);
        span
    }
}

fn attribute(builder: &SpanBuilder, name: &str) -> Option<String> {
    let found = builder.attributes.iter().flatten().find(|one| one.key.as_str() == name)?;
    Some(found.value.as_str().into_owned())
}

fn trace_of(builder: &SpanBuilder) -> Option<TraceId> {
    let build: Uuid = attribute(builder, "build")?.parse().ok()?;
    Some(TraceId::from_bytes(build.into_bytes()))
}

/// Workers ask for work and send their logs all the time, browsers follow what they show, monitors
/// look.
fn is_poll(builder: &SpanBuilder) -> bool {
    let path = attribute(builder, "path").unwrap_or_default();
    let beginnings = ["/worker/v1/claim", "/live/", "/static/", "/healthz", "/readyz", "/metrics"];
    let ends = ["/heartbeat", "/log", "/progress"];
    builder.name == "request"
        && (beginnings.iter().any(|beginning| path.starts_with(beginning))
            || path.starts_with("/worker/") && ends.iter().any(|end| path.ends_with(end)))
}

#[derive(Debug, Default)]
struct Ids(RandomIdGenerator);

impl IdGenerator for Ids {
    fn new_trace_id(&self) -> TraceId {
        NEXT.take().unwrap_or_else(|| self.0.new_trace_id())
    }

    fn new_span_id(&self) -> SpanId {
        self.0.new_span_id()
    }
}

/// The spans leave from a thread of their own, which has no runtime: the call is made in ours.
#[derive(Debug)]
struct Client {
    client: reqwest::Client,
    runtime: Handle,
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (parts, body) = request.into_parts();
        let call = self.client.request(parts.method, parts.uri.to_string());
        let call = call.headers(parts.headers).body(body);
        let exchange = async move {
            let answer = call.send().await?;
            let status = answer.status();
            let headers = answer.headers().clone();
            let mut response = Response::new(answer.bytes().await?);
            *response.status_mut() = status;
            *response.headers_mut() = headers;
            Ok(response)
        };
        self.runtime.spawn(exchange).await?
    }
}

#[cfg(test)]
mod tests {
    use opentelemetry::KeyValue;

    use super::*;

    fn span(name: &'static str, key: &'static str, value: &'static str) -> SpanBuilder {
        SpanBuilder::from_name(name).with_attributes([KeyValue::new(key, value)])
    }

    #[test]
    fn the_trace_of_a_build_has_the_builds_id() {
        let build = "0199d2a4-7b5c-7000-8000-00000000002a";
        let trace = trace_of(&span("job", "build", build)).unwrap();
        assert_eq!(trace.to_string(), build.replace('-', ""));
        assert_eq!(trace_of(&span("job", "build", "no id")), None);
        assert_eq!(trace_of(&span("request", "path", "/")), None);
    }

    #[test]
    fn what_is_asked_again_and_again_makes_no_span() {
        for path in ["/worker/v1/claim", "/worker/v1/jobs/1/heartbeat", "/metrics", "/live/board"] {
            assert!(is_poll(&span("request", "path", path)), "{path}");
        }
        for path in ["/webhooks/github", "/worker/v1/jobs/1/finish", "/api/v1/jobs/1/log", "/"] {
            assert!(!is_poll(&span("request", "path", path)), "{path}");
        }
        assert!(!is_poll(&span("job", "path", "/metrics")));
    }
}
