"""What keeps footage from being deleted: the sessions with their policies, inspections, and holds that staff place."""

from __future__ import annotations

import secrets
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from edge import clock
from edge.domain.keeping import MARGIN_MS, OPEN_END, Kept, Term, Why, date_of, kept_by, kept_spans
from edge.domain.walltime import Run, Span, When
from edge.errors import BadInput, Conflict, NotFound
from edge.store import ledger, sessions, walltime
from edge.store.db import transaction
from edge.store.records import commit_to

KEEP_RECORDINGS_DAYS = 180
"""Of sessions planned under a policy document that said nothing of it."""
WORDS_MS = 90 * 86_400_000
"""So long after a hold was released its reasons can still be read."""
_LATEST_MS = 1 << 47


class Footage(Protocol):
    """What of a segment says whether a hold is on it."""

    @property
    def camera(self) -> str: ...
    @property
    def boot_id(self) -> str: ...
    @property
    def started_ms(self) -> int: ...
    @property
    def ended_ms(self) -> int: ...
    @property
    def salvaged(self) -> bool: ...
    @property
    def ledger_seq(self) -> int | None: ...


@dataclass(frozen=True)
class Hold:
    """A hold that stands, on all that touches `spans`, or that the `run` of the session has which it is on.

    From `from_ms`, the first of them, to `until_ms`; None: until the end, still to come, of the session it is about.
    """

    id: str
    session: str | None
    camera: str | None
    from_ms: int
    until_ms: int | None
    why: str
    by: str
    at_ms: int
    spans: tuple[Span, ...]
    run: Run | None = None

    def keeps(self, one: Footage) -> bool:
        if self.camera not in (None, one.camera):
            return False
        if self.run and one.ledger_seq is not None and self.run.has(one.ledger_seq, one.boot_id, one.salvaged):
            return True
        return any(start <= one.ended_ms and end >= one.started_ms for start, end in self.spans)


def place_on_session(connection: sqlite3.Connection, session: str, why: str, by: str) -> str:
    """Keep all footage of a session until the hold is released; its id. The same hold twice is one.

    NotFound for no such session, Conflict (`hold_early`) before its door has opened, BadInput without a reason.
    """
    sessions.find(connection, session)
    when = walltime.when(connection, session)
    if when is None:
        raise Conflict("hold_early", session=session)
    spans = when.spans(MARGIN_MS)
    return _place(connection, session, None, spans[0][0], None if when.open else spans[-1][1], why, by)


def place_on_span(
    connection: sqlite3.Connection, camera: str | None, from_ms: int, until_ms: int, why: str, by: str
) -> str:
    """Keep the footage of [from_ms, until_ms], of one camera or (None) of all; otherwise as `place_on_session`."""
    if not 0 <= from_ms < until_ms < _LATEST_MS:
        raise BadInput("hold_span")
    return _place(connection, None, camera, from_ms, until_ms, why, by)


def _place(
    connection: sqlite3.Connection,
    session: str | None,
    camera: str | None,
    from_ms: int,
    until_ms: int | None,
    why: str,
    by: str,
) -> str:
    text = _words(why)
    with transaction(connection):
        for hold in standing(connection):
            if session is not None and hold.session == session:
                return hold.id
            if (hold.session, hold.camera, hold.from_ms, hold.until_ms) == (session, camera, from_ms, until_ms):
                return hold.id
        (salt, digest), hold_id = commit_to(text), secrets.token_hex(8)
        connection.execute(
            "INSERT INTO footage_holds (id, held_session, camera, from_ms, until_ms, why, salt, by_staff, at_ms)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (hold_id, session, camera, from_ms, until_ms, text, salt, by, clock.wall_ms()),
        )
        body = {"hold": hold_id, "camera": camera, "from_ms": from_ms, "until_ms": until_ms, "why_sha256": digest}
        ledger.append(connection, "hold", body, session=session, by=by)
    return hold_id


def release(connection: sqlite3.Connection, hold_id: str, why: str, by: str) -> None:
    """Let go of a hold: from then on its footage goes on its date. NotFound, Conflict (`hold_released`), BadInput."""
    text = _words(why)
    with transaction(connection):
        row = connection.execute(
            "SELECT held_session, released_ms FROM footage_holds WHERE id = ?", (hold_id,)
        ).fetchone()
        if row is None:
            raise NotFound("hold_unknown")
        if row["released_ms"] is not None:
            raise Conflict("hold_released")
        salt, digest = commit_to(text)
        connection.execute(
            "UPDATE footage_holds SET released_ms = ?, released_by = ?, released_why = ?, released_salt = ?"
            " WHERE id = ?",
            (clock.wall_ms(), by, text, salt, hold_id),
        )
        body = {"hold": hold_id, "why_sha256": digest}
        ledger.append(connection, "hold_released", body, session=row["held_session"], by=by)


