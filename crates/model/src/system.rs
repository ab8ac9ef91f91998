//! How the parts of a server fare, and what to do about those that do not: decided from counts and
//! times that somebody else looked up. Pure.
//!
//! What always holds: a part that is not ok says why in a sentence, and what would mend it; the
//! whole is as bad as its worst part, and a part that is off makes nothing bad.

use chrono::{DateTime, TimeDelta, Utc};
use serde::Serialize;

use crate::reconcile::Health;

/// A worker that was not heard of for this long is away. It sends a heartbeat far more often.
pub const SILENT: TimeDelta = TimeDelta::minutes(2);
/// One that was away for this long is not expected back: it was taken out of service.
pub const GONE: TimeDelta = TimeDelta::days(1);
/// A job that could run is not expected to wait longer.
const LONG_WAIT: TimeDelta = TimeDelta::minutes(15);
/// Intake takes a delivery within a second.
const SLOW_INTAKE: TimeDelta = TimeDelta::minutes(1);
const STUCK_INTAKE: TimeDelta = TimeDelta::minutes(10);
/// GitHub's secondary limits pass within the hour.
const LONG_UNTOLD: TimeDelta = TimeDelta::hours(1);

/// What is said of one part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verdict {
    pub health: Health,
    /// A sentence.
    pub reason: String,
    /// What to do about it; `None`: nothing needs doing.
    pub remedy: Option<String>,
}

impl Verdict {
    fn ok(reason: impl Into<String>) -> Self {
        Self { health: Health::Ok, reason: reason.into(), remedy: None }
    }

    fn bad(health: Health, reason: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { health, reason: reason.into(), remedy: Some(remedy.into()) }
    }
}

/// As bad as the worst of them.
pub fn overall<'a>(parts: impl IntoIterator<Item = &'a Verdict>) -> Health {
    parts.into_iter().map(|part| part.health).fold(Health::Ok, |worst, health| match health {
        Health::Ok | Health::Off => worst,
        Health::Degraded | Health::Failing => worst.max(health),
    })
}

/// A worker as it was last heard of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkerFacts {
    pub name: String,
    pub slots: i64,
    pub busy: i64,
    pub seen_at: DateTime<Utc>,
}

/// Whether a worker is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    Here,
    Silent,
    Gone,
}

impl Presence {
    pub fn of(seen_at: DateTime<Utc>, now: DateTime<Utc>) -> Self {
        match now - seen_at {
            away if away <= SILENT => Self::Here,
            away if away <= GONE => Self::Silent,
            _longer => Self::Gone,
        }
    }

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Here => "here",
            Self::Silent => "silent",
            Self::Gone => "gone",
        }
    }
}

pub fn workers(workers: &[WorkerFacts], queued: i64, now: DateTime<Utc>) -> Verdict {
    let with = |presence| -> Vec<&WorkerFacts> {
        workers.iter().filter(|one| Presence::of(one.seen_at, now) == presence).collect()
    };
    let (here, silent) = (with(Presence::Here), with(Presence::Silent));
    let waiting = if queued > 0 { format!(", and {} wait", jobs(queued)) } else { String::new() };
    if here.is_empty() {
        return Verdict::bad(
            Health::Failing,
            format!("No worker is here{waiting}: nothing can run."),
            "Start one: greenroom serve has one inside unless its worker.count is 0, greenroom worker \
             runs one on another machine.",
        );
    }
    if !silent.is_empty() {
        let names: Vec<&str> = silent.iter().map(|one| one.name.as_str()).collect();
        return Verdict::bad(
            Health::Degraded,
            format!("{} went silent{waiting}.", listed(&names)),
            "Look at that machine and its way to this server. What it ran is begun anew elsewhere \
             when its lease runs out. A worker that was taken out of service counts no more after a day.",
        );
    }
    let slots: i64 = here.iter().map(|one| one.slots).sum();
    let busy: i64 = here.iter().map(|one| one.busy).sum();
    Verdict::ok(format!("{} here, {busy} of {slots} slots busy.", counted(here.len(), "worker")))
}

