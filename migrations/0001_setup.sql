-- What a Greenroom server works with; who comes in and what they did stands in the next file.
-- Singular names; every state that must not be is refused by a constraint here, not only by code.
-- Ids are version 7 UUIDs made by the server, so that rows sort by birth; times are UTC.

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

-- Every change of an app's settings: what they were from then on, and who changed them.
create table app_revision (
    app_id uuid not null references app on delete cascade,
    -- counted from 1, without gaps
    number bigint not null check (number > 0),
    -- model::app::Settings; no secret stands in it
    settings jsonb not null,
    -- list of model::app::Change
    changes jsonb not null,
    by text not null,
    via text not null check (via in ('api', 'page', 'command')),
    at timestamptz not null,
    primary key (app_id, number)
);

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
    -- whose preview it is; null for a preview that the pull requests of a rule share
    branch text,
    -- of a preview: the pull request that was last built in it, and its base, which has the rule
    pull_request bigint,
    base text,
    state text not null check (state in ('active', 'removing', 'remove_failed', 'closed')),
    created_at timestamptz not null,
    -- when somebody last needed it
    active_at timestamptz not null,
    -- of a preview that expires: when that is to be said, when it was said, when it is removed
    warn_at timestamptz,
    warned_at timestamptz,
    expires_at timestamptz,
    -- model::worker_api::RemoveHow of its last removal, how often that failed, what is left and
    -- why, and when it is tried again
    remove_how text not null default 'careful'
        check (remove_how in ('careful', 'retaining', 'forced')),
    remove_failures integer not null default 0,
    left_over text,
    retry_at timestamptz,
    -- when the pass over the previews has to look at it
    due_at timestamptz generated always as (case
        when state = 'active' and warned_at is null then least(warn_at, expires_at)
        when state = 'active' then expires_at
        when state = 'remove_failed' then retry_at end) stored,
    closed_at timestamptz,
    check ((state = 'closed') = (closed_at is not null)),
    -- nothing but a preview is ever removed by a pass, unless a person has asked for it
    check (kind = 'preview' or num_nonnulls(base, warn_at, warned_at, expires_at) = 0),
    check (kind <> 'long-lived' or retry_at is null),
    check ((warn_at is null) = (expires_at is null)),
    check (retry_at is null or state = 'remove_failed')
);
-- IAM role names are unique without regard to case, so stage names are too
create unique index stage_name_key on stage (app_id, lower(name)) where state <> 'closed';
create unique index stage_branch_key on stage (app_id, branch)
    where kind = 'preview' and state <> 'closed';
create index stage_closed on stage (app_id, closed_at) where state = 'closed';
create index stage_due on stage (due_at) where due_at is not null;

-- A pull request of an app's own branches, as last heard of; those of forks are not kept. A closed
-- one stays, so that an event which comes late is known for what it is.
create table pull_request (
    app_id uuid not null references app on delete cascade,
    number bigint not null,
    branch text not null,
    base text not null,
    commit_sha text not null,
    title text not null,
    author text not null,
    draft boolean not null,
    -- gone: its branch was deleted
    state text not null check (state in ('open', 'closed', 'gone')),
    -- GitHub's time of its last change
    changed_at timestamptz not null,
    -- the preview that it was last built in
    stage_id uuid references stage,
    -- since when it waits for a place among the app's previews
    waiting_since timestamptz,
    primary key (app_id, number),
    check (waiting_since is null or state = 'open')
);
create index pull_request_stage on pull_request (stage_id);
create index pull_request_branch on pull_request (app_id, branch) where state <> 'gone';
create index pull_request_waiting on pull_request (app_id, waiting_since)
    where waiting_since is not null;

create table build (
    id uuid primary key,
    app_id uuid not null references app on delete cascade,
    number bigint not null,
    event text not null check (event in
        ('push', 'tag', 'pull_request', 'branch_deleted', 'pull_request_closed', 'manual',
         'schedule')),
    purpose text not null check (purpose in
        ('deploy', 'test', 'remove', 'rollback', 'recover', 'inspect')),
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
    -- when time alone may open or close its stage's gate, or end what it waits for
    look_at timestamptz,
    constraint build_number_key unique (app_id, number),
    check ((state = 'finished') = (outcome is not null)),
    check ((state = 'finished') = (finished_at is not null)),
    -- a sweep looks through an account, not at a stage, and what it found is of no stage when it
    -- is removed
    check (purpose in ('test', 'inspect', 'remove') or stage_id is not null)
);
-- newest first within an app is build_number_key read backwards, over all apps the primary key
-- one delivery makes one build of a purpose for each stage (a tag may match several rules); tests
-- alone have no stage, and builds by hand no delivery
create unique index build_delivery_key
    on build (delivery_guid, app_id, purpose, coalesce(stage_id, app_id))
    where delivery_guid is not null;
