"""The pages that people look at all day, at 1,000 builds and (with --full) at 150,000: how long one
takes to come, beside the time that a bare client takes to ask PostgreSQL for the same.

The rows are written straight into the server's own cluster, of the shape that builds leave: two
apps with three stages and ten previews each, six services, every build planned, tested, packaged
and deployed. The statements of a page are read from PostgreSQL's log, with their parameters, in
requests of their own; pgbench then asks them again, prepared, one after the other over one
connection. The times of the pages are taken without the log.
"""

import http.client
import re
import time

from .limits import Postgres
from .report import median, percentile
from .world import REPOSITORY, Trouble, call

APPS = ("pages", "pages-too")
SERVICES = 6
# of every build, newest first, this many have all their jobs and deployments; older ones a plan
WHOLE = 1_000
TIMED, LOGGED = 150, 12
MANY = 150_000
ASKED_FOR = 2  # seconds
FILLED_WITHIN = 600  # seconds
ASKED = re.compile(r"LOG:  duration: [0-9.]+ ms  (?:execute [^:]+|statement): (.*)", re.DOTALL)
PARAMETERS = re.compile(r"DETAIL:  [Pp]arameters: (.*)", re.DOTALL)
PARAMETER = re.compile(r"\$(\d+) = (NULL|'(?:[^']|'')*')")

SPEC = """
create temporary table spec on commit drop as select n, 'service-' || n as name, jsonb_build_object(
    'name', 'service-' || n, 'path', 'services/' || n, 'framework', 'serverless', 'depends_on', '[]'::jsonb,
    'watch', '[]'::jsonb, 'notes', '[]'::jsonb, 'commands', '{{}}'::jsonb) as spec
from generate_series(1, {services}) n;
"""

STAGES = """
insert into stage (id, app_id, name, kind, profile, branch, state, created_at, active_at)
select gen_random_uuid(), app.id, made.name, kind, 'development', branch, 'active', now(), now()
from app, (
    values ('dev', 'long-lived', null), ('staging', 'long-lived', null), ('prod', 'long-lived', null)
    union all select 'feature-' || n, 'preview', 'feature/' || n from generate_series(1, 10) n
) made (name, kind, branch) where app.name in ('pages', 'pages-too');

insert into instance (id, stage_id, service, region, state, commit_sha, build_number, service_spec, stacks, outputs, updated_at)
select gen_random_uuid(), stage.id, spec.name, 'us-east-1', 'deployed', repeat('a', 40), 1, spec.spec,
    array[spec.name || '-' || stage.name], '{"url": "https://example.com"}', now() from stage, spec;
"""

# {first} to {last} of each app, the newest so many with all their jobs
BUILDS = """
create temporary table made (id uuid, app_id uuid, number bigint, stage_id uuid, whole boolean, at timestamptz) on commit drop;
insert into made
select gen_random_uuid(), app.id, n, stages.all_of[1 + n % 13], n > {last} - {whole},
    now() - make_interval(mins => ({last} - n)::int)
from generate_series({first}, {last}) n, app
join lateral (select array_agg(id order by name) as all_of from stage where app_id = app.id) stages on true
where app.name in ('pages', 'pages-too');

insert into build (id, app_id, number, event, purpose, stage_id, commit_sha, branch, title, author, planned, state,
    outcome, created_at, started_at, finished_at)
select id, app_id, number, 'push', 'deploy', stage_id, md5(id::text) || 'aaaaaaaa', 'feature/' || number % 200,
    'Change ' || number || ' of the checkout', 'author-' || number % 40, '[]', 'finished',
    case when number % 9 = 0 then 'failed' else 'succeeded' end, at, at, at + interval '40 seconds' from made;

create temporary table work on commit drop as
select gen_random_uuid() as id, made.id as build_id, made.stage_id, kind, spec.name as service, spec.spec, at
from made, (values ('test'), ('package'), ('deploy')) kinds (kind), spec where whole;

insert into job (id, build_id, kind, service, region, instance_id, state, attempt, outcome, spec, queued_at, started_at, finished_at)
select work.id, work.build_id, work.kind, work.service, case when work.kind = 'test' then null else 'us-east-1' end,
    case when work.kind = 'deploy' then instance.id end, 'finished', 1, 'succeeded',
    jsonb_build_object('service', work.spec), at, at, at + interval '10 seconds'
from work join instance on instance.stage_id = work.stage_id and instance.service = work.service
union all
select gen_random_uuid(), id, 'plan', null, null, null, 'finished', 1, 'succeeded', null, at, at, at + interval '2 seconds' from made;

insert into artifact (id, job_id, build_id, service, stage_id, region, digest, size_bytes, key_id, created_at)
select id, id, build_id, service, stage_id, 'us-east-1', repeat('0', 64), 1, 'key', at from work where kind = 'package';

insert into deployment (id, instance_id, stage_id, region, job_id, build_id, kind, artifact_id, commit_sha, state, started_at, finished_at)
select gen_random_uuid(), instance.id, deploy.stage_id, 'us-east-1', deploy.id, deploy.build_id, 'deploy', package.id,
    repeat('a', 40), 'succeeded', deploy.at, deploy.at + interval '10 seconds'
from work deploy join work package on package.kind = 'package' and package.build_id = deploy.build_id
    and package.service = deploy.service
join instance on instance.stage_id = deploy.stage_id and instance.service = deploy.service where deploy.kind = 'deploy';
"""


