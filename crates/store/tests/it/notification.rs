//! The outbox to people elsewhere: the newest message about each thing, until they have it.

use model::notification::{Event, Handle, Message, Volume, Wanted};
use model::{AppId, ReceiverName};
use sqlx::{PgConnection, PgPool};
use store::notification::{self, Notification, Standing};

use crate::support::{app, at, id};

fn wanted(event: Event, headline: &str, volume: Volume) -> Wanted {
    let message = Message {
        event,
        app: "workshop".parse().unwrap(),
        repository: "acme/workshop".parse().unwrap(),
        stage: None,
        build: None,
        headline: headline.into(),
        detail: None,
        url: "https://ci.example.com".into(),
        at: at(0),
        answers: None,
    };
    Wanted { episode: 1, volume, message }
}

fn team() -> ReceiverName {
    "team".parse().unwrap()
}

async fn want(conn: &mut PgConnection, app: AppId, subject: &str, wanted: &Wanted, now: i64) {
    notification::want(conn, id(), (app, &team(), subject), wanted, at(now)).await.unwrap();
}

async fn failed(conn: &mut PgConnection, app: AppId, subject: &str, now: i64) {
    want(conn, app, subject, &wanted(Event::BuildFailed, subject, Volume::Loud), now).await;
}

async fn due(conn: &mut PgConnection, now: i64) -> Vec<Notification> {
    notification::due(conn, at(now), 10, 2).await.unwrap()
}

async fn only(conn: &mut PgConnection, now: i64) -> Notification {
    let mut due = due(conn, now).await;
    assert_eq!(due.len(), 1, "{due:?}");
    due.remove(0)
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn of_a_thing_the_newest_message_is_sent(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn).await;
    let waiting = wanted(Event::BuildWaiting, "waits", Volume::Loud);
    want(&mut conn, app, "build/1", &waiting, 0).await;
    let first = only(&mut conn, 0).await;
    failed(&mut conn, app, "build/1", 1).await;
    notification::sent(&mut conn, first.id, first.version, None).await.unwrap();
    let second = only(&mut conn, 1).await;
    assert_eq!((second.id, second.version, second.sent_version), (first.id, 2, 1));
    assert_eq!(second.message.event, Event::BuildFailed);
    let handle = Handle::Mail { id: "<1@x>".into() };
    notification::sent(&mut conn, second.id, 2, Some(&handle)).await.unwrap();
    assert!(due(&mut conn, 9).await.is_empty());
    let known = notification::handle(&mut conn, app, &team(), "build/1").await.unwrap();
    assert_eq!(known, Some(handle));
    let told = notification::told(&mut conn, app, &["build/1", "build/2"]).await.unwrap();
    assert_eq!(told.len(), 1);
    assert_eq!(told[0].2.message.event, Event::BuildFailed);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_was_asked_for_and_not_sent_stays_asked_for(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn).await;
    let left = |words, volume| wanted(Event::StageLeftover, words, volume);
    want(&mut conn, app, "stage/x/leftover", &left("one", Volume::Loud), 0).await;
    want(&mut conn, app, "stage/x/leftover", &left("two", Volume::Quiet), 1).await;
    let row = only(&mut conn, 1).await;
    assert!(row.loud, "nobody heard of it yet");
    notification::sent(&mut conn, row.id, row.version, None).await.unwrap();
    want(&mut conn, app, "stage/x/leftover", &left("three", Volume::Quiet), 2).await;
    assert!(!only(&mut conn, 2).await.loud);
    // a question that was answered before anybody heard of it need not be asked
    want(&mut conn, app, "build/1", &wanted(Event::BuildWaiting, "waits", Volume::Loud), 3).await;
    let resumed = wanted(Event::BuildResumed, "goes on", Volume::Quiet);
    want(&mut conn, app, "build/1", &resumed, 4).await;
    assert!(due(&mut conn, 4).await.iter().all(|row| !row.loud));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn who_is_away_holds_up_its_own_messages_and_no_others(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn).await;
    failed(&mut conn, app, "build/1", 0).await;
    failed(&mut conn, app, "build/2", 1).await;
    let other: ReceiverName = "other".parse().unwrap();
    let message = wanted(Event::BuildFailed, "x", Volume::Loud);
    notification::want(&mut conn, id(), (app, &other, "build/1"), &message, at(0)).await.unwrap();
    let first = due(&mut conn, 1).await.remove(0);
    notification::retry(&mut conn, first.id, "away", at(60), at(1)).await.unwrap();
    failed(&mut conn, app, "build/3", 2).await;
    assert_eq!(only(&mut conn, 59).await.receiver, other);
    let later: Vec<String> = due(&mut conn, 60).await.into_iter().map(|row| row.subject).collect();
    let all = ["build/1", "build/2", "build/1", "build/3"];
    assert_eq!(later, all, "in the order in which they came up");
    assert_eq!(notification::due(&mut conn, at(60), 1, 2).await.unwrap().len(), 2, "one of each");
    // what fails again and again may be at fault itself
    for _ in 0..2 {
        notification::retry(&mut conn, first.id, "away", at(99), at(60)).await.unwrap();
    }
    assert_eq!(due(&mut conn, 60).await.len(), 3, "the others go by");
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_was_given_up_is_sent_again_by_a_person_or_by_news(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn).await;
    failed(&mut conn, app, "build/1", 0).await;
    let row = only(&mut conn, 0).await;
    notification::retry(&mut conn, row.id, "away", at(1), at(0)).await.unwrap();
    notification::give_up(&mut conn, row.id, "away for a day", at(2)).await.unwrap();
    assert!(due(&mut conn, 9).await.is_empty());
    let facts = notification::facts(&mut conn).await.unwrap();
    assert_eq!((facts.pending, facts.given_up), (0, 1));
    let again = notification::replay(&mut conn, row.id, at(3)).await.unwrap();
    assert_eq!((again.version, again.attempts, again.standing()), (1, 0, Standing::Waiting));
    notification::sent(&mut conn, row.id, 1, None).await.unwrap();
    notification::replay(&mut conn, row.id, at(4)).await.unwrap();
    assert_eq!(only(&mut conn, 4).await.version, 1, "the same version once more");
    notification::give_up(&mut conn, row.id, "gone", at(5)).await.unwrap();
    let fixed = wanted(Event::BuildFixed, "fixed", Volume::Loud);
    want(&mut conn, app, "build/1", &fixed, 6).await;
    assert_eq!(only(&mut conn, 6).await.failing_since, None);
    assert!(notification::replay(&mut conn, id(), at(7)).await.is_err());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_builds_told_long_ago_is_forgotten(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let app = app(&mut conn).await;
    failed(&mut conn, app, "build/1", 0).await;
    failed(&mut conn, app, "build/2", 100).await;
    let left = wanted(Event::StageLeftover, "x", Volume::Loud);
    want(&mut conn, app, "stage/x/leftover", &left, 0).await;
    assert_eq!(notification::forget(&mut conn, at(50), 10).await.unwrap(), 1);
    let kept: Vec<String> = due(&mut conn, 100).await.into_iter().map(|row| row.subject).collect();
    assert_eq!(kept, ["build/2", "stage/x/leftover"]);
}
