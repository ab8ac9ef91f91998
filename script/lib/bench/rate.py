"""Trivial builds per second: 200 webhooks back to back, each one build of a plan and a test job
whose only command is `true`, in the sandbox.

The limit is the machine's own `true` in such a sandbox, one after another: a build needs one.
"""

import time

from . import hooks, load
from .latency import seconds
from .limits import sandbox_true
from .report import median
from .world import APP, REPOSITORY, Trouble, service, until

BUILDS = 200
LONGEST = 90


def measure(report, server, github, templates, first_number, builds=BUILDS):
    files = service(install="true")
    # without an install line: one step a build
    files["greenroom.yml"] = files["greenroom.yml"].replace('    install: "true"\n', "")
    sha = github.commit(REPOSITORY, f"rate-{server.slots}", {**files, "notes/slots": f"{server.slots}\n"})
    requests = [hooks.request(server.address, *templates.pull(first_number + number, sha, "rate"))
                for number in range(builds)]
    sandbox = [sandbox_true() for _ in range(10)]
    began = time.time()
    outcome = load.send_all(server.address, 1, requests, time.monotonic() + LONGEST)
    if outcome.statuses != {202: builds}:
        raise Trouble(f"webhooks were answered {outcome.statuses}")

    def done():
        running = server.get(f"/apps/{APP}/builds?commit={sha}&state=running&limit=1")["builds"]
        return not running and server.gauges().get("greenroom_deliveries_received", 0) == 0

    until(f"{builds} builds to end", done, LONGEST, server.process.check, 0.25)
    ended, outcomes, failed, path = [], {}, [], f"/apps/{APP}/builds?commit={sha}&limit=100"
    while path:
        page = server.get(path)
        for build in page["builds"]:
            ended.append(seconds(build["finished_at"]))
            outcomes[build["outcome"]] = outcomes.get(build["outcome"], 0) + 1
            if build["outcome"] != "succeeded":
                failed.append(build["number"])
        path = (page.get("next") or "").removeprefix("/api/v1") or None
    if outcomes != {"succeeded": builds}:
        jobs = server.get(f"/apps/{APP}/builds/{failed[0]}")["jobs"] if failed else []
        reasons = [f"{job['kind']}: {job['reason']}" for job in jobs if job.get("reason")]
        raise Trouble(f"of {builds} builds ended: {outcomes}; build {failed[:1]}: {reasons}")
    took = max(ended) - began
    sandbox += [sandbox_true() for _ in range(10)]
    rate, limit = builds / took, 1 / median(sandbox)
    report.row(f"trivial builds, {server.slots} slot{'s' if server.slots > 1 else ''}", rate, "/s", limit,
               "sandboxed `true`, one by one", "> 28 (Woodpecker)", rate > 28)
    report.detail(f"rate_{server.slots}", {
        "builds": builds, "jobs_per_s": 2 * rate, "seconds": took, "hooks_per_s": outcome.rate})
    return rate
