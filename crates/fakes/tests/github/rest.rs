//! The REST calls: who may, what is refused, what is recorded, and faults.

use fakes::{Fault, GitHub, HookOwner, Matcher, Repository};
use serde_json::{Value, json};

use crate::support::{TOKEN, app_jwt, call, github, mint};

async fn workshop(github: &GitHub) -> (Repository, String) {
    let repo = github.repo("acme/workshop");
    let sha = repo.create_from_dir(&fakes::sample_workshop(), "master").await.unwrap();
    (repo, sha)
}

async fn get(github: &GitHub, path: &str, token: &str) -> (u16, Value) {
    let url = format!("{}{path}", github.url());
    let (status, _, body) = call("GET", &url, token, None).await.unwrap();
    (status, body)
}

async fn post(github: &GitHub, path: &str, token: &str, body: Value) -> (u16, Value) {
    let url = format!("{}{path}", github.url());
    let (status, _, body) = call("POST", &url, token, Some(body)).await.unwrap();
    (status, body)
}

#[tokio::test]
async fn the_app_jwt_is_checked() {
    let (github, _inbox) = github(HookOwner::App).await;
    let now = jsonwebtoken::get_current_timestamp();
    let good = app_jwt(&github, &json!({}));
    assert_eq!(get(&github, "/app", &good).await.0, 200);
    let numeric = app_jwt(&github, &json!({ "iss": fakes::APP_ID }));
    assert_eq!(get(&github, "/api/v3/app", &numeric).await.0, 200);
    for (claims, status) in [
        (json!({ "exp": now - 10 }), 401),
        (json!({ "exp": now + 3_600 }), 401),
        (json!({ "iat": now + 600 }), 401),
        (json!({ "iss": "1" }), 404),
    ] {
        let jwt = app_jwt(&github, &claims);
        assert_eq!(get(&github, "/app", &jwt).await.0, status, "{claims}");
    }
    assert_eq!(get(&github, "/app", "a.b.c").await.0, 401);
    assert_eq!(get(&github, "/app", TOKEN).await.0, 401);
}

#[tokio::test]
async fn an_installation_token_does_what_it_was_minted_for() {
    let (github, _inbox) = github(HookOwner::App).await;
    let (_, sha) = workshop(&github).await;
    github.repo("acme/other").create("master").await.unwrap();
    let all = mint(&github, json!({})).await;
    let (_, listed) = get(&github, "/installation/repositories", &all).await;
    assert_eq!(listed["total_count"], json!(2));

    let wanted = json!({ "repositories": ["workshop"], "permissions": { "contents": "read" } });
    let narrow = mint(&github, wanted).await;
    let (_, listed) = get(&github, "/installation/repositories", &narrow).await;
    assert_eq!(listed["total_count"], json!(1));
    assert_eq!(get(&github, "/repos/acme/other", &narrow).await.0, 404);
    let statuses = format!("/repos/acme/workshop/statuses/{sha}");
    let green = json!({ "state": "success" });
    assert_eq!(post(&github, &statuses, &narrow, green.clone()).await.0, 403);
    assert_eq!(post(&github, &statuses, &all, green).await.0, 201);

    let jwt = app_jwt(&github, &json!({}));
    let tokens = format!("/app/installations/{}/access_tokens", fakes::INSTALLATION_ID);
    for wanted in [
        json!({ "repositories": ["missing"] }),
        json!({ "permissions": { "administration": "write" } }),
    ] {
        assert_eq!(post(&github, &tokens, &jwt, wanted).await.0, 422);
    }
    let (status, found) = get(&github, "/repos/acme/workshop/installation", &jwt).await;
    assert_eq!((status, &found["id"]), (200, &json!(fakes::INSTALLATION_ID)));
}

#[tokio::test]
async fn bad_credentials_are_401_and_unseen_repositories_404() {
    let (github, _inbox) = github(HookOwner::App).await;
    workshop(&github).await;
    let (status, body) = get(&github, "/repos/acme/workshop", "ghp_wrong").await;
    assert_eq!((status, &body["message"]), (401, &json!("Bad credentials")));
    assert_eq!(get(&github, "/repos/acme/workshop", TOKEN).await.0, 200);
    github.repo("acme/workshop").set_granted(false).unwrap();
    assert_eq!(get(&github, "/repos/acme/workshop", TOKEN).await.0, 404);
    assert_eq!(get(&github, "/repos/acme/missing", TOKEN).await.0, 404);
}

