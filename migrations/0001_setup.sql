-- The whole state of a Greenroom server. Singular names; every state that must not be is refused
-- by a constraint here, not only by code. Ids are version 7 UUIDs made by the server, so that
-- rows sort by birth; times are UTC.

-- A repository registered with the server, and what the server decides about it.
create table app (
    id uuid primary key,
    name text not null constraint app_name_key unique,
    repository text not null,
    -- GitHub's number of the repository: survives a rename
    repository_id bigint,
    installation_id bigint,
    -- model::app::Settings as applied; no secret stands in it
    settings jsonb not null,
    -- how many of its jobs run at once; null: as many as the workers take
    concurrency integer generated always as ((settings ->> 'concurrency')::integer) stored
        check (concurrency > 0),
    last_build_number bigint not null default 0,
    created_at timestamptz not null,
    updated_at timestamptz not null
);
-- GitHub's names are unique without regard to case
create unique index app_repository_key on app (lower(repository));
create index app_repository_id on app (repository_id) where repository_id is not null;
-- those of which a claim counts the running jobs; mostly none
create index app_limited on app (id) where concurrency is not null;

-- Secret parameters of an app's profiles and stages, AES-256-GCM with the row's id and place as
-- associated data: a value copied to another row does not open.
create table secret (
    id uuid primary key,
    app_id uuid not null references app on delete cascade,
    -- whose it is: a profile's or a stage's, as the app file writes the name
    profile text,
    stage text,
    key text not null,
    key_id text not null,
    ciphertext bytea not null,
    -- when it last got another value
    updated_at timestamptz not null,
    check (num_nonnulls(profile, stage) = 1),
    constraint secret_place_key unique nulls not distinct (app_id, profile, stage, key)
);

-- One webhook delivery as GitHub sent it. It is the queue of intake: what happens, happens from
-- this row. `seq` gives the order of arrival.
create table delivery (
    guid text primary key,
    seq bigint generated always as identity,
    event text not null,
    headers jsonb not null,
    body bytea not null,
    state text not null default 'received'
        check (state in ('received', 'done', 'ignored', 'failed')),
    -- why it was ignored or failed, or what it set in motion
    reason text,
    attempts integer not null default 0,
    received_at timestamptz not null,
    processed_at timestamptz,
    check ((state = 'received') = (processed_at is null)),
    check (state not in ('ignored', 'failed') or reason is not null)
);
create index delivery_received on delivery (seq) where state = 'received';
create index delivery_newest on delivery (seq desc);

-- One named copy of an app. Closed stages stay as history; their names are free again.
create table stage (
    id uuid primary key,
    app_id uuid not null references app on delete cascade,
    name text not null,
    kind text not null check (kind in ('long-lived', 'preview', 'personal')),
    profile text not null,
    branch text,
    pull_request bigint,
    state text not null check (state in ('active', 'removing', 'remove_failed', 'closed')),
    created_at timestamptz not null,
    active_at timestamptz not null,
    closed_at timestamptz,
    check ((state = 'closed') = (closed_at is not null)),
    check (kind <> 'preview' or branch is not null)
);
-- IAM role names are unique without regard to case, so stage names are too
create unique index stage_name_key on stage (app_id, lower(name)) where state <> 'closed';
create unique index stage_branch_key on stage (app_id, branch)
    where kind = 'preview' and state <> 'closed';
create index stage_closed on stage (app_id, closed_at) where state = 'closed';

create table build (
    id uuid primary key,
    app_id uuid not null references app on delete cascade,
    number bigint not null,
    event text not null check (event in
        ('push', 'tag', 'pull_request', 'branch_deleted', 'pull_request_closed', 'manual')),
    purpose text not null check (purpose in ('deploy', 'test', 'remove')),
    stage_id uuid references stage,
    commit_sha text not null,
    branch text,
    tag text,
    pull_request bigint,
    title text not null,
    author text not null,
    forced boolean not null default false,
    -- the services it is for, by its rule or by the person who asked; null: all
    services text[] check (cardinality(services) > 0),
    -- of a preview: only what changed, or the whole app
    preview_deploy text not null default 'changed' check (preview_deploy in ('changed', 'all')),
    -- the delivery it answers to: one delivery, one build per purpose and stage
    delivery_guid text,
    -- model::plan::PlannedService of each service and region: what runs, follows or is skipped,
    -- and why
    planned jsonb,
    state text not null check (state in ('running', 'waiting', 'finished')),
    outcome text check (outcome in ('succeeded', 'failed', 'canceled', 'superseded', 'skipped')),
    reason text,
    cancel_requested_at timestamptz,
    cancel_reason text,
    superseded_by bigint,
    created_at timestamptz not null,
    started_at timestamptz,
    finished_at timestamptz,
    constraint build_number_key unique (app_id, number),
    check ((state = 'finished') = (outcome is not null)),
    check ((state = 'finished') = (finished_at is not null)),
    check (purpose = 'test' or stage_id is not null)
);
-- newest first within an app is build_number_key read backwards, over all apps the primary key
-- one delivery makes one build of a purpose for each stage (a tag may match several rules); tests
-- alone have no stage, and builds by hand no delivery
create unique index build_delivery_key
    on build (delivery_guid, app_id, purpose, coalesce(stage_id, app_id))
    where delivery_guid is not null;
