-- Who comes in, by which door, and what they did: people and their roles, tokens, sessions, the log
-- of deeds, and how the server itself was set up.

-- Somebody who signed in with GitHub. Who they are is GitHub's number, which a rename does not change.
create table person (
    id uuid primary key,
    github_id bigint not null constraint person_github_id_key unique,
    login text not null,
    name text,
    -- a role in the whole server that this server gave by itself: to whoever set it up
    granted text check (granted in ('admin', 'deployer', 'viewer')),
    created_at timestamptz not null,
    signed_in_at timestamptz not null,
    -- when GitHub last said what they may
    checked_at timestamptz,
    -- when it is asked again; put off by whoever asks, so that only one does
    next_check_at timestamptz not null,
    -- why the last look failed
    trouble text
);
-- a login that another account took over is no longer this one's: see store::person
create unique index person_login_key on person (lower(login));

-- What somebody may, as it was found out. A row counts for a while after its look (store::person),
-- so that a right that cannot be looked at again ends by itself.
create table person_role (
    person_id uuid not null references person on delete cascade,
    -- null: in the whole server
    app_id uuid references app on delete cascade,
    role text not null check (role in ('admin', 'deployer', 'viewer')),
    -- where it comes from, for people to read
    source text not null,
    checked_at timestamptz not null,
    constraint person_role_key unique nulls not distinct (person_id, app_id)
);
create index person_role_app on person_role (app_id);

-- The teams that settings name and that somebody was found to be in.
create table person_team (
    person_id uuid not null references person on delete cascade,
    -- org/team, in lower case
    team text not null,
    checked_at timestamptz not null,
    primary key (person_id, team)
);

-- Bearer tokens, by the SHA-256 of their text.
create table token (
    id uuid primary key,
    name text not null constraint token_name_key unique,
    role text not null check (role in ('admin', 'deployer', 'viewer', 'worker')),
    -- null: in the whole server
    app_id uuid references app on delete cascade,
    hash bytea not null constraint token_hash_key unique,
    created_by text not null,
    created_at timestamptz not null,
    expires_at timestamptz,
    -- within a minute
    last_used_at timestamptz,
    revoked_at timestamptz,
    -- workers serve all apps
    check (role <> 'worker' or app_id is null)
);
create index token_name on token (lower(name));
create index token_app on token (app_id) where app_id is not null;

-- A browser in which somebody is signed in: a person, or whoever holds a token. Its cookie is a
-- random text of which this is the SHA-256.
create table session (
    id uuid primary key,
    hash bytea not null constraint session_hash_key unique,
    person_id uuid references person on delete cascade,
    token_id uuid references token on delete cascade,
    created_at timestamptz not null,
    -- within a minute
    seen_at timestamptz not null,
    expires_at timestamptz not null,
    -- what the browser calls itself, and from where it came
    agent text not null,
    from_ip text,
    check (num_nonnulls(person_id, token_id) = 1)
);
create index session_person on session (person_id, id) where person_id is not null;
create index session_token on session (token_id, id) where token_id is not null;
create index session_expires on session (expires_at);

-- Somebody who was sent to GitHub to sign in and has not come back. Used once.
create table login_attempt (
    -- SHA-256 of the state that GitHub gives back, and of the cookie of the browser that asked
    state_hash bytea primary key,
    browser_hash bytea not null,
    -- of PKCE: what proves that it was we who asked
    verifier text not null,
    -- a path of this server
    back text not null,
    expires_at timestamptz not null
);
create index login_attempt_expires on login_attempt (expires_at);

-- What people did, for whoever asks later. It names apps and stages instead of pointing at them:
-- it outlives them.
create table audit (
    id uuid primary key,
    at timestamptz not null,
    who text not null,
    -- null: somebody who may nothing there
    role text,
    via text not null check (via in ('api', 'page', 'command')),
    -- the address that the server saw: of a proxy, where there is one
    from_ip text,
    action text not null,
    app text,
    stage text,
    build bigint,
    detail jsonb not null default '{}'
);
create index audit_app on audit (app, id desc);

-- As whom the server speaks to GitHub, made on the setup pages; what the configuration names goes
-- before it. A GitHub App has a number, a token has none. The secrets are sealed for the row's id.
create table github_app (
    one boolean primary key default true check (one),
    id uuid not null,
    app_id bigint,
    slug text,
    html_url text,
    owner text,
    client_id text,
    key_id text not null,
    ciphertext bytea not null,
    made_at timestamptz not null,
    constraint github_app_whole check (num_nulls(app_id, slug, html_url, owner, client_id) in (0, 5))
);

-- A row once somebody went through the setup pages to their end.
create table setup (
    one boolean primary key default true check (one),
    finished_at timestamptz not null
);

-- The printed link, and the session of whoever opened it; hashes alone.
create table setup_link (
    hash bytea primary key,
    made_at timestamptz not null,
    good_until timestamptz not null,
    used_at timestamptz,
    session_hash bytea unique,
    session_until timestamptz,
    constraint setup_link_session check (num_nulls(used_at, session_hash, session_until) in (0, 3))
);

-- What somebody entered on the setup pages so far; no secret is among it.
create table setup_draft (
    holder text primary key,
    draft jsonb not null,
    changed_at timestamptz not null
);
