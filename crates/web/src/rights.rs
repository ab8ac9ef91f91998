//! Routes that say what they need: an address is only served with the right to it written beside.
//!
//! What always holds: whoever calls was identified before (a [`Caller`] among the request's
//! extensions), and the right is checked before the handler runs, so no handler can forget it. The
//! same list that makes the router is what the tests go through, route by route and role by role.

use axum::Router;
use axum::extract::{Extension, RawPathParams, Request};
use axum::handler::Handler;
use axum::http::Method;
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{MethodRouter, delete, get, post, put};
use model::permission::{Action, Scope};
use model::{AppName, BuildId, JobId};

use crate::access;
use crate::auth::{Caller, Who};
use crate::error::{Error, Result};
use crate::extract::segment;
use crate::state::State;

/// What a route needs of whoever calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Needs {
    /// Anybody whom the outer door lets in; what is shown is chosen by what they may read.
    Somebody,
    /// This, in the whole server.
    OnServer(Action),
    /// Not to be anyone: who it is is known, whatever that one may.
    SignedIn,
    /// This, in any place: the handler chooses by app what is shown or done.
    Somewhere(Action),
    /// This, in the app that the address names: `{app}`.
    InApp(Action),
    /// The same, after GitHub was asked anew what the caller may: what follows is not taken back.
    InAppNow(Action),
    /// This, in the app of the job that the address names: `{id}`.
    InAppOfJob(Action),
    /// This, in the app of the build that the address names: `{id}`.
    InAppOfBuild(Action),
}

/// One served address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Route {
    pub(crate) method: Method,
    pub(crate) path: &'static str,
    pub(crate) needs: Needs,
}

/// Collects routes with what they need.
#[derive(Default)]
pub(crate) struct Routes(Vec<(Route, MethodRouter<State>)>);

impl Routes {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn get<H, T>(self, path: &'static str, needs: Needs, handler: H) -> Self
    where
        H: Handler<T, State>,
        T: 'static,
    {
        self.add(Method::GET, path, needs, get(handler))
    }

    pub(crate) fn post<H, T>(self, path: &'static str, needs: Needs, handler: H) -> Self
    where
        H: Handler<T, State>,
        T: 'static,
    {
        self.add(Method::POST, path, needs, post(handler))
    }

    pub(crate) fn put<H, T>(self, path: &'static str, needs: Needs, handler: H) -> Self
    where
        H: Handler<T, State>,
        T: 'static,
    {
        self.add(Method::PUT, path, needs, put(handler))
    }

    pub(crate) fn delete<H, T>(self, path: &'static str, needs: Needs, handler: H) -> Self
    where
        H: Handler<T, State>,
        T: 'static,
    {
        self.add(Method::DELETE, path, needs, delete(handler))
    }

    fn add(
        mut self,
        method: Method,
        path: &'static str,
        needs: Needs,
        handler: MethodRouter<State>,
    ) -> Self {
        self.0.push((Route { method, path, needs }, handler));
        self
    }

    pub(crate) fn merge(mut self, other: Self) -> Self {
        self.0.extend(other.0);
        self
    }

    pub(crate) fn list(&self) -> impl Iterator<Item = &Route> {
        self.0.iter().map(|(route, _)| route)
    }

    /// All of them, each behind the check of what it needs.
    pub(crate) fn into_router(self, state: &State) -> Router<State> {
        self.0.into_iter().fold(Router::new(), |router, (route, handler)| {
            let guard = middleware::from_fn_with_state((state.clone(), route.needs), check);
            router.route(route.path, handler.route_layer(guard))
        })
    }
}

async fn check(
    axum::extract::State((state, needs)): axum::extract::State<(State, Needs)>,
    Extension(caller): Extension<Caller>,
    path: RawPathParams,
    mut request: Request,
    next: Next,
) -> Result<Response> {
    let part = |key: &str| {
        path.iter()
            .find(|(name, _)| *name == key)
            .map(|(_, value)| value.to_owned())
            .ok_or_else(|| Error::NotFound("there is nothing at this address".into()))
    };
    match needs {
        Needs::Somebody => {}
        Needs::SignedIn => {
            if caller.who == Who::Anyone {
                return Err(Error::Unauthorized("sign in first: this is about whoever did".into()));
            }
        }
        Needs::Somewhere(action) => {
            if !caller.rights.allows_somewhere(action) {
                caller.may(action, Scope::Server)?;
            }
        }
        Needs::InAppNow(action) => {
            let app = segment::<AppName>("app", &part("app")?)?;
            within(&caller, action, &app)?;
            let caller = access::looked_at_now(&state, caller).await?;
            within(&caller, action, &app)?;
            request.extensions_mut().insert(caller);
        }
        Needs::OnServer(action) => caller.may(action, Scope::Server)?,
        Needs::InApp(action) => {
            within(&caller, action, &segment::<AppName>("app", &part("app")?)?)?;
        }
        Needs::InAppOfJob(action) => {
            let job: JobId = segment("job", &part("id")?)?;
            let mut conn = state.db.acquire().await?;
            let app = store::app::of_job(&mut conn, job).await?;
            drop(conn);
            within(&caller, action, &app)?;
        }
        Needs::InAppOfBuild(action) => {
            let build: BuildId = segment("build", &part("id")?)?;
            let mut conn = state.db.acquire().await?;
            let app = store::app::of_build(&mut conn, build).await?;
            drop(conn);
            within(&caller, action, &app)?;
        }
    }
    Ok(next.run(request).await)
}

/// An app that the caller may not even read is told like one that is not there.
fn within(caller: &Caller, action: Action, app: &AppName) -> Result<()> {
    if !caller.allows(Action::Read, app) {
        return Err(Error::NotFound(format!("there is no app {:?}", app.as_str())));
    }
    caller.may(action, Scope::App(app))
}
