"""A page in headless Chromium, driven through the pipe of the DevTools protocol."""

import json
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Timer
from typing import Any

CHROMIUM = "/usr/bin/chromium"
OPTIONS = ("--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-pipe")


class Page:
    """A tab. Messages are JSON that ends with a zero byte."""

    def __init__(self, read: Any, write: Any):
        self.read, self.write, self.count, self.session = read, write, 0, {}
        self.events: list[dict[str, Any]] = []
        self.url = ""
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        found = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self.session = {"sessionId": found["sessionId"]}
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")

    def send(self, method: str, **params: Any) -> dict[str, Any]:
        """The result of a command; events that arrive before it are kept in `events`."""
        self.count += 1
        message = {"id": self.count, "method": method, "params": params, **self.session}
        self.write.write(json.dumps(message).encode() + b"\0")
        self.write.flush()
        while (answer := self._next()).get("id") != self.count:
            self.events.append(answer)
        assert "error" not in answer, answer["error"]
        return answer["result"]

    def _next(self) -> dict[str, Any]:
        text = bytearray()
        while (byte := self.read.read(1)) != b"\0":
            assert byte, "Chromium has ended"
            text += byte
        return json.loads(text)

    def open(self, path: Path) -> None:
        self.events, self.url = [], path.as_uri()
        self.send("Page.navigate", url=self.url)
        while not any(each.get("method") == "Page.loadEventFired" for each in self.events):
            self.events.append(self._next())

    def run(self, expression: str) -> Any:
        """The value of an expression in the page, which may be a promise."""
        options = {"awaitPromise": True, "returnByValue": True}
        result = self.send("Runtime.evaluate", expression=expression, **options)
        assert "exceptionDetails" not in result, result["exceptionDetails"]
        return result["result"].get("value")

    def requests(self) -> list[str]:
        """Addresses that the page requested, apart from its own, and from data in itself."""
        sent = [e for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        addresses = [each["params"]["request"]["url"] for each in sent]
        return [url for url in addresses if url != self.url and not url.startswith("data:")]

    def errors(self) -> list[dict[str, Any]]:
        """Exceptions, and everything on the console."""
        kinds = ("Runtime.exceptionThrown", "Runtime.consoleAPICalled", "Log.entryAdded")
        return [each for each in self.events if each.get("method") in kinds]


@contextmanager
def page(seconds: float = 120, *options: str) -> Iterator[Page]:
    """A new tab of a new browser, which is stopped when the `with` block ends."""
    commands, answers = os.pipe(), os.pipe()
    with TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        pipes = f'exec 3<&{commands[0]} 4>&{answers[1]}; exec "$@"'  # Chromium uses 3 and 4
        words = (CHROMIUM, *OPTIONS, f"--user-data-dir={profile}", *options, "about:blank")
        process = subprocess.Popen(
            ["bash", "-c", pipes, "bash", *words],
            pass_fds=(commands[0], answers[1]),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(commands[0])
        os.close(answers[1])
        alarm = Timer(seconds, process.kill)
        alarm.start()
        try:
            with os.fdopen(answers[0], "rb") as read, os.fdopen(commands[1], "wb") as write:
                yield Page(read, write)
                write.write(b'{"id": 0, "method": "Browser.close"}\0')
                write.flush()
                process.wait()
        finally:
            alarm.cancel()
            process.kill()
            process.wait()
