"""Pictures of work pieces: encrypted with the room's data key before they come here, part by part, then whole."""

from __future__ import annotations

import secrets
import sqlite3
from dataclasses import dataclass

from edge import clock
from edge.errors import NotFound


@dataclass(frozen=True)
class Picture:
    """A picture begun or whole (`done`). `sha256` and `bytes` are of the plain JPEG."""

    id: str
    work: str
    examiner: str
    sha256: str
    bytes: int
    parts: int
    width: int | None
    height: int | None
    at_ms: int
    done: bool


_COLUMNS = (
    "p.picture_id AS id, p.work_id AS work, p.examiner_id AS examiner, p.sha256, p.bytes, p.parts, p.width, p.height,"
    " p.at_ms, p.sealed IS NOT NULL AS done"
)


def _picture(row: sqlite3.Row) -> Picture:
    return Picture(**{**dict(row), "done": bool(row["done"])})


def begin(connection: sqlite3.Connection, work: str, examiner: str, sha256: str, size: int, parts: int) -> Picture:
    """A picture announced; announced again, the same one."""
    connection.execute(
        "INSERT INTO work_pictures (picture_id, work_id, examiner_id, sha256, bytes, parts, at_ms)"
        " VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (work_id, examiner_id, sha256) DO NOTHING",
        (secrets.token_hex(12), work, examiner, sha256, size, parts, clock.wall_ms()),
    )
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM work_pictures p WHERE work_id = ? AND examiner_id = ? AND sha256 = ?",  # noqa: S608
        (work, examiner, sha256),
    ).fetchone()
    return _picture(row)


def find(connection: sqlite3.Connection, session: str, picture: str) -> Picture:
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM work_pictures p JOIN works w ON w.work_id = p.work_id"  # noqa: S608
        " WHERE p.picture_id = ? AND w.session_id = ?",
        (picture, session),
    ).fetchone()
    if row is None:
        raise NotFound("picture_unknown")
    return _picture(row)


def of_work(connection: sqlite3.Connection, work: str, examiner: str | None = None) -> list[Picture]:
    rows = connection.execute(
        f"SELECT {_COLUMNS} FROM work_pictures p WHERE work_id = ? AND (? IS NULL OR examiner_id = ?)"  # noqa: S608
        " ORDER BY at_ms, picture_id",
        (work, examiner, examiner),
    )
    return [_picture(row) for row in rows]


def put_part(connection: sqlite3.Connection, picture: str, part: int, sealed: bytes) -> None:
    connection.execute(
        "INSERT OR IGNORE INTO picture_parts (picture_id, part, sealed) VALUES (?, ?, ?)", (picture, part, sealed)
    )


def parts(connection: sqlite3.Connection, picture: str) -> dict[int, bytes]:
    rows = connection.execute("SELECT part, sealed FROM picture_parts WHERE picture_id = ? ORDER BY part", (picture,))
    return {row["part"]: bytes(row["sealed"]) for row in rows}


def parts_here(connection: sqlite3.Connection, picture: str) -> list[int]:
    rows = connection.execute("SELECT part FROM picture_parts WHERE picture_id = ? ORDER BY part", (picture,))
    return [row["part"] for row in rows]


def finish(connection: sqlite3.Connection, picture: str, width: int, height: int, sealed: bytes) -> None:
    connection.execute(
        "UPDATE work_pictures SET width = ?, height = ?, sealed = ? WHERE picture_id = ?",
        (width, height, sealed, picture),
    )
    connection.execute("DELETE FROM picture_parts WHERE picture_id = ?", (picture,))


def remove(connection: sqlite3.Connection, picture: str) -> None:
    connection.execute("DELETE FROM work_pictures WHERE picture_id = ?", (picture,))


def content(connection: sqlite3.Connection, picture: str) -> bytes | None:
    row = connection.execute("SELECT sealed FROM work_pictures WHERE picture_id = ?", (picture,)).fetchone()
    return None if row is None or row["sealed"] is None else bytes(row["sealed"])


def is_signed(connection: sqlite3.Connection, session: str, person: str, picture: Picture) -> bool:
    """Whether a signed sheet of its examiner names it."""
    row = connection.execute(
        "SELECT 1 FROM sheets s, json_each(s.body, '$.pictures') p WHERE s.session_id = ? AND s.person_id = ?"
        " AND s.examiner_id = ? AND p.value = ?",
        (session, person, picture.examiner, picture.sha256),
    ).fetchone()
    return row is not None