create index build_unfinished on build (id) where state <> 'finished';
create index build_stage on build (stage_id, number desc);
create index build_branch on build (app_id, branch, number desc);
create index build_commit on build (app_id, commit_sha);

-- Builds to settle: something about their jobs changed since the engine last looked. A mark is
-- only ever inserted, in the transaction of the change, and deleted by the pass that then reads
-- the jobs. A flag on the build's row would either lose a change (an update that sees the flag
-- already set does not wait for the pass that is clearing it) or make workers wait for the
-- engine's locks. No foreign key for the same reason: its check locks the build's row.
create table build_mark (
    seq bigint generated always as identity primary key,
    build_id uuid not null
);
create index build_mark_build on build_mark (build_id);

-- One service in one stage and region, and what is deployed there now.
create table instance (
    id uuid primary key,
    stage_id uuid not null references stage on delete cascade,
    service text not null,
    region text not null,
    -- planned: a deploy of it was drawn, and none has begun yet; nothing is there
    state text not null check (state in
        ('planned', 'deploying', 'deployed', 'failed', 'removing', 'removed')),
    reason text,
    -- the main one first; a service may have none
    stacks text[] not null default '{}',
    -- the last successful deployment: its commit, build and artifact
    commit_sha text,
    build_number bigint,
    artifact_id uuid,
    -- when that deployment was told its parameters and the outputs of others
    read_at timestamptz,
    -- model::app::digest_of the parameters it was told; null: they changed while it was under way
    parameters_digest text,
    -- when what it publishes last became something else
    outputs_changed_at timestamptz,
    -- model::pipeline::Service as last deployed: a removal runs from it when the branch is gone
    service_spec jsonb not null,
    outputs jsonb not null default '{}',
    endpoints jsonb not null default '[]',
    -- model::outside::Left: how the last change of ours left its stacks
    stacks_left jsonb not null default '{"last": "unknown"}',
    -- model::outside::Outside: what somebody else did to them since, until a deploy succeeds
    changed_outside jsonb,
    updated_at timestamptz not null,
    constraint instance_place_key unique (stage_id, service, region),
    check (state <> 'deployed' or commit_sha is not null),
    check (state <> 'planned' or commit_sha is null)
);

-- One unit of work. The claimed row is kept small: what a job needs to know is in `spec`, what it
-- found out in `result`, both read by their owners only.
create table job (
    id uuid primary key,
    build_id uuid not null references build on delete cascade,
    kind text not null check (kind in
        ('plan', 'test', 'package', 'deploy', 'remove', 'post_deploy')),
    service text,
    -- where it deploys to or removes from
    region text,
    instance_id uuid references instance,
    state text not null check (state in ('blocked', 'queued', 'running', 'finished')),
    -- begun attempts: a queued job's next attempt is this plus one
    attempt integer not null default 0,
    worker_id uuid,
    lease_expires_at timestamptz,
    outcome text check (outcome in ('succeeded', 'failed', 'canceled', 'skipped', 'unneeded')),
    failure_kind text check (failure_kind in ('step', 'configuration', 'safeguard', 'limit', 'aws',
        'checkout', 'lost', 'internal')),
    reason text,
    -- of an app that limits its jobs: which of its slots this running one holds
    slot_app_id uuid,
    slot integer,
    -- a running job is asked to end; its worker learns it with the next heartbeat
    cancel_requested_at timestamptz,
    -- store::job::Work: the service, or the stage's own command; absent for a plan
    spec jsonb,
    -- also beside a failure: what was found out before it
    result jsonb,
    needs uuid[] not null default '{}',
    -- model::plan::Condition on what came of the needs; null: always
    condition jsonb,
    queued_at timestamptz,
    started_at timestamptz,
    finished_at timestamptz,
    check ((state = 'running') = (worker_id is not null)),
    check ((state = 'running') = (lease_expires_at is not null)),
    check ((state = 'finished') = (outcome is not null)),
    check ((state = 'finished') = (finished_at is not null)),
    check ((outcome = 'failed') = (failure_kind is not null) or outcome is null),
    check (outcome is null or outcome = 'succeeded' or reason is not null),
    check ((kind in ('plan', 'post_deploy')) = (service is null)),
    check ((kind = 'plan') = (spec is null)),
    check ((kind in ('package', 'deploy', 'remove')) = (region is not null)),
    check (kind not in ('deploy', 'remove') or instance_id is not null),
    check ((slot is null) = (slot_app_id is null)),
    check (slot is null or state = 'running')
);
create index job_build on job (build_id);
-- the queue: a claim walks it from its head and takes the first job it may have
create index job_queued on job (id) where state = 'queued';
create index job_running on job (lease_expires_at) where state = 'running';
-- what stands before a change of the same instance
create index job_change on job (instance_id, build_id)
    where state <> 'finished' and kind in ('deploy', 'remove');
