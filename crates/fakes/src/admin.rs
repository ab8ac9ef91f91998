//! `/_fakes`: what the library offers to tests, over HTTP for scripts. Documented in the README of
//! this crate. Nothing here needs a token, is recorded or struck by faults.

use std::collections::BTreeMap;
use std::path::PathBuf;

use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::error::Error;
use crate::fault::PlantedFault;
use crate::people_admin;
use crate::pulls::{self, MergeMethod, NewPull};
use crate::repository::Repository;
use crate::state::{APP_ID, DEVELOPER, INSTALLATION_ID, Stand};
use crate::webhook::{Crafted, Hook};

pub(crate) type Done = Result<Json<Value>, Refusal>;
type Names = Path<(String, String)>;
type NamesAnd<T> = Path<(String, String, T)>;

pub(crate) fn routes() -> Router<Stand> {
    let repository = Router::new()
        .route("/commits", post(commit))
        .route("/heads/{*branch}", get(head))
        .route("/branches/{*branch}", put(set_branch).delete(delete_branch))
        .route("/tags/{*tag}", put(set_tag).delete(delete_tag))
        .route("/forks", post(fork))
        .route("/pulls", get(list_pulls).post(open_pull))
        .route("/pulls/{number}", get(one_pull).patch(edit_pull))
        .route("/pulls/{number}/merge", post(merge_pull))
        .route("/pulls/{number}/comments", get(comments).post(write_comment))
        .route("/comments/{id}", delete(delete_comment))
        .route("/comments/{id}/reactions", get(reactions))
        .route("/statuses/{sha}", get(statuses))
        .route("/deployments", get(deployments))
        .merge(people_admin::of_repository());
    let all = Router::new()
        .route("/info", get(info))
        .route("/app/private-key.pem", get(private_key))
        .route("/tokens", post(add_token))
        .route("/tokens/minted", delete(revoke))
        .route("/webhook", put(set_hook).delete(clear_hook))
        .route("/webhook/send", post(send))
        .route("/deliveries", get(deliveries))
        .route("/deliveries/settle", post(settle))
        .route("/deliveries/lose", post(lose))
        .route("/deliveries/unanswered", post(unanswered))
        .route("/deliveries/double", post(double))
        .route("/deliveries/{id}/redeliver", post(redeliver))
        .route("/faults", get(faults).post(plant).delete(reset_faults))
        .route("/requests", get(requests))
        .route("/unknown-calls", get(unknown_calls))
        .merge(people_admin::routes())
        .route("/repos", post(create))
        .nest("/repos/{owner}/{repo}", repository)
        .fallback(no_such_route);
    Router::new().nest("/_fakes", all)
}

async fn no_such_route() -> Refusal {
    Refusal(StatusCode::NOT_FOUND, "no such route under /_fakes".to_owned())
}

/// Unlike GitHub, `/_fakes` says what is wrong.
pub(crate) struct Refusal(StatusCode, String);

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        let status = match error {
            Error::NotFound { .. } => StatusCode::NOT_FOUND,
            Error::Refused(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Error::Git { .. } | Error::Io { .. } | Error::Key | Error::Client(_) => {
                StatusCode::INTERNAL_SERVER_ERROR
            }
        };
        Self(status, error.to_string())
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "message": self.1 }))).into_response()
    }
}

fn repo(stand: &Stand, owner: &str, name: &str) -> Repository {
    Repository::new(stand, &format!("{owner}/{name}"))
}

pub(crate) fn shown<T: Serialize>(value: T) -> Done {
    Ok(Json(json!(value)))
}

async fn info(State(stand): State<Stand>) -> Done {
    let names: Vec<String> = stand.state().repositories.keys().cloned().collect();
    shown(json!({
        "url": stand.url,
        "app_id": APP_ID,
        "installation_id": INSTALLATION_ID,
        "repositories": names,
        "webhook": stand.state().hook.as_ref().map(|hook| &hook.url),
    }))
}

async fn private_key(State(stand): State<Stand>) -> impl IntoResponse {
    stand.key.private_pem.clone()
}

#[derive(Deserialize)]
struct Token {
    token: String,
}

async fn add_token(State(stand): State<Stand>, Json(new): Json<Token>) -> Done {
    stand.state().personal_tokens.push(new.token);
    shown(json!({}))
}

async fn revoke(State(stand): State<Stand>) -> Done {
    stand.state().minted_tokens.clear();
    shown(json!({}))
}

async fn set_hook(State(stand): State<Stand>, Json(hook): Json<Hook>) -> Done {
    stand.state().hook = Some(hook);
    shown(json!({}))
}

async fn clear_hook(State(stand): State<Stand>) -> Done {
    stand.state().hook = None;
    shown(json!({}))
}

