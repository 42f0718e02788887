"""The acts of the console that are about the browser a candidate answers in."""

from __future__ import annotations

from edge.domain.reasons import words
from edge.errors import BadInput
from edge.exam import conduct, lockdown
from edge.exam.acts import Op
from edge.web.console.bodies import ActBody, Registry
from edge.web.room import room_db


def _exempt(session: str, body: ActBody, op: Op) -> None:
    if body.person is None:
        raise BadInput("body_wrong", where="person", detail=words("input_missing"))
    lockdown.exempt(room_db(), session, body.person, conduct.need_reason(body.reason), op.by, op)


LOCKDOWN_ACTS: Registry = {"seb-exempt": (ActBody, _exempt)}
