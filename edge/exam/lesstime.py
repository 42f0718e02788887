"""What the proctor does to make time less: a power cut's free time taken back, a limit shortened, a part's limit set.

Nobody's time ends under their hands: who has used so much already keeps `LAST_MS`, and is closed as at any other end.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

from edge.errors import BadInput, Conflict, NotFound
from edge.exam import conduct
from edge.exam.acts import Op, settle
from edge.exam.live import LiveExam
from edge.exam.sittings import Sitting
from edge.exam.timeacts import MAX_CREDIT_MS, was_there
from edge.store import ledger, sessions, timing
from edge.store.db import transaction
from edge.store.records import keep_reason

MINUTE_MS = 60_000
LAST_MS = 60_000
"""What everybody keeps who had that much."""


def settle_standstill(
    connection: sqlite3.Connection,
    live: LiveExam,
    session_id: str,
    outage: str,
    ms: int,
    reason: str,
    by: str,
    op: Op | None = None,
) -> dict[str, Any]:
    """Decide over the time everybody was given because the exam clock stood still over a reboot, once.

    `ms` 0 confirms it; more takes so much of it back, of everybody who was in the exam then. NotFound for an unknown
    outage, Conflict for one that was decided, BadInput where the clock did not stand still, or not for so long.
    """
    reason = conduct.need_reason(reason)
    found = timing.outage(connection, session_id, outage)
    if found is None:
        raise NotFound("outage_unknown")
    stood_ms = MAX_CREDIT_MS if found["ms"] is None else int(found["ms"])
    if found["cause"] != "reboot" or not 0 <= ms <= -(-stood_ms // 1000) * 1000:
        raise BadInput("standstill_wrong", seconds=stood_ms // 1000)
    sessions.need_state(sessions.find(connection, session_id), "running")
    there = [s for s in _open(live, session_id, None) if was_there(live, s, int(found["elapsed_ms"]))]
    taken = _taken(live, there, ms)
    with transaction(connection):
        sessions.need_state(sessions.find(connection, session_id), "running")
        now = timing.outage(connection, session_id, outage)
        if now is None or now["credited_ms"] is not None:
            raise Conflict("outage_credited")
        timing.set_credited(connection, outage, -ms)
        kind = "time_taken_back" if ms else "standstill_confirmed"
        _take(connection, session_id, taken)
        body = {"outage": outage, "ms": ms, "people": len(taken)}
        body["reason_sha256"] = keep_reason(connection, session_id, kind, reason, by)
        ledger.append(connection, kind, body, session=session_id, by=by)
        answer = {"outage": outage, "seconds": ms // 1000, "people": len(taken)}
        settle(connection, op, answer)
    live.refresh(connection)
    return answer


def shorten(
    connection: sqlite3.Connection,
    live: LiveExam,
    session_id: str,
    person: str | None,
    minutes: int,
    reason: str,
    by: str,
    op: Op | None = None,
) -> dict[str, Any]:
    """Less time for one candidate or for all, once papers are drawn: {"people": whose time it was taken from}.

    Conflict when it would reach nobody.
    """
    reason = conduct.need_reason(reason)
    if not 1 <= minutes <= conduct.MAX_EXTRA_MINUTES:
        raise BadInput("minutes_wrong")
    sessions.need_state(sessions.find(connection, session_id), "checkin", "running")
    taken = _taken(live, _open(live, session_id, person), minutes * MINUTE_MS)
    if not taken:
        raise Conflict("nothing_to_shorten")
    with transaction(connection):
        sessions.need_state(sessions.find(connection, session_id), "checkin", "running")
        _take(connection, session_id, taken)
        digest = keep_reason(connection, session_id, "time_shortened", reason, by)
        body = {"minutes": minutes, "people": len(taken), "reason_sha256": digest}
        ledger.append(connection, "time_shortened", body, subject=person, session=session_id, by=by)
        answer = {"people": len(taken)}
        settle(connection, op, answer)
    live.refresh(connection)
    return answer


def set_part_limit(
    connection: sqlite3.Connection,
    live: LiveExam,
    session_id: str,
    part: int,
    minutes: int,
    reason: str,
    by: str,
    op: Op | None = None,
) -> dict[str, Any]:
    """Another limit for a part (counted from 0) that has one, for everybody: {"part", "minutes"}.

    BadInput for a part without a limit. Conflict, saying how long it has to be, when somebody has used more already.
    """
    reason = conduct.need_reason(reason)
    sessions.need_state(sessions.find(connection, session_id), "checkin", "running")
    sittings = live.sittings(session_id)
    if not any(part < len(s.limits.parts) and s.limits.parts[part] is not None for s in sittings):
        raise BadInput("part_unlimited")
    if not 1 <= minutes <= conduct.MAX_EXTRA_MINUTES:
        raise BadInput("minutes_wrong")
    used = max((live.clocks.part_used(s.id, session_id, s.limits, part) for s in sittings), default=0)
    if used and minutes * MINUTE_MS < used + LAST_MS:
        raise Conflict("part_limit_used", minutes=-(-(used + LAST_MS) // MINUTE_MS))
    with transaction(connection):
        sessions.need_state(sessions.find(connection, session_id), "checkin", "running")
        timing.set_part_limit(connection, session_id, part, minutes * MINUTE_MS)
        digest = keep_reason(connection, session_id, "part_limit_set", reason, by)
        body = {"part": part, "minutes": minutes, "reason_sha256": digest}
        ledger.append(connection, "part_limit_set", body, session=session_id, by=by)
        answer = {"part": part, "minutes": minutes}
        settle(connection, op, answer)
    live.refresh(connection)
    return answer


def _open(live: LiveExam, session_id: str, person: str | None) -> list[Sitting]:
    done = live.handins()
    return [s for s in live.sittings(session_id) if s.id not in done and person in (None, s.candidate.person)]


def _taken(live: LiveExam, sittings: Sequence[Sitting], ms: int) -> dict[str, int]:
    """{person: how much of `ms` can be taken from them}; who has nothing to spare is left out."""
    can = {s.candidate.person: min(ms, live.left(s) - LAST_MS) for s in sittings}
    return {person: taken for person, taken in can.items() if taken > 0}


def _take(connection: sqlite3.Connection, session_id: str, taken: Mapping[str, int]) -> None:
    for ms in set(taken.values()):
        timing.add_extra(connection, session_id, [who for who, much in taken.items() if much == ms], -ms)
