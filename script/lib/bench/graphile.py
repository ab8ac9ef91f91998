"""graphile-worker (npm) on the same work, in the same run and the same PostgreSQL cluster: jobs that
do nothing, taken one at a time by ten slots. It has a database of its own, dropped afterwards.

Its jobs are calls of a function in its own process; ours are claimed and reported over HTTP.
"""

import json
import os
import pathlib
import subprocess

from .limits import run
from .world import Trouble

PACKAGE, VERSION = "graphile-worker", "0.17.3"
HERE = pathlib.Path(__file__).resolve().parent
TOOLS = HERE.parents[2] / "target" / "tools" / "graphile-worker"


def install():
    manifest = TOOLS / "node_modules" / PACKAGE / "package.json"
    if not manifest.exists() or json.loads(manifest.read_text())["version"] != VERSION:
        print("    installing graphile-worker from npm (once)", flush=True)
        run("npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(TOOLS),
            f"{PACKAGE}@{VERSION}", timeout=300)


def drain(postgres, backlog, slots, within):
    """Jobs a second: of all, of the first fifth and of the last."""
    install()
    postgres.sql("drop database if exists bench_peer")
    postgres.sql("create database bench_peer")
    try:
        done = subprocess.run(
            ["node", str(HERE / "graphile.cjs"), str(backlog), str(slots)], capture_output=True, text=True,
            timeout=within, check=False, env={
                **os.environ, "PGHOST": str(postgres.socket), "PGUSER": "greenroom", "PGDATABASE": "bench_peer",
                "NODE_PATH": str(TOOLS / "node_modules")})
    except subprocess.TimeoutExpired:
        raise Trouble(f"graphile-worker had not done {backlog} jobs within {within:.0f} s") from None
    finally:
        postgres.sql("drop database bench_peer with (force)")
    if done.returncode:
        raise Trouble(f"graphile-worker: {done.stderr.strip()[-400:]}")
    return json.loads(done.stdout)
