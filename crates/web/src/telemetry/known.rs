//! What is counted and timed while the process runs: names, words, and buckets.
//!
//! What always holds: the parts that count use no name that is not here (a test holds them to
//! `docs/monitoring.md`, and that page to what is served).

use metrics::Label;
use model::build::Purpose;
use model::job::JobKind;

/// Answers: from a cached read to a long poll.
const REQUEST: &[f64] = &[0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1.0, 5.0, 30.0];
/// Waits: from at once to most of a day.
const WAIT: &[f64] = &[0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3600.0, 14400.0, 86400.0];
/// Work: from a lint to the deletion of a CloudFront distribution.
const WORK: &[f64] =
    &[0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0, 1200.0, 3600.0, 7200.0];

pub(super) struct Known {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) help: &'static str,
    /// Of the values that are there from the beginning; more come as things happen.
    first: First,
}

pub(super) enum Kind {
    Counter,
    Gauge,
    Histogram(&'static [f64]),
}

enum First {
    /// Its labels are not known before; only that there is such a metric is told.
    Nothing,
    /// A value without labels.
    Plain,
    /// One label with each of these.
    Each(&'static str, &'static [&'static str]),
    /// Each kind of job that may be claimed, gone well.
    JobKinds,
    JobKindsThatWentWell,
    PurposesThatWentWell,
    /// Only these labels.
    Only(&'static [(&'static str, &'static str)]),
}

pub(super) const KNOWN: &[Known] = &[
    Known {
        name: "greenroom_info",
        kind: Kind::Gauge,
        help: "One, with the version of the program.",
        first: First::Only(&[("version", env!("CARGO_PKG_VERSION"))]),
    },
    Known {
        name: "greenroom_http_request_seconds",
        kind: Kind::Histogram(REQUEST),
        help: "How long answering a request took, by route.",
        first: First::Only(&[("method", "GET"), ("route", "/metrics"), ("status", "200")]),
    },
    Known {
        name: "greenroom_webhooks_total",
        kind: Kind::Counter,
        help: "Requests to the webhook's address: new, known or refused.",
        first: First::Each("result", &["new", "known", "refused"]),
    },
    Known {
        name: "greenroom_deliveries_handled_total",
        kind: Kind::Counter,
        help: "Webhook deliveries that were acted on, by what came of them.",
        first: First::Each("outcome", &["done", "ignored", "failed"]),
    },
    Known {
        name: "greenroom_delivery_lag_seconds",
        kind: Kind::Histogram(WAIT),
        help: "From when a delivery came until it was acted on.",
        first: First::Plain,
    },
    Known {
        name: "greenroom_claims_total",
        kind: Kind::Counter,
        help: "Looks at the queue for a worker, by what they came to.",
        first: First::Each("result", &["assigned", "failed", "nothing"]),
    },
    Known {
        name: "greenroom_job_wait_seconds",
        kind: Kind::Histogram(WAIT),
        help: "From when a job could run until a worker took it.",
        first: First::JobKinds,
    },
    Known {
        name: "greenroom_job_duration_seconds",
        kind: Kind::Histogram(WORK),
        help: "From a job's first attempt to its end.",
        first: First::JobKindsThatWentWell,
    },
    Known {
        name: "greenroom_jobs_finished_total",
        kind: Kind::Counter,
        help: "Jobs that workers ended, by how.",
        first: First::JobKindsThatWentWell,
    },
    Known {
        name: "greenroom_step_duration_seconds",
        kind: Kind::Histogram(WORK),
        help: "How long the commands of jobs took.",
        first: First::JobKindsThatWentWell,
    },
    Known {
        name: "greenroom_leases_expired_total",
        kind: Kind::Counter,
        help: "Jobs whose worker fell silent.",
        first: First::Plain,
    },
    Known {
        name: "greenroom_builds_finished_total",
        kind: Kind::Counter,
        help: "Builds that ended, by how.",
        first: First::PurposesThatWentWell,
    },
    Known {
        name: "greenroom_build_duration_seconds",
        kind: Kind::Histogram(WORK),
        help: "From a build's making to its end, with what it waited.",
        first: First::PurposesThatWentWell,
    },
    Known {
        name: "greenroom_outbox_sends_total",
        kind: Kind::Counter,
        help: "Tries to tell GitHub something, by how they ended.",
        first: First::Only(&[("kind", "status"), ("outcome", "sent")]),
    },
    Known {
        name: "greenroom_comment_commands_total",
        kind: Kind::Counter,
        help: "What people asked for in comments, by what came of it.",
        first: First::Only(&[("outcome", "done")]),
    },
    Known {
        name: "greenroom_github_requests_total",
        kind: Kind::Counter,
        help: "Calls of GitHub by this process.",
        first: First::Only(&[("resource", "statuses"), ("class", "change"), ("outcome", "ok")]),
    },
    Known {
        name: "greenroom_github_rate_limit",
        kind: Kind::Gauge,
        help: "How many calls GitHub takes in an hour, as it said with its last answer.",
        first: First::Nothing,
    },
    Known {
        name: "greenroom_github_rate_limit_remaining",
        kind: Kind::Gauge,
        help: "How many of them are left.",
        first: First::Nothing,
    },
    Known {
        name: "greenroom_aws_requests_total",
        kind: Kind::Counter,
        help: "Tries of calls of AWS by this process.",
        first: First::Only(&[("service", "sts"), ("class", "read"), ("outcome", "ok")]),
    },
];

impl Known {
    /// A gauge whose labels are found out.
    pub(super) fn may_have_no_value(&self) -> bool {
        matches!(self.first, First::Nothing)
    }

    /// Says what it is, and that there is nothing yet.
    pub(super) fn begin(&self) {
        match self.kind {
            Kind::Counter => metrics::describe_counter!(self.name, self.help),
            Kind::Gauge => metrics::describe_gauge!(self.name, self.help),
            Kind::Histogram(_) => metrics::describe_histogram!(self.name, self.help),
        }
        for labels in self.first.labels() {
            match self.kind {
                Kind::Counter => metrics::counter!(self.name, labels).absolute(0),
                // those that are there from the beginning only say something by their labels
                Kind::Gauge => metrics::gauge!(self.name, labels).set(1.0),
                // one that was asked for is shown, with nothing in it
                Kind::Histogram(_) => drop(metrics::histogram!(self.name, labels)),
            }
        }
    }
}

impl First {
    fn labels(&self) -> Vec<Vec<Label>> {
        let one = |name, value| vec![Label::from_static_parts(name, value)];
        let well = |name, value| {
            vec![
                Label::from_static_parts(name, value),
                Label::from_static_parts("outcome", "succeeded"),
            ]
        };
        match self {
            Self::Nothing => Vec::new(),
            Self::Plain => vec![Vec::new()],
            Self::Each(name, values) => values.iter().map(|value| one(name, value)).collect(),
            Self::JobKinds => JobKind::ALL.map(|kind| one("kind", kind.as_str())).into(),
            Self::JobKindsThatWentWell => {
                JobKind::ALL.map(|kind| well("kind", kind.as_str())).into()
            }
            Self::PurposesThatWentWell => {
                Purpose::ALL.map(|purpose| well("purpose", purpose.as_str())).into()
            }
            Self::Only(labels) => {
                let labels = labels.iter();
                vec![labels.map(|(name, value)| Label::from_static_parts(name, value)).collect()]
            }
        }
    }
}
