"""Bundles the room has fetched and verified. `path` is a file name in the bundles folder; the file stays sealed."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass

from edge import clock
from edge.store.meta import get_meta, set_meta


@dataclass(frozen=True)
class BundleRow:
    """One version of one bundle; `sha256` is that of the sealed file."""

    kind: str
    name: str
    version: int
    path: str
    sha256: str
    at_ms: int


def put(connection: sqlite3.Connection, kind: str, name: str, version: int, path: str, sha256: str) -> None:
    """Add a bundle, or replace the file of a version that was sealed anew (a new epoch has a new key)."""
    connection.execute(
        "INSERT INTO bundles (kind, name, version, path, sha256, at_ms) VALUES (?, ?, ?, ?, ?, ?)"
        " ON CONFLICT (kind, name, version) DO UPDATE SET path = excluded.path, sha256 = excluded.sha256,"
        " at_ms = excluded.at_ms",
        (kind, name, version, path, sha256, clock.wall_ms()),
    )


def get(connection: sqlite3.Connection, kind: str, name: str, version: int) -> BundleRow | None:
    return _one(connection, "WHERE kind = ? AND name = ? AND version = ?", kind, name, version)


def newest(connection: sqlite3.Connection, kind: str, name: str) -> BundleRow | None:
    """The highest version of `name` here: what a rollback is measured against."""
    return _one(connection, "WHERE kind = ? AND name = ? ORDER BY version DESC LIMIT 1", kind, name)


def everything(connection: sqlite3.Connection, kind: str | None = None) -> list[BundleRow]:
    """All bundles, or those of one kind, by kind, name and version."""
    rows = connection.execute("SELECT * FROM bundles ORDER BY kind, name, version")
    return [_row(row) for row in rows if kind is None or row["kind"] == kind]


def untaken(connection: sqlite3.Connection, kind: str) -> list[BundleRow]:
    """Bundles nobody has dealt with yet, oldest version first."""
    return [row for row in everything(connection, kind) if get_meta(connection, _taken(row)) is None]


def set_taken(connection: sqlite3.Connection, row: BundleRow, reason: str | None, session: str | None = None) -> None:
    """Note that a bundle was dealt with: `reason` is the code it was refused with, None when it was used.

    `session`: what was planned from it.
    """
    set_meta(connection, _taken(row), json.dumps({"at_ms": clock.wall_ms(), "reason": reason, "session": session}))


def spent_rosters(connection: sqlite3.Connection, refused_before_ms: int) -> list[BundleRow]:
    """Rosters whose session has been purged, or that were refused before this time: nobody needs their names."""
    purged = {row["id"] for row in connection.execute("SELECT id FROM sessions WHERE purged_ms IS NOT NULL")}
    spent = []
    for row in everything(connection, "roster"):
        noted = get_meta(connection, _taken(row))
        taken = json.loads(noted) if noted is not None else {}
        refused = taken.get("reason") is not None and taken["at_ms"] < refused_before_ms
        if refused or taken.get("session") in purged:
            spent.append(row)
    return spent


def _taken(row: BundleRow) -> str:
    return f"bundle_taken:{row.kind}:{row.name}:{row.version}"


def _one(connection: sqlite3.Connection, condition: str, *values: object) -> BundleRow | None:
    row = connection.execute(f"SELECT * FROM bundles {condition}", values).fetchone()  # noqa: S608
    return None if row is None else _row(row)


def _row(row: sqlite3.Row) -> BundleRow:
    return BundleRow(row["kind"], row["name"], row["version"], row["path"], row["sha256"], row["at_ms"])
