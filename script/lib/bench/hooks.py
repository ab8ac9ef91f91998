"""Webhooks as GitHub words and signs them, made from ones that the stand-in sent.

The stand-in sends its deliveries one at a time and keeps them all, so it is no source of load: one
delivery of each kind is taken as a template, and the bench sends what it makes of it.
"""

import hashlib
import hmac
import json
import os
import uuid

SECRET = "the-bench-hook-secret"
PATH = "/webhooks/github"


class Templates:
    """One `push` and one `pull_request` from a fork, as the stand-in words them."""

    def __init__(self, push, pull_request):
        self.push_payload = push
        self.pull_payload = pull_request

    def push(self, branch):
        """A push to `branch` of a commit that exists nowhere."""
        payload = dict(self.push_payload)
        payload["ref"] = f"refs/heads/{branch}"
        payload["after"] = os.urandom(20).hex()
        return "push", encoded(payload)

    def pull(self, number, sha, branch="load", repository=None):
        """A pull request from a fork: tests alone, so nothing of AWS is asked.

        The commit lies in the base repository, where GitHub keeps the heads of pull requests.
        """
        payload = json.loads(json.dumps(self.pull_payload))
        payload["number"] = number
        request = payload["pull_request"]
        request["number"] = number
        request["title"] = f"Change {number}"
        request["head"]["sha"] = sha
        request["head"]["ref"] = branch
        if repository is not None:
            payload["repository"] = repository
            request["base"]["repo"] = repository
        return "pull_request", encoded(payload)


def encoded(payload):
    return json.dumps(payload, separators=(",", ":")).encode()


def headers(event, body, guid=None):
    signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
    # the second is for peers that know only the older one
    older = hmac.new(SECRET.encode(), body, hashlib.sha1).hexdigest()
    return {
        "Content-Type": "application/json",
        "User-Agent": "GitHub-Hookshot/044aadd",
        "X-GitHub-Delivery": guid or str(uuid.uuid4()),
        "X-GitHub-Event": event,
        "X-GitHub-Hook-ID": "292430182",
        "X-Hub-Signature-256": f"sha256={signature}",
        "X-Hub-Signature": f"sha1={older}",
    }


def request(address, event, body, path=PATH):
    """The bytes of a signed request with a GUID of its own."""
    lines = [f"POST {path} HTTP/1.1", f"Host: {address[0]}:{address[1]}"]
    lines += [f"{name}: {value}" for name, value in headers(event, body).items()]
    lines += [f"Content-Length: {len(body)}", "", ""]
    return "\r\n".join(lines).encode() + body
