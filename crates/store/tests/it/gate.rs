//! Questions and answers, freezes, the time of the next look, and what was done by whom.

use chrono::TimeDelta;
use model::app::Settings;
use model::approval::{ApprovalState, Ask, Asked};
use model::freeze::Frozen;
use model::job::{JobEvent, JobKind, JobState};
use model::permission::Role;
use model::{AppId, BuildId};
use serde_json::json;
use sqlx::{PgConnection, PgPool};
use store::app::App;
use store::approval::{self, Answer};
use store::audit::{self, About, Deed, Entry, Filter, Via};
use store::gate::{self, Gates};
use store::{build, freeze, job};

use crate::support::{at, claim, id, instance, new_build, region, settle, sha, world};

fn ask(artifact: &str) -> Ask {
    let asked = Asked {
        service: "restapi".parse().unwrap(),
        region: region("us-east-1"),
        artifact: Some(artifact.into()),
        change: Vec::new(),
        findings: Vec::new(),
    };
    Ask::new(sha('a'), vec![asked])
}

const APPROVED: Answer<'_> =
    Answer { state: ApprovalState::Approved, by: Some("ann"), reason: None };

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_build_has_one_open_question_which_is_answered_once(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, _, build) = world(&mut conn).await;
    let first = id();
    approval::ask(&mut conn, first, build, &ask("1"), Some(at(100)), at(1)).await.unwrap();
    let second = approval::ask(&mut conn, id(), build, &ask("2"), None, at(2)).await;
    assert_eq!(second.unwrap_err().constraint(), Some("approval_one_waiting"));

    approval::answer(&mut conn, first, APPROVED, at(3)).await.unwrap();
    assert!(approval::answer(&mut conn, first, APPROVED, at(4)).await.is_err());
    approval::override_freeze(&mut conn, first, "root", at(4)).await.unwrap();
    approval::ask(&mut conn, id(), build, &ask("2"), None, at(5)).await.unwrap();
    let kept = approval::of_build(&mut conn, build).await.unwrap();
    let states: Vec<_> = kept.iter().map(|kept| kept.approval.state).collect();
    assert_eq!(states, [ApprovalState::Approved, ApprovalState::Waiting]);
    let given = &kept[0].approval;
    assert_eq!((given.decided_by.as_deref(), given.decided_at), (Some("ann"), Some(at(3))));
    assert_eq!(given.bound_to, ask("1").bound_to());
    assert_eq!(given.overridden.as_ref().unwrap().at, at(4));
    assert!(approval::override_freeze(&mut conn, kept[1].id, "root", at(6)).await.is_err());

    approval::end(&mut conn, first, ApprovalState::Void, "a newer push").await.unwrap();
    assert!(approval::end(&mut conn, first, ApprovalState::Expired, "late").await.is_err());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_freeze_marks_the_builds_of_its_stage(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, stage, build) = world(&mut conn).await;
    settle(&mut conn).await;
    let frozen =
        |until| Frozen { reason: "an incident".into(), by: "ann".into(), since: at(1), until };
    freeze::put(&mut conn, stage, &frozen(None)).await.unwrap();
    assert_eq!(settle(&mut conn).await, [build]);
    freeze::put(&mut conn, stage, &frozen(Some(at(9)))).await.unwrap();
    assert_eq!(freeze::of(&mut conn, stage).await.unwrap(), Some(frozen(Some(at(9)))));
    assert_eq!(freeze::among(&mut conn, &[stage]).await.unwrap().len(), 1);
    settle(&mut conn).await;
    assert!(freeze::end(&mut conn, stage).await.unwrap());
    assert_eq!(settle(&mut conn).await, [build]);
    assert!(!freeze::end(&mut conn, stage).await.unwrap());
    assert_eq!(freeze::of(&mut conn, stage).await.unwrap(), None);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_build_is_looked_at_when_its_time_has_come(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (app, stage, build) = world(&mut conn).await;
    settle(&mut conn).await;
    build::set_standing(&mut conn, build, true, Some(at(50))).await.unwrap();
    assert_eq!(build::get(&mut conn, build).await.unwrap().state, build::BuildState::Waiting);
    build::mark_waiting(&mut conn, stage).await.unwrap();
    assert_eq!(settle(&mut conn).await, [build]);
    assert_eq!(build::mark_due(&mut conn, at(49), 10).await.unwrap(), 0);
    assert_eq!(build::mark_due(&mut conn, at(50), 10).await.unwrap(), 1);
    assert_eq!(settle(&mut conn).await, [build]);
    assert_eq!(build::mark_due(&mut conn, at(99), 10).await.unwrap(), 0, "once");

    build::mark_app(&mut conn, app).await.unwrap();
    assert_eq!(settle(&mut conn).await, [build]);
    build::set_standing(&mut conn, build, false, Some(at(60))).await.unwrap();
    let outcome = model::build::BuildOutcome::Canceled;
    build::finish(&mut conn, build, outcome, Some("done"), at(55)).await.unwrap();
    build::set_standing(&mut conn, build, true, Some(at(70))).await.unwrap();
    assert_eq!(build::mark_due(&mut conn, at(99), 10).await.unwrap(), 0, "it has ended");
    assert_eq!(build::get(&mut conn, build).await.unwrap().state, build::BuildState::Finished);
}

