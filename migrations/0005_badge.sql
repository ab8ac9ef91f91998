-- The address under which everybody may see an app's badges: whoever made it meant it to be shown,
-- in a README say, so it is kept as it is.
create table badge (
    app_id uuid primary key references app on delete cascade,
    key text not null constraint badge_key_key unique check (length(key) >= 32),
    made_by text not null,
    made_at timestamptz not null
);