async fn send(State(stand): State<Stand>, Json(crafted): Json<Crafted>) -> Done {
    shown(json!({ "id": stand.send_crafted(crafted)? }))
}

async fn deliveries(State(stand): State<Stand>) -> Done {
    shown(&stand.state().deliveries)
}

async fn settle(State(stand): State<Stand>) -> Done {
    stand.outgoing.settle().await;
    shown(json!({}))
}

#[derive(Deserialize)]
struct Count {
    count: u32,
}

async fn lose(State(stand): State<Stand>, Json(wanted): Json<Count>) -> Done {
    stand.state().mishaps.lost = wanted.count;
    shown(json!({}))
}

async fn unanswered(State(stand): State<Stand>, Json(wanted): Json<Count>) -> Done {
    stand.state().mishaps.unanswered = wanted.count;
    shown(json!({}))
}

async fn double(State(stand): State<Stand>, Json(wanted): Json<Count>) -> Done {
    stand.state().mishaps.doubled = wanted.count;
    shown(json!({}))
}

async fn delete_comment(
    State(stand): State<Stand>,
    Path((owner, name, id)): NamesAnd<u64>,
) -> Done {
    repo(&stand, &owner, &name).delete_comment(id);
    shown(json!({}))
}

async fn redeliver(State(stand): State<Stand>, Path(id): Path<u64>) -> Done {
    shown(json!({ "id": stand.redeliver(id)? }))
}

async fn faults(State(stand): State<Stand>) -> Done {
    shown(&stand.state().faults)
}

async fn plant(State(stand): State<Stand>, Json(fault): Json<PlantedFault>) -> Done {
    stand.state().faults.push(fault);
    shown(json!({}))
}

async fn reset_faults(State(stand): State<Stand>) -> Done {
    stand.state().faults.clear();
    shown(json!({}))
}

async fn requests(State(stand): State<Stand>) -> Done {
    shown(&stand.state().requests)
}

async fn unknown_calls(State(stand): State<Stand>) -> Done {
    shown(&stand.state().unknown_calls)
}

#[derive(Deserialize)]
struct NewRepository {
    full_name: String,
    #[serde(default = "master")]
    default_branch: String,
    /// A directory of this machine that becomes the first commit.
    from_dir: Option<PathBuf>,
}

fn master() -> String {
    "master".to_owned()
}

async fn create(State(stand): State<Stand>, Json(new): Json<NewRepository>) -> Done {
    let repo = Repository::new(&stand, &new.full_name);
    let sha = match new.from_dir {
        Some(dir) => Some(repo.create_from_dir(&dir, &new.default_branch).await?),
        None => {
            repo.create(&new.default_branch).await?;
            None
        }
    };
    shown(json!({ "id": repo.id()?, "clone_url": repo.clone_url(), "sha": sha }))
}

#[derive(Deserialize)]
struct NewCommit {
    branch: String,
    /// Where a new branch starts; the default branch when absent.
    base: Option<String>,
    message: String,
    /// Path to content; `null` removes the file.
    #[serde(default)]
    files: BTreeMap<String, Option<String>>,
    /// A directory of this machine that becomes the whole tree, in place of `files`.
    from_dir: Option<PathBuf>,
    /// Replaces the branch's last commit.
    #[serde(default)]
    force: bool,
}

async fn commit(
    State(stand): State<Stand>,
    Path((owner, name)): Names,
    Json(new): Json<NewCommit>,
) -> Done {
    let repo = repo(&stand, &owner, &name);
    let files: Vec<(&str, Option<&str>)> =
        new.files.iter().map(|(path, text)| (path.as_str(), text.as_deref())).collect();
    let sha = match &new.from_dir {
        Some(dir) => repo.commit_dir(&new.branch, dir, &new.message).await?,
        None if new.force => repo.push_force_on(&new.branch, &files, &new.message).await?,
        None => repo.commit_on(&new.branch, new.base.as_deref(), &files, &new.message).await?,
    };
    shown(json!({ "sha": sha }))
}

async fn head(State(stand): State<Stand>, Path((owner, name, branch)): NamesAnd<String>) -> Done {
    let sha = repo(&stand, &owner, &name).head(&branch).await?;
    shown(json!({ "sha": sha }))
}

#[derive(Deserialize)]
struct At {
    sha: String,
}

async fn set_branch(
    State(stand): State<Stand>,
    Path((owner, name, branch)): NamesAnd<String>,
    Json(at): Json<At>,
) -> Done {
    let repo = repo(&stand, &owner, &name);
    repo.set_branch(&branch, &at.sha).await?;
    shown(json!({ "sha": at.sha }))
}

async fn delete_branch(
    State(stand): State<Stand>,
    Path((owner, name, branch)): NamesAnd<String>,
) -> Done {
    repo(&stand, &owner, &name).delete_branch(&branch).await?;
    shown(json!({}))
}

