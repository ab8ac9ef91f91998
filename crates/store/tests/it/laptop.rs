//! Stages of people's own, and the commands that run there: whose, until when, and what they leave.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use model::deployment::InstanceState;
use model::personal::{Owner, Source, Use};
use model::pipeline::Service;
use model::stage::{Expiry, StageKind, StageState};
use model::worker_api::RemoveHow;
use model::{InstanceId, LaptopSessionId, PersonId};
use sqlx::{PgConnection, PgPool};
use store::app::App;
use store::order::{self, Moment, Removal, RemovalWanted};
use store::personal::{NewSession, Standing};
use store::stage::Stage;
use store::{app, board, instance, orphan, person, personal, stage};

use crate::support::{self, at, id, region, service, sha};

fn moment(seconds: i64) -> Moment<'static> {
    Moment { now: at(seconds), ids: &id }
}

fn ann() -> Owner {
    Owner { person: None, name: "ann".into() }
}

fn source() -> Source {
    Source {
        commit: sha('b'),
        pushed: Some(sha('a')),
        branch: Some("mine".parse().unwrap()),
        dirty: true,
    }
}

/// An app whose unused personal stages live four days, and one of ann's.
async fn ground(conn: &mut PgConnection) -> (App, Stage) {
    let mut settings =
        serde_json::to_value(support::settings("workshop", "acme/workshop")).unwrap();
    settings["personal"] = serde_json::json!({ "expires_after": "4d" });
    let settings = serde_json::from_value(settings).unwrap();
    let id = app::put(conn, model::AppId(id()), &settings, at(0)).await.unwrap();
    let app = app::get(conn, id).await.unwrap();
    let name = "ann".parse().unwrap();
    let stage = order::personal(conn, &app, &name, &ann(), moment(0)).await.unwrap();
    order::use_personal(conn, &app, stage.id, at(0)).await.unwrap();
    (app, stage)
}

async fn begun(
    conn: &mut PgConnection,
    stage: &Stage,
    purpose: Use,
    seconds: i64,
) -> (LaptopSessionId, InstanceId) {
    let spec: Service = service("restapi");
    let place = region("us-east-1");
    let instance = personal::begun(conn, InstanceId(id()), stage.id, &place, &spec, at(seconds))
        .await
        .unwrap();
    let session = LaptopSessionId(id());
    let new = NewSession {
        id: session,
        stage: stage.id,
        owner: &ann(),
        service: &spec.name,
        region: &place,
        instance: Some(instance),
        purpose,
        command: "npx serverless deploy",
        source: &source(),
        machine: Some("laptop"),
        from_ip: Some("192.0.2.1".into()),
        parameters_digest: "digest",
        began_at: at(seconds),
        expires_at: at(seconds + 3600),
    };
    personal::insert(conn, &new).await.unwrap();
    (session, instance)
}

