//! The first step of every change of settings: what it would do, before it is done; or the editor
//! again, with what stands in the way.
//!
//! What always holds: whatever was typed comes back with the mistakes in it, and so it does when
//! somebody else was faster.

use askama::Template;
use axum::http::StatusCode;
use axum::response::{Html, IntoResponse, Redirect, Response};
use model::AppName;
use model::app::{AppFile, consequences, diff};
use store::app::App;

use super::super::view::Time;
use super::super::{Shell, html};
use super::changes::{ChangeRow, ProblemRow, rows};
use super::draft::Draft;
use crate::apply::{Applied, Variables};
use crate::auth::Caller;
use crate::error::{Error, Result};
use crate::save::{self, Base, Outcome};
use crate::state::State;

/// Whose settings.
pub(super) enum Subject {
    New,
    Known(Box<App>),
}

impl Subject {
    pub(super) fn known(app: App) -> Self {
        Self::Known(Box::new(app))
    }

    pub(super) fn app(&self) -> Option<&AppName> {
        match self {
            Self::New => None,
            Self::Known(app) => Some(&app.name),
        }
    }

    fn base(&self, draft: &Draft) -> Base {
        match self {
            Self::New => Base::New,
            Self::Known(_) => Base::Revision(draft.base),
        }
    }

    /// Where its forms go.
    fn place(&self) -> Place {
        match self {
            Self::New => Place {
                app: None,
                editor: "/apps/new".into(),
                again: "/apps/new/again".into(),
                save: "/apps/new/save".into(),
                back: "/settings".into(),
            },
            Self::Known(app) => {
                let settings = format!("/apps/{}/settings", app.name);
                Place {
                    app: Some(app.name.to_string()),
                    editor: format!("{settings}/edit"),
                    again: format!("{settings}/again"),
                    save: format!("{settings}/save"),
                    back: settings,
                }
            }
        }
    }
}

struct Place {
    app: Option<String>,
    editor: String,
    again: String,
    save: String,
    back: String,
}

#[derive(Template)]
#[template(path = "settings_edit.html")]
struct EditorPage {
    shell: Shell,
    place: Place,
    text: String,
    revision: i64,
    rows: usize,
    problems: Vec<ProblemRow>,
    moved: Option<Moved>,
    /// Secrets that were typed elsewhere, sealed.
    carried: Option<String>,
}

/// Somebody else was faster.
struct Moved {
    by: String,
    at: Time,
    from: i64,
    theirs: Vec<ChangeRow>,
    mine: Vec<ChangeRow>,
}

#[derive(Template)]
#[template(path = "settings_review.html")]
struct ReviewPage {
    shell: Shell,
    place: Place,
    /// Of the app that the file names.
    name: String,
    revision: i64,
    changes: Vec<ChangeRow>,
    consequences: Vec<String>,
    /// Stages that run with other parameters than they would have.
    outdated: Vec<String>,
    warnings: Vec<String>,
    sealed: String,
}

/// The editor with a text in it.
pub(super) fn editor(
    state: &State,
    caller: &Caller,
    subject: &Subject,
    draft: &Draft,
) -> Result<Html<String>> {
    html(&page(state, caller, subject, draft, Vec::new(), None)?)
}

fn page(
    state: &State,
    caller: &Caller,
    subject: &Subject,
    draft: &Draft,
    problems: Vec<ProblemRow>,
    moved: Option<Moved>,
) -> Result<EditorPage> {
    let title = match subject.app() {
        Some(app) => format!("Edit the settings of {app}"),
        None => "Add an app".to_owned(),
    };
    let carried = match draft.secrets.is_empty() {
        true => None,
        false => Some(draft.seal(state, caller, subject.app())?),
    };
    Ok(EditorPage {
        shell: Shell::new(title, "settings").of(caller),
        place: subject.place(),
        text: draft.text.clone(),
        revision: draft.base,
        // the whole file, as long as it is no endless one
        rows: draft.text.lines().count().clamp(16, 60) + 2,
        problems,
        moved,
        carried,
    })
}

fn mend(
    state: &State,
    caller: &Caller,
    subject: &Subject,
    draft: &Draft,
    problems: Vec<ProblemRow>,
) -> Result<Response> {
    let page = page(state, caller, subject, draft, problems, None)?;
    Ok((StatusCode::UNPROCESSABLE_ENTITY, html(&page)?).into_response())
}

