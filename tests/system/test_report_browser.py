"""The report in a real browser: nothing on the console, no request, nothing wider than a phone."""

import json
import subprocess
import time
from contextlib import contextmanager
from types import SimpleNamespace

import pytest

from tasks.runtime.params import load_params
from tasks.stages import report as stage
from tests.synthetic import make_inputs, project
from tests.tasks.stages.test_report import domain_of

pytestmark = pytest.mark.browser

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--disable-dev-shm-usage", "--remote-debugging-port=0",
)  # fmt: skip


class Tab:
    """A page driven over the DevTools protocol; every event it sends is kept."""

    def __init__(self, socket) -> None:
        self.socket, self.events, self.last = socket, [], 0
        self.session = None
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.send("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for name in ("Page", "Runtime", "Log", "Network"):
            self.send(f"{name}.enable")

    def send(self, method: str, **params):
        self.last += 1
        message = {"id": self.last, "method": method, "params": params}
        self.socket.send(json.dumps(message | ({"sessionId": self.session} if self.session else {})))
        while True:
            answer = json.loads(self.socket.recv(timeout=30))
            if answer.get("id") == self.last:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def seen(self, *methods: str) -> list[dict]:
        return [e["params"] for e in self.events if e.get("method") in methods]

    def open(self, url: str, width: int, height: int, dark: bool = False) -> None:
        self.events.clear()
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.send("Emulation.setEmulatedMedia", features=[scheme])
        self.send("Page.navigate", url=url)
        deadline = time.monotonic() + 30
        while not self.seen("Page.loadEventFired"):
            assert time.monotonic() < deadline, "the page did not load in 30 s"
            self.events.append(json.loads(self.socket.recv(timeout=30)))

    def value(self, expression: str):
        return self.send("Runtime.evaluate", expression=expression, returnByValue=True)["result"].get("value")


@contextmanager
def browser(chromium: str, profile):
    from websockets.sync.client import connect

    process = subprocess.Popen(
        [chromium, *FLAGS, f"--user-data-dir={profile}", "about:blank"],
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        port_file, deadline = profile / "DevToolsActivePort", time.monotonic() + 60
        while not (port_file.is_file() and len(port_file.read_text().split()) == 2):
            assert process.poll() is None and time.monotonic() < deadline, "Chromium did not start"
            time.sleep(0.1)
        port, path = port_file.read_text().split()
        with connect(f"ws://127.0.0.1:{port}{path}", max_size=None, proxy=None) as socket:
            yield Tab(socket)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest.fixture
def tab(chromium, tmp_path):
    with browser(chromium, tmp_path / "profile") as opened:
        yield opened


def test_the_reports_in_a_browser(tab, tmp_path, project_root, monkeypatch):
    monkeypatch.setattr(stage, "get_domain", domain_of)
    for domain in ("finance", "climate"):
        workspace = project(tmp_path / domain, domain, rows=200)
        make_inputs(workspace, "x_z")
        stage.report(workspace, load_params(project_root, domain))
        url = workspace.report.as_uri()
        for width, height, dark in ((1280, 900, False), (390, 844, False), (390, 844, True)):
            view = SimpleNamespace(domain=domain, width=width, dark=dark)
            tab.open(url, width, height, dark)
            assert tab.value("document.title") == "Basin: A title"
            # Folded parts too must fit, so all are opened before measuring.
            tab.value("document.querySelectorAll('details').forEach(d => d.open = true)")
            assert tab.value("document.documentElement.scrollWidth") <= width, view
            assert tab.value("[...document.images].every(i => i.complete && i.naturalWidth > 0)"), view
            console = tab.seen("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
            assert not console, (view, console)
            asked = {e["request"]["url"] for e in tab.seen("Network.requestWillBeSent")}
            assert {a for a in asked if not a.startswith("data:")} == {url}, view
            background = tab.value("getComputedStyle(document.body).backgroundColor")
            assert (sum(map(int, background[4:-1].split(","))) < 300) == dark, view


def test_the_browser_test_sees_what_it_looks_for(tab, tmp_path):
    page = tmp_path / "bad.html"
    page.write_text(
        '<meta name="viewport" content="width=device-width"><body style="width:900px">'
        '<img src="http://127.0.0.1:9/x.png"><script>console.error("seen")</script>'
    )
    tab.open(page.as_uri(), 390, 844)
    assert tab.value("document.documentElement.scrollWidth") > 390
    assert any(e["type"] == "error" for e in tab.seen("Runtime.consoleAPICalled"))
    assert any("x.png" in e["request"]["url"] for e in tab.seen("Network.requestWillBeSent"))
