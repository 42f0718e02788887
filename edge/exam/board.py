"""What the proctor sees, as one document: seats with their alarms, exceptions, check-ins, incidents, services, uploads.

What changes with every second stays out of the tiles (an age is a moment, a countdown an offset from the session's), so
that a quiet room sends nothing.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from edge import clock
from edge.domain import rehearsal
from edge.domain.reasons import REASONS, sentence
from edge.exam.cameras import unseen
from edge.exam.live import LiveExam
from edge.exam.sittings import Sitting
from edge.store import (
    checkins,
    incidents,
    kept,
    lockdown,
    people,
    practical,
    progress,
    records,
    sessions,
    staff,
    timing,
)

ALARM_SILENT_MS = 20_000
SLOW_MS = 8_000
SHORT_MS = 5 * 60_000
QUEUED_MS = 5_000
"""Answers on their way for less than this are no alarm."""
ASKED_MS = 5 * 60_000
AGE_STEP_MS = 5_000
INSIDE = ("admitted", "working", "handed_in", "finished")


@dataclass(frozen=True)
class _Facts:
    """What tiles are drawn from, read once for all of them."""

    session: sessions.Session
    session_left: int
    now: int
    running: bool
    sittings: Mapping[str, Sitting]
    attempts: Mapping[str, sessions.Attempt | sessions.Head]
    asked_for: Mapping[str, int]
    progress: Mapping[str, tuple[int, int | None]]
    handed_in: Mapping[str, tuple[int, str]]
    kept: Mapping[str, int]
    seen: Mapping[str, int]
    asked: Mapping[str, int]
    reports: Mapping[str, Mapping[str, int]]
    away: Mapping[str, Mapping[str, int]]
    gone: Mapping[str, int]
    refused: set[str]
    other_devices: frozenset[str]
    seats: Mapping[str, tuple[int, int]]


def board(
    connection: sqlite3.Connection,
    answers: sqlite3.Connection,
    live: LiveExam,
    seen: Mapping[str, int],
    statuses: Mapping[str, Mapping[str, Any]],
    session_id: str,
    asked: Mapping[str, int] | None = None,
    reports: Mapping[str, Mapping[str, int]] | None = None,
    gone: Mapping[str, int] | None = None,
) -> dict[str, Any]:
    """The console's document. `seen` maps an attempt to when its tablet last spoke (wall ms), `gone` to since when
    nobody looks at its page; `Room` has the rest. `made` (boot, ms) is from before the first read: what stood before
    it is in the document, so that of two documents a page knows the newer whatever the wall clock does."""
    made = [clock.boot_id(), clock.mono_ms()]
    session = sessions.find(connection, session_id)
    everyone = people.candidates(connection, session_id)
    names = {who.person: who for who in everyone}
    facts = _facts_of(connection, answers, live, session, seen, asked or {}, reports or {}, gone or {})
    tiles = [_tile(who, facts, live) for who in everyone]
    taken = {who.seat for who in everyone if who.seat}
    free = [
        {"seat": seat, "row": r, "column": c, "person": None}
        for seat, (r, c) in facts.seats.items()
        if seat not in taken
    ]
    members = staff.of_session(connection, session_id)
    return {
        "session": {
            "id": session.id,
            "title": session.title,
            "state": session.state,
            "class": session.class_title,
            "post": session.post,
            "practice": session.practice,
            "bank_short": session.bank_short if session.state == "planned" else "",
            "minutes": session.minutes,
            "two_person": list(session.policy.get("two_person", [])),
            "late": session.state == "running" and timing.gate_closed(connection, session_id),
            "clock": _clock(facts),
            "parts": _limited_parts(facts),
        },
        "now": facts.now,
        "made": made,
        "counts": _counts(tiles),
        "seats": tiles + free,
        "waiting": [_waiting(c, names) for c in checkins.waiting(connection, session_id) if c.person in names],
        "checkins": _checkins(checkins.recent(connection, session_id), names, session),
        "incidents": _incidents(connection, session_id, names, {id_: name for id_, name, _ in members}),
        "services": services(statuses),
        "unseen": unseen(practical.stations(connection, session_id).values(), statuses),
        "uploads": records.upload_counts(connection, session_id),
        "outages": timing.outages(connection, session_id),
    }


def _limited_parts(facts: _Facts) -> list[dict[str, Any]]:
    """The parts that have a limit of their own, with the limit of now."""
    found: dict[int, dict[str, Any]] = {}
    for sitting in facts.sittings.values():
        for number, (part, limit) in enumerate(zip(sitting.attempt.paper["parts"], sitting.limits.parts, strict=False)):
            if limit is not None and number not in found:
                found[number] = {"part": number, "title": part["title"], "minutes": limit // 60_000}
    return [found[number] for number in sorted(found)]


def _facts_of(
    connection: sqlite3.Connection,
    answers: sqlite3.Connection,
    live: LiveExam,
    session: sessions.Session,
    seen: Mapping[str, int],
    asked: Mapping[str, int],
    reports: Mapping[str, Mapping[str, int]],
    gone: Mapping[str, int],
) -> _Facts:
    sittings = {s.candidate.person: s for s in live.sittings(session.id)}
    attempts: dict[str, sessions.Attempt | sessions.Head]
    if sittings:  # while the session is open its papers are in memory, and its answers are kept count of
        attempts = {person: s.attempt for person, s in sittings.items()}
        ids = [attempt.id for attempt in attempts.values()]
        asked_for = {s.id: len(s.options) for s in sittings.values()}
        answered = live.tally.answered(answers, ids)
    else:
        heads = sessions.heads(connection, session.id)
        attempts, ids = {head.person: head for head in heads}, [head.id for head in heads]
        asked_for = live.tally.asked(connection, heads)
        answered = {**progress.progress_of(answers, ids)}
    return _Facts(
        session=session,
        session_left=session.minutes * 60_000 - live.elapsed(session.id),
        now=clock.wall_ms(),
        running=live.running(session.id),
        sittings=sittings,
        attempts=attempts,
        asked_for=asked_for,
        progress=answered,
        handed_in=progress.handins_of(answers, ids),
        kept=kept.counts(answers, ids),
        seen=seen,
        asked=asked,
        reports=reports,
        away=lockdown.times_away(connection, session.id),
        gone=gone,
        refused=lockdown.refused(connection, session.id),
        other_devices=frozenset(live.other_devices),
        seats={seat: (row, column) for seat, row, column in people.seats(connection, session.id)},
    )


def _incidents(
    connection: sqlite3.Connection, session: str, names: Mapping[str, people.Candidate], members: Mapping[str, str]
) -> list[dict[str, Any]]:
    return [
        {
            "number": i.id,
            "at_ms": i.at_ms,
            "happened_ms": i.happened_ms,
            "kind": i.kind,
            "text": i.text,
            "seat": i.seat,
            "name": names[i.subject].name if i.subject is not None and i.subject in names else None,
            "by": members.get(i.by or "", i.by),
            "corrects": i.corrects,
        }
        for i in incidents.of_session(connection, session)
    ]


def services(statuses: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Each process's own word, with its age in steps of five seconds: an old word is an alarm of its own. The door's
    readers have a word each, as `reader-NAME`.

    Not that of a rehearsal, which is meant to end.
    """
    now = clock.mono_ms()
    return {
        name: {
            "state": status.get("state", "unknown"),
            "reason": status.get("reason"),
            "sentence": both(str(status["reason"]), **_facts(status)) if status.get("reason") in REASONS else None,
            "age_ms": _step(max(0, now - int(status.get("mono_ms", 0)))),
        }
        for name, status in {**statuses, **_readers(statuses.get("checkin", {}))}.items()
        if name != rehearsal.STATUS
    }


