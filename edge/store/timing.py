"""Rows of time: clocks and opened parts beside the answers; outages, credits and the late gate in the room store.

Functions that write expect an open transaction: on answers.db those of the first half, on room.db those of the second.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge import clock
from edge.domain.timing import Credit, ExamClock, Opened, Outage, OwnClock, Reboot

# ---- answers.db


def clocks(connection: sqlite3.Connection) -> dict[str, ExamClock]:
    """Every session's exam clock as last written."""
    rows = connection.execute("SELECT * FROM exam_clock")
    return {
        r["session_id"]: ExamClock(
            r["elapsed_ms"], bool(r["running"]), r["boot_id"], r["mono_ms"], r["wall_ms"], r["op_id"]
        )
        for r in rows
    }


def save_clock(connection: sqlite3.Connection, session: str, value: ExamClock) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO exam_clock (session_id, elapsed_ms, running, boot_id, mono_ms, wall_ms, op_id)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (session, value.elapsed_ms, int(value.running), value.boot_id, value.mono_ms, value.wall_ms, value.op_id),
    )


def own_clocks(connection: sqlite3.Connection) -> dict[str, OwnClock]:
    """Of attempts that were paused or began late; everybody else goes by the exam clock."""
    rows = connection.execute("SELECT * FROM own_clocks")
    return {r["attempt_id"]: OwnClock(r["late_ms"], r["paused_ms"], r["paused_at_ms"], r["op_id"]) for r in rows}


def save_own(connection: sqlite3.Connection, changed: Mapping[str, OwnClock]) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO own_clocks (attempt_id, late_ms, paused_ms, paused_at_ms, op_id)"
        " VALUES (?, ?, ?, ?, ?)",
        [(attempt, c.late_ms, c.paused_ms, c.paused_at_ms, c.op_id) for attempt, c in changed.items()],
    )


def parts_opened(connection: sqlite3.Connection) -> dict[str, dict[int, Opened]]:
    found: dict[str, dict[int, Opened]] = {}
    for r in connection.execute("SELECT * FROM parts_opened"):
        found.setdefault(r["attempt_id"], {})[r["part"]] = Opened(r["elapsed_ms"], r["own_ms"])
    return found


def open_part(connection: sqlite3.Connection, attempt: str, part: int, opened: Opened) -> Opened:
    """The part's opening as it stands: the first one counts."""
    connection.execute(
        "INSERT OR IGNORE INTO parts_opened (attempt_id, part, elapsed_ms, own_ms) VALUES (?, ?, ?, ?)",
        (attempt, part, opened.elapsed_ms, opened.own_ms),
    )
    row = connection.execute("SELECT * FROM parts_opened WHERE attempt_id = ? AND part = ?", (attempt, part)).fetchone()
    return Opened(row["elapsed_ms"], row["own_ms"])


def closed_for_time(connection: sqlite3.Connection) -> set[str]:
    """Attempts that the room handed in because their time was over."""
    return {r["attempt_id"] for r in connection.execute("SELECT attempt_id FROM handins WHERE by = 'room'")}


def handed_in_by(connection: sqlite3.Connection, attempt: str) -> tuple[int, str] | None:
    """When the attempt was handed in and by whom, as it stands; None while it is open."""
    row = connection.execute("SELECT at_ms, by FROM handins WHERE attempt_id = ?", (attempt,)).fetchone()
    return None if row is None else (row["at_ms"], row["by"])


def reopen(connection: sqlite3.Connection, attempts: Sequence[str]) -> None:
    """Take back the room's own hand-in of these attempts; a candidate's own is never touched."""
    connection.executemany(
        "DELETE FROM handins WHERE attempt_id = ? AND by = 'room'", [(attempt,) for attempt in attempts]
    )


def add_outage(connection: sqlite3.Connection, session: str, outage: Outage) -> None:
    connection.execute(
        "INSERT INTO outages (session_id, elapsed_ms, ms, cause, from_wall_ms, to_wall_ms, quality, boot_id, mono_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            session,
            outage.elapsed_ms,
            outage.ms,
            outage.cause,
            outage.from_wall_ms,
            clock.wall_ms(),
            str(clock.quality()),
            clock.boot_id(),
            clock.mono_ms(),
        ),
    )


def reboots(connection: sqlite3.Connection) -> dict[str, Reboot]:
    """By session: the power cut after which its clock went on in this boot."""
    rows = connection.execute(
        "SELECT session_id, mono_ms, ms FROM outages WHERE cause = 'reboot' AND boot_id = ? ORDER BY n",
        (clock.boot_id(),),
    )
    return {r["session_id"]: Reboot(r["mono_ms"], r["ms"]) for r in rows}


@dataclass(frozen=True)
class MeasuredOutage:
    """An outage as kept beside the clock it belongs to. `n` counts from 1."""

    n: int
    session: str
    outage: Outage
    to_wall_ms: int
    quality: str


def outages_untold(connection: sqlite3.Connection) -> list[MeasuredOutage]:
    """Measured and not in the room store yet."""
    rows = connection.execute("SELECT * FROM outages WHERE told = 0 ORDER BY n")
    return [
        MeasuredOutage(
            r["n"],
            r["session_id"],
            Outage(r["elapsed_ms"], r["ms"], r["cause"], r["from_wall_ms"]),
            r["to_wall_ms"],
            r["quality"],
        )
        for r in rows
    ]


