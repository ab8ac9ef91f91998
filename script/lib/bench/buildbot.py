"""Buildbot from PyPI on the same work, in the same run: one master on SQLite, one local worker, one
builder of one shell step, started by the same signed GitHub hooks.

It neither fetches the commit nor plans nor puts the step into a sandbox, which ours does; what is
compared is what a user waits for.
"""

import json
import os
import pathlib
import sys
import time

from . import hooks, load
from .limits import run, spread
from .world import Process, Trouble, answers, call, free_port, until

PACKAGES = ["buildbot==4.3.0", "buildbot-www==4.3.0", "buildbot-worker==4.3.0"]
HOOKS, BUILDS, FLOOD = 20, 60, 300
LINES = 200_000
WITHIN = 90

MASTER = """
from buildbot.plugins import changes, schedulers, steps, util, worker
c = BuildmasterConfig = {{}}
c["workers"] = [worker.Worker("w", "pass", max_builds=1)]
c["protocols"] = {{"pb": {{"port": "tcp:{pb}:interface=127.0.0.1"}}}}
c["schedulers"] = [schedulers.AnyBranchScheduler(name="all", builderNames=["b"], treeStableTimer=None)]
f = util.BuildFactory([steps.ShellCommand(command=["bash", "{step}", util.Property("revision")])])
c["builders"] = [util.BuilderConfig(name="b", workernames=["w"], factory=f, collapseRequests=False)]
c["www"] = {{"port": "tcp:{www}:interface=127.0.0.1",
            "change_hook_dialects": {{"github": {{"secret": "{secret}", "strict": True}}}}}}
c["db"] = {{"db_url": "sqlite:///state.sqlite"}}
c["buildbotURL"] = "http://127.0.0.1:{www}/"
c["buildbotNetUsageData"] = None
"""

# what the step does depends on the file beside it, so that one builder serves all pieces
STEP = """
date +%s%N >> {out}/stamps
mode=$(cat {out}/mode)
if [ "$mode" = log ]; then {producer}; date +%s%N > {out}/produced; echo the-log-ends-here; fi
"""


