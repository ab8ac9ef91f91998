//! Stages: names and branches among the open ones, and the closed ones as history.

use model::stage::{StageKind, StageState};
use sqlx::PgPool;
use store::stage::{self, NewStage};

use crate::support::{app, at, new_stage};

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn an_open_stage_has_its_name_alone_whatever_the_case(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn).await;
    let first = new_stage(app, "Prod", StageKind::LongLived);
    stage::insert(&mut conn, &first).await.unwrap();
    let taken = stage::insert(&mut conn, &new_stage(app, "prod", StageKind::LongLived)).await;
    assert_eq!(taken.unwrap_err().constraint(), Some("stage_name_key"));
    let name = "PROD".parse().unwrap();
    assert_eq!(stage::find_open(&mut conn, app, &name).await.unwrap().unwrap().id, first.id);

    stage::set_state(&mut conn, first.id, StageState::Closed, at(1)).await.unwrap();
    assert_eq!(stage::find_open(&mut conn, app, &name).await.unwrap(), None);
    assert_eq!(stage::find_latest(&mut conn, app, &name).await.unwrap().unwrap().id, first.id);
    let second = new_stage(app, "prod", StageKind::LongLived);
    stage::insert(&mut conn, &second).await.unwrap();
    assert_eq!(stage::find_latest(&mut conn, app, &name).await.unwrap().unwrap().id, second.id);
    let listed = stage::list(&mut conn, app).await.unwrap();
    assert_eq!(listed.iter().map(|stage| stage.id).collect::<Vec<_>>(), [second.id, first.id]);
    assert_eq!(stage::open(&mut conn, app).await.unwrap().len(), 1);
    assert!(stage::set_state(&mut conn, first.id, StageState::Active, at(2)).await.is_err());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_branch_has_one_preview_which_a_push_makes_active_again(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn).await;
    let preview = new_stage(app, "login", StageKind::Preview);
    stage::insert(&mut conn, &preview).await.unwrap();
    let twin = NewStage {
        branch: preview.branch.clone(),
        ..new_stage(app, "login-2", StageKind::Preview)
    };
    assert_eq!(
        stage::insert(&mut conn, &twin).await.unwrap_err().constraint(),
        Some("stage_branch_key")
    );

    stage::set_state(&mut conn, preview.id, StageState::RemoveFailed, at(1)).await.unwrap();
    stage::touch(&mut conn, preview.id, Some(12), at(2)).await.unwrap();
    stage::touch(&mut conn, preview.id, None, at(3)).await.unwrap();
    stage::set_profile(&mut conn, preview.id, &"production".parse().unwrap()).await.unwrap();
    let found = stage::find_preview(&mut conn, app, preview.branch.as_ref().unwrap())
        .await
        .unwrap()
        .unwrap();
    assert_eq!(
        (found.state, found.pull_request, found.active_at),
        (StageState::Active, Some(12), at(3))
    );
    assert_eq!(found.profile.as_str(), "production");
    let shown = store::board::previews(&mut conn).await.unwrap().remove(0);
    assert_eq!((shown.app.as_str(), shown.owner, shown.title), ("workshop", None, None));
    assert_eq!(shown.stage, stage::get(&mut conn, preview.id).await.unwrap());

    stage::set_state(&mut conn, preview.id, StageState::Closed, at(4)).await.unwrap();
    assert!(stage::touch(&mut conn, preview.id, None, at(5)).await.is_err());
    assert_eq!(
        stage::find_preview(&mut conn, app, preview.branch.as_ref().unwrap()).await.unwrap(),
        None
    );
}