def set_told(connection: sqlite3.Connection, upto_n: int) -> None:
    connection.execute("UPDATE outages SET told = 1 WHERE n <= ?", (upto_n,))


# ---- room.db


def keep_outage(connection: sqlite3.Connection, found: MeasuredOutage) -> str | None:
    """Take a measured outage over; its id, or None when it is here already, or its session is gone."""
    name = f"o{found.n}-{found.outage.from_wall_ms}"
    done = connection.execute(
        "INSERT OR IGNORE INTO outages (id, session_id, from_ms, to_ms, elapsed_ms, ms, proposed_ms, cause, quality)"
        " SELECT ?, id, ?, ?, ?, ?, ?, ?, ? FROM sessions WHERE id = ?",
        (
            name,
            found.outage.from_wall_ms,
            found.to_wall_ms,
            found.outage.elapsed_ms,
            found.outage.ms,
            found.outage.proposed_ms,
            found.outage.cause,
            found.quality,
            found.session,
        ),
    )
    return name if done.rowcount else None


def outages(connection: sqlite3.Connection, session: str) -> list[dict[str, Any]]:
    """For the console, oldest first. Seconds are rounded up; `credited` is what was given back.

    None: nothing is decided yet. Of a reboot: 0, what the standing clock gave was confirmed; less, taken back.
    """
    rows = connection.execute("SELECT * FROM outages WHERE session_id = ? ORDER BY elapsed_ms, id", (session,))
    return [
        {
            "id": r["id"],
            "from_ms": r["from_ms"],
            "seconds": None if r["ms"] is None else -(-r["ms"] // 1000),
            "proposed_seconds": -(-r["proposed_ms"] // 1000),
            "cause": r["cause"],
            "quality": r["quality"],
            "credited": None if r["credited_ms"] is None else r["credited_ms"] // 1000,
        }
        for r in rows
    ]


def outage(connection: sqlite3.Connection, session: str, name: str) -> sqlite3.Row | None:
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM outages WHERE session_id = ? AND id = ?", (session, name)
    ).fetchone()
    return row


def set_credited(connection: sqlite3.Connection, name: str, ms: int) -> None:
    connection.execute("UPDATE outages SET credited_ms = ? WHERE id = ?", (ms, name))


def credits(connection: sqlite3.Connection, session: str) -> tuple[Credit, ...]:
    """Outages made good, in the order of the exam clock."""
    rows = connection.execute(
        "SELECT elapsed_ms, credited_ms FROM outages WHERE session_id = ? AND credited_ms > 0 ORDER BY elapsed_ms",
        (session,),
    )
    return tuple(Credit(r["elapsed_ms"], r["credited_ms"]) for r in rows)


def part_limits(connection: sqlite3.Connection, session: str) -> dict[int, int]:
    """Limits of parts that the proctor has set, in ms by the part's index."""
    rows = connection.execute("SELECT part, ms FROM part_limits WHERE session_id = ?", (session,))
    return {row["part"]: row["ms"] for row in rows}


def set_part_limit(connection: sqlite3.Connection, session: str, part: int, ms: int) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO part_limits (session_id, part, ms) VALUES (?, ?, ?)", (session, part, ms)
    )


def add_extra(connection: sqlite3.Connection, session: str, persons: Sequence[str], ms: int) -> None:
    """More time for these people; before papers are drawn it waits in the roster for them."""
    marks = [(ms, session, person) for person in persons]
    connection.executemany("UPDATE papers SET extra_ms = extra_ms + ? WHERE session_id = ? AND person_id = ?", marks)
    connection.executemany(
        "UPDATE candidates SET extra_ms = extra_ms + ? WHERE session_id = ? AND person_id = ?", marks
    )


LATE_PEOPLE = (
    "SELECT person_id FROM checkins WHERE session_id = ?1 AND outcome = 'admitted' GROUP BY person_id"
    " HAVING min(ledger_seq) > (SELECT min(seq) FROM ledger WHERE kind = 'exam_started' AND session_id = ?1)"
)


def late_people(connection: sqlite3.Connection, session: str) -> set[str]:
    """Who was first let in after the exam had started, by the order of the ledger: no clock can change that."""
    return {row["person_id"] for row in connection.execute(LATE_PEOPLE, (session,))}


def gate_closed(connection: sqlite3.Connection, session: str) -> bool:
    """Whether the latest minute of admission has passed."""
    return connection.execute("SELECT 1 FROM late_gates WHERE session_id = ?", (session,)).fetchone() is not None


def close_gate(connection: sqlite3.Connection, session: str) -> bool:
    """From now on the door lets nobody in by itself; False when it was so already."""
    done = connection.execute(
        "INSERT OR IGNORE INTO late_gates (session_id, at_ms) VALUES (?, ?)", (session, clock.wall_ms())
    )
    return done.rowcount == 1


def forget(connection: sqlite3.Connection, session: str) -> None:
    """The session's outages and gate, on its date."""
    connection.execute("DELETE FROM outages WHERE session_id = ?", (session,))
    connection.execute("DELETE FROM late_gates WHERE session_id = ?", (session,))
