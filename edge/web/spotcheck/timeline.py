"""A session's timeline: what was recorded, what is missing and why, and what happened when."""

from __future__ import annotations

from typing import Any

from flask import Response, jsonify

from edge import clock
from edge.exam.board import both
from edge.recording.coverage import coverage
from edge.store import checkins, ledger, people, segments, sessions
from edge.web.room import room, room_db
from edge.web.spotcheck import bp
from edge.web.spotcheck.access import may_export, note_search, window
from edge.web.staff.session import held_pass, require_role

MARGIN_MS = 5_000
# ledger kinds shown as marks on the timeline, beside the check-ins
MARK_KINDS = (
    "checkin_opened",
    "exam_started",
    "exam_paused",
    "exam_resumed",
    "exam_closed",
    "results_signed",
    "time_added",
    "time_shortened",
    "time_taken_back",
    "standstill_confirmed",
    "part_limit_set",
    "incident",
    "clock",
    "tablet",
    "handed_in_by_room",
    "answer_accepted",
    "act_undone",
    "focus_lost",
    "seb_refused",
    "seb_exempted",
    "step_scored",
    "practical_scored",
    "practical_disputed",
    "practical_ruled",
    "work_clock",
)


@bp.get("/api/<session>/timeline")
@require_role("supervisor")
def timeline(session: str) -> Response:
    """What was recorded and what happened, from the opening of the door to the end or now."""
    connection = room_db()
    found = sessions.find(connection, session)
    seen = window(found)
    if found.opened_ms is None or seen is None:
        empty: dict[str, Any] = {"from_ms": found.planned_ms, "until_ms": found.planned_ms, "cameras": [], "marks": []}
        return jsonify(empty | {"ledger": _ledger(), "allowed": None})
    since = max(found.opened_ms - MARGIN_MS, seen[0])
    until = max(since, min((found.closed_ms or clock.wall_ms()) + MARGIN_MS, clock.wall_ms(), seen[1]))
    names = sorted({*segments.cameras(connection), *room().config.camera})
    note_search(session, names, since, until)
    document = {
        "from_ms": since,
        "until_ms": until,
        "cameras": [_camera(name, since, until) for name in names],
        "marks": _within(_marks(session), *seen),
        "ledger": _ledger(),
        "allowed": {"from_ms": seen[0], "until_ms": seen[1], "export": may_export()},
    }
    return jsonify(document)


def _within(marks: list[dict[str, Any]], since: int, until: int) -> list[dict[str, Any]]:
    """The marks that the holder of a pass may see; staff see all, those long after the session too."""
    return [mark for mark in marks if held_pass() is None or since <= int(mark["at_ms"]) <= until]


def _camera(name: str, since: int, until: int) -> dict[str, Any]:
    found = coverage(room_db(), room().config, name, since, until)
    return {
        "name": name,
        "segments": [
            {"id": s.id, "from_ms": s.started_ms, "until_ms": s.ended_ms, "salvaged": s.salvaged} for s in found.rows
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


def _marks(session: str) -> list[dict[str, Any]]:
    connection = room_db()
    numbers = {who.person: who.number for who in people.candidates(connection, session)}
    seats = {who.person: who.seat for who in people.candidates(connection, session)}
    found: list[dict[str, Any]] = [
        {
            "at_ms": c.at_ms,
            "kind": c.outcome,
            "reason": c.reason,
            "sentence": both(c.reason, seat=seats.get(c.person or "") or "-", detail=""),
            "number": numbers.get(c.person or ""),
        }
        for c in checkins.everything(connection, session)
    ]
    for entry in ledger.entries(connection, session=session, kinds=MARK_KINDS):
        found.append(
            {
                # a step carries the moment itself: the tablet's word for it may have come later
                "at_ms": entry.body.get("ms", entry.at_ms),
                "camera": entry.body.get("camera"),
                "kind": entry.kind,
                "reason": entry.body.get("reason"),
                "sentence": both(f"mark_{entry.kind}"),
                "number": numbers.get(entry.subject or ""),
            }
        )
    return sorted(found, key=lambda mark: int(mark["at_ms"]))


def _ledger() -> dict[str, Any]:
    connection = room_db()
    head = ledger.latest_checkpoint(connection)
    witnessed = ledger.latest_checkpoint(connection, witnessed=True)
    return {
        "size": ledger.size(connection),
        "checkpoint": head and {"size": head.size, "at_ms": head.at_ms},
        "witnessed": witnessed and {"size": witnessed.size, "at_ms": witnessed.at_ms},
    }