async fn state(conn: &mut PgConnection, id: InstanceId) -> (InstanceState, Option<String>) {
    let instance = instance::get(conn, id).await.unwrap();
    (instance.state, instance.reason)
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_personal_stage_has_its_owner_also_under_another_login(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (app, stage) = ground(&mut conn).await;
    assert_eq!(stage.kind, StageKind::Personal);
    let own = personal::of(&mut conn, stage.id).await.unwrap().unwrap();
    assert_eq!((own.owner(), own.used_at), (ann(), at(0)));
    assert_eq!(own.expires_at, Some(at(4 * 24 * 3600)));
    let taken = "ANN".parse().unwrap();
    let refused = order::personal(&mut conn, &app, &taken, &ann(), moment(1)).await.unwrap_err();
    assert_eq!(refused.constraint(), Some("stage_name_key"));

    let login = "bob".parse().unwrap();
    let bob = person::signed_in(&mut conn, PersonId(id()), 7, &login, None, at(0)).await.unwrap();
    let owner = Owner { person: Some(bob.id), name: "bob".into() };
    let name = "bobs".parse().unwrap();
    let bobs = order::personal(&mut conn, &app, &name, &owner, moment(1)).await.unwrap();
    let renamed = "robert".parse().unwrap();
    person::signed_in(&mut conn, PersonId(id()), 7, &renamed, None, at(2)).await.unwrap();
    let all = personal::among(&mut conn, &[stage.id, bobs.id]).await.unwrap();
    assert_eq!((all.len(), all[&bobs.id].owner.as_str()), (2, "robert"));
    assert!(all[&bobs.id].owner().is(&owner), "the person is the same");
    let rows = board::rows(&mut conn, None).await.unwrap();
    let row = rows.iter().find(|row| row.stage_id == stage.id).unwrap();
    assert_eq!((row.owner.as_deref(), row.used_at), (Some("ann"), Some(at(0))));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_a_command_found_and_left_is_kept_of_its_service(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (app, stage) = ground(&mut conn).await;
    let (session, instance) = begun(&mut conn, &stage, Use::Exec, 10).await;
    assert_eq!(state(&mut conn, instance).await.0, InstanceState::Deploying);
    assert_eq!(instance::standing(&mut conn, stage.id).await.unwrap().len(), 1);
    let running = personal::running(&mut conn, stage.id, at(20)).await.unwrap();
    assert_eq!((running.len(), running[0].id), (1, session));
    personal::renewed(&mut conn, session, at(9000)).await.unwrap();
    let kept = personal::get(&mut conn, session).await.unwrap();
    assert_eq!((kept.source(), kept.owner(), kept.expires_at), (source(), ann(), at(9000)));

    let outputs: BTreeMap<String, String> = [("Url".to_owned(), "https://x".to_owned())].into();
    let (stacks, endpoints) = (["restapi-ann".to_owned()], ["https://x".to_owned()]);
    let deployed = Standing::Deployed {
        stacks: &stacks,
        commit: &sha('a'),
        outputs: &outputs,
        endpoints: &endpoints,
        parameters_digest: "digest",
    };
    personal::settled(&mut conn, instance, &deployed, at(30)).await.unwrap();
    personal::end(&mut conn, session, 0, at(30)).await.unwrap();
    personal::end(&mut conn, session, 9, at(31)).await.unwrap();
    let kept = personal::get(&mut conn, session).await.unwrap();
    assert_eq!((kept.exit_code, kept.ended_at), (Some(0), Some(at(30))), "the first word counts");
    let row = instance::get(&mut conn, instance).await.unwrap();
    assert_eq!((row.state, row.stacks.as_slice()), (InstanceState::Deployed, &stacks[..]));
    assert_eq!((row.commit, row.outputs), (Some(sha('a')), outputs));
    assert!(personal::running(&mut conn, stage.id, at(40)).await.unwrap().is_empty());

    // another one that comes to nothing good keeps what is known
    begun(&mut conn, &stage, Use::Exec, 50).await;
    assert_eq!(state(&mut conn, instance).await.0, InstanceState::Deployed, "it is there still");
    let failed = Standing::Failed { stacks: &[], reason: "no" };
    personal::settled(&mut conn, instance, &failed, at(60)).await.unwrap();
    assert_eq!(state(&mut conn, instance).await, (InstanceState::Failed, Some("no".into())));
    assert_eq!(instance::get(&mut conn, instance).await.unwrap().stacks, stacks);
    personal::settled(&mut conn, instance, &Standing::Gone, at(70)).await.unwrap();
    assert_eq!(state(&mut conn, instance).await.0, InstanceState::Removed);
    assert_eq!(personal::list(&mut conn, stage.id, 10).await.unwrap().len(), 2);
    let newest = personal::newest(&mut conn, stage.id).await.unwrap().unwrap();
    assert_eq!(newest.began_at, at(50));
    let name = "restapi".parse().unwrap();
    assert!(personal::known(&mut conn, app.id, &name).await.unwrap().is_some());
    assert!(personal::known(&mut conn, app.id, &"no".parse().unwrap()).await.unwrap().is_none());
    assert_eq!(personal::services(&mut conn, app.id).await.unwrap(), [name]);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_command_whose_end_is_never_told_leaves_a_service_to_look_at(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, stage) = ground(&mut conn).await;
    let (lost, instance) = begun(&mut conn, &stage, Use::Exec, 0).await;
    let (other, _) = begun(&mut conn, &stage, Use::Env, 100).await;
    assert_eq!(personal::forsaken(&mut conn, at(3599)).await.unwrap(), 0);
    assert_eq!(personal::forsaken(&mut conn, at(3600)).await.unwrap(), 1);
    let kept = personal::get(&mut conn, lost).await.unwrap();
    assert_eq!((kept.ended_at, kept.exit_code), (Some(at(3600)), None));
    assert_eq!(
        state(&mut conn, instance).await.0,
        InstanceState::Deploying,
        "another may work on it"
    );
    assert_eq!(personal::forsaken(&mut conn, at(3700)).await.unwrap(), 1);
    assert!(personal::get(&mut conn, other).await.unwrap().ended_at.is_some());
    let (now, reason) = state(&mut conn, instance).await;
    assert_eq!(now, InstanceState::Failed);
    assert!(reason.unwrap().contains("ann"));
    // told late, it counts all the same
    personal::end(&mut conn, lost, 0, at(4000)).await.unwrap();
    assert_eq!(personal::get(&mut conn, lost).await.unwrap().exit_code, Some(0));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_person_removes_what_they_deployed_from_what_others_can_get(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (app, stage) = ground(&mut conn).await;
    begun(&mut conn, &stage, Use::Exec, 0).await;
    let wanted = RemovalWanted::by_hand(RemoveHow::Careful);
    let removal = order::removal(&mut conn, &app, &stage, wanted, moment(10)).await.unwrap();
    let Removal::Ordered(build) = removal else { panic!("{removal:?}") };
    assert_eq!(build.source.commit, sha('a'), "the commit that was pushed");
    assert_eq!((build.source.author.as_str(), build.source.title.as_str()), ("ann", "Remove ann"));
    let jobs = store::job::list(&mut conn, build.id).await.unwrap();
    assert_eq!(jobs.len(), 1);
    assert_eq!(jobs[0].service.as_ref().unwrap().as_str(), "restapi");
    assert_eq!(stage::get(&mut conn, stage.id).await.unwrap().state, StageState::Removing);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn the_end_of_an_unused_stage_is_due_twice_and_then_no_more(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (app, stage) = ground(&mut conn).await;
    let day = 24 * 3600;
    assert!(personal::take_due(&mut conn, at(3 * day - 1)).await.unwrap().is_none());
    let due = personal::take_due(&mut conn, at(3 * day)).await.unwrap().unwrap();
    assert_eq!((due.stage_id, due.warned_at), (stage.id, None));
    // the warning comes ten days late: the end is put off by as much
    personal::warned(&mut conn, stage.id, at(13 * day)).await.unwrap();
    let warned = personal::of(&mut conn, stage.id).await.unwrap().unwrap();
    assert_eq!(warned.expires_at, Some(at(14 * day)));
    assert!(personal::take_due(&mut conn, at(14 * day - 1)).await.unwrap().is_none());
    assert!(personal::take_due(&mut conn, at(14 * day)).await.unwrap().is_some());
    personal::expired(&mut conn, stage.id, at(14 * day)).await.unwrap();
    assert!(personal::take_due(&mut conn, at(90 * day)).await.unwrap().is_none());
    // used again, everything begins anew
    order::use_personal(&mut conn, &app, stage.id, at(20 * day)).await.unwrap();
    let own = personal::of(&mut conn, stage.id).await.unwrap().unwrap();
    assert_eq!((own.expired_at, own.warned_at, own.expires_at), (None, None, Some(at(24 * day))));

    // other settings move the end of what stands, or take it away
    let shorter = Expiry { warn_at: at(21 * day), expires_at: at(22 * day) };
    personal::reschedule(&mut conn, stage.id, Some(shorter)).await.unwrap();
    let own = personal::of(&mut conn, stage.id).await.unwrap().unwrap();
    assert_eq!(own.expires_at, Some(at(22 * day)));
    let mut never = app.clone();
    never.settings.personal = None;
    order::reschedule(&mut conn, &never).await.unwrap();
    let own = personal::of(&mut conn, stage.id).await.unwrap().unwrap();
    assert_eq!(own.expires_at, None);
    personal::used(&mut conn, stage.id, None, at(0) + TimeDelta::days(30)).await.unwrap();
    assert!(personal::take_due(&mut conn, at(900 * day)).await.unwrap().is_none());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_stack_of_an_open_personal_stage_is_no_orphan(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let (_, stage) = ground(&mut conn).await;
    let stack = model::sweep::TaggedStack {
        name: "anything-ann".into(),
        id: "arn:anything".into(),
        region: region("us-east-1"),
        app: "workshop".into(),
        stage: Some("ann".into()),
        service: Some("never-planned".into()),
        build: None,
        status: "CREATE_COMPLETE".into(),
        created_at: None,
        changed_at: None,
    };
    let places = orphan::places(&mut conn, std::slice::from_ref(&stack)).await.unwrap();
    assert_eq!(places, [model::sweep::Place::Personal]);
    stage::set_state(&mut conn, stage.id, StageState::Closed, at(5)).await.unwrap();
    let places = orphan::places(&mut conn, std::slice::from_ref(&stack)).await.unwrap();
    assert_eq!(places, [model::sweep::Place::Closed { at: at(5) }], "a leftover is told");
}
