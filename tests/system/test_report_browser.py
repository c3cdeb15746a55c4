"""Pages in a real browser: nothing cut on screen or paper, no request, no fault of accessibility."""

import json
import re
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.synthetic_pages import pages

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


CUT = """
(() => {
  const right = document.documentElement.clientWidth + 1;
  return [...document.querySelectorAll("body *")].filter((e) => {
    if (!e.checkVisibility() || e.getBoundingClientRect().right <= right) return false;
    for (let at = e.parentElement; at; at = at.parentElement)
      if (BOXES && /auto|scroll/.test(getComputedStyle(at).overflowX)) return false;
    return true;
  }).map((e) => `${e.tagName} ${(e.textContent || "").slice(0, 40)}`).slice(0, 5);
})()
"""
"""Elements beyond the right edge of the page, if BOXES without those in boxes that scroll sideways."""

VIEWS = ((1300, False), (1300, True), (390, False), (390, True))
"""Widths of a page, and whether it is dark."""

A4 = 703
"""Width in pixels between the margins of a sheet of A4."""


def quiet(tab: Tab, url: str) -> bool:
    """Whether nothing was written on the console and no other file was asked for."""
    asked = {e["request"]["url"] for e in tab.seen("Network.requestWillBeSent")}
    console = tab.seen("Runtime.consoleAPICalled", "Runtime.exceptionThrown", "Log.entryAdded")
    return not console and {a for a in asked if not a.startswith("data:")} == {url}


@pytest.fixture
def shown(tmp_path, project_root, monkeypatch):
    return {name: path.as_uri() for name, path in pages(tmp_path, project_root, monkeypatch).items()}


def test_pages_of_every_kind_in_a_browser(tab, shown):
    rules = (Path(__file__).parent / "accessibility.js").read_text()
    for name, url in shown.items():
        for width, dark in VIEWS:
            view = SimpleNamespace(name=name, width=width, dark=dark)
            tab.open(url, width, 900, dark)
            # Folded parts too must fit, so all are opened before measuring.
            tab.value("document.querySelectorAll('details').forEach(d => d.open = true)")
            assert tab.value("document.documentElement.scrollWidth") <= width, view
            assert tab.value(CUT.replace("BOXES", "true")) == [], view
            wide = "document.querySelectorAll('.box .scroll')"
            scrolling = f"[...{wide}].some(e => e.scrollWidth > e.clientWidth + 1)"
            assert width < 400 or not tab.value(scrolling), view
            assert tab.value("[...document.images].every(i => i.complete && i.naturalWidth > 0)"), view
            assert tab.value(rules) == [], view
            assert quiet(tab, url), view
            background = tab.value("getComputedStyle(document.body).backgroundColor")
            assert name == "validation" or (sum(map(int, background[4:-1].split(","))) < 300) == dark, view


def test_pages_of_every_kind_on_paper(tab, shown):
    for name, url in shown.items():
        tab.open(url, A4, 900, dark=True)
        scheme = {"name": "prefers-color-scheme", "value": "dark"}
        tab.send("Emulation.setEmulatedMedia", media="print", features=[scheme])
        assert tab.value(CUT.replace("BOXES", "false")) == [], name
        assert tab.value("document.documentElement.scrollWidth") <= A4, name
        folded = "[...document.querySelectorAll('details:not(.zoom) .box')]"
        assert tab.value(f"{folded}.every(e => e.checkVisibility() && e.clientHeight > 40)"), name
        hidden = "[...document.querySelectorAll('nav, .zoom, .place')]"
        assert tab.value(f"{hidden}.every(e => getComputedStyle(e).display == 'none')"), name
        ink = tab.value("getComputedStyle(document.body).color")
        assert name == "validation" or sum(map(int, ink[4:-1].split(","))) < 200, name
        assert len(tab.send("Page.printToPDF", preferCSSPageSize=True)["data"]) > 10_000, name
        tab.send("Emulation.setEmulatedMedia", media="")


def test_values_appear_under_the_pointer_and_with_the_keyboard_and_charts_enlarge(tab, shown):
    tab.open(shown["climate"], 1300, 900)
    place = "#time svg.wide .place:nth-of-type(30)"
    visible = f"getComputedStyle(document.querySelector('{place} > g')).visibility"
    tab.value("document.querySelector('#time').scrollIntoView()")
    assert tab.value(visible) == "hidden"
    area = f"document.querySelector('{place} > rect').getBoundingClientRect()"
    x, y = tab.value(f"(r => [r.x + r.width / 2, r.y + 60])({area})")
    tab.send("Input.dispatchMouseEvent", type="mouseMoved", x=x, y=y)
    assert tab.value(visible) == "visible"
    assert re.match(r"\d{4}-\d\d-01over .+\d", tab.value(f"document.querySelector('{place}').textContent"))

    tab.value("document.querySelector('#peers figure svg.wide .place').focus()")
    tab.send("Input.dispatchKeyEvent", type="keyDown", key="Tab", code="Tab", windowsVirtualKeyCode=9)
    focused = "document.activeElement"
    assert tab.value(f"{focused}.getAttribute('aria-label')").startswith("lead 3: Energy model ")
    assert tab.value(f"getComputedStyle({focused}.querySelector('g')).visibility") == "visible"

    figure = "document.querySelector('#time figure')"
    tab.value(f"{figure}.querySelector('summary').click()")
    assert tab.value(f"{figure}.querySelector('svg.large').getBoundingClientRect().width") == 1410
    assert not tab.value(f"{figure}.querySelector('svg.wide').checkVisibility()")
    assert quiet(tab, shown["climate"])


def test_the_browser_test_sees_what_it_looks_for(tab, tmp_path):
    page = tmp_path / "bad.html"
    page.write_text(
        '<meta name="viewport" content="width=device-width"><body style="width:900px">'
        '<h3 style="color:#aaa">a</h3><div style="overflow-x:auto"><p style="width:1000px">b</p></div>'
        '<img src="http://127.0.0.1:9/x.png"><script>console.error("seen")</script>'
    )
    tab.open(page.as_uri(), 390, 844)
    assert tab.value("document.documentElement.scrollWidth") > 390
    assert len(tab.value(CUT.replace("BOXES", "true"))) > 0
    found = " ".join(tab.value((Path(__file__).parent / "accessibility.js").read_text()))
    for fault in ("no language", "not one main", "headings", "no name: img", "scrolling box", "contrast"):
        assert fault in found
    assert not quiet(tab, page.as_uri())
    assert any(e["type"] == "error" for e in tab.seen("Runtime.consoleAPICalled"))
    assert any("x.png" in e["request"]["url"] for e in tab.seen("Network.requestWillBeSent"))
