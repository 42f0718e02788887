"""What saves.py measures: the real `web` with one more route that writes nothing, or five lines of Flask.

    python tests/bench/saves_server.py CONFIG web|bare

Both run under the very gunicorn settings of edge.services.web. The no-op passes what an answer passes (cookie, CSRF
token, body model, the item and value on this paper, the exam's state) and answers with the same keys.
"""

from __future__ import annotations

import sys
from pathlib import Path

from flask import Flask, Response

from edge import clock
from edge.config import load_config
from edge.errors import Conflict
from edge.services.web import Server
from edge.store import journal as rows
from edge.web.body import check_csrf, read
from edge.web.exam import api
from edge.web.later import JSON, to_text
from edge.web.room import room


def noop() -> Response:
    tablet, secret = api._tablet()
    check_csrf(secret)
    body = read(api.AnswerBody)
    here, binding = room().live, tablet.binding
    op = rows.Operation(
        body.op_id, binding.attempt, binding.tablet, body.seq, "answer", body.item, body.base_version, body.value
    )
    op, judged = here.admissible(tablet, op)
    if judged.late:
        raise Conflict("already_finished")
    answer = {"op_id": op.op_id, "outcome": "applied", "version": op.base_version + 1, "at_ms": clock.wall_ms()}
    return Response(to_text({**answer, "current": op.value}), content_type=JSON)


class NoopServer(Server):
    def load(self) -> Flask:
        app = super().load()
        app.add_url_rule("/exam/api/noop", "noop", noop, methods=["POST"])
        return app


class BareServer(Server):
    def load(self) -> Flask:
        app = Flask("bare")

        @app.post("/noop")
        def bare() -> dict[str, bool]:
            return {"ok": True}

        return app


if __name__ == "__main__":
    (NoopServer if sys.argv[2] == "web" else BareServer)(load_config(Path(sys.argv[1]))).run()
