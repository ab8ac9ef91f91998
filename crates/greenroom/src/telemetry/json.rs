//! A log line as one JSON object: when, how bad, where, what, and all that is known of what it was
//! about.
//!
//! What always holds: the fields of the spans around a line stand on the line itself (`build`,
//! `job`, `request`), so that a collector finds all lines of a build by one field; what a line says
//! itself goes before what is around it.

use std::fmt::{Debug, Result};

use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::time::{FormatTime, SystemTime};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, FormattedFields};
use tracing_subscriber::registry::{LookupSpan, Scope};

/// With `JsonFields`, which writes the fields of a span as an object.
pub(super) struct Json;

impl<S, N> FormatEvent<S, N> for Json
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> Result {
        let mut line = Line(Map::new());
        for span in context.event_scope().into_iter().flat_map(Scope::from_root) {
            let extensions = span.extensions();
            let fields = extensions.get::<FormattedFields<N>>();
            if let Some(Ok(Value::Object(fields))) =
                fields.map(|fields| serde_json::from_str(&fields.fields))
            {
                line.0.extend(fields);
            }
        }
        event.record(&mut line);
        let mut at = String::new();
        SystemTime.format_time(&mut Writer::new(&mut at))?;
        let meta = event.metadata();
        line.put("timestamp", at);
        line.put("level", meta.level().as_str());
        line.put("target", meta.target());
        writeln!(writer, "{}", Value::Object(line.0))
    }
}

struct Line(Map<String, Value>);

impl Line {
    fn put(&mut self, name: &str, value: impl Into<Value>) {
        self.0.insert(name.to_owned(), value.into());
    }
}

impl Visit for Line {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.put(field.name(), format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field.name(), value);
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field.name(), value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field.name(), value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field.name(), value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field.name(), value);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::{Arc, Mutex};

    use tracing_subscriber::fmt::MakeWriter;
    use tracing_subscriber::fmt::format::JsonFields;

    use super::*;

    #[derive(Clone, Default)]
    struct Kept(Arc<Mutex<Vec<u8>>>);

    impl Write for Kept {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    impl<'a> MakeWriter<'a> for Kept {
        type Writer = Self;

        fn make_writer(&'a self) -> Self {
            self.clone()
        }
    }

    fn lines(work: impl FnOnce()) -> Vec<Value> {
        let kept = Kept::default();
        let subscriber = tracing_subscriber::fmt()
            .with_writer(kept.clone())
            .fmt_fields(JsonFields::new())
            .event_format(Json)
            .finish();
        tracing::subscriber::with_default(subscriber, work);
        let text = String::from_utf8(kept.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    #[test]
    fn a_line_has_the_ids_of_the_work_around_it() {
        let lines = lines(|| {
            let build = tracing::info_span!("build", build = "b1", number = 7);
            let job = tracing::info_span!(parent: &build, "job", job = "j1");
            job.in_scope(|| tracing::info!(attempt = 2, "begins \"now\"\nand then"));
            tracing::warn!("of nothing");
        });
        let first = &lines[0];
        assert_eq!((&first["build"], &first["job"]), (&"b1".into(), &"j1".into()));
        assert_eq!((&first["number"], &first["attempt"]), (&7.into(), &2.into()));
        assert_eq!(first["message"], "begins \"now\"\nand then");
        assert_eq!(first["level"], "INFO");
        assert!(first["timestamp"].as_str().unwrap().ends_with('Z'), "{first}");
        assert_eq!(lines[1].get("build"), None);
    }

    #[test]
    fn what_is_learnt_later_and_what_a_line_says_itself_is_on_it_too() {
        let lines = lines(|| {
            let request =
                tracing::info_span!("request", request = "r1", build = tracing::field::Empty);
            request.record("build", "b1");
            request.in_scope(|| tracing::info!(request = "another", "said"));
        });
        assert_eq!((&lines[0]["build"], &lines[0]["request"]), (&"b1".into(), &"another".into()));
    }
}
