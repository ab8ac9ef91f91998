"""What the demo's story talks to: Greenroom's REST API, the GitHub stand-in, git, and the accounts
of the local AWS. Every wait has a deadline and shows on a terminal that time passes.
"""

import json
import os
import re
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.parse
import urllib.request

import boto3

ACCOUNTS = {"development": "111111111111", "staging": "222222222222", "production": "333333333333"}
REGION = "us-east-1"
APP = "workshop"
BUILD_DEADLINE = 900
SHORT_DEADLINE = 120
LOG_TAIL_LINES = 40


class Wrong(Exception):
    """Something is not as the story says it must be."""


def say(text):
    print(f"\033[1m==>\033[0m {text}", flush=True)


def note(text):
    print(f"    {text}", flush=True)


class Wait:
    """One thing that is waited for: shows seconds on a terminal, ends with Wrong at its deadline."""

    def __init__(self, title, deadline=SHORT_DEADLINE):
        self.title, self.deadline, self.began = title, deadline, time.monotonic()

    def seconds(self):
        return int(time.monotonic() - self.began)

    def turn(self, doing=""):
        """Between two looks."""
        if self.seconds() > self.deadline:
            self.clear()
            raise Wrong(f"{self.title}: not after {self.deadline}s {doing}".rstrip())
        if sys.stdout.isatty():
            line = f"    {self.title} … {self.seconds()}s  {doing}"
            print(f"\r\033[K{line[:110]}", end="", flush=True)
        time.sleep(0.3)

    def clear(self):
        if sys.stdout.isatty():
            print("\r\033[K", end="", flush=True)

    def note(self, text):
        self.clear()
        note(f"{self.seconds():4}s  {text}")


def request(method, url, body=None, headers=None, context=None):
    """The answer's text; an answer of 400 and over is raised with what it says."""
    headers = dict(headers or {})
    data = None
    if body is not None:
        data, headers["content-type"] = json.dumps(body).encode(), "application/json"
    call = urllib.request.Request(url, data=data, headers=headers, method=method)
    try:
        with urllib.request.urlopen(call, timeout=30, context=context) as answer:
            return answer.read().decode(errors="replace")
    except urllib.error.HTTPError as error:
        said = error.read().decode(errors="replace")
        raise Wrong(f"{method} {url} answered {error.code}: {said}") from error
    except urllib.error.URLError as error:
        raise Wrong(f"{method} {url}: {error.reason}") from error


class Greenroom:
    def __init__(self):
        self.url = os.environ["DEMO_BOARD"]
        self.headers = {"authorization": "Bearer " + os.environ["DEMO_TOKEN"]}

    def get(self, path):
        return json.loads(request("GET", f"{self.url}/api/v1{path}", headers=self.headers))

    def log(self, job):
        return request("GET", f"{self.url}/api/v1/jobs/{job}/log", headers=self.headers)

    def builds(self):
        return self.get(f"/apps/{APP}/builds?limit=100")["builds"]

    def newest(self):
        return max((build["number"] for build in self.builds()), default=0)

    def build_after(self, number, stage):
        """The build of the stage that is newer than the numbered one, as soon as it is there."""
        wait = Wait(f"waiting for the build of {stage}")
        while True:
            for build in self.builds():
                if build["number"] > number and build["stage"] == stage:
                    wait.clear()
                    return build
            wait.turn()

    def watch(self, build):
        """Follows a build to its end, saying every job's changes; it must succeed."""
        number = build["number"]
        wait, known = Wait(f"build {number}", BUILD_DEADLINE), {}
        while True:
            build = self.get(f"/apps/{APP}/builds/{number}")
            for job in build["jobs"]:
                name = f"{job['kind']} {job['service'] or ''}".strip()
                state = job["outcome"] or job["state"]
                if known.get(name) != state and state not in ("blocked", "queued"):
                    reason = f": {job['reason']}" if job["reason"] else ""
                    wait.note(f"{name} {state}{reason}")
                known[name] = state
            if build["state"] == "finished":
                break
            wait.turn(", ".join(name for name, state in known.items() if state == "running"))
        wait.clear()
        if build["outcome"] != "succeeded":
            self.show_failure(build)
            raise Wrong(f"build {number} ended as {build['outcome']}: {build['reason']}")
        for service in build["services"]:
            if service["decision"] != "run":
                verb = {"skip": "was skipped", "follow": "followed"}[service["decision"]]
                note(f"      {service['service']} {verb}: {service['reason']}")
        note(f"build {number} succeeded after {wait.seconds()}s")
        return build

    def show_failure(self, build):
        for job in build["jobs"]:
            if job["outcome"] == "failed":
                name = f"{job['kind']} {job['service'] or ''}".strip()
                note(f"the end of the log of {name} ({job['reason']}):")
                for line in self.log(job["id"]).splitlines()[-LOG_TAIL_LINES:]:
                    print(f"      | {line}", flush=True)

    def stage(self, name):
        return self.get(f"/apps/{APP}/stages/{name}")


