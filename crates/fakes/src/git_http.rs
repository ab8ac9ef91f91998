//! git over http: hands requests to `git http-backend`, after a look at the token.
//!
//! A fetch is streamed. The answer to a push waits until git is done, so that the webhooks of the
//! push are queued before its client hears that it succeeded.

use std::ffi::OsString;
use std::process::Stdio;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::http::header::{AUTHORIZATION, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode};
use axum::response::{IntoResponse, Response};
use futures_util::TryStreamExt;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, ChildStdin, ChildStdout};
use tokio_util::io::{ReaderStream, StreamReader};

use crate::auth::{Access, Caller};
use crate::error::Error;
use crate::state::{Shared, Stand};
use crate::{git, refs};

/// The answer of a push is a report of a line per ref.
const PUSH_ANSWER_MAX_BYTES: usize = 16 * 1024 * 1024;

/// The part of a git path that git's smart protocol knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Service {
    Fetch,
    Push,
}

/// A path of git over http.
pub(crate) struct GitPath {
    full_name: String,
    /// `info/refs`, `git-upload-pack` or `git-receive-pack`
    rest: &'static str,
}

/// Recognises `/{owner}/{repo}[.git]/info/refs` and its two companions.
pub(crate) fn parse(path: &str) -> Option<GitPath> {
    let path = path.strip_prefix('/')?;
    let (name, rest) = ["info/refs", "git-upload-pack", "git-receive-pack"]
        .into_iter()
        .find_map(|rest| Some((path.strip_suffix(rest)?.strip_suffix('/')?, rest)))?;
    let full_name = name.strip_suffix(".git").unwrap_or(name).to_owned();
    (full_name.matches('/').count() == 1).then_some(GitPath { full_name, rest })
}

fn service(path: &GitPath, query: &str) -> Option<Service> {
    let named = match path.rest {
        "info/refs" => query.strip_prefix("service=")?,
        rest => rest,
    };
    match named {
        "git-upload-pack" => Some(Service::Fetch),
        "git-receive-pack" => Some(Service::Push),
        _ => None,
    }
}

fn refusal(status: StatusCode, text: &'static str) -> Response {
    let mut answer = (status, text).into_response();
    if status == StatusCode::UNAUTHORIZED {
        let realm = HeaderValue::from_static("Basic realm=\"GitHub\"");
        answer.headers_mut().insert("www-authenticate", realm);
    }
    answer
}

/// Answers a request to a path that [`parse`] recognised.
pub(crate) async fn serve(stand: Stand, path: GitPath, request: Request<Body>) -> Response {
    let query = request.uri().query().unwrap_or_default().to_owned();
    let Some(service) = service(&path, &query) else {
        return refusal(StatusCode::FORBIDDEN, "Please upgrade your git client.\n");
    };
    let Ok(caller) = stand.caller(request.headers()) else {
        return refusal(StatusCode::UNAUTHORIZED, "Bad credentials\n");
    };
    if let Some(refused) = check(&stand, &path, service, &caller, request.headers()) {
        return refused;
    }
    let login = caller.login();
    match run(&stand, &path, service, &query, &login, request).await {
        Ok(answer) => answer,
        Err(error) => {
            tracing::warn!(%error, "git over http failed");
            refusal(StatusCode::INTERNAL_SERVER_ERROR, "git failed\n")
        }
    }
}

fn check(
    stand: &Shared,
    path: &GitPath,
    service: Service,
    caller: &Caller,
    headers: &HeaderMap,
) -> Option<Response> {
    let anonymous = !headers.contains_key(AUTHORIZATION);
    let unseen = if anonymous {
        refusal(StatusCode::UNAUTHORIZED, "Authentication required\n")
    } else {
        refusal(StatusCode::NOT_FOUND, "Repository not found.\n")
    };
    let Ok(repo) = stand.repo(&path.full_name) else {
        return Some(unseen);
    };
    if !caller.sees(&repo) {
        return Some(unseen);
    }
    let access = match service {
        Service::Fetch => Access::Read,
        Service::Push if anonymous => return Some(unseen),
        Service::Push => Access::Write,
    };
    if !caller.may(&repo, "contents", access) {
        let text = "Write access to repository not granted.\n";
        return Some(refusal(StatusCode::FORBIDDEN, text));
    }
    None
}