async fn set_tag(
    State(stand): State<Stand>,
    Path((owner, name, tag)): NamesAnd<String>,
    Json(at): Json<At>,
) -> Done {
    repo(&stand, &owner, &name).tag(&tag, &at.sha).await?;
    shown(json!({ "sha": at.sha }))
}

async fn delete_tag(
    State(stand): State<Stand>,
    Path((owner, name, tag)): NamesAnd<String>,
) -> Done {
    repo(&stand, &owner, &name).delete_tag(&tag).await?;
    shown(json!({}))
}

#[derive(Deserialize)]
struct NewFork {
    full_name: String,
}

async fn fork(
    State(stand): State<Stand>,
    Path((owner, name)): Names,
    Json(new): Json<NewFork>,
) -> Done {
    let fork = repo(&stand, &owner, &name).fork(&new.full_name).await?;
    shown(json!({ "id": fork.id()?, "clone_url": fork.clone_url() }))
}

async fn list_pulls(State(stand): State<Stand>, Path((owner, name)): Names) -> Done {
    shown(repo(&stand, &owner, &name).pulls()?)
}

async fn open_pull(
    State(stand): State<Stand>,
    Path((owner, name)): Names,
    Json(new): Json<NewPull>,
) -> Done {
    let number = repo(&stand, &owner, &name).open(new).await?;
    shown(stand.repo(&format!("{owner}/{name}"))?.pull(number)?)
}

async fn one_pull(State(stand): State<Stand>, Path((owner, name, number)): NamesAnd<u64>) -> Done {
    shown(stand.repo(&format!("{owner}/{name}"))?.pull(number)?)
}

#[derive(Deserialize)]
struct Edit {
    /// `open` or `closed`
    state: Option<String>,
    base: Option<String>,
    title: Option<String>,
    draft: Option<bool>,
}

async fn edit_pull(
    State(stand): State<Stand>,
    Path((owner, name, number)): NamesAnd<u64>,
    Json(edit): Json<Edit>,
) -> Done {
    let full_name = format!("{owner}/{name}");
    if let Some(base) = &edit.base {
        pulls::edit_base(&stand, &full_name, number, base, DEVELOPER).await?;
    }
    if let Some(title) = &edit.title {
        pulls::edit_title(&stand, &full_name, number, title, DEVELOPER).await?;
    }
    if let Some(draft) = edit.draft {
        pulls::set_draft(&stand, &full_name, number, draft, DEVELOPER).await?;
    }
    match edit.state.as_deref() {
        Some("open") => pulls::reopen(&stand, &full_name, number, DEVELOPER).await?,
        Some("closed") => pulls::close(&stand, &full_name, number, DEVELOPER).await?,
        Some(other) => {
            let text = format!("`{other}` is neither open nor closed");
            return Err(Refusal(StatusCode::UNPROCESSABLE_ENTITY, text));
        }
        None => {}
    }
    shown(stand.repo(&full_name)?.pull(number)?)
}

#[derive(Deserialize)]
struct Merge {
    #[serde(default)]
    method: MergeMethod,
}

async fn merge_pull(
    State(stand): State<Stand>,
    Path((owner, name, number)): NamesAnd<u64>,
    wanted: Option<Json<Merge>>,
) -> Done {
    let method = wanted.map(|Json(wanted)| wanted.method).unwrap_or_default();
    let sha = repo(&stand, &owner, &name).merge_pr_by(number, method).await?;
    shown(json!({ "sha": sha }))
}

async fn comments(State(stand): State<Stand>, Path((owner, name, number)): NamesAnd<u64>) -> Done {
    shown(repo(&stand, &owner, &name).comments(number))
}

#[derive(Deserialize)]
struct NewComment {
    /// Who writes it.
    #[serde(default = "developer")]
    user: String,
    body: String,
}

fn developer() -> String {
    DEVELOPER.to_owned()
}

async fn write_comment(
    State(stand): State<Stand>,
    Path((owner, name, number)): NamesAnd<u64>,
    Json(new): Json<NewComment>,
) -> Done {
    let id = repo(&stand, &owner, &name).comment_by(&new.user, number, &new.body)?;
    shown(json!({ "id": id }))
}

async fn reactions(State(stand): State<Stand>, Path((owner, name, id)): NamesAnd<u64>) -> Done {
    shown(repo(&stand, &owner, &name).reactions(id))
}

async fn statuses(State(stand): State<Stand>, Path((owner, name, sha)): NamesAnd<String>) -> Done {
    shown(repo(&stand, &owner, &name).statuses(&sha))
}

async fn deployments(State(stand): State<Stand>, Path((owner, name)): Names) -> Done {
    shown(repo(&stand, &owner, &name).deployments())
}
