-- What people elsewhere are told of an app: their secrets, and the outbox to them.

-- The secrets of receivers lie beside those of profiles and stages.
alter table secret add column receiver text;
alter table secret drop constraint secret_check;
alter table secret add constraint secret_one_place
    check (num_nonnulls(profile, stage, receiver) = 1);
alter table secret drop constraint secret_place_key;
alter table secret add constraint secret_place_key
    unique nulls not distinct (app_id, profile, stage, receiver, key);

-- What a receiver is to know of one thing, and what it was told last. Only the newest message is
-- sent: it says how the thing stands.
create table notification (
    id uuid primary key,
    app_id uuid not null references app on delete cascade,
    -- as the app file calls it
    receiver text not null,
    -- the thing within its app: a build, a stage's end, what a removal left, drift
    subject text not null,
    -- a stage may drift, be mended and drift again: each time is another thing
    episode integer not null check (episode > 0),
    -- the order in which things came up
    seq bigint generated always as identity,
    -- model::notification::Message
    wanted jsonb not null,
    -- asked for; else it only sets right what was told, where the receiver can change that
    loud boolean not null,
    wanted_version bigint not null default 1,
    sent_version bigint not null default 0,
    -- model::notification::Handle: what the receiver made of it
    handle jsonb,
    attempts integer not null default 0,
    -- since when it is tried in vain
    failing_since timestamptz,
    next_attempt_at timestamptz not null,
    last_error text,
    -- tried for too long, or never to be taken: a person may have it sent again
    given_up_at timestamptz,
    created_at timestamptz not null,
    updated_at timestamptz not null,
    constraint notification_thing_key unique (app_id, receiver, subject, episode),
    check (sent_version <= wanted_version)
);
create index notification_due on notification (app_id, receiver, seq)
    where sent_version < wanted_version and given_up_at is null;
create index notification_subject on notification (app_id, subject);
create index notification_newest on notification (updated_at);
