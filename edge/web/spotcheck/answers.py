"""What a seat answered while an opened view lasts, for beside the picture: where the session's signed policy lets it.

Item numbers as on the candidate's own paper and letters or entries as they were saved, never the text of an item. Each
look at somebody's answers is an entry of the ledger; why is in the view's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flask import Response, jsonify, request

from edge.errors import NotFound, Refused
from edge.exam.accepting import numbers_of
from edge.store import access, journal, people, sessions
from edge.web.room import answers_db, room_db
from edge.web.spotcheck import bp
from edge.web.spotcheck.access import need_view
from edge.web.staff.session import require_role


@bp.get("/api/<session>/answers/<number>")
@require_role("supervisor")
def answers(session: str, number: str) -> Response:
    """Each answer of candidate `number` that came in during the view, the stale and late ones too."""
    connection = room_db()
    found = sessions.find(connection, session)
    if not found.policy.get("spot_check_answers", False):
        raise Refused("answers_not_allowed")
    view = need_view(request.args.get("view", ""))
    who = next((who for who in people.candidates(connection, session) if str(who.number) == number), None)
    attempt = None if who is None else sessions.attempt_of(connection, session, who.person)
    if who is None or attempt is None:
        raise NotFound("candidate_unknown")
    access.note_answers(connection, view, who.person)
    numbers = dict(numbers_of(attempt.paper))
    rows = [
        _given(row, numbers)
        for row in map(dict, journal.find_ops(answers_db(), attempt.id))
        if row["kind"] != "part" and view.from_ms <= row["at_ms"] <= view.until_ms
    ]
    return jsonify({"number": who.number, "from_ms": view.from_ms, "until_ms": view.until_ms, "answers": rows})


def _given(row: Mapping[str, Any], numbers: Mapping[str, str]) -> dict[str, Any]:
    return {
        "at_ms": row["at_ms"],
        "kind": row["kind"],
        "item": numbers.get(row["item_id"]),
        "value": json.loads(row["value"]),
        "version": row["version"],
        "outcome": row["flag"] or row["outcome"],
    }
