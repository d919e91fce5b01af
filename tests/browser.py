"""A headless Chromium that a test operates, over the protocol of its developer tools."""

import itertools
import json
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from tornado.httpclient import AsyncHTTPClient
from tornado.ioloop import IOLoop
from tornado.websocket import websocket_connect

PROGRAM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--remote-debugging-port=0")
SECONDS = 120  # a busy machine takes long

needs_a_browser = pytest.mark.skipif(PROGRAM is None, reason="no Chromium on this machine, which operates the charts")


class Browser:
    """One page of a browser; `run` gives the value of an expression in it."""

    def __init__(self, port: int):
        self.loop = IOLoop(make_current=False)
        self.numbers = itertools.count(1)
        self.events: list[dict] = []  # what the browser told by itself, such as each request
        listing = self._wait(lambda: AsyncHTTPClient().fetch(f"http://127.0.0.1:{port}/json"))
        (page,) = [target for target in json.loads(listing.body) if target["type"] == "page"]
        self.socket = self._wait(lambda: websocket_connect(page["webSocketDebuggerUrl"]))

    def ask(self, method: str, **parameters) -> dict:
        """Send a command, and return its result."""
        number = next(self.numbers)
        self._wait(
            lambda: self.socket.write_message(json.dumps({"id": number, "method": method, "params": parameters}))
        )
        while True:
            answer = json.loads(self._wait(self.socket.read_message))
            if answer.get("id") == number:
                assert "error" not in answer, answer
                return answer["result"]
            self.events.append(answer)

    def run(self, expression: str):
        """Return the value of an expression, a promise's too."""
        answer = self.ask("Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    def open(self, address: str, ready: str) -> None:
        """Open an address, and wait until an expression in its page is true."""
        self.ask("Page.navigate", url="about:blank")
        self.ask("Page.navigate", url=address)
        self.until(ready)

    def until(self, expression: str) -> None:
        """Wait until an expression is true."""
        start = time.monotonic()
        while not self.run(f"Boolean({expression})"):
            assert time.monotonic() - start < SECONDS, f"not within {SECONDS} s: {expression}"
            time.sleep(0.05)

    def press(self, key: str) -> None:
        """Press a key and let it go."""
        for kind in ("keyDown", "keyUp"):
            self.ask("Input.dispatchKeyEvent", type=kind, key=key)

    def click(self, x: float, y: float) -> None:
        """Click at a place of the window."""
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            self.ask("Input.dispatchMouseEvent", type=kind, x=x, y=y, button="left", clickCount=1)

    def _wait(self, call):
        async def called():
            return await call()

        return self.loop.run_sync(called, timeout=SECONDS)


@contextmanager
def browser(profile: Path, size: tuple[int, int] = (1300, 1200)) -> Iterator[Browser]:
    """Start a browser with its profile in a folder; it ends with the block."""
    command = [PROGRAM, *FLAGS, f"--user-data-dir={profile}", f"--window-size={size[0]},{size[1]}", "about:blank"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        place, start = profile / "DevToolsActivePort", time.monotonic()
        while not (place.is_file() and place.read_text().count("\n")):
            assert process.poll() is None and time.monotonic() - start < SECONDS, "the browser did not start"
            time.sleep(0.05)
        yield Browser(int(place.read_text().splitlines()[0]))
    finally:
        process.terminate()
        process.wait(SECONDS)


def page(folder: Path, chart) -> str:
    """Write a page with one chart and all it needs, as the book has them; return its address."""
    from companion.book.notebooks import ROOT
    from companion.charts.__main__ import write_bundle

    write_bundle(folder)
    (folder / f"{chart.name}.js").write_text(chart.script(), encoding="utf8")
    for name in ("charts.js", "charts.css"):
        shutil.copy(ROOT / "book" / "_static" / name, folder)
    scripts = "".join(f'<script defer src="{name}.js"></script>' for name in ("vega", chart.name, "charts"))
    figure = f'<figure class="chart"><div class="live" data-chart="{chart.name}" hidden></div></figure>'
    style = "<style>:root {--pst-color-text-base: #222; --pst-color-text-muted: #777; --pst-color-border: #ccc}</style>"
    head = f'<meta charset="utf8"><link rel="stylesheet" href="charts.css">{style}{scripts}'
    (folder / "page.html").write_text(f"<!doctype html><html><head>{head}</head><body>{figure}</body></html>")
    return (folder / "page.html").as_uri()