def _readers(checkin: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    found = checkin.get("readers")
    return {
        f"reader-{name}": {
            "state": "running" if one.get("present") else "missing",
            "reason": one.get("reason"),
            "mono_ms": checkin.get("mono_ms", 0),
        }
        for name, one in (found.items() if isinstance(found, Mapping) else ())
        if isinstance(one, Mapping)
    }


def _step(age_ms: int) -> int:
    return age_ms // AGE_STEP_MS * AGE_STEP_MS


def _facts(status: Mapping[str, Any]) -> dict[str, object]:
    found = status.get("facts")
    return dict(found) if isinstance(found, Mapping) else {}


def _clock(facts: _Facts) -> dict[str, Any]:
    state = {"planned": "waiting", "checkin": "waiting", "closed": "closed", "signed": "closed"}
    found = state.get(facts.session.state) or ("running" if facts.running else "paused")
    return {"s": found, "left": max(0, facts.session_left)}


def _second(ms: int) -> int:
    """To whole seconds, halves up."""
    return (ms + 500) // 1000 * 1000


def _tile(who: people.Candidate, facts: _Facts, live: LiveExam) -> dict[str, Any]:
    attempt, sitting = facts.attempts.get(who.person), facts.sittings.get(who.person)
    key = attempt.id if attempt else ""
    answered, saved_ms = facts.progress.get(key, (0, None))
    last_seen = facts.seen.get(key)
    state = who.state
    if key in facts.handed_in:
        state = "handed_in"
    elif state == "admitted" and last_seen is not None and facts.session.state == "running":
        state = "working"
    active = facts.session.state == "running" and state in ("admitted", "working")
    link = _link(last_seen, facts.now)
    left = live.left(sitting) if sitting is not None and active else 0
    paused = facts.running and left > 0 and live.clocks.of(key).paused
    away = sum(facts.away.get(key, {}).values())
    report = {**facts.reports.get(key, {}), "focus_lost": away, "refused": int(who.person in facts.refused)}
    alarms = list(_alarms(active, link, left, paused, facts, key, report)) if key else []
    row, column = facts.seats.get(who.seat or "", (None, None))
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
        "of": facts.asked_for.get(key, 0),
        "saved_ms": saved_ms,
        "link": link if active else None,
        "seen_ms": last_seen if link == "silent" else None,
        "handed_in_by": facts.handed_in[key][1] if key in facts.handed_in else None,
        "seat_code": who.seat_code,
        "extra_minutes": (attempt.extra_ms // 60_000) if attempt else 0,
        "more_ms": _second(left - facts.session_left) if left else 0,
        "paused": paused,
        "queued": report.get("queued", 0),
        "focus_lost": away,
        "away_ms": facts.gone.get(key) if active else None,
        "kept": facts.kept.get(key, 0),
        "alarms": alarms,
    }


def _link(last_seen: int | None, now: int) -> str:
    """good, slow or silent; none before a tablet has claimed the seat."""
    if last_seen is None:
        return "none"
    age = now - last_seen
    return "good" if age <= SLOW_MS else "slow" if age <= ALARM_SILENT_MS else "silent"


def _alarms(
    active: bool, link: str, left: int, paused: bool, facts: _Facts, key: str, report: Mapping[str, int]
) -> Iterable[str]:
    """What needs a look, most pressing first; `console.alarm_NAME` says it."""
    if active and link in ("silent", "none"):
        yield "tablet_silent" if link == "silent" else "no_tablet"
    if facts.session.state in ("checkin", "running") and key in facts.other_devices:
        yield "second_device"
    if active and report.get("unwanted", 0) > 0:
        yield "answers_refused"
    if active and facts.now - facts.asked.get(key, -ASKED_MS) < ASKED_MS:
        yield "second_tablet"
    if active and report.get("queued", 0) > 0 and facts.now - report.get("since_ms", 0) > QUEUED_MS:
        yield "answers_waiting"
    if facts.kept.get(key, 0) and facts.session.state in ("running", "closed"):
        yield "kept_answers"
    if facts.session.state in ("checkin", "running") and report.get("refused", 0) > 0:
        yield "seb_refused"
    if active and key in facts.gone:
        yield "away"
    elif active and report.get("focus_lost", 0) > 0:
        yield "focus_lost"
    if active and paused:
        yield "person_paused"
    if active and not paused and facts.running and 0 < left < SHORT_MS:
        yield "time_short"


def _counts(tiles: list[dict[str, Any]]) -> dict[str, int]:
    states = [tile["state"] for tile in tiles]
    return {
        "expected": len(states),
        "admitted": sum(state in INSIDE for state in states),
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
        "score": _score(c),
        "actions": ["admit", "retry", "deny"],
    }


def _score(c: checkins.Checkin) -> float | None:
    """The distance of the faces in hundredths: nobody reads more out of it."""
    return None if c.score is None else round(c.score, 2)


def _checkins(
    log: list[checkins.Checkin], names: Mapping[str, people.Candidate], session: sessions.Session
) -> list[dict[str, Any]]:
    """Newest first. Whom the door turned away may be let in by hand: the newest entry of each says so."""
    told: set[str] = set()
    found = []
    for c in log:
        who = names.get(c.person or "")
        newest = who is not None and who.person not in told
        turned_away = who is not None and who.state == "expected" and c.outcome in ("refused", "retry")
        can = newest and turned_away and session.state in ("checkin", "running")
        if who is not None:
            told.add(who.person)
        found.append(_checkin(c, who) | {"actions": ["admit"] if can else []})
    return found


def _checkin(c: checkins.Checkin, who: people.Candidate | None) -> dict[str, Any]:
    return {
        "at_ms": c.at_ms,
        "person": who.person if who else None,
        "score": _score(c),
        "number": who.number if who else None,
        "name": who.name if who else None,
        "outcome": c.outcome,
        "route": c.route,
        "reason": c.reason,
        "sentence": both(c.reason, seat=who.seat if who else "-", detail=""),
    }