-- two changes of one instance never run at once, whatever the claim thinks
create unique index job_one_change_per_instance on job (instance_id)
    where state = 'running' and kind in ('deploy', 'remove');
-- nor do more jobs of an app than it has slots
create unique index job_one_per_slot on job (slot_app_id, slot) where slot is not null;

-- What one package job produced for one service, stage and region. The bytes lie in the object
-- store, encrypted, under their digest.
create table artifact (
    id uuid primary key,
    job_id uuid not null references job on delete cascade,
    build_id uuid not null references build on delete cascade,
    service text not null,
    stage_id uuid not null references stage,
    region text not null,
    digest text not null,
    size_bytes bigint not null,
    key_id text not null,
    created_at timestamptz not null,
    constraint artifact_job_key unique (job_id),
    -- what a deployment refers to: an artifact of another stage or region cannot be deployed
    constraint artifact_place_key unique (id, stage_id, region)
);
create index artifact_build on artifact (build_id, service, region);

-- One change of one instance.
create table deployment (
    id uuid primary key,
    instance_id uuid not null references instance on delete cascade,
    stage_id uuid not null references stage,
    region text not null,
    job_id uuid not null references job,
    build_id uuid not null references build,
    kind text not null check (kind in ('deploy', 'remove')),
    artifact_id uuid,
    commit_sha text not null,
    state text not null check (state in ('running', 'succeeded', 'failed', 'rolled_back', 'canceled')),
    reason text,
    outputs jsonb not null default '{}',
    started_at timestamptz not null,
    finished_at timestamptz,
    constraint deployment_job_key unique (job_id),
    constraint deployment_artifact_place_fkey
        foreign key (artifact_id, stage_id, region) references artifact (id, stage_id, region),
    check ((kind = 'deploy') = (artifact_id is not null)),
    check ((state = 'running') = (finished_at is null))
);
create unique index deployment_one_running on deployment (instance_id) where state = 'running';
create index deployment_newest on deployment (stage_id, id desc);

-- A job's log in ordered chunks. A repeated chunk is the same chunk.
create table log_chunk (
    job_id uuid not null references job on delete cascade,
    attempt integer not null,
    seq bigint not null,
    bytes bytea not null,
    primary key (job_id, attempt, seq)
);
-- logs hardly compress below what a worker could do, and compressing costs the writer
alter table log_chunk alter column bytes set storage external;

-- What GitHub should show for a commit and context, and what it was told last.
create table outbox (
    id uuid primary key,
    repository text not null,
    commit_sha text not null,
    context text not null,
    -- the build that wanted it last: an older build of the same commit has no say any more
    build_number bigint not null,
    -- model::status::Status and its target
    wanted jsonb not null,
    wanted_version bigint not null default 1,
    sent_version bigint not null default 0,
    attempts integer not null default 0,
    next_attempt_at timestamptz not null,
    last_error text,
    -- given up: GitHub will never take it (the commit or the repository is gone)
    rejected_at timestamptz,
    updated_at timestamptz not null,
    constraint outbox_place_key unique (repository, commit_sha, context),
    check (sent_version <= wanted_version)
);
create index outbox_due on outbox (next_attempt_at)
    where sent_version < wanted_version and rejected_at is null;

create table worker (
    id uuid primary key,
    name text not null constraint worker_name_key unique,
    incarnation uuid not null,
    slots integer not null,
    version text not null,
    executor text not null,
    registered_at timestamptz not null,
    seen_at timestamptz not null
);

-- Bearer tokens, by the SHA-256 of their text.
create table token (
    id uuid primary key,
    name text not null constraint token_name_key unique,
    role text not null check (role in ('admin', 'deployer', 'viewer', 'worker')),
    hash bytea not null constraint token_hash_key unique,
    created_at timestamptz not null,
    revoked_at timestamptz
);
