"""Signed score sheets, the signatures on them, and rulings where examiners did not agree. Points in hundredths."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge import clock
from edge.domain.canonical import canonical_text


@dataclass(frozen=True)
class Sheet:
    """One signed version of one examiner's sheet; never changed once it is here."""

    id: str
    person: str
    rubric: str
    examiner: str
    version: int
    body: Mapping[str, Any]
    sha256: str
    points: int
    full: int
    vetoed: bool
    signed_ms: int


@dataclass(frozen=True)
class Ruling:
    """A third person's word where the sheets did not agree. `sheets` are the ids it was given over."""

    person: str
    rubric: str
    sheets: tuple[str, ...]
    points: int
    vetoed: bool
    by: str
    at_ms: int


def add_sheet(connection: sqlite3.Connection, session: str, sheet: Sheet) -> None:
    connection.execute(
        "INSERT INTO sheets (sheet_id, session_id, person_id, rubric_id, examiner_id, version, body, sha256, points,"
        " full, vetoed, signed_ms) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            sheet.id,
            session,
            sheet.person,
            sheet.rubric,
            sheet.examiner,
            sheet.version,
            canonical_text(sheet.body),
            sheet.sha256,
            sheet.points,
            sheet.full,
            int(sheet.vetoed),
            sheet.signed_ms,
        ),
    )


def sheets(connection: sqlite3.Connection, session: str) -> list[Sheet]:
    """Every version of every sheet, in the order of signing."""
    rows = connection.execute("SELECT * FROM sheets WHERE session_id = ? ORDER BY signed_ms, version", (session,))
    return [
        Sheet(
            r["sheet_id"],
            r["person_id"],
            r["rubric_id"],
            r["examiner_id"],
            r["version"],
            json.loads(r["body"]),
            r["sha256"],
            r["points"],
            r["full"],
            bool(r["vetoed"]),
            r["signed_ms"],
        )
        for r in rows
    ]


def add_signature(connection: sqlite3.Connection, sheet: str, who: str, sealed: bytes) -> None:
    connection.execute("INSERT INTO sheet_signatures (sheet_id, who, sealed) VALUES (?, ?, ?)", (sheet, who, sealed))


def signatures(connection: sqlite3.Connection, sheet: str) -> dict[str, bytes]:
    rows = connection.execute("SELECT who, sealed FROM sheet_signatures WHERE sheet_id = ?", (sheet,))
    return {row["who"]: bytes(row["sealed"]) for row in rows}


def add_ruling(connection: sqlite3.Connection, session: str, ruling: Ruling) -> None:
    connection.execute(
        "INSERT INTO rulings (session_id, person_id, rubric_id, sheets, points, vetoed, by_staff, at_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            session,
            ruling.person,
            ruling.rubric,
            canonical_text(list(ruling.sheets)),
            ruling.points,
            int(ruling.vetoed),
            ruling.by,
            ruling.at_ms,
        ),
    )


def void_rulings(connection: sqlite3.Connection, session: str, person: str, rubric: str) -> int:
    """A sheet was corrected: what was ruled over the old one counts no longer, and is kept."""
    return connection.execute(
        "UPDATE rulings SET void_ms = ? WHERE session_id = ? AND person_id = ? AND rubric_id = ? AND void_ms IS NULL",
        (clock.wall_ms(), session, person, rubric),
    ).rowcount


def rulings(connection: sqlite3.Connection, session: str) -> dict[tuple[str, str], Ruling]:
    """The rulings in force by (person, rubric)."""
    rows = connection.execute("SELECT * FROM rulings WHERE session_id = ? AND void_ms IS NULL ORDER BY id", (session,))
    return {
        (r["person_id"], r["rubric_id"]): Ruling(
            r["person_id"],
            r["rubric_id"],
            tuple(json.loads(r["sheets"])),
            r["points"],
            bool(r["vetoed"]),
            r["by_staff"],
            r["at_ms"],
        )
        for r in rows
    }


def drop_test(connection: sqlite3.Connection, session: str, person: str, test: str) -> None:
    """A test that was settled and is open again has no record until it is settled again."""
    connection.execute(
        "DELETE FROM test_records WHERE session_id = ? AND person_id = ? AND test = ?", (session, person, test)
    )


def purge(connection: sqlite3.Connection, session: str) -> dict[str, int]:
    """Pictures, signatures, drafts and examiners' words of a session; the digests and points stay."""
    of_works = "SELECT work_id FROM works WHERE session_id = ?"
    pictures = connection.execute(
        f"DELETE FROM work_pictures WHERE work_id IN ({of_works})",  # noqa: S608
        (session,),
    ).rowcount
    for table in ("score_drafts", "acts_beside"):
        connection.execute(f"DELETE FROM {table} WHERE work_id IN ({of_works})", (session,))  # noqa: S608
    signed = connection.execute(
        "DELETE FROM sheet_signatures WHERE sheet_id IN (SELECT sheet_id FROM sheets WHERE session_id = ?)", (session,)
    ).rowcount
    connection.execute("UPDATE sheets SET body = '{}' WHERE session_id = ?", (session,))
    return {"pictures": pictures, "signatures": signed}
