"""Stations: the rubrics of a session, each candidate's work at a station, its clock, its steps, drafts of its sheets.

Times are milliseconds. `works` carry a clock as `edge.domain.timing.ExamClock` has it.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge import clock
from edge.domain.canonical import canonical_text
from edge.domain.timing import ExamClock
from edge.errors import NotFound


@dataclass(frozen=True)
class Station:
    """A place 工位 with its rubric and the camera that sees it. `title` is empty for a rubric's own default place."""

    id: str
    title: str
    camera: str | None
    rubric: str


@dataclass(frozen=True)
class Work:
    """One candidate at one rubric: where, in which state, and the clock."""

    id: str
    session: str
    person: str
    rubric: str
    station: str
    place: int
    state: str
    timer: ExamClock
    acted_elapsed_ms: int
    """The clock's reading when it was last started or stopped by somebody."""
    started_ms: int | None
    stopped_ms: int | None


@dataclass(frozen=True)
class Hold:
    """Which tablet scores a work for an examiner; `ended_ms` once somebody else took the place."""

    work: str
    examiner: str
    tablet: str
    since_ms: int
    seen_ms: int
    ended_ms: int | None


@dataclass(frozen=True)
class Draft:
    id: int
    tablet: str
    version: int
    stale: bool
    body: Mapping[str, Any]
    at_ms: int


@dataclass(frozen=True)
class Stamp:
    at_ms: int
    elapsed_ms: int
    camera: str | None
    recording: bool | None = None
    """Whether that camera recorded when the room heard of it; None: not known, or no camera."""


# ---- what a session has


def plan(
    connection: sqlite3.Connection, session: str, rubrics: Sequence[Mapping[str, Any]], stations: Iterable[Station]
) -> None:
    """The rubrics of a new session and its stations; a rubric nobody has a station for gets one of its own."""
    for place, document in enumerate(rubrics):
        connection.execute(
            "INSERT INTO rubrics (session_id, rubric_id, test, place, document) VALUES (?, ?, ?, ?, ?)",
            (session, document["id"], document["test"], place, canonical_text(document)),
        )
    placed = list(stations)
    served = {station.rubric for station in placed}
    placed += [
        Station(document["id"], "", None, document["id"]) for document in rubrics if document["id"] not in served
    ]
    connection.executemany(
        "INSERT INTO stations (session_id, station_id, title, camera, rubric_id, place) VALUES (?, ?, ?, ?, ?, ?)",
        [(session, s.id, s.title, s.camera, s.rubric, place) for place, s in enumerate(placed)],
    )


def rubrics(connection: sqlite3.Connection, session: str) -> dict[str, dict[str, Any]]:
    """Rubric documents by id, in their order; each says its `test`."""
    rows = connection.execute("SELECT * FROM rubrics WHERE session_id = ? ORDER BY place", (session,))
    return {row["rubric_id"]: {**json.loads(row["document"]), "test": row["test"]} for row in rows}


def stations(connection: sqlite3.Connection, session: str) -> dict[str, Station]:
    rows = connection.execute("SELECT * FROM stations WHERE session_id = ? ORDER BY place", (session,))
    return {r["station_id"]: Station(r["station_id"], r["title"], r["camera"], r["rubric_id"]) for r in rows}


def name_chief(connection: sqlite3.Connection, session: str, staff: str, named_by: str | None) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO chief_examiners (session_id, staff_id, named_by, at_ms) VALUES (?, ?, ?, ?)",
        (session, staff, named_by, clock.wall_ms()),
    )


def chiefs(connection: sqlite3.Connection, session: str) -> list[str]:
    rows = connection.execute("SELECT staff_id FROM chief_examiners WHERE session_id = ? ORDER BY at_ms", (session,))
    return [row["staff_id"] for row in rows]


# ---- a candidate's work


def works(connection: sqlite3.Connection, session: str) -> dict[tuple[str, str], Work]:
    """Works by (person, rubric); one nobody has touched yet is not here."""
    rows = connection.execute("SELECT * FROM works WHERE session_id = ?", (session,))
    return {(row["person_id"], row["rubric_id"]): _work(row) for row in rows}