#[tokio::test]
async fn an_account_reacts_to_a_comment_once_in_each_way() {
    let (github, _inbox) = github(HookOwner::App).await;
    let (repo, _) = workshop(&github).await;
    repo.commit_on("x", Some("master"), &[("c.txt", Some("c"))], "More").await.unwrap();
    let number = repo.open_pr("x", "master", "More").await.unwrap();
    let id = repo.comment_by("ada", number, "hello").unwrap();
    let path = format!("/repos/acme/workshop/issues/comments/{id}/reactions");
    let react = |content: &str| json!({ "content": content });
    assert_eq!(post(&github, &path, TOKEN, react("+1")).await.0, 201);
    assert_eq!(post(&github, &path, TOKEN, react("+1")).await.0, 200);
    assert_eq!(post(&github, &path, TOKEN, react("confused")).await.0, 201);
    assert_eq!(post(&github, &path, TOKEN, react("applause")).await.0, 422);
    let narrow = mint(&github, json!({ "permissions": { "pull_requests": "read" } })).await;
    assert_eq!(post(&github, &path, &narrow, react("-1")).await.0, 403);
    let (status, listed) = get(&github, &path, TOKEN).await;
    assert_eq!((status, listed.as_array().unwrap().len()), (200, 2));
    let said: Vec<_> = repo.reactions(id).into_iter().map(|one| one.content).collect();
    assert_eq!(said, ["+1", "confused"]);
    let gone = "/repos/acme/workshop/issues/comments/99/reactions";
    assert_eq!(post(&github, gone, TOKEN, react("+1")).await.0, 404);
    github.fail_next(Matcher::new("POST", &path), Some(1), Fault::Status { status: 502 });
    assert_eq!(post(&github, &path, TOKEN, react("-1")).await.0, 502);
    assert_eq!(repo.reactions(id).len(), 2);
}

#[tokio::test]
async fn statuses_are_kept_in_order_and_combined() {
    let (github, _inbox) = github(HookOwner::App).await;
    let (repo, sha) = workshop(&github).await;
    let path = format!("/repos/acme/workshop/statuses/{sha}");
    for (state, context) in
        [("pending", "greenroom/a"), ("success", "greenroom/a"), ("failure", "greenroom/b")]
    {
        let body = json!({
            "state": state, "context": context, "description": "d",
            "target_url": "https://greenroom.example.com/builds/1",
        });
        assert_eq!(post(&github, &path, TOKEN, body).await.0, 201);
    }
    let recorded: Vec<_> =
        repo.statuses(&sha).into_iter().map(|status| (status.context, status.state)).collect();
    assert_eq!(recorded.len(), 3);
    assert_eq!(recorded[1], ("greenroom/a".to_owned(), "success".to_owned()));
    let commit = "/repos/acme/workshop/commits/master";
    let (_, listed) = get(&github, &format!("{commit}/statuses"), TOKEN).await;
    assert_eq!(listed[0]["context"], "greenroom/b");
    let (_, combined) = get(&github, &format!("{commit}/status"), TOKEN).await;
    assert_eq!((&combined["state"], &combined["total_count"]), (&json!("failure"), &json!(2)));
}

#[tokio::test]
async fn wrong_statuses_are_refused() {
    let (github, _inbox) = github(HookOwner::App).await;
    let (_, sha) = workshop(&github).await;
    let path = format!("/repos/acme/workshop/statuses/{sha}");
    let unknown = format!("/repos/acme/workshop/statuses/{}", "1".repeat(40));
    for (path, body) in [
        (&path, json!({ "state": "running" })),
        (&path, json!({ "state": "success", "description": "ö".repeat(141) })),
        (&path, json!({ "state": "success", "target_url": "javascript:alert(1)" })),
        (&unknown, json!({ "state": "success" })),
    ] {
        let (status, answer) = post(&github, path, TOKEN, body).await;
        assert_eq!(status, 422, "{answer}");
    }
    let fits = json!({ "state": "success", "description": "ö".repeat(140) });
    assert_eq!(post(&github, &path, TOKEN, fits).await.0, 201);
}

