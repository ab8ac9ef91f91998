"""The pictures of the README: a day of the demo's team, and a headless Chromium that looks at it.

`script/screenshots` starts what this talks to and says where that is in DEMO_… variables. Whatever
happens, the browser ends with it: chromedriver and Chromium are one process group.
"""

import base64
import json
import os
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request

from demo_story import Story
from demo_world import APP, Wait, Wrong, note, say

SIZES = {"laptop": (1280, 800), "phone": (390, 844)}
THEMES = ("light", "dark")
# a picture of a long page shows its beginning
TALLEST = 1400
# what the tests of the third pull request wait for
RUNS_FOR = 600


class Browser:
    """Chromium, driven over WebDriver and its own protocol."""

    def __init__(self, home):
        self.home = home
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            port = listener.getsockname()[1]
        self.profile = tempfile.TemporaryDirectory(prefix="greenroom-pictures-", ignore_cleanup_errors=True)
        self.driver = subprocess.Popen(["chromedriver", f"--port={port}"], start_new_session=True,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.base = f"http://127.0.0.1:{port}"
        wait = Wait("starting chromedriver", 60)
        while not self.ready():
            wait.turn()
        wait.clear()
        options = {"args": [
            "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
            "--disable-background-networking", "--disable-component-update", "--disable-sync", "--hide-scrollbars",
            f"--user-data-dir={self.profile.name}"]}
        made = self.call("POST", "/session", {"capabilities": {"alwaysMatch": {"goog:chromeOptions": options}}})
        self.base += f"/session/{made['sessionId']}"

    def ready(self):
        try:
            return self.call("GET", "/status")["ready"]
        except urllib.error.URLError:
            return False

    def call(self, method, path, body=None):
        request = urllib.request.Request(
            self.base + path, None if body is None else json.dumps(body).encode(),
            {"content-type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=120) as answer:
            return json.load(answer)["value"]

    def tell(self, command, **parameters):
        return self.call("POST", "/goog/cdp/execute", {"cmd": command, "params": parameters})

    def picture(self, path, size, theme, target):
        width, height = SIZES[size]
        self.tell("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1,
                  mobile=size == "phone")
        self.tell("Emulation.setEmulatedMedia", features=[
            {"name": "prefers-color-scheme", "value": theme}, {"name": "prefers-reduced-motion", "value": "reduce"}])
        self.call("POST", "/url", {"url": self.home + path})
        page = self.tell("Page.getLayoutMetrics")["cssContentSize"]
        shown = {"x": 0, "y": 0, "width": width, "height": min(max(page["height"], height), TALLEST), "scale": 1}
        made = self.tell("Page.captureScreenshot", format="png", clip=shown, captureBeyondViewport=True)
        target.write_bytes(base64.b64decode(made["data"]))

    def end(self):
        os.killpg(self.driver.pid, signal.SIGKILL)
        self.driver.wait()
        self.profile.cleanup()


class Day(Story):
    """The demo's day up to a release that waits for somebody."""

    def tell(self):
        self.first_push()
        self.staging()
        self.merge(self.pull_request())
        self.fails()
        waiting = self.release_waits()
        running = self.runs()
        return waiting, running

    def fails(self):
        say("A pull request whose tests fail")
        self.change("feature/french", "throw new Error('expected \"Bonjour\", got \"Hello\"')", "Greet in French")

    def runs(self):
        say("A pull request whose tests take their time")
        test = f"console.log('\\x1b[32m\u2713\\x1b[0m says hello'); setTimeout(() => 0, {RUNS_FOR * 1000})"
        return self.change("feature/slow", test, "Test against a slow upstream", ended=False)

    def change(self, branch, test, title, ended=True):
        """A pull request that adds a test to restapi; its build, ended or with its test under way."""
        self.clone.git("fetch", "--quiet", "origin")
        self.clone.git("switch", "--quiet", "--create", branch, "origin/master")
        pathlib.Path(self.clone.directory, "backend-restapi/test/more.test.js").write_text(f"{test};\n")
        self.clone.commit(title)
        before = self.greenroom.newest()
        self.clone.git("push", "--quiet", "origin", branch)
        self.github.open_pull_request(branch, "master", title)
        number = self.greenroom.build_after(before, branch.replace("/", "-"))["number"]
        wait = Wait(f"build {number}", 300)
        while True:
            build = self.greenroom.get(f"/apps/{APP}/builds/{number}")
            runs = [job for job in build["jobs"] if job["kind"] == "test" and job["service"] == "restapi"
                    and job["state"] == "running" and "hello" in self.greenroom.log(job["id"])]
            if build["state"] == "finished" if ended else runs:
                wait.clear()
                return build
            wait.turn()

    def release_waits(self):
        say("The release waits for an approval")
        self.clone.git("fetch", "--quiet", "origin")
        before = self.greenroom.newest()
        self.clone.git("push", "--quiet", "origin", "origin/master:refs/heads/prod")
        number = self.greenroom.build_after(before, "prod")["number"]
        wait = Wait(f"build {number} to wait for somebody", 300)
        while self.greenroom.get(f"/apps/{APP}/builds/{number}")["state"] != "waiting":
            wait.turn()
        wait.clear()
        return number


def main():
    target = pathlib.Path(sys.argv[1])
    day = Day()
    waiting, running = day.tell()
    job = next(job for job in running["jobs"] if job["kind"] == "test" and job["service"] == "restapi")
    pages = {
        "board": "/",
        "builds": "/builds",
        "build": f"/apps/{APP}/builds/{running['number']}?job={job['id']}",
        "stage": f"/apps/{APP}/stages/staging",
        "approval": f"/apps/{APP}/builds/{waiting}/approve",
        "previews": "/previews",
    }
    browser = Browser(day.greenroom.url)
    try:
        for name, path in pages.items():
            for size in SIZES:
                for theme in THEMES:
                    browser.picture(path, size, theme, target / f"{name}-{size}-{theme}.png")
            note(f"{name}: {path}")
    finally:
        browser.end()


if __name__ == "__main__":
    try:
        main()
    except Wrong as wrong:
        print(f"\033[31merror:\033[0m {wrong}", file=sys.stderr, flush=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(130)