def end_with(connection: sqlite3.Connection, session: str) -> None:
    """In the transaction that deletes a session which was never closed: a hold on it stands, and reaches until now."""
    connection.execute(
        "UPDATE footage_holds SET until_ms = coalesce((SELECT closed_ms FROM sessions WHERE id = held_session), ?) + ?"
        " WHERE held_session = ? AND until_ms IS NULL",
        (clock.wall_ms(), MARGIN_MS, session),
    )


def _words(why: str) -> str:
    text = why.strip()
    if not 2 <= len(text) <= 500:
        raise BadInput("reason_wanted")
    return text


def standing(connection: sqlite3.Connection, whens: Mapping[str, When] | None = None) -> list[Hold]:
    """Every hold that is not released, oldest first. One on a session is on all that was the session's, as far as the
    ledger tells by now. `whens`: of the sessions, where they are known."""
    rows = connection.execute("SELECT * FROM footage_holds WHERE released_ms IS NULL ORDER BY at_ms, rowid").fetchall()
    return [_hold(row, _of(connection, row["held_session"], whens)) for row in rows]


def _of(connection: sqlite3.Connection, session: str | None, whens: Mapping[str, When] | None) -> When | None:
    if session is None:
        return None
    return (whens or {}).get(session) or walltime.when(connection, session)  # a deleted one is not among them


def _hold(row: sqlite3.Row, when: When | None) -> Hold:
    until = row["until_ms"]
    spans: tuple[Span, ...] = ((row["from_ms"], OPEN_END if until is None else until),)
    if when is not None:
        spans = kept_spans(when)
        until = None if when.open else spans[-1][1]
    return Hold(
        id=row["id"],
        session=row["held_session"],
        camera=row["camera"],
        from_ms=spans[0][0],
        until_ms=until,
        why=row["why"],
        by=row["by_staff"],
        at_ms=row["at_ms"],
        spans=spans,
        run=None if when is None else when.run,
    )


def inspect(connection: sqlite3.Connection, session: str, by: str) -> None:
    """A supervisor has inspected a session, so its footage may go on its date. Once; Conflict before it is closed."""
    with transaction(connection):
        sessions.need_state(sessions.find(connection, session), "closed", "signed")
        fresh = connection.execute(
            "INSERT INTO inspections (session_id, by_staff, at_ms) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
            (session, by, clock.wall_ms()),
        ).rowcount
        if fresh:
            ledger.append(connection, "session_inspected", {}, session=session, by=by)


def awaits_inspection(connection: sqlite3.Connection, session: str) -> bool:
    """Whether nothing but an inspection keeps the session's footage from going on its date."""
    return any(term.session == session and date_of(term)[1] is Why.UNINSPECTED for term in terms(connection))


def terms(connection: sqlite3.Connection) -> list[Term]:
    """Each session whose door has opened, as far as its footage goes, in order of opening."""
    rows = connection.execute(
        "SELECT s.id, s.title, s.opened_ms, s.closed_ms, s.signed_ms, s.purge_ms,"
        " coalesce(json_extract(s.policy, '$.practice'), 0) AS practice,"
        " coalesce(json_extract(s.policy, '$.keep_recordings_days'), ?) AS keep_days,"
        " coalesce(json_extract(s.policy, '$.inspection'), 'wanted') <> 'wanted' OR i.session_id IS NOT NULL"
        " AS inspected FROM sessions s LEFT JOIN inspections i ON i.session_id = s.id"
        " WHERE s.opened_ms IS NOT NULL ORDER BY s.opened_ms, s.id",
        (KEEP_RECORDINGS_DAYS,),
    )
    return [
        Term(
            session=row["id"],
            title=row["title"],
            opened_ms=row["opened_ms"],
            closed_ms=row["closed_ms"],
            signed=row["signed_ms"] is not None,
            inspected=bool(row["inspected"]),
            practice=bool(row["practice"]),
            purge_ms=row["purge_ms"],
            keep_days=int(row["keep_days"]),
        )
        for row in rows
    ]


def keeping(connection: sqlite3.Connection) -> list[Kept]:
    """All that keeps footage, or kept it until its date came: sessions, then holds that stand."""
    whens = walltime.every(connection)
    kept = [kept_by(term, whens[term.session]) for term in terms(connection) if term.session in whens]
    for hold in standing(connection, whens):
        kept.append(Kept(hold.spans, None, Why.HELD, hold.session, hold.camera, hold.run))
    return kept


def need_free(connection: sqlite3.Connection, one: Footage) -> None:
    """Inside the transaction that deletes it: Conflict (`footage_held`) when a hold was placed meanwhile."""
    if any(hold.keeps(one) for hold in standing(connection)):
        raise Conflict("footage_held", camera=one.camera)


def forget_words(connection: sqlite3.Connection, now_ms: int) -> int:
    """Delete the reasons of holds released long ago; how many."""
    with transaction(connection):
        return connection.execute(
            "UPDATE footage_holds SET why = '', salt = '', released_why = '', released_salt = ''"
            " WHERE released_ms < ? AND why <> ''",
            (now_ms - WORDS_MS,),
        ).rowcount
