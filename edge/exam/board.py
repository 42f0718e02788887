"""What the proctor sees, as one document: seats, exceptions, check-ins, incidents, services, uploads."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from typing import Any

from edge import clock
from edge.domain.reasons import REASONS, sentence
from edge.exam.live import LiveExam
from edge.store import checkins, people, records, sessions
from edge.store import journal as rows

ALARM_SILENT_MS = 20_000


def board(
    connection: sqlite3.Connection,
    answers: sqlite3.Connection,
    live: LiveExam,
    seen: Mapping[str, int],
    statuses: Mapping[str, Mapping[str, Any]],
    session_id: str,
) -> dict[str, Any]:
    """The console's document. `seen` maps an attempt to when its tablet last spoke (wall ms)."""
    session = sessions.find(connection, session_id)
    everyone = people.candidates(connection, session_id)
    attempts = sessions.attempts(connection, session_id)
    progress = rows.progress(answers)
    handed_in = rows.all_handins(answers)
    names = {who.person: who for who in everyone}
    seats = {seat: (row, column) for seat, row, column in people.seats(connection, session_id)}
    tiles = [_tile(who, attempts.get(who.person), session, progress, handed_in, seen, seats) for who in everyone]
    taken = {who.seat for who in everyone if who.seat}
    free = [
        {"seat": seat, "row": r, "column": c, "person": None} for seat, (r, c) in seats.items() if seat not in taken
    ]
    waiting = checkins.waiting(connection, session_id)
    return {
        "session": {
            "id": session.id,
            "title": session.title,
            "state": session.state,
            "class": session.class_title,
            "post": session.post,
            "practice": session.practice,
            "clock": _clock(live, session),
        },
        "now": clock.wall_ms(),
        "counts": _counts(tiles),
        "seats": tiles + free,
        "waiting": [_waiting(c, names) for c in waiting],
        "checkins": [_checkin(c, names) for c in checkins.recent(connection, session_id)],
        "incidents": [
            {"at_ms": i.at_ms, "kind": i.kind, "text": i.text} for i in records.incidents(connection, session_id)
        ],
        "services": services(statuses),
        "uploads": records.upload_counts(connection, session_id),
    }


def services(statuses: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Each process's own word, with its age: an old word is an alarm of its own."""
    now = clock.mono_ms()
    return {
        name: {
            "state": status.get("state", "unknown"),
            "reason": status.get("reason"),
            "sentence": both(str(status["reason"]), **_facts(status)) if status.get("reason") in REASONS else None,
            "age_ms": max(0, now - int(status.get("mono_ms", 0))),
        }
        for name, status in statuses.items()
    }


def _facts(status: Mapping[str, Any]) -> dict[str, object]:
    found = status.get("facts")
    return dict(found) if isinstance(found, Mapping) else {}


def _clock(live: LiveExam, session: sessions.Session) -> dict[str, Any]:
    left = max(0, session.minutes * 60_000 - live.elapsed(session.id))
    running = live.running(session.id)
    state = {"planned": "waiting", "checkin": "waiting", "closed": "closed", "signed": "closed"}.get(session.state)
    return {"s": state or ("running" if running else "paused"), "left": left}


def _tile(
    who: people.Candidate,
    attempt: sessions.Attempt | None,
    session: sessions.Session,
    progress: Mapping[str, tuple[int, int]],
    handed_in: Mapping[str, int],
    seen: Mapping[str, int],
    seats: Mapping[str, tuple[int, int]],
) -> dict[str, Any]:
    key = attempt.id if attempt else ""
    answered, saved_ms = progress.get(key, (0, None))
    last_seen = seen.get(key)
    state = who.state
    if key in handed_in:
        state = "handed_in"
    elif state == "admitted" and last_seen is not None and session.state == "running":
        state = "working"
    silent = last_seen is None or clock.wall_ms() - last_seen > ALARM_SILENT_MS
    alarms = ["tablet_silent"] if session.state == "running" and state in ("admitted", "working") and silent else []
    row, column = seats.get(who.seat or "", (None, None))
    return {
        "seat": who.seat,
        "row": row,
        "column": column,
        "person": who.person,
        "number": who.number,
        "name": who.name,
        "state": state,
        "route": who.route,
        "answered": answered,
        "of": sum(len(part["items"]) for part in attempt.paper["parts"]) if attempt else 0,
        "saved_ms": saved_ms,
        "seen_ms": last_seen,
        "seat_code": who.seat_code,
        "extra_minutes": (attempt.extra_ms // 60_000) if attempt else 0,
        "alarms": alarms,
    }


def _counts(tiles: list[dict[str, Any]]) -> dict[str, int]:
    states = [tile["state"] for tile in tiles]
    inside = ("admitted", "working", "handed_in", "finished")
    return {
        "expected": len(states),
        "admitted": sum(state in inside for state in states),
        "waiting": states.count("waiting"),
        "working": states.count("working"),
        "handed_in": states.count("handed_in") + states.count("finished"),
        "absent": states.count("absent"),
    }


def both(code: str, **facts: object) -> dict[str, str]:
    """A reason in both languages, for a document that pages in either show."""
    return {"zh": sentence(code, "zh", **facts), "en": sentence(code, "en", **facts)}


def _waiting(c: checkins.Checkin, names: Mapping[str, people.Candidate]) -> dict[str, Any]:
    who = names[c.person or ""]
    return {
        "checkin": c.id,
        "person": c.person,
        "number": who.number,
        "name": who.name,
        "reason": c.reason,
        "route": c.route,
        "sentence": both(c.reason),
        "at_ms": c.at_ms,
        "actions": ["admit", "deny"],
    }


def _checkin(c: checkins.Checkin, names: Mapping[str, people.Candidate]) -> dict[str, Any]:
    who = names.get(c.person or "")
    return {
        "at_ms": c.at_ms,
        "number": who.number if who else None,
        "name": who.name if who else None,
        "outcome": c.outcome,
        "route": c.route,
        "reason": c.reason,
        "sentence": both(c.reason, seat=who.seat if who else "-", detail=""),
    }
