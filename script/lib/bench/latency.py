"""Webhook to the first command of the first step, on an idle server.

Each hook is of a commit that the worker has not seen. The step's first command says the time, and
the log is read after the build's end, so that nobody asks while it runs. Beside it, in the same
seconds, the parts that cannot be left out are measured one by one: the durable commits between the
hook and the step, the fetch of a small push, its checkout, the start of a sandbox.
"""

import re
import time
from datetime import datetime

from .limits import Mirror, Postgres, sandbox_true, spread
from .report import median
from .world import APP, REPOSITORY, service, until

HOOKS = 30
# that wait for the disk: delivery, claim and end of the plan, claim of the test (intake and what
# follows from the plan are done again after a power failure and do not wait)
COMMITS = 4


def seconds(text):
    """An RFC 3339 time as seconds of the epoch."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def measure(report, server, github, templates, directory, hooks=HOOKS):
    postgres = Postgres(server)
    mirror = Mirror(directory, f"{github.url}/{REPOSITORY}.git")
    github.commit(REPOSITORY, "latency", service(install="date +%s%N"))
    whole, answers, parts, stations = [], [], {"fetch": [], "checkout": [], "sandbox": []}, []
    _, commits = postgres.commits(1, 1)
    for number in range(hooks + 2):
        sha = github.commit(REPOSITORY, "latency", {"notes/change": f"{number}\n"})
        if number == 2:
            before = postgres.activity()
        sent, answered = server.hook(*templates.pull(100 + number, sha, "latency"))
        time.sleep(0.35)
        build = server.finished(server.build_of(sha)["number"], every=0.1)
        jobs = {job["kind"]: job for job in build["jobs"]}
        log = server.log(jobs["test"]["id"]).decode()
        stamp = re.search(r"^(\d{19})$", log, re.MULTILINE)
        if stamp is None or build["outcome"] != "succeeded":
            raise AssertionError(f"build {build['number']} of the bench {build['outcome']}:\n{log}")
        until("the server to be idle", lambda: idle(server), 10)
        if number < 2:
            mirror.fetch(sha)
            continue
        # the first two found no mirror, or cold caches
        at = int(stamp[1]) / 1e9
        whole.append(at - sent / 1e9)
        answers.append(answered)
        stations.append([
            seconds(jobs["plan"]["started_at"]) - sent / 1e9,
            seconds(jobs["plan"]["finished_at"]) - seconds(jobs["plan"]["started_at"]),
            seconds(jobs["test"]["started_at"]) - seconds(jobs["plan"]["finished_at"]),
            at - seconds(jobs["test"]["started_at"]),
        ])
        parts["fetch"].append(mirror.fetch(sha))
        parts["checkout"].append(mirror.checkout(sha))
        parts["sandbox"].append(sandbox_true())
    after = postgres.activity()
    commits += postgres.commits(1, 1)[1]
    flushes = (after["flushes"] - before["flushes"]) / hooks
    commit = median(commits)
    fetch, checkout, sandbox = (median(parts[name]) for name in ("fetch", "checkout", "sandbox"))
    floor = COMMITS * commit + fetch + checkout + sandbox
    p50, p95 = spread(whole)
    report.row("webhook to first command, p50", p50 * 1e3, "ms", floor * 1e3, "the sum of its parts",
               "≤ 2", p50 <= 2 * floor)
    report.row("webhook to first command, p95", p95 * 1e3, "ms")
    report.row("webhook answered, idle, p50", median(answers) * 1e3, "ms", commit * 1e3, "one commit")
    names = ["to the claim of the plan", "plan", "to the claim of the test", "to the first command"]
    middle = [median(column) * 1e3 for column in zip(*stations)]
    report.note(
        f"the parts: {COMMITS} commits of {commit * 1e3:.2f} ms, fetch {fetch * 1e3:.1f}, checkout "
        f"{checkout * 1e3:.1f}, sandbox {sandbox * 1e3:.1f} ms; on the way: "
        + ", ".join(f"{name} {value:.1f} ms" for name, value in zip(names, middle))
        + f"; a build of two jobs makes {flushes:.0f} log flushes in all, until its statuses are sent")
    report.detail("latency", {
        "app": APP, "all_ms": [value * 1e3 for value in whole],
        "parts_ms": {name: [value * 1e3 for value in values] for name, values in parts.items()},
        "commit_ms": commit * 1e3, "stations_ms": dict(zip(names, middle)),
        "wal_flushes_per_build": flushes,
        "transactions_per_build": (after["commits"] - before["commits"]) / hooks,
    })
    return p50


def idle(server):
    gauges = server.gauges()
    return not any(value for name, value in gauges.items()
                   if name.startswith(("greenroom_jobs_", "greenroom_outbox_", "greenroom_deliveries_")))
