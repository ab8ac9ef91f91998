//! People, and what was found out about them.

use chrono::{DateTime, Duration, Utc};
use model::people::Known;
use model::permission::{Action, Role, Scope};
use model::{AppId, PersonId, TokenId};
use sqlx::{PgConnection, PgPool};
use store::person::{
    self, AGAIN_AFTER, COUNTS_FOR, FRESH_FOR, Found, FoundRole, Look, Person, Trouble,
};
use store::token::NewToken;

use crate::support::{app, at, id};

async fn signed_in(conn: &mut PgConnection, number: i64, login: &str) -> Person {
    let login = login.parse().unwrap();
    person::signed_in(conn, PersonId(id()), number, &login, Some("A Name"), at(0)).await.unwrap()
}

fn role(role: Role) -> Look<FoundRole> {
    Look::Found(FoundRole { role, source: "GitHub said so".into() })
}

fn in_app(app: AppId, look: Look<FoundRole>) -> Found {
    Found { apps: vec![(app, look)], ..Found::default() }
}

async fn deploys(conn: &mut PgConnection, person: &Person, now: DateTime<Utc>) -> bool {
    let (rights, _) = person::standing(conn, person, now).await.unwrap();
    rights.allows(Action::Build, Scope::App(&"workshop".parse().unwrap()))
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_person_is_github_s_number_and_a_login_belongs_to_one(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let ada = signed_in(&mut conn, 1, "ada").await;
    assert_eq!(signed_in(&mut conn, 1, "Ada-L").await.id, ada.id, "renamed");
    let other = signed_in(&mut conn, 2, "ADA-l").await;
    assert_ne!(other.id, ada.id);
    let before = person::find(&mut conn, ada.id).await.unwrap().unwrap();
    assert_eq!(before.login.as_str(), "renamed_1", "the account that took the login has it");
    assert!(person::is_login(&mut conn, "ada-L").await.unwrap());
    assert!(!person::is_login(&mut conn, "ada").await.unwrap());
    let found = person::find_by_github_id(&mut conn, 2).await.unwrap();
    assert_eq!(found.map(|person| person.id), Some(other.id));
    assert_eq!(person::find_by_github_id(&mut conn, 3).await.unwrap(), None);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn what_was_found_holds_for_an_hour_if_it_cannot_be_asked_again(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let workshop = app(&mut conn).await;
    let ada = signed_in(&mut conn, 1, "ada").await;
    person::keep(&mut conn, &ada, &in_app(workshop, role(Role::Deployer)), at(0)).await.unwrap();
    let unknown = Found {
        server: Look::Unknown,
        trouble: Some(Trouble { why: "GitHub is away".into(), passes: true }),
        ..in_app(workshop, Look::Unknown)
    };
    person::keep(&mut conn, &ada, &unknown, at(600)).await.unwrap();
    let kept = person::find(&mut conn, ada.id).await.unwrap().unwrap();
    assert_eq!(kept.trouble.as_deref(), Some("GitHub is away"));
    assert_eq!((kept.checked_at, kept.next_check_at), (Some(at(0)), at(600) + AGAIN_AFTER));
    let last = at(0) + COUNTS_FOR - Duration::seconds(1);
    assert!(deploys(&mut conn, &ada, last).await);
    assert!(!deploys(&mut conn, &ada, at(0) + COUNTS_FOR).await);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_right_that_is_gone_goes_with_the_next_look(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let workshop = app(&mut conn).await;
    let ada = signed_in(&mut conn, 1, "ada").await;
    let everything = Found { server: role(Role::Viewer), ..in_app(workshop, role(Role::Deployer)) };
    person::keep(&mut conn, &ada, &everything, at(0)).await.unwrap();
    assert_eq!(person::roles_of(&mut conn, ada.id).await.unwrap().len(), 2);
    let less = in_app(workshop, role(Role::Viewer));
    person::keep(&mut conn, &ada, &less, at(1)).await.unwrap();
    assert!(!deploys(&mut conn, &ada, at(1)).await);
    let (rights, _) = person::standing(&mut conn, &ada, at(1)).await.unwrap();
    assert!(!rights.allows(Action::Read, Scope::Server));
    person::keep(&mut conn, &ada, &in_app(workshop, Look::Nothing), at(2)).await.unwrap();
    assert_eq!(person::roles(&mut conn).await.unwrap(), []);
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn one_asks_github_at_a_time(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let ada = signed_in(&mut conn, 1, "ada").await;
    assert!(person::claim_check(&mut conn, ada.id, at(0)).await.unwrap());
    assert!(!person::claim_check(&mut conn, ada.id, at(1)).await.unwrap());
    assert!(person::claim_check(&mut conn, ada.id, at(0) + AGAIN_AFTER).await.unwrap(), "it died");
    person::keep(&mut conn, &ada, &Found::default(), at(100)).await.unwrap();
    let fresh = at(100) + FRESH_FOR;
    assert!(!person::claim_check(&mut conn, ada.id, fresh - Duration::seconds(1)).await.unwrap());
    assert!(person::claim_check(&mut conn, ada.id, fresh).await.unwrap());
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_person_is_named_by_login_and_team_but_never_by_a_token_s_name(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let ada = signed_in(&mut conn, 1, "ada").await;
    let team = ("acme/release".parse().unwrap(), Look::Found(()));
    let found = Found { teams: vec![team], ..Found::default() };
    person::keep(&mut conn, &ada, &found, at(0)).await.unwrap();
    let (_, known) = person::standing(&mut conn, &ada, at(1)).await.unwrap();
    assert!(known.is("ADA") && known.is("acme/release"));
    let token = NewToken::new(TokenId(id()), "Ada", Role::Viewer, b"hash", at(0));
    store::token::insert(&mut conn, &token).await.unwrap();
    let (_, known) = person::standing(&mut conn, &ada, at(1)).await.unwrap();
    assert!(matches!(known, Known::Person { login: None, .. }));
    assert!(!known.is("ada") && known.is("acme/release"));
}

#[sqlx::test(migrator = "store::MIGRATOR")]
async fn a_role_that_the_server_gave_needs_no_github(pool: PgPool) {
    let mut conn = pool.acquire().await.unwrap();
    let ada = signed_in(&mut conn, 1, "ada").await;
    assert_eq!(person::server_admins(&mut conn).await.unwrap(), []);
    person::grant(&mut conn, ada.id, Some(Role::Admin)).await.unwrap();
    let ada = person::find(&mut conn, ada.id).await.unwrap().unwrap();
    let far = at(0) + Duration::days(365);
    let (rights, _) = person::standing(&mut conn, &ada, far).await.unwrap();
    assert!(rights.allows(Action::Configure, Scope::Server));
    assert_eq!(person::server_admins(&mut conn).await.unwrap().len(), 1);
    person::grant(&mut conn, ada.id, None).await.unwrap();
}
