"""A log of 200,000 lines and 20 MB, and how late a live line is seen.

The reader follows the job's log as server-sent events from before the step begins, on a thread of
its own that only notes when bytes came. The log is read once more afterwards and compared byte by
byte with what the producer prints.
"""

import http.client
import json
import re
import subprocess
import threading
import time

from .limits import spread, tee
from .world import REPOSITORY, Trouble, service, until

LINES = 200_000
PRODUCER = f"seq -f 'line %06.0f of a log that is long: {'0123456789' * 6} abcd' {LINES}"
BIG = f"sleep 1; date +%s%N; {PRODUCER}; date +%s%N; echo the-log-ends-here"
LIVE = "sleep 1; for i in $(seq 40); do echo tick $(date +%s%N); sleep 0.05; done"


class Follower(threading.Thread):
    """Follows one job's log; `pieces` are `(epoch nanoseconds, bytes)` as they came."""

    def __init__(self, server, job):
        super().__init__(daemon=True)
        self.pieces, self.error = [], None
        self.connection = http.client.HTTPConnection(*server.address, timeout=60)
        self.connection.request("GET", f"/api/v1/jobs/{job}/log?follow=true",
                                headers={"Authorization": f"Bearer {server.token}"})
        self.answer = self.connection.getresponse()

    def run(self):
        try:
            while True:
                piece = self.answer.read1(1 << 20)
                if not piece:
                    return
                self.pieces.append((time.time_ns(), piece))
        except (OSError, http.client.HTTPException) as error:
            self.error = error

    def texts(self):
        """`(nanoseconds, text)` of every log event, timed by its last byte; and the end event."""
        found, end, buffer = [], None, b""
        for at, piece in self.pieces:
            buffer += piece
            *whole, buffer = buffer.split(b"\n\n")
            for event in whole:
                fields = dict(line.split(b": ", 1) for line in event.split(b"\n") if b": " in line)
                if fields.get(b"event") == b"log":
                    found.append((at, json.loads(fields[b"data"])["text"]))
                elif fields.get(b"event") == b"end":
                    end = json.loads(fields[b"data"])
        return found, end


def follow(server, github, templates, branch, number, line):
    """Runs a step and follows its log; `(follower's texts, end event, whole log, seconds to read it)`."""
    sha = github.commit(REPOSITORY, branch, service(test=line))
    server.hook(*templates.pull(number, sha, branch))
    build = server.build_of(sha)["number"]
    job = server.job(build, "test")["id"]
    follower = Follower(server, job)
    follower.start()
    finished = server.finished(build, within=90, every=0.25)
    follower.join(30)
    if finished["outcome"] != "succeeded" or follower.is_alive() or follower.error:
        raise Trouble(f"the build of the log {finished['outcome']}; reading it live: {follower.error}")
    texts, end = follower.texts()
    began = time.perf_counter()
    log = server.log(job)
    return texts, end, log, time.perf_counter() - began


def measure_big(report, server, github, templates, directory):
    limit = tee(PRODUCER, directory)
    texts, end, log, again = follow(server, github, templates, "log", 300, BIG)
    expected = subprocess.run(["bash", "-c", PRODUCER], capture_output=True, check=True).stdout
    stamps = re.findall(rb"^(\d{19})$", log, re.MULTILINE)
    begin, produced = (int(stamp) / 1e9 for stamp in stamps)
    start = log.index(stamps[0]) + len(stamps[0]) + 1
    same = log[start:log.index(stamps[1])] == expected
    live = "".join(text for _, text in texts).encode()
    last = next(at for at, text in reversed(texts) if "the-log-ends-here" in text) / 1e9
    whole = same and live == log and bool(end and end.get("complete"))
    report.row("20 MB log: producer blocked for", (produced - begin) * 1e3, "ms", limit * 1e3, "tee to a file")
    seen = last - begin
    report.row("20 MB log: last line seen live after", seen * 1e3, "ms", limit * 1e3, "tee to a file",
               "≤ 2, whole", whole and seen <= 2 * limit)
    report.note(f"{len(expected):,} bytes in {LINES:,} lines: "
                + ("byte for byte in the log and in the live stream" if whole else "NOT WHOLE"))
    report.row("20 MB log: read again", again * 1e3, "ms")
    report.detail("log", {"bytes": len(expected), "same": same, "live_same": live == log,
                          "events": len(texts), "tee_ms": limit * 1e3,
                          "read_again_s": again})
    until("the worker to be idle", lambda: not server.gauges().get("greenroom_jobs_running"), 20)


def measure_live(report, server, github, templates):
    texts, _, _, _ = follow(server, github, templates, "live", 301, LIVE)
    lags = []
    for at, text in texts:
        lags += [(at - int(stamp)) / 1e6 for stamp in re.findall(r"tick (\d{19})", text)]
    if len(lags) != 40:
        raise Trouble(f"{len(lags)} of 40 lines were seen live")
    p50, p95 = spread(lags)
    report.row("live line seen after, p50", p50, "ms", bar="< 10 ms", ok=p50 < 10)
    report.row("live line seen after, p95", p95, "ms")
