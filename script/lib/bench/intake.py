"""Webhooks accepted: signed, durable, none lost, over 8 connections.

The pushes are of a branch that no rule knows, so a delivery ends as ignored: the engine works them
off beside, as it does in life, but nothing is built. The limit is pgbench writing the same row into
the same cluster with 8 clients, before and after; one commit is what one client waits for one.
"""

import time

from . import hooks, load
from .limits import Postgres
from .report import median, percentile
from .world import Trouble, until

CONNECTIONS = 8
SECONDS = 3


def measure(report, server, templates, hooks_sent=6000):
    postgres = Postgres(server)
    made = [templates.push("nobody-builds-this") for _ in range(hooks_sent)]
    sizes = [len(body) for _, body in made]
    requests = [hooks.request(server.address, event, body) for event, body in made]
    # the first ones warm the pool and the caches
    load.send_all(server.address, CONNECTIONS, [
        hooks.request(server.address, *templates.push("warm-up")) for _ in range(100)])
    before = int(postgres.sql("select count(*) from delivery"))
    rate_before, _ = postgres.commits(CONNECTIONS, SECONDS, made[0][1])
    outcome = load.send_all(server.address, CONNECTIONS, requests, time.monotonic() + 60)
    waiting = int(postgres.sql("select count(*) from delivery where state = 'received'"))
    rate_after, _ = postgres.commits(CONNECTIONS, SECONDS, made[0][1])
    _, alone = postgres.commits(1, SECONDS, made[0][1])
    stored = int(postgres.sql("select count(*) from delivery")) - before
    accepted = outcome.statuses.get(202, 0)
    if set(outcome.statuses) != {202}:
        report.note(f"webhooks were answered {outcome.statuses}")
    if stored != accepted:
        raise Trouble(f"{accepted} webhooks were accepted, {stored} are stored")
    limit = (rate_before + rate_after) / 2
    report.row(f"webhooks accepted, {CONNECTIONS} connections", outcome.rate, "/s", limit,
               f"single-row commits, {CONNECTIONS} clients", "≥ 0.7", outcome.rate >= 0.7 * limit)
    p99, commit = percentile(outcome.seconds, 0.99) * 1e3, median(alone) * 1e3
    report.row("their answers, p99", p99, "ms", commit, "one commit, p50", "≤ 5", p99 <= 5 * commit)
    report.note(
        f"{accepted} webhooks of {min(sizes):,}-{max(sizes):,} bytes, {stored} deliveries stored, none lost; "
        f"pgbench {rate_before:,.0f}/s before and {rate_after:,.0f}/s after; the client took "
        f"{outcome.client_share:.0%} of a core; {waiting} were still to be looked at when the last was answered")
    report.detail("intake", {
        "p50_ms": median(outcome.seconds) * 1e3, "p99_ms": p99, "statuses": outcome.statuses,
        "pgbench_before": rate_before, "pgbench_after": rate_after,
        "one_client_p99_ms": percentile(alone, 0.99) * 1e3, "client_share": outcome.client_share,
    })
    drained = time.monotonic()
    until("the deliveries to be worked off",
          lambda: not int(postgres.sql("select count(*) from delivery where state = 'received'")), 60)
    if waiting:
        report.detail("intake_drain_per_s", waiting / max(time.monotonic() - drained, 0.05))
