-- Requests that may come again: a client that hears no answer sends the same one once more, under the
-- key that it chose for it, and nothing is done twice.

-- A request under a key of its caller's. The row is there before anything is done. What the request
-- does is noted here in its own transaction, so a crash leaves no doubt whether it was done.
create table idempotency (
    -- the person who calls, or the token that is nobody's
    owner_id uuid not null,
    key text not null check (length(key) between 1 and 255),
    -- SHA-256 of method, address and body: another request under the same key is a mistake
    digest bytea not null,
    -- who took the request on last: a slow one that somebody took over can do nothing any more
    attempt integer not null default 1 check (attempt > 0),
    begun_at timestamptz not null,
    -- when it was done, and what: for who asks again and finds no answer
    done_at timestamptz,
    deed text,
    -- the answer; encrypted, for it may hold the text of a token
    status smallint check (status between 200 and 299),
    kind text,
    body bytea,
    body_key_id text,
    primary key (owner_id, key),
    constraint idempotency_done check ((done_at is null) = (deed is null)),
    constraint idempotency_answered check (
        num_nonnulls(status, body, body_key_id) in (0, 3) and (kind is null or status is not null)
    )
);
create index idempotency_begun on idempotency (begun_at);
