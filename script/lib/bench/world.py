"""The GitHub stand-in and `greenroom serve`: started, asked, and ended.

What always holds: everything lies in one directory that is removed at the end, and every process
that was started here is ended by its number, whatever happened. PostgreSQL is the server's own and
ends with it.
"""

import http.client
import json
import os
import re
import signal
import socket
import subprocess
import time
import urllib.parse

from . import hooks

GITHUB_TOKEN = "ghp_of_the_bench"
APP = "bench"
REPOSITORY = "acme/bench"
FORK = "stranger/bench"
STARTS_WITHIN = 60
ENDS_WITHIN = 20


class Trouble(Exception):
    """Something that keeps a piece of work from being measured, in words."""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def call(base, method, path, body=None, token=None, headers=None, timeout=60):
    """`(status, bytes)` of one request on a connection of its own."""
    url = urllib.parse.urlsplit(base)
    connection = http.client.HTTPConnection(url.hostname, url.port, timeout=timeout)
    given = dict(headers or {})
    if token:
        given["Authorization"] = f"Bearer {token}"
    if body is not None and not isinstance(body, bytes):
        body = json.dumps(body)
        given["Content-Type"] = "application/json"
    try:
        connection.request(method, path, body, given)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


class Process:
    """A child of ours with its output in a file."""

    def __init__(self, name, command, log, environment=None):
        self.name, self.log = name, log
        with open(log, "ab") as output:
            self.child = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    @property
    def pid(self):
        return self.child.pid

    def check(self):
        if self.child.poll() is not None:
            tail = self.log.read_text(errors="replace")[-1500:]
            raise Trouble(f"{self.name} ended with {self.child.returncode}: {tail}")

    def end(self):
        if self.child.poll() is None:
            self.child.send_signal(signal.SIGTERM)
            try:
                self.child.wait(ENDS_WITHIN)
            except subprocess.TimeoutExpired:
                self.child.kill()
                self.child.wait(ENDS_WITHIN)

    def memory_mb(self):
        """What of it is resident, in MB (10^6 bytes)."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as status:
            found = re.search(r"^VmRSS:\s+(\d+) kB", status.read(), re.MULTILINE)
        return int(found[1]) * 1024 / 1e6


class GitHub:
    """The stand-in, driven over `/_fakes`."""

    def __init__(self, binary, directory):
        port = free_port()
        self.url = f"http://127.0.0.1:{port}"
        command = [binary, "--listen", f"127.0.0.1:{port}", "--token", GITHUB_TOKEN,
                   "--dir", str(directory / "github")]
        (directory / "github").mkdir()
        self.process = Process("the GitHub stand-in", command, directory / "github.log",
                               {**os.environ, "RUST_LOG": "warn"})
        until("the GitHub stand-in to answer", lambda: answers(self.url, "/_fakes/info"),
              STARTS_WITHIN, self.process.check)

    def do(self, method, path, body=None):
        status, answer = call(self.url, method, f"/_fakes{path}", body)
        if status >= 300:
            raise Trouble(f"the GitHub stand-in answered {status} to {method} {path}: {answer[:300]}")
        return json.loads(answer) if answer else None

    def repository(self, full_name, from_dir=None):
        body = {"full_name": full_name, "default_branch": "master"}
        if from_dir:
            body["from_dir"] = str(from_dir)
        return self.do("POST", "/repos", body)

    def fork(self, full_name, into):
        return self.do("POST", f"/repos/{full_name}/forks", {"full_name": into})

    def commit(self, full_name, branch, files, base=None):
        body = {"branch": branch, "message": "Change", "files": files}
        if base:
            body["base"] = base
        return self.do("POST", f"/repos/{full_name}/commits", body)["sha"]

    def templates(self):
        """Takes a push and a fork's pull request as the stand-in words them."""
        self.do("PUT", "/webhook", {"url": "http://127.0.0.1:9/", "secret": hooks.SECRET})
        files = {f"services/restapi/src/handlers/part-{part:02}/index.js": f"// {part}\n" for part in range(30)}
        head = self.commit(FORK, "template", {"fix": "1\n"})
        self.commit(REPOSITORY, "template", files)
        self.do("POST", f"/repos/{REPOSITORY}/pulls", {
            "head": "template", "base": "master", "title": "Template", "head_repo": FORK})
        self.do("POST", "/deliveries/settle")
        self.do("DELETE", "/webhook")
        found = {}
        for delivery in self.do("GET", "/deliveries"):
            payload = json.loads(delivery["payload"])
            if payload["repository"]["full_name"] == REPOSITORY:
                found[delivery["event"]] = payload
        if not {"push", "pull_request"} <= set(found):
            raise Trouble(f"the GitHub stand-in sent only {sorted(found)}")
        assert found["pull_request"]["pull_request"]["head"]["sha"] == head
        return hooks.Templates(found["push"], found["pull_request"])


