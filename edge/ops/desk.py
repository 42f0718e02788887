"""People at the room's pages, as programs: the proctor at the console, the examiner at the score sheet."""

from __future__ import annotations

import re
import time
import uuid
from dataclasses import dataclass
from typing import Any

import requests

TIMEOUT = 15.0


@dataclass(frozen=True)
class StaffMember:
    """A staff member with the PIN their hash was made of."""

    id: str
    name: str
    role: str
    badge: str
    pin: str


class Person:
    """A signed-in staff member. Signing in goes through the same form as a browser's."""

    def __init__(self, base: str, who: StaffMember, verify: bool | str = True) -> None:
        self._base = base
        self._who = who
        self._http = requests.Session()
        self._http.verify = verify
        self._http.trust_env = False  # a CA bundle or a proxy of the environment's would stand before the room's own
        self._csrf = ""

    def sign_in(self, landing: str) -> None:
        """Sign in by badge and PIN, then take the page's token from `landing`."""
        form = {"badge": self._who.badge, "pin": self._who.pin, "next": landing}
        answer = self._http.post(f"{self._base}/staff/login", data=form, timeout=TIMEOUT)
        answer.raise_for_status()
        found = re.search(r'"csrf":\s*"([0-9a-f]{32})"|name="csrf"[^>]*value="([0-9a-f]{32})"', answer.text)
        if found is None:
            raise RuntimeError(f"no sign-in: {answer.url}")
        self._csrf = found[1] or found[2]

    def get(self, path: str) -> dict[str, Any]:
        return self._json("GET", path)

    def post(self, path: str, **body: Any) -> dict[str, Any]:
        if path.startswith("/console/api/"):  # asked again after a lost answer, it is the same act
            body.setdefault("op_id", uuid.uuid4().hex)
        return self._json("POST", path, body)

    def download(self, path: str) -> bytes:
        answer = self._http.get(self._base + path, timeout=4 * TIMEOUT)
        answer.raise_for_status()
        return answer.content

    def stream(self, path: str) -> requests.Response:
        """An answer that goes on; it is to be closed."""
        return self._http.get(self._base + path, stream=True, timeout=TIMEOUT)

    def _json(self, method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
        for wait in (0.5, 1.0, 2.0, None):
            try:
                answer = self._http.request(
                    method, self._base + path, json=body, headers={"X-CSRF": self._csrf}, timeout=TIMEOUT
                )
            except requests.ConnectionError:
                if wait is None:
                    raise
                time.sleep(wait)
                continue
            if answer.status_code >= 400:
                raise RuntimeError(f"{path}: {answer.status_code} {answer.text[:300]}")
            document: dict[str, Any] = answer.json()
            return document
        raise RuntimeError(path)

    def close(self) -> None:
        self._http.close()
