-- Commands in comments on pull requests: `/greenroom deploy`.

-- Comments that ask for something, as the webhook told of them, and what came of it. A comment is
-- acted upon once, whatever brought it and however often.
create table issue_comment (
    app_id uuid not null references app on delete cascade,
    -- GitHub's number of the comment, and the pull request that it is on
    github_id bigint not null,
    pull_request bigint not null,
    -- who wrote it: the login as it was then, and GitHub's number of the account
    author text not null,
    author_id bigint not null,
    -- GitHub's time of it
    written_at timestamptz not null,
    -- the pull request's head as it was known when the comment was taken; null: it was not
    head text,
    -- list of model::comment::command::Line
    lines jsonb not null,
    taken_at timestamptz not null,
    -- tries that failed for the moment, the last one's reason, and when the next one is
    attempts integer not null default 0,
    last_error text,
    next_attempt_at timestamptz not null,
    -- list of model::comment::command::Answer, one a line
    answers jsonb,
    answered_at timestamptz,
    -- what the author was in the app then; null: nobody, who is told nothing but that
    role text,
    primary key (app_id, github_id),
    check ((answers is null) = (answered_at is null)),
    check (role is null or answered_at is not null)
);
create index issue_comment_due on issue_comment (next_attempt_at) where answered_at is null;
create index issue_comment_told on issue_comment (app_id, pull_request, github_id desc)
    where role is not null;

-- Since when the head is what it is, by GitHub's clock: an approval in a comment is bound to it.
alter table pull_request add column head_since timestamptz;
update pull_request set head_since = changed_at;
alter table pull_request alter column head_since set not null;

-- Of a preview that expires: somebody wants it kept until then at least.
alter table stage add column kept_until timestamptz,
    add constraint stage_kept_until_check check (kind = 'preview' or kept_until is null);

alter table audit drop constraint audit_via_check,
    add constraint audit_via_check check (via in ('api', 'page', 'command', 'comment'));

-- The answer to a comment: of a reaction the subject is the comment's number, the place what it says.
alter table outbox drop constraint outbox_kind_check,
    add constraint outbox_kind_check
        check (kind in ('status', 'comment', 'deployment', 'reaction'));
