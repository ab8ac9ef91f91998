//! Previews: how many, under which names, until when, and what is due of them.

use model::app::Settings;
use model::build::{BuildEvent, Purpose};
use model::comment::command::Span;
use model::job::JobKind;
use model::rule::Preview;
use model::stage::{Expiry, StageKind, StageState};
use model::worker_api::RemoveHow;
use sqlx::{PgConnection, PgPool};
use store::app::App;
use store::build;
use store::order::{self, Moment, Place, PreviewWanted, RemovalWanted};
use store::pull_request::{self, Heard, PullRequestState};
use store::stage::{self, Stage};
use store::{Error, instance, job};

use crate::support::{self, at, id, instance as an_instance, new_stage, sha};

const DAY: i64 = 24 * 60 * 60;

fn moment(seconds: i64) -> Moment<'static> {
    Moment { now: at(seconds), ids: &id }
}

/// An app with these rules and this limit.
async fn app(conn: &mut PgConnection, rules: serde_json::Value, limit: Option<u16>) -> App {
    let mut shown = serde_json::to_value(support::settings("workshop", "acme/workshop")).unwrap();
    shown["stages"] = serde_json::json!({ "staging": { "profile": "development" } });
    shown["rules"] = rules;
    shown["preview_limit"] = serde_json::json!(limit);
    let settings: Settings = serde_json::from_value(shown).unwrap();
    let id = store::app::put(conn, model::AppId(id()), &settings, at(0)).await.unwrap();
    store::app::get(conn, id).await.unwrap()
}

fn weekly() -> serde_json::Value {
    serde_json::json!([{ "preview": { "base": ["master"], "expires_after": "7d" } }])
}