class Pages:
    """One connection that asks for pages as a browser would."""

    def __init__(self, server):
        self.server, self.postgres = server, Postgres(server)
        self.connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
        self.log = server.data_dir / "postgres" / "postgres.log"

    def get(self, path):
        began = time.perf_counter()
        self.connection.request("GET", path, headers={"Accept": "text/html", "Accept-Encoding": "gzip"})
        answer = self.connection.getresponse()
        body = answer.read()
        took = time.perf_counter() - began
        if answer.status != 200:
            raise Trouble(f"{path} answered {answer.status}: {body[:300]}")
        return took

    def seconds(self, path):
        """What each of many requests takes."""
        for _ in range(10):
            self.get(path)
        return [self.get(path) for _ in range(TIMED)]

    def in_database(self, path):
        """What a bare client waits for the statements of one such page, and how many they are."""
        statements = self.statements(path)
        return self.postgres.ask(statements, ASKED_FOR), len(statements)

    def statements(self, path):
        """Those of the request that had the fewest: no pass of the engine came in between."""
        self.setting("log_min_duration_statement = 0")
        try:
            self.get(path)
            found = []
            for _ in range(LOGGED):
                begin = self.log.stat().st_size
                self.get(path)
                with open(self.log, "rb") as log:
                    log.seek(begin)
                    found.append(statements(log.read().decode(errors="replace")))
        finally:
            self.setting("log_min_duration_statement = -1")
        return min((some for some in found if some), key=len)

    def setting(self, setting):
        self.postgres.sql(f"alter system set {setting}")
        self.postgres.sql("select pg_reload_conf()")
        # backends take it up before their next statement
        time.sleep(0.5)


def statements(log):
    """Each statement of a log with its parameters, in order: `(text, {number: value})`."""
    found, given = [], None
    # what belongs to the line before begins with a tab
    for entry in re.split(r"\n(?!\t)", log):
        if asked := ASKED.search(entry):
            given = {}
            found.append((asked[1].strip(), given))
        elif (told := PARAMETERS.search(entry)) and given is not None:
            for number, value in PARAMETER.findall(told[1]):
                given[int(number)] = None if value == "NULL" else value[1:-1].replace("''", "'")
        else:
            # a parse or a bind, whose parameters come next
            given = None
    return found


def prepare(server):
    role = "arn:aws:iam::111111111111:role/greenroom-deploy"
    for app in APPS:
        profile = {"role_arn": role, "external_id": "bench", "region": "us-east-1"}
        settings = {
            "app": app, "repository": REPOSITORY.replace("bench", app), "default_profile": "development",
            "profiles": {"development": profile},
            "stages": {name: {"profile": "development"} for name in ("dev", "staging", "prod")},
            "rules": [{"branch": "master", "stage": "dev"}, {"preview": {"base": ["master"]}}],
        }
        status, answer = call(server.url, "PUT", f"/api/v1/apps/{app}", settings, server.token)
        if status >= 300:
            raise Trouble(f"the app file was refused with {status}: {answer.decode(errors='replace')}")


def fill(postgres, first, last):
    """Builds `first` to `last` of each app; with the first come the stages."""
    stages = STAGES if first == 1 else ""
    builds = BUILDS.format(first=first, last=last, whole=min(WHOLE, last - first + 1))
    # rows that are made whole need no look at the rows that they name
    unchecked = "set local session_replication_role = replica;"
    rows = f"{SPEC.format(services=SERVICES)} {stages} {builds}"
    postgres.sql(f"begin; {unchecked} {rows} commit", FILLED_WITHIN)
    postgres.sql("analyze")
    postgres.sql("checkpoint")


def measure(report, server, full):
    """Both sizes one after another, on the same server: `p99` is held against the smaller one's."""
    pages = Pages(server)
    prepare(server)
    sizes = [1_000, MANY] if full else [1_000]
    few, filled = {}, 0
    for builds in sizes:
        each = builds // len(APPS)
        fill(pages.postgres, filled + 1, each)
        filled = each
        for name, path in paths(each).items():
            took, (spent, asked) = pages.seconds(path), pages.in_database(path)
            middle, slow = median(took) * 1000, percentile(took, 0.99) * 1000
            ratio = middle / (spent * 1000)
            report.row(f"page: {name}, {builds:,} builds", middle, "ms", spent * 1000, f"its {asked} statements by pgbench",
                       "≤ 2 x", ratio <= 2, ratio)
            report.detail(f"page_{name}_{builds}", {"p50_ms": middle, "p99_ms": slow, "database_ms": spent * 1000, "statements": asked})
            if name in few:
                report.row(f"page: {name}, p99 at {builds:,} builds", slow, "ms", few[name], "at 1,000",
                           "≤ 2 x", slow <= 2 * few[name])
            else:
                few[name] = slow


def paths(number):
    return {
        "board": "/",
        "builds": "/builds",
        "search": "/builds?app=pages&q=checkout",
        "build": f"/apps/pages/builds/{number - 1}",
        "stage": "/apps/pages/stages/staging",
    }
