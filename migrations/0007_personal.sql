-- Stages that people have of their own, deployed from their own machines, and the commands that run
-- there with credentials of this server.

-- Whose a personal stage is, and when its time is over. The stage itself has no time to be removed at:
-- nothing but a preview is removed by the pass over `stage`.
create table personal_stage (
    stage_id uuid primary key references stage on delete cascade,
    -- null: whoever holds the token of the owner's name
    person_id uuid references person on delete set null,
    owner text not null,
    used_at timestamptz not null,
    -- of one that expires: when that is to be said, when it was, and when its time is over
    warn_at timestamptz,
    warned_at timestamptz,
    expires_at timestamptz,
    -- its time was over and nobody had been told: it stays, and is shown as expired
    expired_at timestamptz,
    due_at timestamptz generated always as (case
        when expired_at is not null then null
        when warned_at is null then least(warn_at, expires_at)
        else expires_at end) stored,
    check ((warn_at is null) = (expires_at is null)),
    check (expires_at is not null or num_nonnulls(warned_at, expired_at) = 0)
);
create index personal_stage_due on personal_stage (due_at) where due_at is not null;
create index personal_stage_person on personal_stage (person_id) where person_id is not null;

-- A command that runs, or ran, for a stage on somebody's own machine. Its credentials are nowhere but
-- in that command's environment.
create table laptop_session (
    id uuid primary key,
    stage_id uuid not null references stage on delete cascade,
    person_id uuid references person on delete set null,
    -- the login, or the name of the token
    who text not null,
    service text not null,
    region text not null,
    -- of a personal stage: what the command works on
    instance_id uuid references instance on delete cascade,
    purpose text not null check (purpose in ('exec', 'env')),
    -- its words, without the values of parameters
    command text not null check (length(command) <= 4000),
    -- what was checked out, the newest commit below it that a remote had, and whether files differed
    commit_sha text not null,
    pushed_sha text,
    branch text,
    dirty boolean not null,
    -- what the machine called itself, and the address that the server saw
    machine text,
    from_ip text,
    -- model::app::digest_of the parameters that it was told
    parameters_digest text not null,
    began_at timestamptz not null,
    -- when the last credentials that it was given are over
    expires_at timestamptz not null,
    ended_at timestamptz,
    -- null: its end was never told
    exit_code smallint check (exit_code between 0 and 255),
    check (exit_code is null or ended_at is not null)
);
create index laptop_session_stage on laptop_session (stage_id, id desc);
create index laptop_session_open on laptop_session (expires_at) where ended_at is null;