/// The jobs that wait for a slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueueFacts {
    pub queued: i64,
    pub running: i64,
    /// Since when the one that waits longest could run.
    pub oldest_at: Option<DateTime<Utc>>,
    /// Slots of the workers that are here and have nothing to do.
    pub free: i64,
}

pub fn queue(facts: QueueFacts, now: DateTime<Utc>) -> Verdict {
    let Some(oldest) = facts.oldest_at.filter(|_| facts.queued > 0) else {
        return Verdict::ok(format!("Nothing waits; {} running.", jobs(facts.running)));
    };
    let waits = now - oldest;
    let told = format!("{} queued, the oldest for {}", jobs(facts.queued), span(waits));
    if waits <= LONG_WAIT {
        return Verdict::ok(format!("{told}; {} running.", jobs(facts.running)));
    }
    match (facts.running, facts.free) {
        (0, _) => Verdict::bad(
            Health::Failing,
            format!("{told}, and none runs."),
            "See the workers above. If one is here, its log says why it takes no job.",
        ),
        (_, 0) => Verdict::bad(
            Health::Degraded,
            format!("{told}: every slot is busy."),
            "Add a worker, or give one more slots.",
        ),
        (_, _) => Verdict::bad(
            Health::Degraded,
            format!("{told}, though slots are free."),
            "The app's concurrency may hold them back: raise it in its settings if that is not meant.",
        ),
    }
}

/// How webhooks fare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeliveryFacts {
    /// Not acted on yet.
    pub received: i64,
    pub oldest_at: Option<DateTime<Utc>>,
    /// Failed within a day.
    pub failed: i64,
    pub newest_at: Option<DateTime<Utc>>,
}

pub fn deliveries(facts: DeliveryFacts, now: DateTime<Utc>) -> Verdict {
    let waits = facts.oldest_at.filter(|_| facts.received > 0).map(|oldest| now - oldest);
    if let Some(waits) = waits.filter(|waits| *waits > SLOW_INTAKE) {
        let health = if waits > STUCK_INTAKE { Health::Failing } else { Health::Degraded };
        let told = counted_i64(facts.received, "delivery", "deliveries");
        return Verdict::bad(
            health,
            format!("{told} not acted on, the oldest for {}.", span(waits)),
            "The server's log says what intake stumbles over; each is kept until it was acted on.",
        );
    }
    if facts.failed > 0 {
        let told = counted_i64(facts.failed, "delivery", "deliveries");
        return Verdict::bad(
            Health::Degraded,
            format!("{told} failed within a day."),
            "Each says why in the list below. Mend that, then replay it.",
        );
    }
    match facts.newest_at {
        Some(newest) => Verdict::ok(format!("All acted on; the last came {} ago.", span(now - newest))),
        None => Verdict {
            health: Health::Off,
            reason: "GitHub has not sent anything yet.".to_owned(),
            remedy: Some(
                "If it should have: the webhook's address is this server's, with /webhooks/github, \
                 and its secret is the server's."
                    .to_owned(),
            ),
        },
    }
}

/// How telling GitHub fares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutboxFacts {
    pub pending: i64,
    /// Of those: tried, without success.
    pub troubled: i64,
    pub troubled_since: Option<DateTime<Utc>>,
    /// Given up within a day.
    pub rejected: i64,
}

pub fn outbox(facts: OutboxFacts, now: DateTime<Utc>) -> Verdict {
    let told = |count| counted_i64(count, "thing", "things");
    if facts.troubled > 0 {
        let since = facts.troubled_since.map(|since| now - since).unwrap_or_default();
        let health = if since > LONG_UNTOLD { Health::Failing } else { Health::Degraded };
        return Verdict::bad(
            health,
            format!("{} could not be told, for {}.", told(facts.troubled), span(since)),
            "The errors below say why. They are tried again by themselves, ever more seldom; once \
             GitHub can be reached, \u{201c}Try now\u{201d} does not wait for that.",
        );
    }
    if facts.rejected > 0 {
        return Verdict::bad(
            Health::Degraded,
            format!("GitHub refused {} within a day, for good.", told(facts.rejected)),
            "The errors below say why: most often a right that the GitHub App lacks, or a commit \
             that is gone.",
        );
    }
    if facts.pending > 0 {
        return Verdict::ok(format!("{} on the way.", told(facts.pending)));
    }
    Verdict::ok("GitHub knows everything.")
}