def work(connection: sqlite3.Connection, session: str, work_id: str) -> Work:
    row = connection.execute("SELECT * FROM works WHERE session_id = ? AND work_id = ?", (session, work_id)).fetchone()
    if row is None:
        raise NotFound("work_unknown")
    return _work(row)


def find_work(connection: sqlite3.Connection, session: str, person: str, rubric: str) -> Work | None:
    row = connection.execute(
        "SELECT * FROM works WHERE session_id = ? AND person_id = ? AND rubric_id = ?", (session, person, rubric)
    ).fetchone()
    return None if row is None else _work(row)


def _work(row: sqlite3.Row) -> Work:
    return Work(
        row["work_id"],
        row["session_id"],
        row["person_id"],
        row["rubric_id"],
        row["station_id"],
        row["place"],
        row["state"],
        ExamClock(row["elapsed_ms"], bool(row["running"]), row["boot_id"], row["mono_ms"]),
        row["acted_elapsed_ms"],
        row["started_ms"],
        row["stopped_ms"],
    )


def add_work(connection: sqlite3.Connection, session: str, person: str, rubric: str, station: str) -> Work:
    work_id = secrets.token_hex(12)
    connection.execute(
        "INSERT INTO works (work_id, session_id, person_id, rubric_id, station_id, state, elapsed_ms, running, boot_id,"
        " mono_ms) VALUES (?, ?, ?, ?, ?, 'queued', 0, 0, ?, ?)",
        (work_id, session, person, rubric, station, clock.boot_id(), clock.mono_ms()),
    )
    return work(connection, session, work_id)


def save_work(connection: sqlite3.Connection, changed: Work) -> None:
    """Write down what may change of a work: station, place, state, clock."""
    timer = changed.timer
    connection.execute(
        "UPDATE works SET station_id = ?, place = ?, state = ?, elapsed_ms = ?, running = ?, boot_id = ?, mono_ms = ?,"
        " acted_elapsed_ms = ?, started_ms = ?, stopped_ms = ? WHERE work_id = ?",
        (
            changed.station,
            changed.place,
            changed.state,
            timer.elapsed_ms,
            int(timer.running),
            timer.boot_id,
            timer.mono_ms,
            changed.acted_elapsed_ms,
            changed.started_ms,
            changed.stopped_ms,
            changed.id,
        ),
    )


def last_place(connection: sqlite3.Connection, session: str, station: str) -> int:
    row = connection.execute(
        "SELECT coalesce(max(place), 0) FROM works WHERE session_id = ? AND station_id = ?", (session, station)
    ).fetchone()
    return int(row[0])


def running_works(connection: sqlite3.Connection) -> list[Work]:
    """Every work whose clock runs, in any session."""
    return [_work(row) for row in connection.execute("SELECT * FROM works WHERE running = 1")]


# ---- who scores it, step by step


def holds(connection: sqlite3.Connection, session: str) -> dict[str, list[Hold]]:
    """Holds by work, the first to begin first."""
    found: dict[str, list[Hold]] = {}
    for row in connection.execute(
        "SELECT h.* FROM score_holds h JOIN works w ON w.work_id = h.work_id WHERE w.session_id = ?"
        " ORDER BY h.since_ms, h.examiner_id",
        (session,),
    ):
        found.setdefault(row["work_id"], []).append(Hold(*tuple(row)))
    return found


def holds_of(connection: sqlite3.Connection, work_id: str) -> list[Hold]:
    rows = connection.execute("SELECT * FROM score_holds WHERE work_id = ? ORDER BY since_ms, examiner_id", (work_id,))
    return [Hold(*tuple(row)) for row in rows]


def put_hold(connection: sqlite3.Connection, work_id: str, examiner: str, tablet: str) -> None:
    """This tablet scores for this examiner from now on."""
    now = clock.wall_ms()
    connection.execute(
        "INSERT OR REPLACE INTO score_holds (work_id, examiner_id, tablet, since_ms, seen_ms) VALUES (?, ?, ?, ?, ?)",
        (work_id, examiner, tablet, now, now),
    )


