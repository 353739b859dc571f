"""A headless Chromium driven through chromedriver over plain HTTP: just what the tests of pages need."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PROGRAMS = ("chromium", "chromedriver")
ABSENT = "needs a real browser: Debian's packages chromium and chromium-driver"
PATIENCE_S = 60.0
_FLAGS = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars")
UNFOLD = "for (const part of document.querySelectorAll('details')) part.open = true;"


def installed() -> bool:
    return all(shutil.which(program) for program in PROGRAMS)


class Browser:
    """One window. Answers are chromedriver's ``value``; what it refuses is an error with its own words."""

    def __init__(self, address: str) -> None:
        self._base = f"{address}/session"
        options = {"args": list(_FLAGS), "binary": shutil.which("chromium")}
        capabilities = {
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"performance": "ALL", "browser": "ALL"},
            "timeouts": {"script": int(PATIENCE_S * 1000)},
        }
        session = self._ask("", {"capabilities": {"alwaysMatch": capabilities}})
        self._base += f"/{session['sessionId']}"

    def open(self, page: Path | str) -> None:
        """Open a file, or an address of this machine."""
        self._ask("/url", {"url": page if isinstance(page, str) else page.as_uri()})

    def choose(self, selector: str, file: Path) -> None:
        """Choose a file in a form, as a person does."""
        found = self._ask("/element", {"using": "css selector", "value": selector})
        (element,) = found.values()
        self._ask(f"/element/{element}/value", {"text": str(file)})

    def until(self, condition: str, what: str) -> Any:
        """Wait until an expression in the page is true; return its value."""
        deadline = time.monotonic() + PATIENCE_S
        while not (value := self.run(f"return {condition}")):
            assert time.monotonic() < deadline, f"not {what}: {self.run('return document.body.innerText')}"
            time.sleep(0.02)
        return value

    def run(self, script: str) -> Any:
        """Run a function body in the page and return what it returns."""
        return self._ask("/execute/sync", {"script": script, "args": []})

    def wait_for_charts(self) -> None:
        """Return when the page says that it has tried every chart."""
        self._ask(
            "/execute/async",
            {
                "script": """
                    const done = arguments[0], page = document.documentElement;
                    const look = () => page.dataset.chartsReady === "true" && (observer.disconnect(), done(true));
                    const observer = new MutationObserver(look);
                    observer.observe(page, { attributes: true });
                    look();
                """,
                "args": [],
            },
        )

    def unfold(self) -> None:
        """Open all that is folded, and return when every chart of the page has been tried."""
        self.wait_for_charts()
        self.run(UNFOLD)
        data = "document.documentElement.dataset"
        self.until(f"Number({data}.chartsTried) === document.querySelectorAll('.chart[id]').length", "drawn")

    def protocol(self, command: str, **parameters: Any) -> Any:
        """Send a command of the DevTools protocol."""
        return self._ask("/goog/cdp/execute", {"cmd": command, "params": parameters})

    def requested(self) -> list[str]:
        """Return the addresses the page has asked for since the last look, itself among them."""
        events = [json.loads(entry["message"])["message"] for entry in self._log("performance")]
        return [
            event["params"]["request"]["url"]
            for event in events
            if event["method"] == "Network.requestWillBeSent"
        ]

    def complaints(self) -> list[str]:
        """Return errors and refusals on the page's console since the last look."""
        return [entry["message"] for entry in self._log("browser") if entry["level"] == "SEVERE"]

    def close(self) -> None:
        self._send("DELETE", "")

    def _log(self, kind: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self._ask("/se/log", {"type": kind})
        return found

    def _ask(self, path: str, body: dict[str, Any]) -> Any:
        return self._send("POST", path, json.dumps(body).encode())

    def _send(self, method: str, path: str, body: bytes | None = None) -> Any:
        request = urllib.request.Request(
            self._base + path, body, {"Content-Type": "application/json"}, method=method
        )
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(
            request, timeout=PATIENCE_S
        ) as answer:
            return json.load(answer)["value"]


@contextmanager
def browser() -> Iterator[Browser]:
    """Start chromedriver on a port it chooses and open a window; both are gone afterwards."""
    command = ["chromedriver", "--port=0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as driver:
        try:
            window = Browser(f"http://127.0.0.1:{_port(driver)}")
            try:
                yield window
            finally:
                window.close()
        finally:
            driver.terminate()


def _port(driver: subprocess.Popen[str]) -> int:
    assert driver.stdout is not None
    for line in driver.stdout:
        if "started successfully on port" in line:
            return int(line.rpartition(" ")[2].strip().rstrip("."))
    raise AssertionError("chromedriver ended without saying its port")
