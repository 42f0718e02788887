"""Answers that wait for the disk without a thread that waits with them.

Under a server that understands it (`edge.services.worker`) a view may return a `LaterResponse`: its headers are made
at once, its status and body when the group commit has settled the job, by whoever settles it. Elsewhere nobody sets
KEY in the environment, and the view answers as any other.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

from flask import Response, request

from edge.exam.journal import Pending
from edge.ui.errors import as_error, error_body

KEY = "examroom.later"
JSON = "application/json"
to_text = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class Later(Exception):
    """Not an error: raised through the server's own code, which would otherwise send an answer now."""

    def __init__(self, headers: list[tuple[str, str]], pending: Pending, body: Callable[[Any], dict[str, Any]]) -> None:
        super().__init__()
        self.headers = headers
        self.pending = pending
        self._body = body
        self.response: Any = None
        """gunicorn's, set by the worker; so is `keep`, whether the connection lives on."""
        self.keep = False

    def answer(self) -> tuple[str, bytes]:
        """(status line, body) once the job is settled."""
        try:
            return "200 OK", to_text(self._body(self.pending.outcome())).encode()
        except Exception as error:
            known = as_error(error)
            return f"{known.status} -", to_text(error_body(known)).encode()


class LaterResponse(Response):
    """What a view returns for a pending job; `body` makes the JSON object of its result."""

    def __init__(self, pending: Pending, body: Callable[[Any], dict[str, Any]]) -> None:
        super().__init__(content_type=JSON)
        self._pending = pending
        self._body = body

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        headers = [(name, value) for name, value in self.headers if name.lower() != "content-length"]
        raise Later(headers, self._pending, self._body)


def understood() -> bool:
    """Whether the server of this request takes a LaterResponse."""
    return KEY in request.environ