def saw_hold(connection: sqlite3.Connection, work_id: str, examiner: str) -> None:
    connection.execute(
        "UPDATE score_holds SET seen_ms = ? WHERE work_id = ? AND examiner_id = ?",
        (clock.wall_ms(), work_id, examiner),
    )


def end_hold(connection: sqlite3.Connection, work_id: str, examiner: str) -> None:
    connection.execute(
        "UPDATE score_holds SET ended_ms = ? WHERE work_id = ? AND examiner_id = ?",
        (clock.wall_ms(), work_id, examiner),
    )


def drafts(connection: sqlite3.Connection, work_id: str, examiner: str) -> tuple[Draft | None, list[Draft]]:
    """(the draft that stands, drafts that came too late and were kept beside it)."""
    rows = connection.execute(
        "SELECT * FROM score_drafts WHERE work_id = ? AND examiner_id = ? ORDER BY id", (work_id, examiner)
    )
    found = [
        Draft(r["id"], r["tablet"], r["version"], bool(r["stale"]), json.loads(r["body"]), r["at_ms"]) for r in rows
    ]
    return next((one for one in found if not one.stale), None), [one for one in found if one.stale]


def put_draft(
    connection: sqlite3.Connection,
    work_id: str,
    examiner: str,
    *,
    tablet: str,
    version: int,
    body: Mapping[str, Any],
    stale: bool,
) -> None:
    """A draft that stands takes the place of the one before; a stale one is kept beside, one a tablet."""
    connection.execute(
        "DELETE FROM score_drafts WHERE work_id = ? AND examiner_id = ? AND stale = ? AND (? = 0 OR tablet = ?)",
        (work_id, examiner, int(stale), int(stale), tablet),
    )
    connection.execute(
        "INSERT INTO score_drafts (work_id, examiner_id, tablet, version, stale, body, at_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?)",
        (work_id, examiner, tablet, version, int(stale), canonical_text(body), clock.wall_ms()),
    )


@dataclass(frozen=True)
class Beside:
    """An act of the clock or a step from a tablet that did not score any more: kept, not applied; `at_ms`: when."""

    id: int
    tablet: str
    body: Mapping[str, Any]
    at_ms: int


def put_beside(
    connection: sqlite3.Connection, work_id: str, examiner: str, tablet: str, body: Mapping[str, Any], at_ms: int
) -> None:
    connection.execute(
        "INSERT INTO acts_beside (work_id, examiner_id, tablet, body, at_ms) VALUES (?, ?, ?, ?, ?)",
        (work_id, examiner, tablet, canonical_text(body), at_ms),
    )


def beside(connection: sqlite3.Connection, work_id: str, examiner: str) -> list[Beside]:
    """In the order they came in."""
    rows = connection.execute(
        "SELECT * FROM acts_beside WHERE work_id = ? AND examiner_id = ? ORDER BY id", (work_id, examiner)
    )
    return [Beside(r["id"], r["tablet"], json.loads(r["body"]), r["at_ms"]) for r in rows]


def put_stamp(connection: sqlite3.Connection, work_id: str, examiner: str, step: str, stamp: Stamp | None) -> None:
    """When a step was finished; None: it is open again."""
    connection.execute(
        "DELETE FROM step_stamps WHERE work_id = ? AND examiner_id = ? AND step_id = ?", (work_id, examiner, step)
    )
    if stamp is not None:
        connection.execute(
            "INSERT INTO step_stamps (work_id, examiner_id, step_id, at_ms, elapsed_ms, camera, recording)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (work_id, examiner, step, stamp.at_ms, stamp.elapsed_ms, stamp.camera, stamp.recording),
        )


def stamps(connection: sqlite3.Connection, work_id: str, examiner: str) -> dict[str, Stamp]:
    rows = connection.execute("SELECT * FROM step_stamps WHERE work_id = ? AND examiner_id = ?", (work_id, examiner))
    return {
        r["step_id"]: Stamp(
            r["at_ms"], r["elapsed_ms"], r["camera"], None if r["recording"] is None else bool(r["recording"])
        )
        for r in rows
    }