/// Comments that ask for something, and cannot be acted upon.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommentFacts<'a> {
    pub troubled: usize,
    pub oldest_at: DateTime<Utc>,
    /// Why the oldest one cannot.
    pub why: &'a str,
}

pub fn comments(facts: &CommentFacts<'_>, now: DateTime<Utc>) -> Verdict {
    let waits = now - facts.oldest_at;
    let health = if waits > LONG_UNTOLD { Health::Failing } else { Health::Degraded };
    Verdict::bad(
        health,
        format!(
            "{} on pull requests cannot be acted upon, for {}: {}.",
            counted(facts.troubled, "comment"),
            span(waits),
            facts.why.trim_end_matches('.')
        ),
        "What somebody may is asked of GitHub. It is tried again by itself, ever more seldom, for a \
         day.",
    )
}

/// How reconciling fares, over all its parts and apps.
pub fn reconcile(worst: Option<Health>, troubled: usize) -> Verdict {
    match worst {
        None => Verdict {
            health: Health::Off,
            reason: "Nothing was looked at yet.".to_owned(),
            remedy: None,
        },
        Some(Health::Ok) => Verdict::ok("What is here is what GitHub has."),
        Some(Health::Off) => Verdict {
            health: Health::Off,
            reason: "A part of it is not done.".to_owned(),
            remedy: Some("Its reason stands below.".to_owned()),
        },
        Some(health @ (Health::Degraded | Health::Failing)) => Verdict::bad(
            health,
            format!("{} at GitHub did not succeed.", counted(troubled, "look")),
            "Each says why below. Until it succeeds a lost webhook may go unnoticed.",
        ),
    }
}

/// Stacks that no stage knows.
pub fn orphans(found: usize, kept: usize) -> Verdict {
    if kept > 0 {
        return Verdict::bad(
            Health::Degraded,
            format!("{} could not be removed.", counted(kept, "stack")),
            "Each says below what keeps it.",
        );
    }
    match found {
        0 => Verdict::ok("Every stack with our tags belongs to a stage."),
        found => Verdict {
            health: Health::Ok,
            reason: format!("{} with our tags belong to no stage.", counted(found, "stack")),
            remedy: Some("Look at each below; none is removed by itself.".to_owned()),
        },
    }
}

/// The database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DatabaseHealthFacts {
    pub schema: i64,
    pub known: i64,
    pub connections: i64,
    pub most_connections: i64,
}

pub fn database(facts: DatabaseHealthFacts) -> Verdict {
    if facts.schema != facts.known {
        return Verdict::bad(
            Health::Failing,
            format!("Its schema is {}, this server knows {}.", facts.schema, facts.known),
            "Run the program that made it, or greenroom migrate with a newer one.",
        );
    }
    // what is left is for whoever mends it by hand
    if facts.connections.saturating_mul(10) >= facts.most_connections.saturating_mul(9) {
        return Verdict::bad(
            Health::Degraded,
            format!(
                "{} of its {} connections are taken.",
                facts.connections, facts.most_connections
            ),
            "Raise PostgreSQL's max_connections, or see who else uses it.",
        );
    }
    Verdict::ok(format!(
        "It answers, with schema {}; {} of {} connections taken.",
        facts.schema, facts.connections, facts.most_connections
    ))
}

fn jobs(count: i64) -> String {
    counted_i64(count, "job", "jobs")
}

fn counted(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn counted_i64(count: i64, one: &str, several: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {several}") }
}

fn listed(names: &[&str]) -> String {
    match names {
        [] => String::new(),
        [only] => (*only).to_owned(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// A length of time in one unit.
fn span(time: TimeDelta) -> String {
    match time.num_seconds().max(0) {
        seconds @ 0..=119 => format!("{seconds} s"),
        seconds @ 120..=7199 => format!("{} min", seconds / 60),
        seconds @ 7200..=172_799 => format!("{} h", seconds / 3600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests;
