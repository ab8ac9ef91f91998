//! People: signing in, what they may in a repository, and their teams.

use greenroom_github::{SignIn, SignInError};
use model::people::RepositoryRight;
use model::{Login, TeamName};

use crate::support::{TOKEN, World, workshop};

const CALLBACK: &str = "https://ci.example.com/login/callback";

fn sign_in(world: &World, id: &str, secret: &str) -> SignIn {
    let url = world.fake.url();
    SignIn::new(url, url, id.into(), secret.into(), world.clock()).unwrap()
}

/// The code that GitHub sends ada back with.
async fn code(world: &World, sign_in: &SignIn, verifier: &str) -> String {
    world.fake.user("ada");
    world.fake.set_consent(fakes::Consent::As { login: "ada".into() });
    let asked = sign_in.authorize_url(CALLBACK, "state", verifier);
    let path = asked.strip_prefix(world.fake.url()).unwrap();
    let back = crate::support::redirect_of(world.fake.url(), path).await;
    let (_, code) = back.split_once("code=").unwrap();
    code.split('&').next().unwrap().to_owned()
}

#[tokio::test]
async fn a_code_says_once_who_came_and_only_for_its_verifier() {
    let world = World::new().await;
    let sign_in = sign_in(&world, fakes::CLIENT_ID, fakes::CLIENT_SECRET);
    let given = code(&world, &sign_in, "the verifier").await;
    let who = sign_in.account(&given, CALLBACK, "the verifier").await.unwrap();
    assert_eq!((who.login.as_str(), who.id), ("ada", world.fake.user("ada").id));
    let again = sign_in.account(&given, CALLBACK, "the verifier").await;
    assert_eq!(again, Err(SignInError::Code));
    let given = code(&world, &sign_in, "the verifier").await;
    let other = sign_in.account(&given, CALLBACK, "another one").await;
    assert_eq!(other, Err(SignInError::Code));
}

#[tokio::test]
async fn a_wrong_client_is_told_from_a_wrong_code() {
    let world = World::new().await;
    let right = sign_in(&world, fakes::CLIENT_ID, fakes::CLIENT_SECRET);
    let given = code(&world, &right, "v").await;
    let wrong = sign_in(&world, fakes::CLIENT_ID, "another secret");
    assert_eq!(wrong.account(&given, CALLBACK, "v").await, Err(SignInError::Client));
    let unknown = sign_in(&world, "another id", fakes::CLIENT_SECRET);
    let refused = unknown.account(&given, CALLBACK, "v").await.unwrap_err();
    assert_eq!(refused, SignInError::Client);
    assert!(refused.to_string().contains("login.client_secret"), "{refused}");
    let elsewhere = "https://evil.example/";
    let moved = right.account(&given, elsewhere, "v").await;
    assert_eq!(moved, Err(SignInError::Callback(elsewhere.into())));
}

#[tokio::test]
async fn a_right_is_that_of_the_account_and_not_of_its_name() {
    let world = World::new().await;
    let github = world.app();
    let (grace, login): (_, Login) = (world.fake.user("grace"), "grace".parse().unwrap());
    for (word, right) in [
        (None, None),
        (Some("read"), Some(RepositoryRight::Read)),
        (Some("triage"), Some(RepositoryRight::Triage)),
        (Some("write"), Some(RepositoryRight::Write)),
        (Some("maintain"), Some(RepositoryRight::Maintain)),
        (Some("admin"), Some(RepositoryRight::Admin)),
    ] {
        world.fake.set_right("acme/workshop", "grace", word);
        let found = github.permission(&workshop(), grace.id, &login).await.unwrap();
        assert_eq!(found, right, "{word:?}");
    }
    assert_eq!(github.permission(&workshop(), grace.id + 1, &login).await.unwrap(), None);
    world.fake.set_right("acme/workshop", "grace", None);
    world.workshop.set_private(false).unwrap();
    let found = github.permission(&workshop(), grace.id, &login).await.unwrap();
    assert_eq!(found, None, "that everybody may read it is nobody's right");
}

#[tokio::test]
async fn an_account_is_found_by_its_number_under_the_name_it_has_now() {
    let world = World::new().await;
    let grace = world.fake.user("grace");
    for github in [world.app(), world.with_token(TOKEN)] {
        let found = github.login_of(&workshop(), grace.id).await.unwrap();
        assert_eq!(found.unwrap().as_str(), "grace");
    }
    world.fake.rename_user("grace", "hopper");
    let found = world.app().login_of(&workshop(), grace.id).await.unwrap();
    assert_eq!(found.unwrap().as_str(), "hopper");
    world.fake.remove_user("hopper");
    assert_eq!(world.app().login_of(&workshop(), grace.id).await.unwrap(), None);
}

#[tokio::test]
async fn a_team_has_members_where_we_can_see_it() {
    let world = World::new().await;
    let (team, login): (TeamName, Login) =
        ("acme/release".parse().unwrap(), "grace".parse().unwrap());
    for github in [world.app(), world.with_token(TOKEN)] {
        world.fake.set_member("acme/release", "grace", false);
        assert!(!github.is_member(&team, &login).await.unwrap());
        world.fake.set_member("acme/release", "grace", true);
        assert!(github.is_member(&team, &login).await.unwrap());
    }
    let elsewhere = "others/release".parse().unwrap();
    assert!(!world.app().is_member(&elsewhere, &login).await.unwrap());
}