create index build_unfinished on build (id) where state <> 'finished';
create index build_look on build (look_at) where look_at is not null and state <> 'finished';
create index build_stage on build (stage_id, number desc);
create index build_branch on build (app_id, branch, number desc);
create index build_commit on build (app_id, commit_sha);
-- the looks at a stage, or at an account
create index build_inspect on build (app_id, stage_id, number desc) where purpose = 'inspect';
create index build_pull_request on build (app_id, pull_request, number desc)
    where pull_request is not null;

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
        ('plan', 'test', 'package', 'deploy', 'remove', 'post_deploy', 'rollback', 'recover',
         'foresee', 'sweep', 'drift')),
    service text,
    -- where it deploys to or removes from
    region text,
    instance_id uuid references instance,
    -- waiting: its stage takes no deploy now
    state text not null check (state in
        ('blocked', 'waiting', 'queued', 'running', 'finished')),
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
    -- a removal without a service is of a stack that no stage knows
    check (kind = 'remove' or (kind in ('plan', 'post_deploy', 'sweep')) = (service is null)),
    check ((kind = 'plan') = (spec is null)),
    check ((kind in ('package', 'deploy', 'remove', 'rollback', 'recover', 'foresee', 'drift'))
        = (region is not null)),
    check (kind not in ('deploy', 'remove', 'rollback', 'recover', 'drift')
        or instance_id is not null or (kind = 'remove' and service is null)),
    check (state <> 'waiting' or kind = 'deploy'),
    check ((slot is null) = (slot_app_id is null)),
    check (slot is null or state = 'running')
);
create index job_build on job (build_id);
-- the queue: a claim walks it from its head and takes the first job it may have
create index job_queued on job (id) where state = 'queued';
create index job_running on job (lease_expires_at) where state = 'running';
-- what stands before a change of the same instance
create index job_change on job (instance_id, build_id)
    where state <> 'finished' and kind in ('deploy', 'remove', 'rollback', 'recover');
-- two changes of one instance never run at once, whatever the claim thinks
create unique index job_one_change_per_instance on job (instance_id)
    where state = 'running' and kind in ('deploy', 'remove', 'rollback', 'recover');
-- nor do more jobs of an app than it has slots
create unique index job_one_per_slot on job (slot_app_id, slot) where slot is not null;

-- How far the attempt that holds a job says it is, counted in resources of CloudFormation. What an
-- attempt said last stays: a deploy that failed shows how far it came.
create table job_progress (
    job_id uuid primary key references job on delete cascade,
    attempt integer not null,
    done integer not null check (done >= 0),
    total integer not null,
    -- in a few words what is under way, if anything is
    doing text,
    at timestamptz not null,
    check (done <= total)
);

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
    -- model::app::digest_of the parameters it was made with; null: they changed meanwhile
    parameters_digest text,
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
    kind text not null check (kind in ('deploy', 'remove', 'rollback')),
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
    check ((kind in ('deploy', 'rollback')) = (artifact_id is not null)),
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
    -- how many line ends it holds: line N is found without reading what comes before it
    lines integer not null,
    -- what brings a terminal to the look of its first byte: model::terminal
    prelude text not null default '',
    -- whether groups began or ended with it
    grouped boolean not null default false,
    -- when it came
    at timestamptz not null,
    primary key (job_id, attempt, seq)
);
-- logs hardly compress below what a worker could do, and compressing costs the writer
alter table log_chunk alter column bytes set storage external;

-- Lines of a log that belong together: model::worker_api::LogGroup.
create table log_group (
    job_id uuid not null references job on delete cascade,
    attempt integer not null,
    ordinal integer not null check (ordinal >= 0),
    kind text not null check (kind in ('step', 'inner')),
    name text not null,
    -- counted from 1 in the attempt's log
    first_line bigint not null check (first_line > 0),
    last_line bigint check (last_line >= first_line),
    outcome text check (outcome in ('succeeded', 'failed', 'canceled')),
    took_ms bigint check (took_ms >= 0),
    began_at timestamptz not null,
    primary key (job_id, attempt, ordinal),
    check (num_nulls(last_line, outcome, took_ms) in (0, 3))
);

-- What GitHub should show, and what it was told last: a status of a commit, the one comment on a
-- pull request, a build's deployment to an environment.
create table outbox (
    id uuid primary key,
    repository text not null,
    kind text not null check (kind in ('status', 'comment', 'deployment')),
    -- of a status the commit, of a comment the pull request's number, of a deployment the build's
    subject text not null,
    -- of a status its context, of a comment its marker, of a deployment its environment
    place text not null,
    -- the build that wanted it last: an older one has no say any more
    build_number bigint not null,
    -- store::outbox::Wish
    wanted jsonb not null,
    wanted_version bigint not null default 1,
    sent_version bigint not null default 0,
    -- GitHub's number of the comment or deployment, so that it is changed and not made twice
    github_id bigint,
    attempts integer not null default 0,
    next_attempt_at timestamptz not null,
    last_error text,
    -- given up: GitHub will never take it (the commit or the repository is gone)
    rejected_at timestamptz,
    updated_at timestamptz not null,
    constraint outbox_place_key unique (repository, kind, subject, place),
    check (sent_version <= wanted_version),
    check (kind <> 'status' or github_id is null)
);
create index outbox_due on outbox (next_attempt_at)
    where sent_version < wanted_version and rejected_at is null;
