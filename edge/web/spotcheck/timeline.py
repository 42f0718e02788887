"""A session's timeline: what was recorded, what is missing and why, and what happened when."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify, request

from edge import clock
from edge.recording.coverage import coverage
from edge.store import holds, ledger, segments, sessions
from edge.web.room import room, room_db
from edge.web.spotcheck import bp
from edge.web.spotcheck.access import Part, may_export, note_search, parts
from edge.web.spotcheck.marks import doors, marks
from edge.web.staff.session import held_pass, require_role

MARGIN_MS = 5_000


@bp.get("/api/<session>/timeline")
@require_role("supervisor")
def timeline(session: str) -> Response:
    """What was recorded and what happened, from the opening of the door to the end or now. Where the clock was set in
    between, of one part of that: see `_asked`.
    """
    connection = room_db()
    found = sessions.find(connection, session)
    seen = parts(found)
    if not seen:
        empty: dict[str, Any] = {"from_ms": found.planned_ms, "until_ms": found.planned_ms, "cameras": [], "marks": []}
        empty |= {"candidates": [], "holds": [], "answers": False, "parts": []}
        return jsonify(empty | {"ledger": _ledger(), "allowed": None})
    part = _asked(seen)
    (since, until), allowed = _shown(part), (part.from_ms, part.until_ms)
    names = sorted({*segments.cameras(connection), *room().config.camera})
    note_search(session, names, since, until)
    document = {
        "from_ms": since,
        "until_ms": until,
        "cameras": [_camera(name, since, until) for name in names],
        "marks": _within(marks(connection, session, since, until), *allowed),
        "candidates": _within(doors(connection, session), *allowed),
        "holds": _holds(session, since, until),
        "ledger": _ledger(),
        "answers": bool(found.policy.get("spot_check_answers", False)),
        "allowed": {"from_ms": allowed[0], "until_ms": allowed[1], "export": may_export()},
        "parts": [{"from_ms": one.began_ms, "until_ms": one.ended_ms, "shown": one == part} for one in seen],
    }
    return jsonify(document)


def _shown(part: Part) -> tuple[int, int]:
    """What the timeline is of: a little more than the session's own time, nothing that is still to come."""
    until = part.ended_ms
    if part.last:
        until = max(until, min(until + MARGIN_MS, clock.wall_ms()))
    since = max(part.began_ms - MARGIN_MS if part.first else part.began_ms, part.from_ms)
    return since, max(since, min(until, part.until_ms))


def _asked(seen: list[Part]) -> Part:
    """The part that has the moment of the address (`at`, ms); the longest where that names none."""
    try:
        at = int(request.args.get("at", "")[:15])
    except ValueError:
        at = -1
    has = [one for one in seen if one.from_ms <= at <= one.until_ms]
    return max(has or seen, key=lambda one: one.ended_ms - one.began_ms)


def _within(found: list[dict[str, Any]], since: int, until: int) -> list[dict[str, Any]]:
    """What of it the holder of a pass may see; staff see all, also long after the session, and who never came."""
    if held_pass() is None:
        return found
    return [one for one in found if one["at_ms"] is not None and since <= int(one["at_ms"]) <= until]


def _camera(name: str, since: int, until: int) -> dict[str, Any]:
    found = coverage(room_db(), room().config, name, since, until)
    return {
        "name": name,
        "segments": [
            {
                "id": s.id,
                "from_ms": s.started_ms,
                "until_ms": s.ended_ms,
                "salvaged": s.salvaged,
                "quality": s.quality,
            }
            for s in found.rows
        ]
        + [
            # being recorded, or waiting for the index
            {"id": None, "from_ms": s.started_ms, "until_ms": s.ended_ms, "salvaged": False, "quality": s.quality}
            for s in found.beside
        ],
        # a clock set back in a gap makes it end, by the clock, before it began: `ms` is how long it was
        "gaps": [
            {
                "from_ms": g.from_ms,
                "until_ms": max(g.from_ms, g.until_ms),
                "ms": g.ms,
                "doubt_ms": g.doubt_ms,
                "cause": g.cause,
            }
            for g in found.whole.gaps
        ],
        "expected_s": found.whole.expected_s,
        "recorded_s": found.whole.recorded_s,
    }


def _holds(session: str, since: int, until: int) -> list[dict[str, Any]]:
    """Holds that stand and touch the span; without the words of whoever placed them."""
    return [
        {
            "camera": hold.camera,
            "from_ms": hold.from_ms,
            "until_ms": hold.until_ms,
            "at_ms": hold.at_ms,
            "session": hold.session == session,
        }
        for hold in holds.standing(room_db())
        if hold.from_ms < until and (hold.until_ms is None or hold.until_ms > since)
    ]


def _ledger() -> dict[str, Any]:
    connection = room_db()
    head = ledger.latest_checkpoint(connection)
    witnessed = ledger.latest_checkpoint(connection, witnessed=True)
    return {
        "size": ledger.size(connection),
        "checkpoint": head and {"size": head.size, "at_ms": head.at_ms},
        "witnessed": witnessed and {"size": witnessed.size, "at_ms": witnessed.at_ms},
    }
