"""The source of a job, and its dependencies.

Checkout: a known repository of 5,000 files and a new commit of one changed file, against
`git clone --depth 1` of the same commit from the same place, in turns. Ours is what the plan job
fetched and the test job did from its claim to its first command, sandbox and all.

Dependencies: the sample application's lock file a second time, against `npm ci` of the same files
with npm's own cache warm.
"""

import os
import pathlib
import re
import shutil
import subprocess

from .latency import seconds
from .limits import Mirror, authorised, run, timed
from .logs import Follower
from .report import median
from .world import Trouble, service

FILES, BYTES = 5_000, 6_000
ROUNDS = 3
NPM_WITHIN = 120


def large_repository(github, directory):
    """5,000 files of 6 kB."""
    tree = directory / "large"
    for number in range(FILES):
        path = tree / f"src/part-{number // 100:02}/file-{number:04}.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(f"{number}\n".encode() + os.urandom(BYTES // 2).hex().encode())
    for name, text in service(install="date +%s%N").items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    github.repository("acme/large", tree)
    shutil.rmtree(tree)


def measure_checkout(report, server, github, templates, directory):
    large_repository(github, directory)
    server.apply("large", "acme/large")
    url = f"{github.url}/acme/large.git"
    repository = {**templates.pull_payload["repository"], "id": 77001, "name": "large", "full_name": "acme/large"}
    clones, ours, fetches, plain = [], [], [], []
    mirror = Mirror(directory, url, "large-limit")
    for number in range(ROUNDS + 1):
        sha = github.commit("acme/large", "fix", {"notes/change": f"{number}\n"})
        server.hook(*templates.pull(number + 1, sha, "fix", repository))
        number_of = server.build_of(sha, "large")["number"]
        build = server.finished(number_of, "large", within=180, every=0.2)
        jobs = {job["kind"]: job for job in build["jobs"]}
        log = server.log(jobs["test"]["id"]).decode()
        if build["outcome"] != "succeeded":
            raise Trouble(f"the build of 5,000 files {build['outcome']}: {log[-500:]}")
        mirror.fetch(sha)
        if number == 0:
            # the mirror was made: the repository is known from here on
            continue
        stamp = re.search(r"^(\d{19})$", log, re.MULTILINE)
        ours.append(int(stamp[1]) / 1e9 - seconds(jobs["test"]["started_at"]))
        fetches.append(seconds(jobs["plan"]["finished_at"]) - seconds(jobs["plan"]["started_at"]))
        plain.append(mirror.checkout(sha))
        target = directory / "clone"
        clones.append(timed("git", *authorised(), "clone", "--quiet", "--depth", "1", url, str(target)))
        shutil.rmtree(target)
    took, clone = median(ours), median(clones)
    report.row("checkout, 5,000 files, to the first command", took, "s", clone, "git clone --depth 1",
               "≤ 0.5", took <= 0.5 * clone)
    report.row("  with the plan job that fetched it", took + median(fetches), "s", clone, "git clone --depth 1")
    report.note(f"the same checkout by `git worktree add` with checkout.workers=2 alone: {median(plain):.2f} s")
    report.detail("checkout", {"ours_s": ours, "plan_s": fetches, "clone_s": clones, "worktree_s": plain})


def measure_install(report, server, github, templates, directory, sample):
    lock = {name: (sample / "backend-database" / name).read_text() for name in ("package.json", "package-lock.json")}
    if not npm_reachable(directory, lock):
        report.note("unchanged dependencies: left out, npm cannot reach its registry")
        return
    place = directory / "npm"
    limit = median([timed("npm", "ci", "--prefix", str(place), "--no-audit", "--no-fund", timeout=NPM_WITHIN)
                    for _ in range(2)])
    shutil.rmtree(place)
    files = service(test="date +%s%N")
    files["greenroom.yml"] = files["greenroom.yml"].replace('    install: "true"\n', "")
    files.update({f"notes/{name}": text for name, text in lock.items()})
    took = {}
    for number, which in enumerate(["first", "unchanged"]):
        sha = github.commit("acme/bench", "npm", {**files, "notes/change": f"{which}\n"})
        server.hook(*templates.pull(310 + number, sha, "npm"))
        build = server.build_of(sha)["number"]
        job = server.job(build, "test")["id"]
        follower = Follower(server, job)
        follower.start()
        finished = server.finished(build, within=2 * NPM_WITHIN, every=0.25)
        follower.join(30)
        if finished["outcome"] != "succeeded":
            raise Trouble(f"the build with npm {finished['outcome']}: {server.log(job)[-500:]}")
        texts, _ = follower.texts()
        # from the line that says the source is there to the first command after the install
        source = next(at for at, text in texts if "source:" in text)
        stamp = re.search(r"^(\d{19})$", "".join(text for _, text in texts), re.MULTILINE)
        took[which] = (int(stamp[1]) - source) / 1e9
    ours = took["unchanged"]
    report.row("unchanged dependencies: checkout and install", ours, "s", limit, "npm ci, its cache warm",
               "≤ 0.1", ours <= 0.1 * limit)
    report.detail("install", {"first_s": took["first"], "unchanged_s": ours, "npm_ci_s": limit})


def npm_reachable(directory, lock):
    """Fills npm's cache, or finds that it cannot."""
    if shutil.which("npm") is None:
        return False
    place = pathlib.Path(directory) / "npm"
    place.mkdir()
    for name, text in lock.items():
        (place / name).write_text(text)
    try:
        run("npm", "ci", "--prefix", str(place), "--no-audit", "--no-fund", timeout=NPM_WITHIN)
    except (Trouble, subprocess.TimeoutExpired):
        shutil.rmtree(place)
        return False
    return True