/// A build that a person starts in the stage.
async fn built(conn: &mut PgConnection, app: &App, stage: &Stage, seconds: i64) {
    let order = order::Order {
        app,
        event: BuildEvent::Manual,
        purpose: Purpose::Deploy,
        stage: Some(stage.id),
        source: model::build::Source {
            commit: sha('a'),
            branch: stage.branch.clone(),
            tag: None,
            pull_request: stage.pull_request,
            title: "by hand".into(),
            author: "ann".into(),
        },
        forced: false,
        services: None,
        preview_deploy: model::app::PreviewDeploy::default(),
        delivery: None,
    };
    order::build(conn, order, moment(seconds)).await.unwrap();
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_preview_that_somebody_wants_for_longer_is_kept_until_then_whoever_pushes_meanwhile(
    pool: PgPool,
) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn, weekly(), None).await;
    let preview = support::preview(&mut conn, &app, "x", Some(7), moment(0)).await;
    built(&mut conn, &app, &preview, 0).await;
    let preview = stage::get(&mut conn, preview.id).await.unwrap();
    let marked = support::settle(&mut conn).await;
    let whole = order::extend(&mut conn, &app, &preview, Span::WholeTime, at(DAY)).await.unwrap();
    assert_eq!(whole.expires_at, Some(at(8 * DAY)));
    assert_eq!(support::settle(&mut conn).await, marked, "what GitHub shows is found anew");
    let longer = order::extend(&mut conn, &app, &whole, Span::Days(30), at(DAY)).await.unwrap();
    assert_eq!(longer.expires_at, Some(at(31 * DAY)));
    // a shorter wish and a push take nothing of it, nor does another look at the settings
    let shorter = order::extend(&mut conn, &app, &longer, Span::Days(2), at(DAY)).await.unwrap();
    assert_eq!(shorter.expires_at, Some(at(31 * DAY)));
    built(&mut conn, &app, &preview, 2 * DAY).await;
    order::reschedule(&mut conn, &app).await.unwrap();
    let row = stage::get(&mut conn, preview.id).await.unwrap();
    assert_eq!((row.expires_at, row.kept_until), (Some(at(31 * DAY)), Some(at(31 * DAY))));
    assert_eq!(stage::take_due(&mut conn, at(30 * DAY - 1)).await.unwrap(), None);
    built(&mut conn, &app, &preview, 30 * DAY).await;
    let row = stage::get(&mut conn, preview.id).await.unwrap();
    assert_eq!(row.expires_at, Some(at(37 * DAY)));

    stage::set_state(&mut conn, preview.id, StageState::Removing, at(31 * DAY)).await.unwrap();
    let removing = stage::get(&mut conn, preview.id).await.unwrap();
    let refused = order::extend(&mut conn, &app, &removing, Span::WholeTime, at(31 * DAY)).await;
    assert!(refused.unwrap_err().to_string().contains("is being removed: push to its branch"));
    assert!(order::removable(&row).is_ok());
    let refused = order::removable(&removing).unwrap_err().to_string();
    assert!(refused.contains("is being removed already"), "{refused}");
    let lasting = new_stage(app.id, "staging", StageKind::LongLived);
    stage::insert(&mut conn, &lasting).await.unwrap();
    assert!(stage::keep_until(&mut conn, lasting.id, at(0)).await.is_err(), "it is no preview");
    let lasting = stage::get(&mut conn, lasting.id).await.unwrap();
    let refused = order::removable(&lasting).unwrap_err().to_string();
    assert!(refused.contains("is a long-lived stage of the settings"), "{refused}");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_preview_lives_from_its_last_use_and_is_due_first_for_a_warning_then_for_its_end(
    pool: PgPool,
) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn, weekly(), None).await;
    let preview = support::preview(&mut conn, &app, "x", Some(7), moment(0)).await;
    assert_eq!(preview.base.as_ref().map(AsRef::as_ref), Some("master"));
    built(&mut conn, &app, &preview, 0).await;
    let row = stage::get(&mut conn, preview.id).await.unwrap();
    assert_eq!((row.active_at, row.expires_at), (at(0), Some(at(7 * DAY))));
    // a build by hand is a use
    built(&mut conn, &app, &preview, DAY).await;
    let row = stage::get(&mut conn, preview.id).await.unwrap();
    assert_eq!((row.active_at, row.expires_at), (at(DAY), Some(at(8 * DAY))));

    assert_eq!(stage::take_due(&mut conn, at(7 * DAY - 1)).await.unwrap(), None);
    let due = stage::take_due(&mut conn, at(7 * DAY)).await.unwrap().unwrap();
    assert_eq!((due.id, due.warned_at), (preview.id, None));
    stage::warned(&mut conn, preview.id, at(7 * DAY)).await.unwrap();
    assert_eq!(stage::take_due(&mut conn, at(8 * DAY - 1)).await.unwrap(), None);
    let due = stage::take_due(&mut conn, at(8 * DAY)).await.unwrap().unwrap();
    assert_eq!((due.warned_at, due.expires_at), (Some(at(7 * DAY)), Some(at(8 * DAY))));

    // somebody needs it after all
    order::use_stage(&mut conn, &app, preview.id, at(8 * DAY)).await.unwrap();
    let row = stage::get(&mut conn, preview.id).await.unwrap();
    assert_eq!((row.warned_at, row.expires_at), (None, Some(at(15 * DAY))));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_warning_that_comes_late_puts_the_end_off(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn, weekly(), None).await;
    let preview = support::preview(&mut conn, &app, "x", Some(7), moment(0)).await;
    order::use_stage(&mut conn, &app, preview.id, at(0)).await.unwrap();
    stage::warned(&mut conn, preview.id, at(30 * DAY)).await.unwrap();
    let row = stage::get(&mut conn, preview.id).await.unwrap();
    assert_eq!(row.expires_at, Some(at(31 * DAY)), "a day is what was promised");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_rule_that_changes_moves_the_end_of_the_previews_that_stand(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let before = app(&mut conn, weekly(), None).await;
    let preview = support::preview(&mut conn, &before, "x", Some(7), moment(0)).await;
    order::use_stage(&mut conn, &before, preview.id, at(0)).await.unwrap();
    stage::warned(&mut conn, preview.id, at(6 * DAY)).await.unwrap();
    order::reschedule(&mut conn, &before).await.unwrap();
    let row = stage::get(&mut conn, preview.id).await.unwrap();
    assert_eq!(row.warned_at, Some(at(6 * DAY)), "the same end is not said twice");

    let longer = serde_json::json!([{ "preview": { "base": ["master"], "expires_after": "9d" } }]);
    let after = app(&mut conn, longer, None).await;
    order::reschedule(&mut conn, &after).await.unwrap();
    let row = stage::get(&mut conn, preview.id).await.unwrap();
    assert_eq!((row.warned_at, row.expires_at), (None, Some(at(9 * DAY))));
    let never = app(&mut conn, serde_json::json!([{ "preview": { "base": ["master"] } }]), None);
    let never = never.await;
    order::reschedule(&mut conn, &never).await.unwrap();
    let row = stage::get(&mut conn, preview.id).await.unwrap();
    assert_eq!((row.active_at, row.expires_at), (at(0), None));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn nothing_gives_a_long_lived_stage_an_end(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn, weekly(), None).await;
    let name = "staging".parse().unwrap();
    let staging = order::long_lived(&mut conn, &app, &name, moment(0)).await.unwrap();
    built(&mut conn, &app, &staging, DAY).await;
    order::use_stage(&mut conn, &app, staging.id, at(DAY)).await.unwrap();
    let expiry = Some(Expiry { warn_at: at(1), expires_at: at(2) });
    stage::used(&mut conn, staging.id, expiry, at(1)).await.unwrap();
    stage::reschedule(&mut conn, staging.id, expiry).await.unwrap();
    assert_eq!(stage::take_due(&mut conn, at(1000 * DAY)).await.unwrap(), None);
    // nor does the database take one from elsewhere
    for wrong in [
        "update stage set expires_at = now(), warn_at = now()",
        "update stage set state = 'remove_failed', retry_at = now()",
    ] {
        let refused = sqlx::query(wrong).execute(&mut *conn).await;
        assert!(refused.is_err(), "{wrong}");
    }
    for event in [
        BuildEvent::Push,
        BuildEvent::Tag,
        BuildEvent::PullRequest,
        BuildEvent::BranchDeleted,
        BuildEvent::PullRequestClosed,
        BuildEvent::Schedule,
    ] {
        let wanted = RemovalWanted::by(event, "guid");
        let refused = order::removal(&mut conn, &app, &staging, wanted, moment(2)).await;
        assert!(matches!(refused, Err(Error::NotAllowed(_))), "{event:?}: {refused:?}");
    }
    assert_eq!(stage::get(&mut conn, staging.id).await.unwrap().state, StageState::Active);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_removal_that_fails_is_due_again_and_begins_anew_when_somebody_asks(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn, weekly(), None).await;
    let preview = support::preview(&mut conn, &app, "x", Some(7), moment(0)).await;
    built(&mut conn, &app, &preview, 0).await;
    let standing = an_instance(&mut conn, preview.id, "restapi").await;
    instance::failed(&mut conn, standing, "half of it is there", at(1)).await.unwrap();

    let forced = RemovalWanted::by_hand(RemoveHow::Forced);
    let removal = order::removal(&mut conn, &app, &preview, forced, moment(2)).await.unwrap();
    let order::Removal::Ordered(removal) = removal else { panic!("{removal:?}") };
    let jobs = job::list(&mut conn, removal.id).await.unwrap();
    assert_eq!(jobs[0].kind, JobKind::Remove);
    assert!(
        matches!(&jobs[0].work, Some(job::Work::Removal { how: RemoveHow::Forced, .. })),
        "{:?}",
        jobs[0].work
    );
    assert_eq!(order::doomed(&mut conn, preview.id).await.unwrap(), [standing].into());
    let why = "restapi in us-east-1: the bucket is full";
    stage::remove_failed(&mut conn, preview.id, why, Some(at(60))).await.unwrap();
    assert_eq!(stage::take_due(&mut conn, at(59)).await.unwrap(), None);
    let due = stage::take_due(&mut conn, at(60)).await.unwrap().unwrap();
    assert_eq!((due.remove_failures, due.left_over.as_deref()), (1, Some(why)));

    let again = RemovalWanted {
        event: BuildEvent::Schedule,
        delivery: None,
        how: due.remove_how,
        title: Some("Remove x again"),
    };
    let removal = order::removal(&mut conn, &app, &due, again, moment(61)).await.unwrap();
    let order::Removal::Ordered(removal) = removal else { panic!("{removal:?}") };
    assert_eq!(removal.source.title, "Remove x again");
    let row = stage::get(&mut conn, preview.id).await.unwrap();
    assert_eq!((row.state, row.remove_failures, row.retry_at), (StageState::Removing, 1, None));
    assert_eq!(row.remove_how, RemoveHow::Forced, "as far as the person wanted it to go");

    stage::remove_failed(&mut conn, preview.id, why, None).await.unwrap();
    assert_eq!(stage::take_due(&mut conn, at(100 * DAY)).await.unwrap(), None);
    let row = stage::get(&mut conn, preview.id).await.unwrap();
    let by_hand = RemovalWanted::by_hand(RemoveHow::Careful);
    order::removal(&mut conn, &app, &row, by_hand, moment(70)).await.unwrap();
    assert_eq!(stage::get(&mut conn, preview.id).await.unwrap().remove_failures, 0);
    // a push forgets all of it
    stage::remove_failed(&mut conn, preview.id, why, Some(at(80))).await.unwrap();
    let back = support::preview(&mut conn, &app, "x", Some(7), moment(75)).await;
    assert_eq!((back.id, back.state, back.left_over), (preview.id, StageState::Active, None));
    assert_eq!((back.remove_failures, back.retry_at), (0, None));
}