#[tokio::test]
async fn a_comment_is_made_and_edited_in_place() {
    let (github, _inbox) = github(HookOwner::App).await;
    let (repo, _) = workshop(&github).await;
    repo.commit("work", &[("w", "w")], "w").await.unwrap();
    let number = repo.open_pr("work", "master", "Work").await.unwrap();
    let path = format!("/repos/acme/workshop/issues/{number}/comments");
    let token = mint(&github, json!({})).await;
    let (status, made) = post(&github, &path, &token, json!({ "body": "one" })).await;
    assert_eq!((status, &made["user"]["login"]), (201, &json!("greenroom[bot]")));
    let url = made["url"].as_str().unwrap();
    let edit = Some(json!({ "body": "two" }));
    assert_eq!(call("PATCH", url, &token, edit).await.unwrap().0, 200);
    let comments = repo.comments(number);
    assert_eq!((comments[0].body.as_str(), comments.len()), ("two", 1));
    assert_eq!(comments[0].earlier_bodies, ["one"]);
    assert_eq!(get(&github, &path, &token).await.1[0]["body"], "two");
    assert_eq!(post(&github, &path, &token, json!({ "body": "" })).await.0, 422);
    let missing = "/repos/acme/workshop/issues/99/comments";
    assert_eq!(post(&github, missing, &token, json!({ "body": "x" })).await.0, 404);
}

