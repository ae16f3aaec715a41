"""A real Chromium without a window, asked through its DevTools protocol what it makes of a page."""

from __future__ import annotations

import base64
import fcntl
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)

_START = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""
# Chromium reads at descriptor 3 and writes at 4.

# Marks of data are counted layer by layer: axes and lines for comparison have no class in our pictures.
FACTS = """
(() => {
  const boxes = [...document.querySelectorAll('figure svg[role="img"], .checks li, header h1')]
    .filter(each => each.checkVisibility());
  const drawn = mark => {
    const box = mark.getBoundingClientRect();
    return (mark.tagName === "line" || mark.getAttribute("d")) && (box.width > 0 || box.height > 0);
  };
  const marks = figure => {
    const layers = {};
    for (const group of figure.querySelectorAll('g[class^="mark-"]:not(.mark-text)')) {
      const name = group.getAttribute("class");
      layers[name] = (layers[name] ?? 0) + [...group.querySelectorAll("path, line")].filter(drawn).length;
    }
    return layers;
  };
  return {
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    background: getComputedStyle(document.body).backgroundColor,
    figures: boxes.filter(each => each.tagName === "svg").map(each => ({
      label: each.getAttribute("aria-label"),
      width: each.getBoundingClientRect().width,
      height: each.getBoundingClientRect().height,
      marks: marks(each),
      smallest: Math.min(...[...each.querySelectorAll("text")].map(text => text.getBoundingClientRect().height)),
    })),
    cut: boxes.filter(each => each.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5)
      .map(each => each.textContent.slice(0, 60)),
  };
})()
"""


@dataclass
class Visit:
    """What happened while a page was shown."""

    facts: dict[str, Any]
    picture: bytes
    """PNG of the whole page."""
    errors: list[str]
    requests: list[str]


def _pipe() -> tuple[int, int]:
    """Both ends of a pipe, at descriptors that no program expects anything at."""
    ends = os.pipe()
    moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 20) for end in ends]
    for end in ends:
        os.close(end)
    return moved[0], moved[1]


class Browser:
    """One process, spoken to through a pipe."""

    def __init__(self, profile: Path) -> None:
        (there, self._out), (self._in, back) = _pipe(), _pipe()
        flags = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run")
        command = [str(CHROMIUM), *flags, "--remote-debugging-pipe", f"--user-data-dir={profile}", "about:blank"]
        self._process = subprocess.Popen(
            [sys.executable, "-c", _START, str(there), str(back), *command],
            pass_fds=(there, back),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(there)
        os.close(back)
        self._rest = b""
        self._events: list[dict[str, Any]] = []
        self._number = 0
        target = self._call("Target.createTarget", url="about:blank")["targetId"]
        self._session = self._call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.ask(f"{domain}.enable")

    def visit(self, page: Path, *, width: int, scheme: str) -> Visit:
        """Shows a page from disk in a window of some width, in the `light` or the `dark` scheme."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.ask("Emulation.setDeviceMetricsOverride", **size)
        self.ask("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": scheme}])
        self._events.clear()
        self.ask("Page.navigate", url=page.resolve().as_uri())
        self._await("Page.loadEventFired")
        facts = self.ask("Runtime.evaluate", expression=FACTS, returnByValue=True)["result"]["value"]
        picture = self.ask("Page.captureScreenshot", captureBeyondViewport=True)["data"]
        return Visit(facts, base64.b64decode(picture), self.errors, self.requests)

    @property
    def errors(self) -> list[str]:
        """What the page complained of since it was shown."""
        kinds = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
        return [json.dumps(event.get("params", {})) for event in self._events if event["method"] in kinds]

    @property
    def requests(self) -> list[str]:
        """What was loaded since the page was shown, itself included."""
        sent = (event["params"] for event in self._events if event["method"] == "Network.requestWillBeSent")
        return [params["request"]["url"] for params in sent]

    def evaluate(self, expression: str) -> Any:
        """The value of an expression in the page, awaited if it is a promise."""
        answer = self.ask("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def wait_for(self, condition: str) -> None:
        """Returns once a condition of the page holds.

        Raises:
            AssertionError: it does not hold within ten seconds.
        """
        held = f"""(async () => {{
          for (let left = 200; left > 0; left--) {{
            if ({condition}) return true;
            await new Promise(resolve => setTimeout(resolve, 50));
          }}
          return false;
        }})()"""
        assert self.evaluate(held), condition

    def box(self, selector: str) -> tuple[float, float, float, float]:
        """Left, top, width and height of the first visible element of a selector, after scrolling it into view."""
        left, top, width, height = self.evaluate(f"""(() => {{
          const each = [...document.querySelectorAll({json.dumps(selector)})].find(each => each.checkVisibility());
          each.scrollIntoView({{ block: "center" }});
          const box = each.getBoundingClientRect();
          return [box.left, box.top, box.width, box.height];
        }})()""")
        return left, top, width, height

    def mouse(self, kind: str, x: float, y: float, **options: Any) -> None:
        """A mouse event of some kind: `Moved`, `Pressed`, `Released`, `Wheel`."""
        self.ask("Input.dispatchMouseEvent", type=f"mouse{kind}", x=x, y=y, **options)

    def click(self, x: float, y: float, *, times: int = 1) -> None:
        """One click, or the double click that ends with a second one."""
        for count in range(1, times + 1):
            for kind in ("Pressed", "Released"):
                self.mouse(kind, x, y, button="left", clickCount=count)

    def ask(self, method: str, **params: Any) -> dict[str, Any]:
        """A command to the page."""
        return self._call(method, session=self._session, **params)

    def _call(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        self._number += 1
        message = {"id": self._number, "method": method, "params": params}
        if session:
            message["sessionId"] = session
        os.write(self._out, json.dumps(message).encode() + b"\0")
        while True:
            answer = self._read()
            if answer.get("id") == self._number:
                assert "error" not in answer, answer
                result: dict[str, Any] = answer["result"]
                return result
            self._events.append(answer)

    def _await(self, method: str) -> None:
        while not any(event.get("method") == method for event in self._events):
            self._events.append(self._read())

    def _read(self) -> dict[str, Any]:
        while b"\0" not in self._rest:
            chunk = os.read(self._in, 1 << 16)
            assert chunk, "Chromium went away"
            self._rest += chunk
        text, _, self._rest = self._rest.partition(b"\0")
        message: dict[str, Any] = json.loads(text)
        return message

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.terminate()
        self._process.wait()
        os.close(self._out)
        os.close(self._in)