fn heard(number: i64, branch: &str) -> Heard {
    Heard {
        number,
        branch: branch.parse().unwrap(),
        base: "master".parse().unwrap(),
        commit: sha('a'),
        title: "Say hello".into(),
        author: "ann".into(),
        draft: false,
        state: PullRequestState::Open,
        changed_at: at(1),
    }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_app_has_no_more_previews_than_it_may_and_those_it_has_stay(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn, weekly(), Some(1)).await;
    let first = support::preview(&mut conn, &app, "one", None, moment(0)).await;
    pull_request::note(&mut conn, app.id, &heard(8, "two")).await.unwrap();
    let preview = Preview::OfBranch("two".parse().unwrap());
    let base = "master".parse().unwrap();
    let wanted = PreviewWanted { preview: &preview, base: &base, pull_request: Some(8) };
    let full = order::preview(&mut conn, &app, wanted, moment(1)).await.unwrap();
    assert!(matches!(full, Place::Full(limit) if limit.get() == 1), "{full:?}");
    let waiting = pull_request::first_waiting(&mut conn, app.id).await.unwrap().unwrap();
    assert_eq!((waiting.number, waiting.waiting_since), (8, Some(at(1))));
    // the one that stands is found again whatever the limit says
    let again = support::preview(&mut conn, &app, "one", None, moment(2)).await;
    assert_eq!(again.id, first.id);
    // one that is being removed takes up its place until it is gone
    stage::set_state(&mut conn, first.id, StageState::Removing, at(3)).await.unwrap();
    assert!(order::full(&mut conn, &app).await.unwrap().is_some());
    stage::set_state(&mut conn, first.id, StageState::Closed, at(4)).await.unwrap();
    let place = order::preview(&mut conn, &app, wanted, moment(5)).await.unwrap();
    let Place::Taken(second) = place else { panic!("{place:?}") };
    assert_eq!(pull_request::first_waiting(&mut conn, app.id).await.unwrap(), None);
    let shown = pull_request::shown_in(&mut conn, second.id).await.unwrap();
    assert_eq!(shown.iter().map(|one| one.number).collect::<Vec<_>>(), [8]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_shared_preview_has_the_name_of_its_rule_and_no_branch_gets_it(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let rules = serde_json::json!([
        { "preview": { "base": ["master"], "stage_name": { "fixed": "review" } } },
    ]);
    let app = app(&mut conn, rules, None).await;
    let own = support::preview(&mut conn, &app, "review", None, moment(0)).await;
    assert!(own.name.as_str().starts_with("review-"), "{}", own.name);
    let preview = Preview::Shared("review".parse().unwrap());
    let base = "master".parse().unwrap();
    pull_request::note(&mut conn, app.id, &heard(7, "one")).await.unwrap();
    let wanted = PreviewWanted { preview: &preview, base: &base, pull_request: Some(7) };
    let Place::Taken(shared) = order::preview(&mut conn, &app, wanted, moment(1)).await.unwrap()
    else {
        panic!("there is no limit")
    };
    assert_eq!((shared.name.as_str(), &shared.branch), ("review", &None));
    assert_eq!(shared.preview(), Some(preview.clone()));
    let branch = "one".parse().unwrap();
    let found = order::preview_for(&mut conn, &app, &branch).await.unwrap().unwrap();
    assert_eq!(found.id, shared.id, "a branch is shown where its pull request is");
    let found = stage::find_shown(&mut conn, app.id, &preview).await.unwrap().unwrap();
    assert_eq!(found.id, shared.id);

    // somebody's stage of that name is nobody else's
    stage::set_state(&mut conn, shared.id, StageState::Closed, at(2)).await.unwrap();
    stage::insert(&mut conn, &new_stage(app.id, "Review", StageKind::Personal)).await.unwrap();
    let refused = order::preview(&mut conn, &app, wanted, moment(3)).await;
    assert!(
        matches!(&refused, Err(Error::NotAllowed(why)) if why.contains("personal")),
        "{refused:?}"
    );
    assert_eq!(stage::find_shown(&mut conn, app.id, &preview).await.unwrap(), None);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_rule_never_builds_into_a_preview_that_has_the_name_of_its_stage(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn, weekly(), None).await;
    stage::insert(&mut conn, &new_stage(app.id, "staging", StageKind::Preview)).await.unwrap();
    let name = "staging".parse().unwrap();
    let refused = order::long_lived(&mut conn, &app, &name, moment(1)).await;
    assert!(
        matches!(&refused, Err(Error::NotAllowed(why)) if why.contains("preview")),
        "{refused:?}"
    );
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_newer_build_of_a_pull_request_supersedes_its_tests(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn, weekly(), None).await;
    let preview = support::preview(&mut conn, &app, "x", Some(7), moment(0)).await;
    let tests = |pull_request: i64| order::Order {
        app: &app,
        event: BuildEvent::PullRequest,
        purpose: Purpose::Test,
        stage: None,
        source: model::build::Source {
            commit: sha('a'),
            branch: None,
            tag: None,
            pull_request: Some(pull_request),
            title: "tests".into(),
            author: "ann".into(),
        },
        forced: false,
        services: None,
        preview_deploy: model::app::PreviewDeploy::default(),
        delivery: None,
    };
    let other = order::build(&mut conn, tests(8), moment(1)).await.unwrap();
    let first = order::build(&mut conn, tests(7), moment(1)).await.unwrap();
    build::explain(&mut conn, first.id, "there is no place").await.unwrap();
    let second = order::build(&mut conn, tests(7), moment(2)).await.unwrap();
    let superseded =
        async |conn: &mut PgConnection, id| build::get(conn, id).await.unwrap().superseded_by;
    assert_eq!(superseded(&mut conn, first.id).await, Some(second.number));
    built(&mut conn, &app, &preview, 3).await;
    let deploy = build::latest_on(&mut conn, preview.id).await.unwrap().unwrap();
    assert_eq!(superseded(&mut conn, second.id).await, Some(deploy.number));
    assert_eq!(superseded(&mut conn, other.id).await, None);
    // a reason that was given from the beginning stays when the build ends well
    let outcome = model::build::BuildOutcome::Succeeded;
    build::finish(&mut conn, first.id, outcome, None, at(4)).await.unwrap();
    let ended = build::get(&mut conn, first.id).await.unwrap();
    assert_eq!(ended.reason.as_deref(), Some("there is no place"));
}
