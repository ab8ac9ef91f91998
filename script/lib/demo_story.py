"""The demo's story: a day of a small team, told as it happens and checked step by step.

Ends with 1 and the reason as soon as something is not as it must be. `script/demo` starts what it
talks to and says where that is in DEMO_… variables.
"""

import os
import pathlib
import shutil
import sys

from demo_world import ACCOUNTS, APP, Aws, Clone, GitHub, Greenroom, Wait, Wrong, note, say

SERVICES = ("database", "frontend", "restapi", "tasks")
# How the stacks are called; the frontend has none: its commands make a bucket.
STACKS = {"database": "fullstack-database", "restapi": "fullstack-restapi", "tasks": "fullstack-tasks"}
# account -> (`env` of its profile, its `endpoint`): config/apps/workshop.yml
PARAMETERS = {
    "development": ("dev", "https://serverless-workshop-dev.free.beeceptor.com"),
    "staging": ("staging", "https://serverless-workshop-staging.free.beeceptor.com"),
    "production": ("prod", "https://serverless-workshop-prod.free.beeceptor.com"),
}
BRANCH = "feature/hello"
PREVIEW = "feature-hello"
GREETING = "Hello from the feature branch"
AS_IT_WAS = "Hello from the workshop"
ENDED = ("success", "failure", "error")


