//! Personal stages: nothing that a webhook or a rule wants overwrites or removes one.

use model::build::BuildEvent;
use model::stage::{StageKind, StageState};
use model::worker_api::RemoveHow;
use model::{BranchName, StageName};
use sqlx::PgPool;
use store::order::{self, Moment, Removal, RemovalWanted};
use store::{Error, app, stage};

use crate::support::{self, at, id, new_stage};

fn moment() -> Moment<'static> {
    Moment { now: at(60), ids: &id }
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_preview_of_a_branch_called_like_a_personal_stage_gets_another_name(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = support::app(&mut conn).await;
    let personal = new_stage(app, "Ann", StageKind::Personal);
    stage::insert(&mut conn, &personal).await.unwrap();
    let app = app::get(&mut conn, app).await.unwrap();
    let branch: BranchName = "ann".parse().unwrap();
    let preview = support::preview(&mut conn, &app, "ann", Some(7), moment()).await;
    assert!(preview.name.as_str().starts_with("ann-"), "{}", preview.name);
    assert_eq!(preview.kind, StageKind::Preview);

    // removing the branch's preview finds the preview alone
    let found = stage::find_preview(&mut conn, app.id, &branch).await.unwrap().unwrap();
    assert_eq!(found.id, preview.id);
    let deleted = RemovalWanted::by(BuildEvent::BranchDeleted, "a-delivery");
    order::removal(&mut conn, &app, &found, deleted, moment()).await.unwrap();
    let kept = stage::get(&mut conn, personal.id).await.unwrap();
    assert_eq!((kept.state, kept.active_at), (StageState::Active, at(0)));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_rule_never_builds_into_a_personal_stage(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = support::app(&mut conn).await;
    let personal = new_stage(app, "ann", StageKind::Personal);
    stage::insert(&mut conn, &personal).await.unwrap();
    let app = app::get(&mut conn, app).await.unwrap();
    let name: StageName = "Ann".parse().unwrap();
    let refused = order::long_lived(&mut conn, &app, &name, moment()).await.unwrap_err();
    assert!(matches!(&refused, Error::NotAllowed(why) if why.contains("personal")), "{refused}");
    let kept = stage::get(&mut conn, personal.id).await.unwrap();
    assert_eq!((kept.kind, kept.active_at), (StageKind::Personal, at(0)));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_webhook_never_removes_a_personal_stage_and_a_person_does(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = support::app(&mut conn).await;
    let personal = new_stage(app, "ann", StageKind::Personal);
    stage::insert(&mut conn, &personal).await.unwrap();
    let app = app::get(&mut conn, app).await.unwrap();
    let ann = stage::get(&mut conn, personal.id).await.unwrap();
    let deleted = RemovalWanted::by(BuildEvent::BranchDeleted, "a-delivery");
    let refused = order::removal(&mut conn, &app, &ann, deleted, moment()).await.unwrap_err();
    assert!(matches!(&refused, Error::NotAllowed(why) if why.contains("personal")), "{refused}");
    let kept = stage::get(&mut conn, personal.id).await.unwrap();
    assert_eq!(kept.state, StageState::Active);

    let by_hand = RemovalWanted::by_hand(RemoveHow::Careful);
    let removal = order::removal(&mut conn, &app, &ann, by_hand, moment()).await;
    assert!(matches!(removal.unwrap(), Removal::NothingThere));
    let gone = stage::get(&mut conn, personal.id).await.unwrap();
    assert_eq!(gone.state, StageState::Closed);
}