class Server:
    """`greenroom serve` on a data directory, with the worker and the PostgreSQL in it."""

    def __init__(self, binary, directory, github_url, slots, identity=True, name="data"):
        self.binary, self.slots = binary, slots
        self.data_dir = directory / name
        self.port = free_port()
        self.address = ("127.0.0.1", self.port)
        self.url = f"http://127.0.0.1:{self.port}"
        kept = {key: value for key, value in os.environ.items()
                if not key.startswith(("GREENROOM_", "AWS_")) and key != "DATABASE_URL"}
        self.environment = {
            **kept,
            "GREENROOM_LISTEN": f"127.0.0.1:{self.port}",
            "GREENROOM_DATA_DIR": str(self.data_dir),
            "GREENROOM_GITHUB_API_URL": github_url,
            "GREENROOM_GITHUB_GIT_URL": github_url,
            "GREENROOM_GITHUB_WEBHOOK_SECRET": hooks.SECRET,
            "GREENROOM_WORKER_COUNT": str(slots),
            "GREENROOM_LOG": "warn",
            "AWS_ACCESS_KEY_ID": "bench", "AWS_SECRET_ACCESS_KEY": "bench",
            "AWS_EC2_METADATA_DISABLED": "true",
        }
        if identity:
            self.environment["GREENROOM_GITHUB_TOKEN"] = GITHUB_TOKEN
        began = time.perf_counter()
        self.process = Process("greenroom serve", [binary, "serve"], directory / "greenroom.log",
                               self.environment)
        until("greenroom serve to be ready", lambda: answers(self.url, "/readyz"),
              STARTS_WITHIN, self.process.check, every=0.02)
        self.ready_after = time.perf_counter() - began
        self.token = self.make_token("admin")
        self.apply(APP, REPOSITORY)

    def make_token(self, role):
        made = subprocess.run(
            [self.binary, "token", "create", "--name", f"bench-{role}-{time.time_ns()}", "--role", role],
            env=self.environment, capture_output=True, text=True, timeout=STARTS_WITHIN, check=False)
        if made.returncode:
            raise Trouble(f"greenroom token create: {made.stderr.strip()}")
        return made.stdout.strip()

    def apply(self, app, repository):
        """Registers an app whose pull requests from forks are tested."""
        role = "arn:aws:iam::111111111111:role/greenroom-deploy"
        settings = {
            "app": app, "repository": repository, "default_profile": "development",
            "profiles": {"development": {"role_arn": role, "external_id": "bench", "region": "us-east-1"}},
            "stages": {}, "rules": [{"preview": {"base": ["master"]}}],
        }
        status, answer = call(self.url, "PUT", f"/api/v1/apps/{app}", settings, self.token)
        if status >= 300:
            raise Trouble(f"the app file was refused with {status}: {answer.decode(errors='replace')}")

    def get(self, path, timeout=60):
        status, answer = call(self.url, "GET", f"/api/v1{path}", token=self.token, timeout=timeout)
        if status != 200:
            raise Trouble(f"GET {path}: {status} {answer[:300]}")
        return json.loads(answer)

    def hook(self, event, body):
        """Sends one webhook; the nanosecond it was sent at and the seconds to its answer."""
        headers = hooks.headers(event, body)
        sent = time.time_ns()
        began = time.perf_counter()
        status, answer = call(self.url, "POST", hooks.PATH, body, headers=headers)
        took = time.perf_counter() - began
        if status != 202:
            raise Trouble(f"a webhook was answered {status}: {answer[:300]}")
        return sent, took

    def build_of(self, commit, app=APP, within=60):
        """The newest build of a commit, once it is there."""
        def look():
            found = self.get(f"/apps/{app}/builds?commit={commit}&limit=1")["builds"]
            return found[0] if found else None
        return until(f"a build of {commit[:8]}", look, within, self.process.check)

    def finished(self, number, app=APP, within=120, every=0.05):
        def look():
            build = self.get(f"/apps/{app}/builds/{number}")
            return build if build["state"] == "finished" else None
        return until(f"build {number} to end", look, within, self.process.check, every)

    def job(self, number, kind, app=APP, state=None, within=60):
        """A job of a build, once it is there (and in the state, if one is given)."""
        def look():
            build = self.get(f"/apps/{app}/builds/{number}")
            for job in build["jobs"]:
                if job["kind"] == kind and state in (None, job["state"]):
                    return job
            if build["state"] == "finished":
                said = self.log(build["jobs"][0]["id"]).decode(errors="replace")
                raise Trouble(f"build {number} {build['outcome']} without a {kind} job: {said[-600:]}")
            return None
        return until(f"a {kind} job of build {number}", look, within, self.process.check, 0.02)

    def log(self, job):
        status, body = call(self.url, "GET", f"/api/v1/jobs/{job}/log", token=self.token)
        if status != 200:
            raise Trouble(f"the log of {job} was answered {status}")
        return body

    def gauges(self):
        status, body = call(self.url, "GET", "/metrics", token=self.token)
        if status != 200:
            raise Trouble(f"/metrics was answered {status}")
        found = re.findall(r"^(greenroom_\w+) ([0-9.e+]+)$", body.decode(), re.MULTILINE)
        return {name: float(value) for name, value in found}

    def end(self):
        self.process.end()


def answers(base, path):
    try:
        return call(base, "GET", path, timeout=5)[0] == 200
    except OSError:
        return False


def until(what, look, within, check=None, every=0.05):
    """Looks again and again until there is something; fails with what it waited for."""
    end = time.monotonic() + within
    while True:
        found = look()
        if found:
            return found
        if check:
            check()
        if time.monotonic() > end:
            raise Trouble(f"waited {within} s for {what}")
        time.sleep(every)


def service(install="true", test="true"):
    """The files of a repository with one service that is only installed and tested."""
    commands = {"package": "true", "deploy": "true", "remove": "true", "install": install, "test": test}
    lines = "".join(f"    {name}: {json.dumps(command)}\n" for name, command in commands.items())
    return {
        "greenroom.yml": f"services:\n  notes:\n    path: notes\n{lines}",
        "notes/serverless.yml": "service: notes\nprovider: { name: aws }\n",
    }