class Story:
    def __init__(self):
        self.greenroom, self.github, self.aws = Greenroom(), GitHub(), Aws()
        self.clone = None
        # stage -> (name of its account, services); what has to be there, and nothing else
        self.deployed = {}

    def tell(self):
        self.first_push()
        self.staging()
        number = self.pull_request()
        self.merge(number)
        self.release()
        self.branch_deleted()
        self.nothing_left_over()

    def first_push(self):
        say("1. The first push to develop: { branch: develop, stage: dev }. The database, then what reads it")
        self.github.create()
        self.clone = Clone()
        shutil.copytree(os.environ["DEMO_SAMPLE"], self.clone.directory, dirs_exist_ok=True,
                        ignore=shutil.ignore_patterns("node_modules", ".serverless"))
        sha = self.clone.commit("Add the workshop")
        build = self.push_and_watch("dev", "origin", "develop")
        self.in_order(build)
        self.arrived("dev", "development", sha, AS_IT_WAS)
        published = self.instances("dev")["database"]["outputs"]
        note(f"the database publishes, for the others to read: {published}")

    def staging(self):
        say("2. The same commit to master: { branch: master, stage: staging }, another account, another database")
        sha = self.clone.git("rev-parse", "HEAD")
        self.push_and_watch("staging", "origin", "develop:master")
        self.arrived("staging", "staging", sha, AS_IT_WAS)

    def pull_request(self):
        say(f"3. A pull request from {BRANCH}: a preview of what it changes; the rest is read from dev")
        self.clone.git("switch", "--quiet", "--create", BRANCH)
        code = pathlib.Path(self.clone.directory, "backend-restapi/src/hello.js")
        code.write_text(code.read_text().replace(AS_IT_WAS, GREETING))
        sha = self.clone.commit("Greet from the branch")
        before = self.greenroom.newest()
        self.clone.git("push", "--quiet", "origin", BRANCH)
        opened = self.github.open_pull_request(BRANCH, "master", "Greet from the branch")
        note(f"pull request {opened['number']} is open; its preview is named after the branch: {PREVIEW}")
        self.planned(self.watch_build(before, PREVIEW), restapi="run")
        self.arrived(PREVIEW, "development", sha, GREETING, context="preview", services=("restapi",))
        return opened["number"]

    def merge(self, number):
        say(f"4. Pull request {number} is merged: staging again, the service that changed and the site that reads it")
        before = self.greenroom.newest()
        sha = self.github.merge(number)
        self.planned(self.watch_build(before, "staging"), restapi="run", frontend="follow")
        self.arrived("staging", "staging", sha, GREETING)

    def release(self):
        say("5. The release: master becomes prod. Packaged anew for the stage, deployed to the production account")
        self.clone.git("fetch", "--quiet", "origin")
        sha = self.clone.git("rev-parse", "origin/master")
        self.push_and_watch("prod", "origin", f"{sha}:refs/heads/prod")
        self.arrived("prod", "production", sha, GREETING)

    def branch_deleted(self):
        say(f"6. {BRANCH} is deleted: its preview is taken down, and dev, whose database it read, stays")
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
        note(f"the stage {PREVIEW} is closed; in the development account: {', '.join(sorted(left))}")

    def nothing_left_over(self):
        say("7. What is left")
        builds = self.greenroom.builds()
        self.must(len(builds) == 6, f"six things happened, but there are {len(builds)} builds")
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
        for account, found in self.check_accounts().items():
            note(f"{account:12} {', '.join(sorted(found))}")
        note(f"six builds, every webhook taken, no secret in a log: {self.greenroom.url}")

    # What each step has in common

    def push_and_watch(self, stage, *what):
        before = self.greenroom.newest()
        self.clone.git("push", "--quiet", *what)
        return self.watch_build(before, stage)

    def watch_build(self, before, stage):
        build = self.greenroom.build_after(before, stage)
        note(f"look at the build: {build['url']}")
        return self.greenroom.watch(build)

    def in_order(self, build):
        """The database is through before anything that reads it begins; those that can share the time."""
        jobs = {(job["kind"], job["service"]): job for job in build["jobs"]}
        until = jobs["deploy", "database"]["finished_at"]
        for service in ("restapi", "tasks"):
            begin = jobs["package", service]["started_at"]
            self.must(until <= begin, f"{service} was begun at {begin}, the database was deployed at {until}")
        self.must(jobs["package", "restapi"]["started_at"] < jobs["deploy", "tasks"]["finished_at"]
                  and jobs["package", "tasks"]["started_at"] < jobs["deploy", "restapi"]["finished_at"],
                  "restapi and tasks do not depend on each other, but one waited for the other")
        note("in order: database; restapi and tasks side by side; frontend; the check of the whole")

    def planned(self, build, **decisions):
        found = {service["service"]: service["decision"] for service in build["services"]}
        wanted = {service: decisions.get(service, "skip") for service in SERVICES}
        self.must(found == wanted, f"the plan was {found}, not {wanted}")

    def instances(self, stage):
        return {instance["service"]: instance for instance in self.greenroom.stage(stage)["instances"]}

    def arrived(self, stage, account, sha, greeting, context=None, services=SERVICES):
        """The stage is deployed in that account and no other, answers, and the commit is green."""
        self.deployed[stage] = (account, services)
        self.check_statuses(sha, context or stage)
        self.check_accounts()
        shown = self.greenroom.stage(stage)
        self.must(shown["state"] == "active", f"the stage {stage} is {shown['state']}, not active")
        instances = self.instances(stage)
        self.must(sorted(instances) == sorted(services), f"{stage} has {sorted(instances)}")
        for service, instance in instances.items():
            self.must(instance["state"] == "deployed",
                      f"{service} of {stage} is {instance['state']}: {instance['reason']}")
        here = sorted(stacks_of(stage, services) | sites_of(stage, account, services))
        note(f"{', '.join(here)}: in the {account} account ({ACCOUNTS[account]}), no other")
        api = self.check_endpoint(stage, account, instances["restapi"], greeting)
        if "tasks" in services:
            self.check_task(stage, account)
        for bucket in sites_of(stage, account, services):
            known = self.aws.file(ACCOUNTS[account], bucket, "config.json")
            self.must(api == known["api"] + known["path"], f"the site of {stage} knows {known}, not {api}")
            note(f"{instances['frontend']['outputs']['url']} is a site that asks {api}")
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
        """Every account holds the stacks and sites of its stages, whole, and no others."""
        found = {}
        for account, number in ACCOUNTS.items():
            stacks = self.aws.stacks(number)
            found[account] = set(stacks) | self.aws.sites(number)
            here = [(stage, services) for stage, (at, services) in self.deployed.items() if at == account]
            wanted = {name for stage, services in here
                      for name in stacks_of(stage, services) | sites_of(stage, account, services)}
            self.must(found[account] == wanted,
                      f"the {account} account holds {sorted(found[account])}, not {sorted(wanted)}")
            for name, state in stacks.items():
                self.must(state in ("CREATE_COMPLETE", "UPDATE_COMPLETE"), f"{name} is {state}")
        return found

    def check_endpoint(self, stage, account, instance, greeting):
        """The API answers with its stage, its profile's parameters and the table that it read."""
        endpoints = [address for address in instance["endpoints"] if address.startswith("https://")]
        self.must(endpoints, f"no endpoint of restapi is known: {instance['endpoints']}")
        endpoint = endpoints[0] if "/hello" in endpoints[0] else endpoints[0].rstrip("/") + "/hello"
        answer = self.aws.call_endpoint(endpoint, ACCOUNTS[account])
        note(f"{endpoint} answers {answer}")
        env, address = PARAMETERS[account]
        wanted = {"message": greeting, "stage": stage, "env": env, "endpoint": address,
                  "table": f"submissions-{env}", "contract": 1}
        self.must(answer == wanted, f"wanted {wanted} from {stage}")
        return endpoint

    def check_task(self, stage, account):
        """The task has the address and the secret key of its profile."""
        function = f"{STACKS['tasks']}-{stage}-remind"
        answer = self.aws.invoke(ACCOUNTS[account], function)
        key = f"{os.environ['DEMO_SECRET']}-{account}"
        self.must((answer["stage"], answer["url"]) == (stage, PARAMETERS[account][1]),
                  f"{function} answers for {answer['stage']} and {answer['url']}")
        self.must(answer["api_key"] == key, f"{function} has another key than that of its profile")
        note(f"{function} sends to {answer['url']}, with the profile's key")

    @staticmethod
    def must(condition, otherwise):
        if not condition:
            raise Wrong(otherwise)


def stacks_of(stage, services):
    return {f"{STACKS[service]}-{stage}" for service in services if service in STACKS}


def sites_of(stage, account, services):
    return {f"{APP}-frontend-{stage}-{ACCOUNTS[account]}"} if "frontend" in services else set()


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
