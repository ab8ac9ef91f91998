"""The demo's story: a day of a small team, told as it happens and checked step by step.

Ends with 1 and the reason as soon as something is not as it must be. `script/demo` starts what it
talks to and says where that is in DEMO_… variables.
"""

import os
import pathlib
import shutil
import sys

from demo_world import ACCOUNTS, APP, Aws, Clone, GitHub, Greenroom, Wait, Wrong, note, say

SERVICES = ("database", "restapi")
BRANCH = "feature/hello"
PREVIEW = "feature-hello"
GREETING = "Hello from the feature branch"
AS_IT_WAS = "Hello from the workshop"
ENDED = ("success", "failure", "error")


class Story:
    def __init__(self):
        self.greenroom, self.github, self.aws = Greenroom(), GitHub(), Aws()
        self.clone = None
        # stage -> name of the account that it is deployed to; what has to be there, and nothing else
        self.deployed = {}

    def tell(self):
        self.first_push()
        number = self.pull_request()
        self.merge(number)
        self.release()
        self.branch_deleted()
        self.nothing_left_over()

    def first_push(self):
        say("1. The first push to master. The rule { branch: master, stage: staging } makes a build of it")
        self.github.create()
        self.clone = Clone()
        shutil.copytree(os.environ["DEMO_SAMPLE"], self.clone.directory, dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns("node_modules", ".serverless"))
        sha = self.clone.commit("Add the workshop")
        self.push_and_watch("staging", "origin", "master")
        self.arrived("staging", "staging", sha, AS_IT_WAS)

    def pull_request(self):
        say(f"2. A pull request from {BRANCH}: a preview of its own, in the development account")
        self.clone.git("switch", "--quiet", "--create", BRANCH)
        code = pathlib.Path(self.clone.directory, "backend-restapi/src/hello.js")
        code.write_text(code.read_text().replace(AS_IT_WAS, GREETING))
        sha = self.clone.commit("Greet from the branch")
        before = self.greenroom.newest()
        self.clone.git("push", "--quiet", "origin", BRANCH)
        opened = self.github.open_pull_request(BRANCH, "master", "Greet from the branch")
        note(f"pull request {opened['number']} is open; its preview is named after the branch: {PREVIEW}")
        self.watch_build(before, PREVIEW)
        self.arrived(PREVIEW, "development", sha, GREETING, context="preview")
        return opened["number"]

    def merge(self, number):
        say(f"3. Pull request {number} is merged: staging again, and only the service that changed")
        before = self.greenroom.newest()
        sha = self.github.merge(number)
        build = self.watch_build(before, "staging")
        decisions = {service["service"]: service["decision"] for service in build["services"]}
        self.must(decisions == {"database": "skip", "restapi": "run"},
                  f"only restapi changed, but the plan was {decisions}")
        self.arrived("staging", "staging", sha, GREETING)

    def release(self):
        say("4. The release: master becomes prod. Packaged anew for the stage, deployed to the production account")
        self.clone.git("fetch", "--quiet", "origin")
        sha = self.clone.git("rev-parse", "origin/master")
        self.push_and_watch("prod", "origin", f"{sha}:refs/heads/prod")
        self.arrived("prod", "production", sha, GREETING)

    def branch_deleted(self):
        say(f"5. {BRANCH} is deleted: its preview is taken down, the API before the database it imports from")
        before = self.greenroom.newest()
        self.clone.git("push", "--quiet", "origin", "--delete", BRANCH)
        self.watch_build(before, PREVIEW)
        wait = Wait("waiting for the preview to be closed")
        while self.greenroom.stage(PREVIEW)["state"] != "closed":
            wait.turn()
        wait.clear()
        for instance in self.greenroom.stage(PREVIEW)["instances"]:
            self.must(instance["state"] == "removed",
                      f"{instance['service']} of {PREVIEW} is {instance['state']}, not removed")
        del self.deployed[PREVIEW]
        left = self.check_accounts()["development"]
        note(f"the stage {PREVIEW} is closed; stacks in the development account: {len(left)}")

    def nothing_left_over(self):
        say("6. What is left")
        builds = self.greenroom.builds()
        self.must(len(builds) == 5, f"five things happened, but there are {len(builds)} builds")
        unknown = self.github.unknown_calls()
        self.must(not unknown, f"Greenroom called what GitHub does not have: {unknown}")
        for delivery in self.github.deliveries():
            outcome = delivery["outcome"]
            self.must(outcome is not None and 200 <= (outcome.get("status_code") or 0) < 300,
                      f"the webhook {delivery['event']} was not taken: {outcome}")
        secret = os.environ["DEMO_SECRET"]
        for build in builds:
            for job in self.greenroom.get(f"/apps/{APP}/builds/{build['number']}")["jobs"]:
                self.must(secret not in self.greenroom.log(job["id"]),
                          f"a secret parameter stands in the log of {job['kind']} {job['service']}")
        for account, stacks in self.check_accounts().items():
            note(f"{account:12} {', '.join(sorted(stacks)) or 'no stack'}")
        note(f"five builds, every webhook taken, no secret in a log: {self.greenroom.url}")

    # What each step has in common

    def push_and_watch(self, stage, *what):
        before = self.greenroom.newest()
        self.clone.git("push", "--quiet", *what)
        return self.watch_build(before, stage)

    def watch_build(self, before, stage):
        build = self.greenroom.build_after(before, stage)
        note(f"look at the build: {build['url']}")
        return self.greenroom.watch(build)

    def arrived(self, stage, account, sha, greeting, context=None):
        """The stage is deployed in that account and no other, answers, and the commit is green."""
        self.deployed[stage] = account
        self.check_statuses(sha, context or stage)
        self.check_accounts()
        shown = self.greenroom.stage(stage)
        self.must(shown["state"] == "active", f"the stage {stage} is {shown['state']}, not active")
        instances = {instance["service"]: instance for instance in shown["instances"]}
        self.must(sorted(instances) == sorted(SERVICES), f"{stage} has {sorted(instances)}")
        for service, instance in instances.items():
            self.must(instance["state"] == "deployed",
                      f"{service} of {stage} is {instance['state']}: {instance['reason']}")
        note(f"stacks {', '.join(stacks_of(stage))}: in the {account} account ({ACCOUNTS[account]}), no other")
        self.check_endpoint(stage, account, instances["restapi"], greeting)
        note(f"look at the stage: {self.greenroom.url}/apps/{APP}/stages/{stage}")

    def check_statuses(self, sha, context):
        wanted = {"greenroom"}
        wanted |= {f"greenroom/{service}/{what}" for service in SERVICES for what in ("test", context)}
        wait = Wait(f"waiting for the statuses of {sha[:7]}")
        while True:
            found = self.github.statuses(sha)
            shown = {name: found[name] for name in sorted(wanted & set(found))}
            if len(shown) == len(wanted) and all(s["state"] in ENDED for s in shown.values()):
                break
            wait.turn()
        wait.clear()
        note(f"commit statuses on {sha[:7]}:")
        for name, status in shown.items():
            note(f"  {status['state']:8} {name}: {status['description']}")
        red = [name for name, status in shown.items() if status["state"] != "success"]
        self.must(not red, f"not green: {red}")
        board = self.greenroom.url
        self.must(all((status["target_url"] or "").startswith(board) for status in shown.values()),
                  "a status does not lead to its build")

    def check_accounts(self):
        """Every account holds the stacks of its stages, whole, and no other stack."""
        found = self.aws.everywhere()
        for account, stacks in found.items():
            wanted = {name for stage, at in self.deployed.items() if at == account for name in stacks_of(stage)}
            self.must(set(stacks) == wanted,
                      f"the {account} account holds {sorted(stacks)}, not {sorted(wanted)}")
            for name, state in stacks.items():
                self.must(state in ("CREATE_COMPLETE", "UPDATE_COMPLETE"), f"{name} is {state}")
        return found

    def check_endpoint(self, stage, account, instance, greeting):
        endpoints = [address for address in instance["endpoints"] if address.startswith("https://")]
        self.must(endpoints, f"no endpoint of restapi is known: {instance['endpoints']}")
        endpoint = endpoints[0] if "/hello" in endpoints[0] else endpoints[0].rstrip("/") + "/hello"
        answer = self.aws.call_endpoint(endpoint, ACCOUNTS[account])
        note(f"{endpoint} answers {answer}")
        self.must((answer["message"], answer["stage"]) == (greeting, stage),
                  f"wanted {greeting!r} from the stage {stage}")

    @staticmethod
    def must(condition, otherwise):
        if not condition:
            raise Wrong(otherwise)


def stacks_of(stage):
    return [f"fullstack-{service}-{stage}" for service in SERVICES]


def main():
    try:
        Story().tell()
    except Wrong as wrong:
        print(f"\033[31merror:\033[0m {wrong}", file=sys.stderr, flush=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
