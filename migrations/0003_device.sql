-- Programs on somebody's machine that are let in from a browser (RFC 8628): they ask for a code, a
-- person who is signed in confirms it, and the program gets a token that is that person's.

-- A program that waits to be let in. Its row goes when it was given its token, was told that it was
-- refused, or is over; of both codes only the SHA-256 is kept.
create table device (
    id uuid primary key,
    -- of the code that the program keeps to itself, and of the one that it shows
    hash bytea not null constraint device_hash_key unique,
    user_hash bytea not null constraint device_user_hash_key unique,
    -- what the program calls its machine: nothing holds it to the truth
    machine text not null,
    -- the address that the server saw: of a proxy, where there is one
    from_ip text,
    -- what it asks to be
    role text not null check (role in ('admin', 'deployer', 'viewer')),
    created_at timestamptz not null,
    expires_at timestamptz not null,
    -- when it asked last whether it is let in, and how long it is to wait between
    polled_at timestamptz,
    interval_seconds integer not null check (interval_seconds > 0),
    state text not null check (state in ('waiting', 'granted', 'refused')),
    -- of one that was let in: by whom, as what, where, and for how long
    granted_by text,
    person_id uuid references person on delete cascade,
    parent_id uuid references token on delete cascade,
    granted_role text check (granted_role in ('admin', 'deployer', 'viewer')),
    app_id uuid references app on delete cascade,
    token_expires_at timestamptz,
    constraint device_granted check (
        case state
            when 'granted' then num_nulls(granted_by, granted_role, token_expires_at) = 0
                and num_nonnulls(person_id, parent_id) <= 1
            else num_nonnulls(granted_by, person_id, parent_id, granted_role, app_id, token_expires_at) = 0
        end
    )
);
create index device_expires on device (expires_at);

-- A code that somebody entered and that no program showed: a few, and they have to wait.
create table device_miss (
    who text not null,
    at timestamptz not null
);
create index device_miss_who on device_miss (who, at);

-- A token that was made so: whose it is. What it may is what that person may now, and at most its
-- role; one that was confirmed by whoever holds another token ends with that one.
alter table token
    add person_id uuid references person,
    add parent_id uuid references token on delete cascade,
    add constraint token_owner check (num_nonnulls(person_id, parent_id) <= 1);
create index token_person on token (person_id) where person_id is not null;
create index token_parent on token (parent_id) where parent_id is not null;