/// An app whose stage `prod` has an approver, and a build of it with a deploy that waits.
async fn guarded(conn: &mut PgConnection) -> (App, BuildId) {
    let mut shown =
        serde_json::to_value(crate::support::settings("workshop", "acme/workshop")).unwrap();
    shown["stages"] = json!({ "prod": { "profile": "development", "approvers": ["ann"] } });
    let settings: Settings = serde_json::from_value(shown).unwrap();
    let app = store::app::put(conn, AppId(id()), &settings, at(0)).await.unwrap();
    let stage = crate::support::stage(conn, app, "prod").await;
    let build = crate::support::build(conn, app, stage).await;
    let place = instance(conn, stage, "restapi").await;
    let held = deploy(conn, build, place).await;
    job::transition(conn, held, &JobEvent::Held, at(1)).await.unwrap();
    (store::app::get(conn, app).await.unwrap(), build)
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_question_is_answered_as_it_stands_or_says_why_it_cannot_be(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (app, build) = guarded(&mut conn).await;
    let commit = sha('a');
    let found = build::deploying(&mut conn, app.id, &commit).await.unwrap();
    assert_eq!(found.iter().map(|build| build.id).collect::<Vec<_>>(), [build]);
    assert!(build::deploying(&mut conn, app.id, &sha('b')).await.unwrap().is_empty());
    let look = async |conn: &mut PgConnection, now: i64| {
        let build = build::get(conn, build).await.unwrap();
        let jobs = job::list(conn, build.id).await.unwrap();
        let gates = Gates::load(conn, &app, &build, at(now)).await.unwrap().unwrap();
        (build, jobs, gates)
    };
    let refusal = async |conn: &mut PgConnection, now: i64| {
        let (build, jobs, gates) = look(conn, now).await;
        gate::question(&build, &gates, &jobs, false, at(now)).unwrap_err().to_string()
    };
    let said = refusal(&mut conn, 2).await;
    assert!(said.contains("is not packaged as a whole yet"), "{said}");

    let (_, jobs, gates) = look(&mut conn, 2).await;
    let asked = gates.ask(&jobs).unwrap();
    let question = id();
    approval::ask(&mut conn, question, build, &asked, Some(at(100)), at(3)).await.unwrap();
    let said = refusal(&mut conn, 100).await;
    assert!(said.contains("start a new build to ask again"), "{said}");
    let (row, jobs, gates) = look(&mut conn, 4).await;
    let kept = gate::question(&row, &gates, &jobs, false, at(4)).unwrap();
    assert_eq!(kept.id, question);
    gate::approve(&mut conn, &gates, kept, "ann", at(4)).await.unwrap();
    let given = approval::of_build(&mut conn, build).await.unwrap().remove(0).approval;
    assert_eq!((given.state, given.decided_by.as_deref()), (ApprovalState::Approved, Some("ann")));
    assert_eq!(given.expires_at, gates.expiry());
    let said = refusal(&mut conn, 5).await;
    assert!(said.contains("is approved already, by ann"), "{said}");
    let (row, jobs, gates) = look(&mut conn, 5).await;
    let again = gate::question(&row, &gates, &jobs, true, at(5)).unwrap();
    gate::approve(&mut conn, &gates, again, "bob", at(5)).await.unwrap();
    let given = approval::of_build(&mut conn, build).await.unwrap().remove(0).approval;
    assert_eq!(given.decided_by.as_deref(), Some("ann"), "it was given once");

    build::request_cancel(&mut conn, build, "no more", at(6)).await.unwrap();
    let said = refusal(&mut conn, 7).await;
    assert!(said.contains("has ended (no more): its approval is void"), "{said}");
}

async fn deploy(conn: &mut PgConnection, build: BuildId, at_: model::InstanceId) -> model::JobId {
    crate::support::job(conn, build, JobKind::Deploy, Some(at_)).await
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_waits_for_people_stands_in_the_way_of_no_newer_change(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (app, stage, old) = world(&mut conn).await;
    let place = instance(&mut conn, stage, "restapi").await;
    let held = deploy(&mut conn, old, place).await;
    let newer = new_build(&mut conn, app, stage).await;
    build::insert(&mut conn, &newer).await.unwrap();
    let change = deploy(&mut conn, newer.id, place).await;
    let state = job::transition(&mut conn, held, &JobEvent::Held, at(1)).await.unwrap();
    assert_eq!(state, JobState::Waiting);
    assert_eq!(claim(&mut conn).await.unwrap().id, change);
    assert!(claim(&mut conn).await.is_none());

    // two changes of it never run at once all the same
    job::transition(&mut conn, held, &JobEvent::Opened, at(2)).await.unwrap();
    assert!(claim(&mut conn).await.is_none());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_was_done_is_read_newest_first_and_by_app(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let entry = |seconds, app: Option<&str>, deed| Entry {
        at: at(0) + TimeDelta::seconds(seconds),
        who: "ann".into(),
        role: Some(Role::Deployer),
        via: Via::Api,
        from: Some("192.0.2.7".parse().unwrap()),
        deed,
        app: app.map(|app| app.parse().unwrap()),
        stage: Some("prod".parse().unwrap()),
        build: Some(7),
        detail: json!({ "reason": "why not" }),
    };
    let entries = [
        entry(1, Some("workshop"), Deed::Approve),
        entry(2, None, Deed::RemoveOrphan),
        entry(3, Some("workshop"), Deed::OverrideFreeze),
    ];
    for entry in &entries {
        audit::record(&mut conn, id(), entry).await.unwrap();
    }
    let filter = Filter { limit: 2, ..Filter::default() };
    let page = audit::list(&mut conn, &filter).await.unwrap();
    assert_eq!(page[0].entry, entries[2]);
    let filter = Filter { before: Some(page[1].id), ..filter };
    let rest = audit::list(&mut conn, &filter).await.unwrap();
    assert_eq!(rest.iter().map(|kept| kept.entry.clone()).collect::<Vec<_>>(), entries[..1]);
    let about = About::Apps(vec!["workshop".parse().unwrap()]);
    let of_app = audit::list(&mut conn, &Filter { about, before: None, limit: 9 }).await.unwrap();
    assert_eq!(of_app.len(), 2);
}