class GitHub:
    def __init__(self):
        self.url = os.environ["DEMO_GITHUB"]
        self.name = os.environ["DEMO_REPOSITORY"]
        self.here = f"{self.url}/_fakes/repos/{self.name}"

    def call(self, method, path, body=None):
        return json.loads(request(method, path, body))

    def create(self):
        self.call("POST", f"{self.url}/_fakes/repos", {"full_name": self.name})

    def open_pull_request(self, head, base, title):
        body = {"head": head, "base": base, "title": title}
        return self.call("POST", f"{self.here}/pulls", body)

    def merge(self, number):
        return self.call("POST", f"{self.here}/pulls/{number}/merge", {})["sha"]

    def statuses(self, sha):
        """The newest status of each context."""
        posted = self.call("GET", f"{self.here}/statuses/{sha}")
        return {status["context"]: status for status in posted}

    def unknown_calls(self):
        return self.call("GET", f"{self.url}/_fakes/unknown-calls")

    def deliveries(self):
        self.call("POST", f"{self.url}/_fakes/deliveries/settle")
        return self.call("GET", f"{self.url}/_fakes/deliveries")


class Clone:
    """A developer's clone, pushed over http."""

    def __init__(self):
        self.directory = os.environ["DEMO_CLONE"]
        remote = urllib.parse.urlsplit(f"{os.environ['DEMO_GITHUB']}/{os.environ['DEMO_REPOSITORY']}.git")
        password = os.environ["DEMO_GITHUB_TOKEN"]
        address = remote._replace(netloc=f"x-access-token:{password}@{remote.netloc}").geturl()
        os.makedirs(self.directory)
        self.git("init", "--quiet", "--initial-branch=develop")
        self.git("remote", "add", "origin", address)

    def git(self, *arguments):
        done = subprocess.run(
            ["git", "-C", self.directory, "-c", "user.name=Ada", "-c", "user.email=ada@example.com",
             "-c", "commit.gpgSign=false", *arguments],
            capture_output=True, text=True, check=False,
            env={**os.environ, "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_TERMINAL_PROMPT": "0"},
        )
        if done.returncode != 0:
            raise Wrong(f"git {' '.join(arguments)} failed: {done.stderr.strip()}")
        return done.stdout.strip()

    def commit(self, message):
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")


class Aws:
    """The local AWS, seen as each account's root: there a twelve-digit access key is the account."""

    def __init__(self):
        self.url, self.ca = os.environ["DEMO_AWS"], os.environ["DEMO_AWS_CA"]

    def client(self, service, account):
        return boto3.client(
            service, endpoint_url=self.url, verify=self.ca, region_name=REGION,
            aws_access_key_id=account, aws_secret_access_key="root",
        )

    def stacks(self, account):
        """The stacks of an account that are there, with their state."""
        pages = self.client("cloudformation", account).get_paginator("describe_stacks").paginate()
        return {
            stack["StackName"]: stack["StackStatus"]
            for page in pages
            for stack in page["Stacks"]
            if stack["StackStatus"] != "DELETE_COMPLETE"
        }

    def sites(self, account):
        """The buckets of an account that hold a site of the workshop."""
        buckets = self.client("s3", account).list_buckets()["Buckets"]
        return {bucket["Name"] for bucket in buckets if bucket["Name"].startswith(f"{APP}-frontend-")}

    def file(self, account, bucket, key):
        """A file of a bucket, as JSON."""
        body = self.client("s3", account).get_object(Bucket=bucket, Key=key)["Body"]
        return json.loads(body.read())

    def invoke(self, account, function):
        answer = self.client("lambda", account).invoke(FunctionName=function)
        said = answer["Payload"].read().decode(errors="replace")
        if "FunctionError" in answer:
            raise Wrong(f"{function} failed: {said}")
        return json.loads(said)

    def call_endpoint(self, endpoint, account):
        """Calls an HTTP API by its real address; the local AWS finds it by the Host header."""
        found = re.match(r"https://([a-z0-9]+)\.execute-api\.[^/]*(/.*)?$", endpoint)
        if not found:
            raise Wrong(f"{endpoint} is not the address of an HTTP API")
        port = urllib.parse.urlsplit(self.url).port
        scope = f"{account}/20260101/{REGION}/execute-api/aws4_request"
        headers = {
            "host": f"{found[1]}.execute-api.localhost:{port}",
            # unsigned calls are looked up in another account; the signature is not checked
            "authorization": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
        }
        url = self.url + (found[2] or "/")
        context = ssl.create_default_context(cafile=self.ca)
        return json.loads(request("GET", url, headers=headers, context=context))