#[tokio::test]
async fn branches_and_tags_are_made_and_moved_forward_as_a_push_would() {
    let (github, inbox) = github(HookOwner::App).await;
    let (repo, sha) = workshop(&github).await;
    let newer = repo.commit("master", &[("w", "w")], "w").await.unwrap();
    github.settle_deliveries().await;
    inbox.take();
    let refs = "/repos/acme/workshop/git/refs";
    let make = async |name: &str, sha: &str| {
        post(&github, refs, TOKEN, json!({ "ref": name, "sha": sha })).await
    };
    assert_eq!(make("refs/heads/production", &sha).await.0, 201);
    assert_eq!(make("refs/tags/v1", &sha).await.0, 201);
    for (name, sha, message) in [
        ("refs/heads/production", newer.as_str(), "Reference already exists"),
        ("production", newer.as_str(), "Reference name is invalid"),
        ("refs/heads/other", "1", "Object does not exist"),
    ] {
        let (status, body) = make(name, sha).await;
        assert_eq!((status, &body["message"]), (422, &json!(message)));
    }
    let patch = async |name: &str, sha: &str, force: bool| {
        let url = format!("{}{refs}/{name}", github.url());
        let body = json!({ "sha": sha, "force": force });
        let (status, _, body) = call("PATCH", &url, TOKEN, Some(body)).await.unwrap();
        (status, body["message"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(patch("heads/production", &newer, false).await.0, 200);
    let refused = (422, "Update is not a fast forward".to_owned());
    assert_eq!(patch("heads/production", &sha, false).await, refused);
    assert_eq!(patch("heads/production", &sha, true).await.0, 200);
    let missing = (422, "Reference does not exist".to_owned());
    assert_eq!(patch("heads/missing", &sha, false).await, missing);
    repo.protect("production").unwrap();
    assert_eq!(patch("heads/production", &newer, false).await.0, 422);
    github.settle_deliveries().await;
    let events: Vec<String> = inbox.take().iter().map(|one| one.event().to_owned()).collect();
    assert_eq!(events, ["create", "push", "create", "push", "push", "push"]);
}

#[tokio::test]
async fn commits_are_compared_by_what_each_has_beyond_the_other() {
    let (github, _inbox) = github(HookOwner::App).await;
    let (repo, sha) = workshop(&github).await;
    let newer = repo.commit("master", &[("w", "w")], "w").await.unwrap();
    let compare = async |base: &str, head: &str| {
        get(&github, &format!("/repos/acme/workshop/compare/{base}...{head}"), TOKEN).await
    };
    for (base, head, status, ahead, behind) in [
        (&sha, &newer, "ahead", 1, 0),
        (&newer, &sha, "behind", 0, 1),
        (&sha, &sha, "identical", 0, 0),
    ] {
        let (code, body) = compare(base, head).await;
        assert_eq!((code, &body["status"]), (200, &json!(status)));
        assert_eq!((&body["ahead_by"], &body["behind_by"]), (&json!(ahead), &json!(behind)));
    }
    assert_eq!(compare(&sha, "missing").await.0, 404);
}

#[tokio::test]
async fn a_deployment_waits_for_checks_unless_told_not_to() {
    let (github, _inbox) = github(HookOwner::App).await;
    let (repo, sha) = workshop(&github).await;
    let status = format!("/repos/acme/workshop/statuses/{sha}");
    post(&github, &status, TOKEN, json!({ "state": "pending" })).await;
    let path = "/repos/acme/workshop/deployments";
    let mut wanted = json!({ "ref": sha, "environment": "staging" });
    assert_eq!(post(&github, path, TOKEN, wanted.clone()).await.0, 409);
    wanted["required_contexts"] = json!([]);
    let mut ids = Vec::new();
    for _ in 0..2 {
        let (status, made) = post(&github, path, TOKEN, wanted.clone()).await;
        assert_eq!(status, 201);
        let statuses = format!("{path}/{}/statuses", made["id"]);
        let green = json!({ "state": "success", "environment_url": "https://example.com" });
        assert_eq!(post(&github, &statuses, TOKEN, green).await.0, 201);
        let red = json!({ "state": "green" });
        assert_eq!(post(&github, &statuses, TOKEN, red).await.0, 422);
        ids.push(made["id"].clone());
    }
    let (_, listed) = get(&github, &format!("{path}?environment=staging"), TOKEN).await;
    assert_eq!(listed[0]["id"], ids[1]);
    let states: Vec<_> =
        repo.deployments().iter().map(|one| one.statuses.last().unwrap().state.clone()).collect();
    assert_eq!(states, ["inactive", "success"]);
}

#[tokio::test]
async fn branches_commits_pulls_and_files_are_read() {
    let (github, _inbox) = github(HookOwner::App).await;
    let (repo, sha) = workshop(&github).await;
    let work = repo.commit("feature/x", &[("w", "w")], "w").await.unwrap();
    repo.open_pr("feature/x", "master", "Work").await.unwrap();
    let base = "/repos/acme/workshop";
    let (_, listed) = get(&github, &format!("{base}/branches?per_page=1&page=2"), TOKEN).await;
    assert_eq!((&listed[0]["name"], listed.as_array().unwrap().len()), (&json!("master"), 1));
    for (path, pointer, value) in [
        ("/branches/feature/x", "/commit/sha", &work),
        ("/branches/feature%2Fx", "/commit/sha", &work),
        ("/git/ref/heads/feature/x", "/object/sha", &work),
        ("/commits/master", "/sha", &sha),
        ("/pulls?state=open", "/0/head/sha", &work),
        ("/pulls/1", "/head/sha", &work),
    ] {
        let (status, body) = get(&github, &format!("{base}{path}"), TOKEN).await;
        assert_eq!((status, body.pointer(pointer)), (200, Some(&json!(value))), "{path}");
    }
    let file = format!("{base}/contents/backend-database/serverless.yml?ref={sha}");
    let (status, body) = get(&github, &file, TOKEN).await;
    assert_eq!((status, &body["name"]), (200, &json!("serverless.yml")));
    assert!(body["content"].as_str().unwrap().starts_with("c2VydmljZTog"));
    assert_eq!(get(&github, &format!("{base}/contents/missing"), TOKEN).await.0, 404);
    assert_eq!(get(&github, "/user", TOKEN).await.1["login"], json!(fakes::DEVELOPER));
    assert_eq!(get(&github, "/rate_limit", TOKEN).await.0, 200);
    assert!(github.unknown_calls().is_empty());
}

#[tokio::test]
async fn an_unknown_call_is_recorded() {
    let (github, _inbox) = github(HookOwner::App).await;
    let (_, sha) = workshop(&github).await;
    assert_eq!(get(&github, "/repos/acme/workshop/codespaces", TOKEN).await.0, 404);
    let known_path = format!("/api/v3/repos/acme/workshop/statuses/{sha}");
    assert_eq!(get(&github, &known_path, TOKEN).await.0, 404);
    let unknown: Vec<_> =
        github.unknown_calls().into_iter().map(|call| (call.method, call.path)).collect();
    assert_eq!(
        unknown,
        [
            ("GET".to_owned(), "/repos/acme/workshop/codespaces".to_owned()),
            ("GET".to_owned(), format!("/repos/acme/workshop/statuses/{sha}")),
        ]
    );
}

#[tokio::test]
async fn faults_strike_as_often_as_told() {
    let (github, _inbox) = github(HookOwner::App).await;
    let (repo, sha) = workshop(&github).await;
    let path = format!("/repos/acme/workshop/statuses/{sha}");
    let url = format!("{}{path}", github.url());
    let body = || Some(json!({ "state": "success" }));
    let matcher = || Matcher::new("POST", "/repos/acme/workshop/statuses");

    github.fail_next(matcher(), Some(2), Fault::Status { status: 502 });
    github.fail_next(matcher(), Some(1), Fault::RetryAfter { seconds: 7 });
    github.fail_next(matcher(), Some(1), Fault::RateLimited { reset_seconds: 9 });
    github.fail_next(matcher(), Some(1), Fault::Drop);
    let mut seen = Vec::new();
    for _ in 0..4 {
        let (status, headers, _) = call("POST", &url, TOKEN, body()).await.unwrap();
        seen.push((status, headers.get("retry-after").cloned()));
    }
    let statuses: Vec<_> = seen.iter().map(|(status, _)| *status).collect();
    assert_eq!(statuses, [502, 502, 403, 429]);
    assert_eq!(seen[2].1.as_ref().unwrap(), "7");
    assert!(call("POST", &url, TOKEN, body()).await.is_none(), "dropped");
    assert!(repo.statuses(&sha).is_empty(), "no fault did anything");

    github.fail_next(matcher(), Some(1), Fault::LoseAnswer);
    assert!(call("POST", &url, TOKEN, body()).await.is_none(), "lost");
    assert_eq!(repo.statuses(&sha).len(), 1, "it was done all the same");
    github.fail_next(matcher(), None, Fault::Status { status: 500 });
    for _ in 0..3 {
        assert_eq!(post(&github, &path, TOKEN, json!({})).await.0, 500);
    }
    github.reset_faults();
    assert_eq!(post(&github, &path, TOKEN, json!({ "state": "success" })).await.0, 201);
}

#[tokio::test]
async fn the_demo_drives_it_over_http() {
    let (github, inbox) = github(HookOwner::App).await;
    let at = |path: &str| format!("/_fakes{path}");
    let created = json!({ "full_name": "acme/workshop", "from_dir": fakes::sample_workshop() });
    let (status, created) = post(&github, &at("/repos"), "", created).await;
    assert_eq!(status, 200, "{created}");
    let commit = json!({ "branch": "work", "message": "w", "files": { "w.txt": "w" } });
    let (_, made) = post(&github, &at("/repos/acme/workshop/commits"), "", commit).await;
    let pull = json!({ "head": "work", "base": "master", "title": "Work" });
    let (_, pull) = post(&github, &at("/repos/acme/workshop/pulls"), "", pull).await;
    assert_eq!((&pull["number"], &pull["head_sha"]), (&json!(1), &made["sha"]));
    let merge = at("/repos/acme/workshop/pulls/1/merge");
    let (_, merged) = post(&github, &merge, "", json!({})).await;
    let (_, head) = get(&github, &at("/repos/acme/workshop/heads/master"), "").await;
    assert_eq!(head["sha"], merged["sha"]);
    let branch = format!("{}{}", github.url(), at("/repos/acme/workshop/branches/work"));
    assert_eq!(call("DELETE", &branch, "", None).await.unwrap().0, 200);
    assert_eq!(post(&github, &at("/deliveries/settle"), "", json!({})).await.0, 200);
    assert_eq!(inbox.take().last().unwrap().event(), "delete");
    let fault = json!({
        "method": "POST", "path_prefix": "/repos", "count": 1,
        "fault": { "kind": "status", "status": 502 },
    });
    assert_eq!(post(&github, &at("/faults"), "", fault).await.0, 200);
    assert_eq!(get(&github, &at("/faults"), "").await.1[0]["count"], json!(1));
    assert!(github.requests().is_empty(), "driving is not calling");
}
