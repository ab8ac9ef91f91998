"""The order of the work, the time it may take, and the end of every process.

A piece that fails or finds no time left says so in a note and the rest goes on; the exit status is
then 1. A figure below its bar is no failure: it is what the bench is for.
"""

import argparse
import os
import pathlib
import shutil
import signal
import sys
import tempfile
import time
import traceback

from . import buildbot, intake, latency, logs, pages, queue, rate, report, sources
from .limits import Postgres
from .world import FORK, REPOSITORY, GitHub, Server, Trouble

ROOT = pathlib.Path(__file__).resolve().parents[3]
LIMIT = 600
FULL_LIMIT = 1500
IDLE_AFTER = 3


class Bench:
    """One run: what it found, and what it has to end."""

    def __init__(self, options):
        self.options = options
        self.report = report.Report()
        self.deadline = time.monotonic() + (FULL_LIMIT if options.full else LIMIT)
        self.directory = pathlib.Path(tempfile.mkdtemp(prefix="greenroom-bench-"))
        # PostgreSQL and the steps run as other users: they have to pass through
        self.directory.chmod(0o755)
        self.running = []
        self.failed = False
        target = ROOT / "target" / "release"
        self.greenroom, self.fakes = str(target / "greenroom"), str(target / "greenroom-fakes")

    def left(self):
        return self.deadline - time.monotonic()

    def piece(self, name, work, *arguments, needs=20):
        """One piece of work, if it is wanted and there is time for it."""
        only = self.options.only
        if only and not any(word in name for word in only):
            return
        if self.left() < needs:
            self.report.note(f"{name}: left out, {self.left():.0f} s of the run are left")
            self.failed = True
            return
        print(f"==> {name} (load {os.getloadavg()[0]:.1f})", flush=True)
        try:
            work(self.report, *arguments)
        except KeyboardInterrupt:
            raise
        except Exception as error:  # the other pieces can still be measured
            self.failed = True
            self.report.note(f"{name}: not measured: {error}")
            if not isinstance(error, Trouble):
                traceback.print_exc()

    def server(self, slots, **settings):
        server = Server(self.greenroom, self.directory, self.github.url, slots, **settings)
        self.running.append(server.process)
        return server

    def run(self):
        self.github = GitHub(self.fakes, self.directory)
        self.running.append(self.github.process)
        self.github.repository(REPOSITORY)
        self.github.commit(REPOSITORY, "master", {"README.md": "bench\n"})
        self.github.fork(REPOSITORY, FORK)
        templates = self.github.templates()
        server = self.server(1)
        self.machine = report.machine(self.directory)
        self.machine["postgresql"] = Postgres(server).version()
        print(f"    {self.machine}", flush=True)
        common = (server, self.github, templates)
        self.piece("memory, idle", self.memory, server, "idle", 40)
        self.piece("20 MB log", logs.measure_big, *common, self.directory)
        self.piece("memory after the log", self.memory, server, "after the 20 MB log", 60)
        self.piece("live lines", logs.measure_live, *common)
        self.piece("webhook to first command", latency.measure, *common, self.directory, needs=40)
        self.piece("webhooks accepted", intake.measure, server, templates, needs=40)
        self.piece("checkout", sources.measure_checkout, *common, self.directory, needs=60)
        self.piece("dependencies", sources.measure_install, *common, self.directory,
                   ROOT / "crates/fakes/sample/workshop", needs=90)
        self.piece("builds, 1 slot", rate.measure, *common, 1000, needs=60)
        server.end()
        server = self.server(10)
        self.piece("builds, 10 slots", rate.measure, server, self.github, templates, 2000, needs=60)
        server.end()
        # on a database of its own: a queue without a past
        server = self.server(0, identity=False, name="queue")
        self.piece("queue, 5,000", queue.measure, server, templates, 5_000, min(120, self.left()), needs=30)
        if self.options.full:
            self.piece("queue, 50,000", queue.measure, server, templates, 50_000, self.left() - 10, needs=120)
        server.end()
        server = self.server(0, identity=False, name="pages")
        self.piece("pages", pages.measure, server, self.options.full, needs=60)
        server.end()
        if self.options.peer == "buildbot":
            self.piece("buildbot", buildbot.measure, self, templates, needs=60)

    def memory(self, found, server, when, bar):
        if when == "idle":
            time.sleep(IDLE_AFTER)
        used = server.process.memory_mb()
        found.row(f"resident memory, {when}", used, "MB", bar=f"< {bar} MB", ok=used < bar)
        if when == "idle":
            found.detail("ready_after_s", server.ready_after)

    def end(self):
        for process in reversed(self.running):
            process.end()
        if self.options.keep:
            print(f"    kept: {self.directory}")
        else:
            shutil.rmtree(self.directory, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(prog="script/bench", description="Measures Greenroom beside this machine's limits.")
    parser.add_argument("--peer", choices=["buildbot"], help="the same work on Buildbot from PyPI, beside it")
    parser.add_argument("--full", action="store_true", help="also a backlog of 50,000 jobs (25 minutes at most)")
    parser.add_argument("--only", action="append", metavar="WORD", help="only pieces whose name has the word")
    parser.add_argument("--keep", action="store_true", help="keep the data directory and the servers' logs")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    began = time.monotonic()
    bench = Bench(options)
    try:
        bench.run()
    except KeyboardInterrupt:
        sys.exit(130)
    except Trouble as trouble:
        print(f"error: {trouble}", file=sys.stderr)
        sys.exit(1)
    finally:
        bench.end()
    bench.machine["load_after"] = [round(load, 2) for load in os.getloadavg()]
    bench.machine["seconds"] = round(time.monotonic() - began)
    print(f"\n{bench.report.table()}\n")
    for note in bench.report.notes:
        print(f"- {note}")
    print(f"\n{bench.machine}")
    target = ROOT / "target" / "bench" / "bench.json"
    bench.report.write(target, bench.machine)
    print(f"written to {target}")
    sys.exit(1 if bench.failed else 0)


if __name__ == "__main__":
    main()