class Buildbot:
    """One master and one worker, below a directory."""

    def __init__(self, bench):
        venv = pathlib.Path(__file__).resolve().parents[3] / "target" / "tools" / "buildbot"
        if not (venv / "bin" / "buildbot-worker").exists():
            print("    installing Buildbot from PyPI (once)", flush=True)
            run(sys.executable, "-m", "venv", str(venv), timeout=WITHIN)
            run(str(venv / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check", *PACKAGES, timeout=300)
        self.directory = bench.directory / "buildbot"
        self.directory.mkdir()
        www, pb = free_port(), free_port()
        self.address, self.url = ("127.0.0.1", www), f"http://127.0.0.1:{www}"
        from .logs import PRODUCER
        step = self.directory / "step.sh"
        step.write_text(STEP.format(out=self.directory, producer=PRODUCER))
        self.mode("trivial")
        bin_, master, worker = venv / "bin", self.directory / "master", self.directory / "worker"
        run(str(bin_ / "buildbot"), "create-master", str(master))
        (master / "master.cfg").write_text(
            MASTER.format(pb=pb, www=www, step=step, secret=hooks.SECRET))
        run(str(bin_ / "buildbot-worker"), "create-worker", str(worker), f"127.0.0.1:{pb}", "w", "pass")
        environment = {**os.environ, "PATH": f"{bin_}:{os.environ['PATH']}"}
        self.master = Process("the Buildbot master", [str(bin_ / "buildbot"), "start", "--nodaemon", str(master)],
                              self.directory / "master.log", environment)
        bench.running.append(self.master)
        until("Buildbot to answer", lambda: answers(self.url, "/api/v2/workers"), WITHIN, self.master.check)
        self.worker = Process("the Buildbot worker", [str(bin_ / "buildbot-worker"), "start", "--nodaemon", str(worker)],
                              self.directory / "worker.log", environment)
        bench.running.append(self.worker)
        until("Buildbot's worker", lambda: self.get("/workers")["workers"][0]["connected_to"], WITHIN, self.worker.check)

    def mode(self, mode):
        (self.directory / "mode").write_text(mode)

    def get(self, path):
        status, body = call(self.url, "GET", f"/api/v2{path}")
        if status != 200:
            raise Trouble(f"Buildbot answered {status} to {path}: {body[:200]}")
        return json.loads(body)

    def stamps(self):
        path = self.directory / "stamps"
        return [int(line) / 1e9 for line in path.read_text().split()] if path.exists() else []

    def request(self, templates, number):
        event, body = push(templates, number)
        return hooks.request(self.address, event, body, "/change_hook/github")

    def hook(self, templates, number):
        event, body = push(templates, number)
        sent = time.time_ns() / 1e9
        status, answer = call(self.url, "POST", "/change_hook/github", body, headers=hooks.headers(event, body))
        if status != 200:
            raise Trouble(f"Buildbot answered a hook with {status}: {answer[:200]}")
        return sent

    def complete(self):
        return len(self.get("/builds?complete=true&field=buildid&field=complete&limit=10000")["builds"])


def push(templates, number):
    """One commit a push: Buildbot makes a change of every commit."""
    _, body = templates.push("master")
    payload = json.loads(body)
    commit = {**payload["head_commit"], "id": f"{number:040x}"}
    payload.update(after=commit["id"], head_commit=commit, commits=[commit], deleted=False)
    return "push", hooks.encoded(payload)


def measure(report, bench, templates):
    peer = Buildbot(bench)
    idle = peer.master.memory_mb() + peer.worker.memory_mb()
    waits = []
    for number in range(HOOKS + 2):
        before = len(peer.stamps())
        sent = peer.hook(templates, number)
        until("Buildbot's step", lambda: len(peer.stamps()) > before, 30, peer.master.check)
        until("Buildbot's build", lambda: peer.complete() > number, 30, peer.master.check)
        if number >= 2:
            waits.append(peer.stamps()[-1] - sent)
    p50, p95 = spread(waits)
    ours = beside(report, "webhook to first command, p50")
    report.row("Buildbot: webhook to first command, p50", p50 * 1e3, "ms", ours, "Greenroom")
    report.row("Buildbot: webhook to first command, p95", p95 * 1e3, "ms")
    done = peer.complete()
    began = time.time()
    sent = load.send_all(peer.address, 1, [peer.request(templates, 1000 + number) for number in range(BUILDS)],
                         time.monotonic() + WITHIN)
    until(f"{BUILDS} builds of Buildbot", lambda: peer.complete() >= done + BUILDS, WITHIN, peer.master.check, 0.25)
    report.row("Buildbot: trivial builds, 1 slot", BUILDS / (time.time() - began), "/s",
               beside(report, "trivial builds, 1 slot"), "Greenroom")
    log_of(report, peer, templates)
    report.row("Buildbot: resident memory, idle", idle, "MB", beside(report, "resident memory, idle"), "Greenroom")
    report.row("Buildbot: resident memory, at the end", peer.master.memory_mb() + peer.worker.memory_mb(), "MB",
               beside(report, "resident memory, after the 20 MB log"), "Greenroom, after the log")

    # last, for its builds are not waited for
    accepted = load.send_all(peer.address, 8, [peer.request(templates, 5000 + number) for number in range(FLOOD)],
                             time.monotonic() + 30)
    report.row("Buildbot: webhooks accepted, 8 connections", accepted.rate, "/s",
               beside(report, "webhooks accepted, 8 connections"), "Greenroom")
    report.detail("buildbot_hooks", {"statuses": accepted.statuses, "one_connection_per_s": sent.rate})


def log_of(report, peer, templates):
    """The 20 MB log: until its last line can be read over the API."""
    peer.mode("log")
    count = len(peer.stamps())
    peer.hook(templates, 9000)
    until("Buildbot's step", lambda: len(peer.stamps()) > count, 30, peer.master.check)

    def whole():
        build = max(peer.get("/builds?field=buildid&order=-buildid&limit=1")["builds"], key=lambda b: b["buildid"])
        logs = peer.get(f"/builds/{build['buildid']}/steps/1/logs")["logs"]
        if not logs or logs[0]["num_lines"] < LINES:
            return None
        return logs[0]

    log = until("Buildbot's log", whole, WITHIN, peer.master.check, 0.1)
    report.row("Buildbot: 20 MB log: last line readable after", (time.time() - peer.stamps()[-1]) * 1e3, "ms",
               beside(report, "20 MB log: last line seen live after"), "Greenroom")
    report.detail("buildbot_log", {"lines": log["num_lines"]})


def beside(report, work):
    for row in report.rows:
        if row["work"] == work:
            return row["ours"]
    return None