/// The file of a draft, if it is one of this app; else the page to mend it on.
fn whole(
    state: &State,
    caller: &Caller,
    subject: &Subject,
    draft: &Draft,
) -> Result<std::result::Result<AppFile, Response>> {
    let problems = match draft.file() {
        Ok(file) => match subject.app() {
            Some(app) if file.settings.app != *app => vec![ProblemRow {
                line: None,
                key: "app".into(),
                message: format!(
                    "these are the settings of {app}, and the file names {}: an app keeps its name",
                    file.settings.app
                ),
                excerpt: None,
            }],
            Some(_) | None => return Ok(Ok(file)),
        },
        Err(problems) => {
            problems.into_iter().map(|problem| ProblemRow::of(problem, &draft.text)).collect()
        }
    };
    Ok(Err(mend(state, caller, subject, draft, problems)?))
}

/// Shows what a draft would change.
pub(super) async fn review(
    state: &State,
    caller: &Caller,
    subject: &Subject,
    draft: Draft,
) -> Result<Response> {
    let file = match whole(state, caller, subject, &draft)? {
        Ok(file) => file,
        Err(page) => return Ok(page),
    };
    let base = (subject.base(&draft), Variables::Keep);
    match save::foresee(state, caller, &file, base).await {
        Ok(Outcome::Done(applied)) => {
            let page = shown(state, caller, subject, &draft, &file, applied)?;
            Ok(html(&page)?.into_response())
        }
        Ok(Outcome::Moved(current)) => {
            conflict(state, caller, subject, draft, &file, current).await
        }
        Err(Error::Invalid(mistakes)) => {
            let problems = mistakes.into_iter().map(ProblemRow::from).collect();
            mend(state, caller, subject, &draft, problems)
        }
        Err(error) => Err(error),
    }
}

fn shown(
    state: &State,
    caller: &Caller,
    subject: &Subject,
    draft: &Draft,
    file: &AppFile,
    applied: Applied,
) -> Result<ReviewPage> {
    let follows = match subject {
        Subject::New => Vec::new(),
        Subject::Known(app) => consequences(&app.settings, &file.settings),
    };
    let name = file.settings.app.to_string();
    Ok(ReviewPage {
        shell: Shell::new(format!("Save the settings of {name}?"), "settings").of(caller),
        place: subject.place(),
        name,
        revision: draft.base,
        changes: rows(applied.changes),
        consequences: follows.iter().map(ToString::to_string).collect(),
        outdated: applied.parameters_changed.iter().map(ToString::to_string).collect(),
        warnings: file.warnings.iter().map(ToString::to_string).collect(),
        sealed: draft.seal(state, caller, subject.app())?,
    })
}

/// Saves what was shown.
pub(super) async fn save(
    state: &State,
    caller: &Caller,
    subject: &Subject,
    draft: Draft,
) -> Result<Response> {
    let file = match whole(state, caller, subject, &draft)? {
        Ok(file) => file,
        Err(page) => return Ok(page),
    };
    let base = (subject.base(&draft), Variables::Keep);
    match save::save(state, caller, &file, base).await {
        Ok(Outcome::Done(applied)) => {
            let settings = format!("/apps/{}/settings", file.settings.app);
            Ok(Redirect::to(&format!("{settings}/history/{}", applied.revision)).into_response())
        }
        Ok(Outcome::Moved(current)) => {
            conflict(state, caller, subject, draft, &file, current).await
        }
        Err(Error::Invalid(mistakes)) => {
            let problems = mistakes.into_iter().map(ProblemRow::from).collect();
            mend(state, caller, subject, &draft, problems)
        }
        Err(error) => Err(error),
    }
}

/// Refuses, and shows both: what somebody else changed meanwhile, and what this draft would have.
/// The text comes back, to be saved over the newer settings if that is meant.
async fn conflict(
    state: &State,
    caller: &Caller,
    subject: &Subject,
    draft: Draft,
    file: &AppFile,
    current: i64,
) -> Result<Response> {
    let Subject::Known(app) = subject else {
        return Err(Error::Conflict("the app was added by somebody else meanwhile".into()));
    };
    let mut conn = state.db.acquire().await?;
    let newest = store::revision::get(&mut conn, app.id, current).await?;
    let base = match draft.base {
        0 => None,
        base => Some(store::revision::get(&mut conn, app.id, base).await?.settings),
    };
    drop(conn);
    let moved = Moved {
        by: newest.by,
        at: Time::new(newest.at, state.now()),
        from: draft.base,
        theirs: rows(diff(base.as_ref(), &newest.settings)),
        mine: rows(diff(base.as_ref(), &file.settings)),
    };
    let draft = Draft { base: current, ..draft };
    let page = page(state, caller, subject, &draft, Vec::new(), Some(moved))?;
    Ok((StatusCode::CONFLICT, html(&page)?).into_response())
}