async fn run(
    stand: &Stand,
    path: &GitPath,
    service: Service,
    query: &str,
    login: &str,
    request: Request<Body>,
) -> Result<Response, Error> {
    let (parts, body) = request.into_parts();
    let mut command = git::command(&backend().await?);
    command
        .env("GIT_PROJECT_ROOT", &stand.root)
        .env("GIT_HTTP_EXPORT_ALL", "1")
        .env("PATH_INFO", format!("/{}.git/{}", path.full_name, path.rest))
        .env("REQUEST_METHOD", parts.method.as_str())
        .env("QUERY_STRING", query)
        .env("REMOTE_USER", login)
        .env("REMOTE_ADDR", "127.0.0.1");
    for (header, variable) in [
        (CONTENT_TYPE, "CONTENT_TYPE"),
        (CONTENT_LENGTH, "CONTENT_LENGTH"),
        (HeaderName::from_static("content-encoding"), "HTTP_CONTENT_ENCODING"),
        (HeaderName::from_static("git-protocol"), "GIT_PROTOCOL"),
    ] {
        if let Some(value) = parts.headers.get(header).and_then(|value| value.to_str().ok()) {
            command.env(variable, value);
        }
    }
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .map_err(Error::io("start git http-backend"))?;
    let stdin = child.stdin.take().expect("stdin was asked to be a pipe");
    let stdout = child.stdout.take().expect("stdout was asked to be a pipe");
    // In a task of its own: git may answer before it has read everything.
    tokio::spawn(feed(body, stdin));
    let mut stdout = BufReader::new(stdout);
    let (status, headers) = head(&mut stdout).await?;
    let body = match (service, path.rest) {
        (Service::Push, "git-receive-pack") => {
            let answer = Body::from_stream(ReaderStream::new(stdout));
            let answer = to_bytes(answer, PUSH_ANSWER_MAX_BYTES).await;
            child.wait().await.map_err(Error::io("wait for git"))?;
            refs::announce(stand, &path.full_name, login, None).await?;
            let broken = |error| Error::Refused(format!("git's answer broke off: {error}"));
            Body::from(answer.map_err(broken)?)
        }
        (Service::Push | Service::Fetch, _) => stream(Arc::clone(stand), child, stdout),
    };
    let mut answer = Response::new(body);
    *answer.status_mut() = status;
    *answer.headers_mut() = headers;
    Ok(answer)
}

/// Streams git's output and keeps the process until its end, and no longer than the client stays.
fn stream(stand: Stand, child: Child, stdout: BufReader<ChildStdout>) -> Body {
    let kept = (stand, child);
    let chunks = ReaderStream::new(stdout).inspect_ok(move |_| {
        let _ = &kept;
    });
    Body::from_stream(chunks)
}

async fn feed(body: Body, mut stdin: ChildStdin) {
    let chunks = body.into_data_stream().map_err(std::io::Error::other);
    let mut chunks = StreamReader::new(chunks);
    // Either side may go away early: the client sees git's answer, or git the end of its input.
    let _ = tokio::io::copy(&mut chunks, &mut stdin).await;
    let _ = stdin.shutdown().await;
}

/// Reads the CGI header block.
async fn head(stdout: &mut BufReader<ChildStdout>) -> Result<(StatusCode, HeaderMap), Error> {
    let mut status = StatusCode::OK;
    let mut headers = HeaderMap::new();
    loop {
        let mut line = String::new();
        let read =
            stdout.read_line(&mut line).await.map_err(Error::io("read from git http-backend"))?;
        let line = line.trim_end();
        if read == 0 || line.is_empty() {
            return Ok((status, headers));
        }
        let Some((name, value)) = line.split_once(": ") else {
            continue;
        };
        if name.eq_ignore_ascii_case("status") {
            let code = value.split(' ').next().unwrap_or_default();
            status = code.parse().unwrap_or(StatusCode::BAD_GATEWAY);
            continue;
        }
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    }
}

/// Where git keeps its CGI program.
async fn backend() -> Result<OsString, Error> {
    static FOUND: tokio::sync::OnceCell<OsString> = tokio::sync::OnceCell::const_new();
    let found = FOUND.get_or_try_init(|| async {
        let dir = git::git(&std::env::temp_dir(), &["--exec-path"]).await?;
        let program = std::path::Path::new(&dir).join("git-http-backend");
        if program.is_file() {
            return Ok(program.into_os_string());
        }
        let text = format!("{} is missing: install git in full", program.display());
        Err(Error::Refused(text))
    });
    found.await.cloned()
}
