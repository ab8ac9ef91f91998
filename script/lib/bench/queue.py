"""No-op jobs through the worker API: claimed and reported, with a backlog of 5,000 (and 50,000).

The backlog comes in as webhooks, to a server without a worker of its own and without an identity
on GitHub. The bench then is ten slots of a worker: it claims a plan job and reports that it found
no service, and the engine ends the build beside. A drain that falls as the backlog grows would
show in the first and the last fifth of the jobs. graphile-worker drains as many beside it.
"""

import json
import time

from . import graphile, hooks, load
from .limits import Postgres
from .world import Trouble, call, until

SLOTS = 10


class Slots:
    """Ten slots of one worker, as a machine that is fed answers."""

    def __init__(self, server, token, wanted):
        self.server, self.token, self.wanted = server, token, wanted
        self.incarnation = "0192d1c0-0000-4000-8000-00000000be4c"
        status, body = self.call("/worker/v1/register", {
            "name": "bench", "incarnation": self.incarnation, "slots": SLOTS, "version": "0", "executor": "none"})
        if status != 200:
            raise Trouble(f"the worker API refused the bench: {status} {body[:300]}")
        self.worker = json.loads(body)["worker"]
        self.claim = self.request("/worker/v1/claim", {
            "worker": self.worker, "incarnation": self.incarnation, "wait_seconds": 1})
        self.done_at = []
        self.trouble = None

    def call(self, path, body):
        return call(self.server.url, "POST", path, body, self.token)

    def request(self, path, body):
        text = json.dumps(body).encode()
        head = (f"POST {path} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {self.token}\r\n"
                f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n\r\n")
        return head.encode() + text

    def next(self, _connection, answer):
        if len(self.done_at) >= self.wanted or self.trouble:
            return None
        if answer is None:
            return "claim", self.claim
        what, status, body = answer
        if what == "claim" and status == 200:
            job = json.loads(body)
            end = {"attempt": job["attempt"], "outcome": {"outcome": "succeeded"},
                   "result": {"kind": "planned", "findings": {"services": [], "changes": {}}}}
            return "finish", self.request(f"/worker/v1/jobs/{job['job']}/finish", end)
        if what == "finish" and status == 204:
            self.done_at.append(time.perf_counter())
        elif status not in (200, 204):
            self.trouble = f"the worker API answered {status} to a {what}: {body[:300]}"
            return None
        return "claim", self.claim


def measure(report, server, templates, backlog, within):
    deadline = time.monotonic() + within
    began = time.perf_counter()
    sent = 0
    while sent < backlog:
        some = min(2000, backlog - sent)
        requests = [hooks.request(server.address, *templates.pull(10_000 + sent + number, f"{sent + number:040x}", "queue"))
                    for number in range(some)]
        if load.send_all(server.address, 8, requests, deadline).statuses != {202: some}:
            raise Trouble(f"the backlog of {backlog} did not come in within {within} s")
        sent += some
    left = max(1, deadline - time.monotonic())
    until(f"{backlog} plan jobs to be queued",
          lambda: server.gauges().get("greenroom_jobs_queued", 0) >= backlog, left, server.process.check, 0.2)
    filled = time.perf_counter() - began
    slots = Slots(server, server.make_token("worker"), backlog)
    outcome = load.drive(server.address, SLOTS, slots.next, deadline)
    if slots.trouble:
        raise Trouble(slots.trouble)
    done = slots.done_at
    if len(done) < backlog:
        raise Trouble(f"only {len(done)} of {backlog} jobs were done within {within} s")
    rate = len(done) / (done[-1] - done[0])
    until("the builds to end", lambda: settled(server), 60, server.process.check, 0.25)
    postgres = Postgres(server)
    commits, _ = postgres.commits(SLOTS, 2)
    fifth = len(done) // 5
    first, last = fifth / (done[fifth] - done[0]), fifth / (done[-1] - done[-fifth])
    peer = graphile.drain(postgres, backlog, SLOTS, max(10, deadline - time.monotonic()))
    report.row(f"no-op jobs through the worker API, backlog {backlog:,}", rate, "/s", peer["rate"],
               "graphile-worker, unbatched", "≥ 1, flat", rate >= peer["rate"])
    report.note(f"backlog {backlog:,}: first fifth {first:,.0f}/s, last fifth {last:,.0f}/s (graphile-worker: "
                f"{peer['first']:,.0f}/s and {peer['last']:,.0f}/s); {SLOTS} slots (each job is two "
                f"commits that wait, and the cluster makes {commits:,.0f}/s with {SLOTS} clients); the client "
                f"took {outcome.client_share:.0%} of a core; webhooks to queued jobs {backlog / filled:,.0f}/s")
    report.detail(f"queue_{backlog}", {"first_fifth": first, "last_fifth": last, "peer": peer, "commits_per_s": commits,
                                       "fill_per_s": backlog / filled})


def settled(server):
    gauges = server.gauges()
    return not gauges.get("greenroom_jobs_queued") and not gauges.get("greenroom_jobs_running")