-- the deployments of an environment, which end together
create index outbox_environment on outbox (repository, place) where kind = 'deployment';

-- Stacks that say they are Greenroom's (the tag greenroom:app) and that no open stage knows, as the
-- sweeps of their account and region saw them. None is ever removed but by a person's word.
create table orphan (
    id uuid primary key,
    -- the stack's ARN: another stack of the same name has another one
    stack_id text not null constraint orphan_stack_key unique,
    name text not null,
    account text not null,
    region text not null,
    -- as whom it was seen last, and can be removed
    app_id uuid not null references app on delete cascade,
    profile text not null,
    -- what its tags say
    app text not null,
    stage text,
    service text,
    build_number bigint,
    -- CloudFormation's word for its state
    status text not null,
    stack_created_at timestamptz,
    stack_changed_at timestamptz,
    -- why it is nobody's
    why text not null,
    first_seen_at timestamptz not null,
    last_seen_at timestamptz not null,
    -- a sweep saw it no more, or a removal of ours has seen it go
    gone_at timestamptz,
    -- the build that was last asked to remove it, and why that did not
    removal_build_id uuid references build on delete set null,
    kept_because text
);
create index orphan_place on orphan (account, region) where gone_at is null;

-- When each region of an account was looked through.
create table sweep (
    account text not null,
    region text not null,
    -- when a job was last made for it, whatever came of that
    ordered_at timestamptz not null,
    swept_at timestamptz,
    primary key (account, region)
);

-- What a look at the stacks of an instance found: the newest, until a deploy of ours succeeds.
create table drift (
    instance_id uuid primary key references instance on delete cascade,
    looked_at timestamptz not null,
    build_number bigint not null,
    -- model::drift::StackDrift of each
    stacks jsonb not null
);

-- How far a stage is behind the one it is promoted from: of two commits, so that a row says nothing
-- once either of the stages runs another.
create table stage_lead (
    stage_id uuid primary key references stage on delete cascade,
    from_stage uuid not null references stage on delete cascade,
    base_sha text not null,
    head_sha text not null,
    -- commits that only `from_stage` has, and that only the stage has; null: GitHub has not said
    ahead_by bigint check (ahead_by >= 0),
    behind_by bigint check (behind_by >= 0),
    looked_at timestamptz not null,
    failures integer not null default 0,
    -- when GitHub is asked again; null: it said what there is to say
    retry_at timestamptz,
    check ((ahead_by is null) = (behind_by is null)),
    check (retry_at is null or ahead_by is null)
);

-- How the parts of reconciling fare: of each app, or of all (no app).
create table reconcile (
    part text not null check (part in ('deliveries', 'branches', 'pull_requests')),
    app_id uuid references app on delete cascade,
    looked_at timestamptz not null,
    -- the beginning of the last look that went well: what came before it need not be looked at
    succeeded_at timestamptz,
    failed_at timestamptz,
    -- why the last look failed; of a part that is off, why it is
    reason text,
    off boolean not null default false,
    constraint reconcile_part_key unique nulls not distinct (part, app_id)
);

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

-- A stage frozen by hand: its deploys wait, until somebody ends it or its time is over.
create table stage_freeze (
    stage_id uuid primary key references stage on delete cascade,
    reason text not null check (reason <> ''),
    by text not null,
    since timestamptz not null,
    until timestamptz,
    check (until > since)
);

-- The question whether a build may deploy, and what came of it. One that is deployed in parts (a
-- service is packaged only when another is deployed) has one for each.
create table approval (
    id uuid primary key,
    build_id uuid not null references build on delete cascade,
    -- model::approval::Ask: what would be deployed, and what that changes
    ask jsonb not null,
    -- its digest: an answer counts for nothing else
    bound_to text not null,
    state text not null check (state in
        ('waiting', 'approved', 'rejected', 'expired', 'void')),
    asked_at timestamptz not null,
    -- null: nobody's approval is needed, the stage is only frozen
    expires_at timestamptz,
    -- null also for what expired or became void by itself
    decided_by text,
    decided_at timestamptz,
    reason text,
    -- who let it through a freeze
    overridden_by text,
    overridden_at timestamptz,
    check ((state = 'waiting') = (decided_at is null)),
    check (state not in ('approved', 'rejected') or decided_by is not null),
    check ((overridden_by is null) = (overridden_at is null))
);
create index approval_build on approval (build_id, id);
create unique index approval_one_waiting on approval (build_id) where state = 'waiting';
