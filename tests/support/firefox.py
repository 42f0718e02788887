"""The system's Firefox, driven by its own remote protocol (Marionette): a few commands of WebDriver over a socket.

Playwright drives a Firefox of its own build; what a supervisor's laptop has is the plain one.
"""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from edge.ops.ports import free_port
from support.serving import until

FIREFOX = "/usr/bin/firefox-esr"
needs_firefox = pytest.mark.skipif(not Path(FIREFOX).exists(), reason="Firefox is not installed (Debian's firefox-esr)")
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"  # WebDriver's name for a reference to an element


class Firefox:
    """One window. A command that Firefox refuses raises RuntimeError with what it said."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._read()  # its greeting
        self._number = 0
        self._ask("WebDriver:NewSession", capabilities={"alwaysMatch": {"acceptInsecureCerts": True}})

    def close(self) -> None:
        self._socket.close()

    def goto(self, url: str) -> None:
        self._ask("WebDriver:Navigate", url=url)

    def run(self, script: str, *args: Any) -> Any:
        return self._ask("WebDriver:ExecuteScript", script=script, args=list(args))["value"]

    def click(self, css: str) -> None:
        self._ask("WebDriver:ElementClick", id=self._find(css))

    def fill(self, css: str, text: str) -> None:
        self._ask("WebDriver:ElementClear", id=self._find(css))
        self._ask("WebDriver:ElementSendKeys", id=self._find(css), text=text)

    def until(self, script: str, seconds: float = 20) -> None:
        """Until the script (`return …`) gives something true."""
        until(lambda: self.run(script), seconds, script)

    def _find(self, css: str) -> str:
        found = self._ask("WebDriver:FindElement", using="css selector", value=css)
        return str(found["value"][ELEMENT])

    def _ask(self, name: str, **parameters: Any) -> dict[str, Any]:
        self._number += 1
        message = json.dumps([0, self._number, name, parameters]).encode()
        self._socket.sendall(f"{len(message)}:".encode() + message)
        _, number, error, result = self._read()
        if error is not None or number != self._number:
            raise RuntimeError(f"{name}: {error}")
        return dict(result)

    def _read(self) -> Any:
        size = b""
        while not size.endswith(b":"):
            size += self._take(1)
        return json.loads(self._take(int(size[:-1])))

    def _take(self, wanted: int) -> bytes:
        got = b""
        while len(got) < wanted:
            more = self._socket.recv(wanted - len(got))
            if not more:
                raise RuntimeError("Firefox has gone")
            got += more
        return got


@contextmanager
def firefox(folder: Path) -> Iterator[Firefox]:
    """A fresh Firefox without a screen, as it comes but for the port it is driven by."""
    profile, port = folder / "profile", free_port()
    profile.mkdir()
    (profile / "user.js").write_text(f'user_pref("marionette.port", {port});\n', encoding="utf-8")
    words = [FIREFOX, "--headless", "--marionette", "--profile", str(profile), "--width", "1440", "--height", "900"]
    with (folder / "firefox.log").open("wb") as log:
        process = subprocess.Popen(words, stdout=log, stderr=log, env={"HOME": str(folder), "PATH": "/usr/bin:/bin"})
    try:
        made: Firefox = until(lambda: _reached(port), 60, "Firefox listens")
        try:
            yield made
        finally:
            made.close()
    finally:
        process.terminate()
        process.wait(30)


def _reached(port: int) -> Firefox | None:
    try:
        return Firefox(port)
    except ConnectionRefusedError:
        return None
