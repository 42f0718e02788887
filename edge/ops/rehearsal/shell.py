"""The exam page's own files, asked for as a browser does: the page, its styles, its modules and what these import.

At the start of the exam the page is open already: what it asks for then are the modules that only a paper needs. On
the appliance nginx gives these files; a scratch room has none, so its `web` gives them.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

from edge.ops.rehearsal.wire import NoAnswer, Wire

PAGE = "/exam/"
_LINKS = re.compile(r"<(?:link|script)\b[^>]*?\b(?:href|src)=\"([^\"]+)\"")
_IMPORTS = re.compile(r"^import\b[^\"';]*[\"']([^\"']+\.js)[\"']", re.M)
_MAX_AGE = re.compile(r"max-age=(\d+)")
_OWN_MODULE = ("fill", "order", "match", "hotspot")


@dataclass
class _Kept:
    """One file in the browser's cache."""

    text: str
    headers: dict[str, str]
    until: float


class Shell:
    """One tablet's page and cache. `requests` and `received` count what it has cost so far; received: bytes on the
    wire, without headers."""

    def __init__(self, wire: Wire) -> None:
        self._wire = wire
        self._kept: dict[str, _Kept] = {}
        self._loaded: set[str] = set()
        self._main = PAGE
        self.requests = 0
        self.received = 0

    def open(self) -> None:
        """The page and all that it needs, or a reload of it: kept files are asked for as their cache rules say.

        NoAnswer when something does not come.
        """
        links = [urljoin(PAGE, link) for link in _LINKS.findall(self._get(PAGE))]
        self._loaded.clear()
        for path in links:
            if not path.endswith(".js"):
                self._get(path)
        self._main = next((path for path in links if path.endswith("/main.js")), PAGE)
        self._load(path for path in links if path.endswith(".js"))

    def start(self, kinds: Collection[str], pictures: bool) -> None:
        """What the open page loads for a paper with items of these `kinds`. NoAnswer as `open`."""
        names = ["sitting.js", *(["media.js"] if pictures else [])]
        names += [f"kinds/{kind}.js" for kind in _OWN_MODULE if kind in kinds]
        self._load(urljoin(self._main, name) for name in names)

    def _load(self, modules: Iterable[str]) -> None:
        """Each module once a page, with what it imports."""
        waiting = list(modules)
        while waiting:
            path = waiting.pop()
            if path not in self._loaded:
                text = self._get(path)
                self._loaded.add(path)
                waiting += [urljoin(path, name) for name in _IMPORTS.findall(text)]

    def _get(self, path: str) -> str:
        path = urlsplit(path).path
        kept = self._kept.get(path)
        if kept is not None and time.monotonic() < kept.until:
            return kept.text
        asked = {"If-None-Match": kept.headers["etag"]} if kept is not None and "etag" in kept.headers else {}
        answer = self._wire.ask("GET", path, headers=asked)
        self.requests += 1
        self.received += answer.carried
        if answer.status == 304 and kept is not None:
            return kept.text
        if answer.status != 200:
            raise NoAnswer(f"{path}: {answer.status}")
        text = answer.content.decode(errors="replace")
        rules = answer.headers.get("cache-control", "")
        if "no-store" not in rules:
            age = _MAX_AGE.search(rules)
            fresh = int(age[1]) if age is not None and "no-cache" not in rules else 0
            self._kept[path] = _Kept(text, answer.headers, time.monotonic() + fresh)
        return text
