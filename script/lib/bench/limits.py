"""What the machine itself can do, measured beside the work: commits of the same PostgreSQL, git,
the sandbox, files.

The rows that pgbench writes lie in a table of the bench's own in the server's own cluster, with
the columns and indexes of `delivery`: the same disk, settings and moment.
"""

import glob
import os
import re
import shutil
import subprocess
import tempfile
import time

from .report import median, percentile
from .world import GITHUB_TOKEN, Trouble

TABLE = """
drop table if exists bench_delivery;
create table bench_delivery (like delivery including all);
"""
INSERT = """insert into bench_delivery (guid, event, headers, body, received_at)
values (gen_random_uuid()::text, 'push', '{"user-agent": "GitHub-Hookshot/044aadd"}', :body::bytea, now());
"""
SMALL = "insert into bench_delivery (guid, event, headers, body, received_at) values (gen_random_uuid()::text, 'push', '{}', '', now());\n"


class Postgres:
    """The server's own cluster, by its socket."""

    def __init__(self, server):
        self.socket = server.data_dir / "postgres" / "run"
        found = sorted(glob.glob("/usr/lib/postgresql/*/bin/pgbench"),
                       key=lambda path: int(path.split("/")[4]))
        self.bin = os.path.dirname(found[-1]) if found else None
        if shutil.which("psql") is None or self.bin is None:
            raise Trouble("psql and pgbench are needed: apt-get install postgresql postgresql-client")

    def sql(self, text, seconds=60):
        done = subprocess.run(
            ["psql", "-h", str(self.socket), "-U", "greenroom", "-d", "greenroom", "-X", "-q", "-A", "-t",
             "-v", "ON_ERROR_STOP=1", "-c", text],
            capture_output=True, text=True, timeout=seconds, check=False)
        if done.returncode:
            raise Trouble(f"psql: {done.stderr.strip()}")
        return done.stdout.strip()

    def version(self):
        return self.sql("show server_version")

    def commits(self, clients, seconds, body=None):
        """Rows of one commit each: `(commits/s, seconds of each)`."""
        self.sql(TABLE)
        with tempfile.TemporaryDirectory() as scratch:
            script = os.path.join(scratch, "insert.sql")
            with open(script, "w", encoding="ascii") as file:
                file.write(SMALL if body is None else INSERT)
            command = [os.path.join(self.bin, "pgbench"), "-h", str(self.socket), "-U", "greenroom",
                       "-n", "-M", "prepared", "-c", str(clients), "-j", str(min(clients, 2)),
                       "-T", str(seconds), "-f", script, "--log", "--log-prefix", f"{scratch}/log"]
            if body is not None:
                command += ["-D", f"body=\\x{body.hex()}"]
            done = subprocess.run([*command, "greenroom"], capture_output=True, text=True,
                                  timeout=seconds + 30, check=False)
            if done.returncode:
                raise Trouble(f"pgbench: {done.stderr.strip()[-400:]}")
            rate = float(re.search(r"tps = ([0-9.]+)", done.stdout)[1])
            latencies = []
            for log in glob.glob(f"{scratch}/log.*"):
                with open(log, encoding="ascii") as lines:
                    latencies += [int(line.split()[2]) / 1e6 for line in lines]
        self.sql("drop table bench_delivery")
        return rate, latencies

    def ask(self, statements, seconds):
        """What one client waits for all of these, prepared, one after the other: a median."""
        with tempfile.TemporaryDirectory() as scratch:
            script, given = os.path.join(scratch, "page.sql"), []
            with open(script, "w", encoding="utf-8") as file:
                for at, (text, parameters) in enumerate(statements):
                    def named(match, at=at, parameters=parameters):
                        number = int(match[1])
                        return "null" if parameters[number] is None else f":s{at}p{number}"
                    file.write(re.sub(r"\$(\d+)", named, text).rstrip(";") + ";\n")
                    given += [option for number, value in parameters.items() if value is not None
                              for option in ("-D", f"s{at}p{number}={value}")]
            done = subprocess.run(
                [os.path.join(self.bin, "pgbench"), "-h", str(self.socket), "-U", "greenroom", "-n", "-M", "prepared",
                 "-c", "1", "-T", str(seconds), "-f", script, "--log", "--log-prefix", f"{scratch}/log", *given,
                 "greenroom"], capture_output=True, text=True, timeout=seconds + 30, check=False)
            if done.returncode:
                which = re.search(r"in command (\d+)", done.stderr)
                asked = statements[int(which[1])] if which else ""
                raise Trouble(f"pgbench: {done.stderr.strip()[-400:]} {asked}")
            latencies = []
            for log in glob.glob(f"{scratch}/log.*"):
                with open(log, encoding="ascii") as lines:
                    latencies += [int(line.split()[2]) / 1e6 for line in lines]
        return median(latencies)

    def activity(self):
        """Transactions and flushes of the write-ahead log so far."""
        # a backend tells of its work at most once a second
        time.sleep(1.5)
        names = ["commits", "flushes"]
        row = self.sql("select (select xact_commit from pg_stat_database where datname = 'greenroom'),"
                       " (select wal_sync from pg_stat_wal)")
        return dict(zip(names, map(int, row.split("|"))))


class Mirror:
    """A mirror of the bench's own: what fetch and checkout of a commit cost by plain git."""

    def __init__(self, directory, url, name="limit"):
        self.path, self.url = directory / f"{name}.git", url
        self.trees = directory / f"{name}-trees"
        self.trees.mkdir()
        run("git", "init", "--quiet", "--bare", str(self.path))

    def fetch(self, sha):
        return timed("git", "-C", str(self.path), *authorised(), "fetch", "--quiet", "--no-tags",
                     "--no-write-fetch-head", self.url, f"+{sha}:refs/bench/{sha}")

    def checkout(self, sha):
        tree = self.trees / sha
        took = timed("git", "-C", str(self.path), "-c", "checkout.workers=2", "worktree", "add", "--quiet",
                     "--detach", str(tree), sha)
        run("git", "-C", str(self.path), "worktree", "remove", "--force", str(tree))
        return took


def authorised():
    """git's options that open the stand-in's private repositories."""
    import base64
    basic = base64.b64encode(f"x-access-token:{GITHUB_TOKEN}".encode()).decode()
    return ["-c", f"http.extraHeader=Authorization: Basic {basic}"]


def sandbox_true():
    """The seconds of `true` in a sandbox such as steps have."""
    user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--no-new-privs", "--"]
    return timed(
        *(user if os.getuid() == 0 else []),
        "bwrap", "--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--die-with-parent",
        "--new-session", "--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--", "true")


def tee(producer, directory):
    """The seconds in which a shell line's output goes through `tee` into a file."""
    target = directory / "tee.out"
    took = [timed("bash", "-c", f"{producer} | tee {target} > /dev/null") for _ in range(3)]
    target.unlink()
    return median(took)


def run(*command, timeout=120):
    done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)
    if done.returncode:
        raise Trouble(f"{' '.join(command[:3])} …: {done.stderr.strip()[-400:]}")
    return done.stdout


def timed(*command, timeout=120):
    began = time.perf_counter()
    run(*command, timeout=timeout)
    return time.perf_counter() - began


def spread(values):
    """p50 and p95."""
    return median(values), percentile(values, 0.95)
