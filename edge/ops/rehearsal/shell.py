"""The exam page's own files, asked for as a browser does: the page, its styles, its modules and what these import."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from urllib.parse import urljoin, urlsplit

import requests

PAGE = "/exam/"
TIMEOUT_S = 10.0
_LINKS = re.compile(r"<(?:link|script)\b[^>]*?\b(?:href|src)=\"([^\"]+)\"")
_MODULES = re.compile(r"[\"'](\.{0,2}/[A-Za-z0-9_/.-]+\.js)[\"']")
_MAX_AGE = re.compile(r"max-age=(\d+)")


@dataclass
class _Kept:
    """One file in the browser's cache."""

    text: str
    headers: dict[str, str]
    until: float


class Shell:
    """One tablet's page and cache. `requests` and `received` count what it has cost so far; received: bytes on the
    wire, without headers."""

    def __init__(self, http: requests.Session, base: str) -> None:
        self._http = http
        self._base = base
        self._kept: dict[str, _Kept] = {}
        self.requests = 0
        self.received = 0

    def open(self, kinds: Iterable[str] = ()) -> None:
        """The page and all that it needs, or a reload of it: kept files are asked for as their cache rules say.

        `kinds`: types of items whose modules a paper with them needs. RequestException when something does not come.
        """
        page = self._get(PAGE)
        waiting = [urljoin(PAGE, link) for link in _LINKS.findall(page)]
        modules = [link for link in waiting if link.endswith(".js")]
        if kinds:
            modules += _needed(modules, kinds)
        seen: set[str] = set()
        while waiting or modules:
            path = (waiting or modules).pop()
            if path in seen:
                continue
            seen.add(path)
            text = self._get(path)
            if path.endswith(".js"):
                modules += [urljoin(path, link) for link in _MODULES.findall(text) if link != "/exam/sw.js"]

    def _get(self, path: str) -> str:
        path = urlsplit(path).path
        kept = self._kept.get(path)
        if kept is not None and time.monotonic() < kept.until:
            return kept.text
        asked = {"If-None-Match": kept.headers["etag"]} if kept is not None and "etag" in kept.headers else {}
        answer = self._http.get(self._base + path, headers=asked, timeout=TIMEOUT_S)
        self.requests += 1
        self.received += carried(answer)
        if answer.status_code == 304 and kept is not None:
            return kept.text
        answer.raise_for_status()
        headers = {name.lower(): value for name, value in answer.headers.items()}
        rules = headers.get("cache-control", "")
        if "no-store" not in rules:
            age = _MAX_AGE.search(rules)
            fresh = int(age[1]) if age is not None and "no-cache" not in rules else 0
            self._kept[path] = _Kept(answer.text, headers, time.monotonic() + fresh)
        return answer.text


def carried(answer: requests.Response) -> int:
    """Bytes of an answer's body as they came over the wire, packed or not."""
    return int(answer.headers.get("Content-Length") or len(answer.content))


def _needed(modules: Sequence[str], kinds: Iterable[str]) -> list[str]:
    """Where the modules of these kinds are: beside the page's main one."""
    main = next((path for path in modules if path.endswith("/main.js")), "")
    own = {"fill", "order", "match", "hotspot"}
    return [urljoin(main, f"./kinds/{kind}.js") for kind in sorted(own & set(kinds))] if main else []
