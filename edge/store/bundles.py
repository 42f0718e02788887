"""Bundles the room has fetched and verified. `path` is a file name in the bundles folder; the file stays sealed."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge import clock
from edge.domain.reasons import is_words
from edge.store.meta import get_meta, set_meta

FACT_LENGTH = 200


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
    connection.execute("DELETE FROM meta WHERE key = ?", (_unfit(kind, name),))


def get(connection: sqlite3.Connection, kind: str, name: str, version: int) -> BundleRow | None:
    return _one(connection, "WHERE kind = ? AND name = ? AND version = ?", kind, name, version)


def newest(connection: sqlite3.Connection, kind: str, name: str) -> BundleRow | None:
    """The highest version of `name` here: what a rollback is measured against."""
    return _one(connection, "WHERE kind = ? AND name = ? ORDER BY version DESC LIMIT 1", kind, name)


def everything(connection: sqlite3.Connection, kind: str | None = None) -> list[BundleRow]:
    """All bundles, or those of one kind, by kind, name and version."""
    rows = connection.execute("SELECT * FROM bundles ORDER BY kind, name, version")
    return [_row(row) for row in rows if kind is None or row["kind"] == kind]


def mark(connection: sqlite3.Connection) -> str:
    """A text that is another one once a bundle has come, or come anew."""
    query = "SELECT json_group_array(json_array(kind, name, version, sha256, at_ms)) FROM bundles"
    return str(connection.execute(query).fetchone()[0])


def untaken(connection: sqlite3.Connection, kind: str) -> list[BundleRow]:
    """Bundles nobody has dealt with yet, oldest version first. What was refused comes again when it is sealed anew."""
    found = []
    for row in everything(connection, kind):
        taken = _noted(connection, _taken(row))
        if not taken or (taken["reason"] is not None and taken.get("sha256") != row.sha256):
            found.append(row)
    return found


def set_taken(
    connection: sqlite3.Connection,
    row: BundleRow,
    reason: str | None,
    session: str | None = None,
    facts: Mapping[str, object] | None = None,
) -> None:
    """Note that a bundle was dealt with: `reason` is the code it was refused with, None when it was used.

    `session`: what was planned from it; `facts`: those of the refusal's sentence.
    """
    set_meta(connection, _taken(row), _note(row, reason, facts, session=session))
    connection.execute("DELETE FROM meta WHERE key = ?", (_waits(row),))


def set_waiting(connection: sqlite3.Connection, row: BundleRow, reason: str, facts: Mapping[str, object]) -> bool:
    """Note what a bundle waits for; False, and nothing is written, where that was known."""
    before = _noted(connection, _waits(row))
    if before and (before["reason"], before["facts"]) == (reason, _told(facts)):
        return False
    set_meta(connection, _waits(row), _note(row, reason, facts))
    return True


def set_unfit(
    connection: sqlite3.Connection, kind: str, name: str, version: int, reason: str, facts: Mapping[str, object]
) -> None:
    """Note why a bundle that was offered is not here at all; forgotten once another version of it is."""
    row = BundleRow(kind, name, version, "", "", 0)
    set_meta(connection, _unfit(kind, name), _note(row, reason, facts))


@dataclass(frozen=True)
class Unused:
    """A bundle that was not used: refused for good, or waiting for something; since when (ms), and why."""

    kind: str
    name: str
    version: int
    refused: bool
    reason: str
    facts: Mapping[str, str]
    at_ms: int


def unused(connection: sqlite3.Connection) -> list[Unused]:
    """Bundles that were offered and refused; of rosters that are here the newest of each name, if it was not used."""
    found = []
    for key in connection.execute("SELECT key FROM meta WHERE key GLOB 'bundle_unfit:*' ORDER BY key").fetchall():
        _, kind, name = key["key"].split(":")
        told = _noted(connection, key["key"])
        found.append(Unused(kind, name, told["version"], True, told["reason"], told["facts"], told["at_ms"]))
    for row in {row.name: row for row in everything(connection, "roster")}.values():
        taken, waits = _noted(connection, _taken(row)), _noted(connection, _waits(row))
        told = taken if taken.get("reason") is not None else {} if taken else waits
        if told:
            state = (told is taken, told["reason"], told.get("facts") or {}, told["at_ms"])
            found.append(Unused(row.kind, row.name, row.version, *state))
    return found


def _note(row: BundleRow, reason: str | None, facts: Mapping[str, object] | None, **more: str | None) -> str:
    said = {"at_ms": clock.wall_ms(), "sha256": row.sha256, "version": row.version, "reason": reason}
    return json.dumps(said | {"facts": _told(facts or {})} | more)


def _told(facts: Mapping[str, object]) -> dict[str, Any]:
    """Facts as any page can take them; words stay in both languages."""
    return {
        name: _told(value) if isinstance(value, Mapping) and is_words(value) else _text(value)
        for name, value in facts.items()
    }


def _text(value: object) -> str:
    return str(value)[:FACT_LENGTH].encode("utf-8", "replace").decode()


def _noted(connection: sqlite3.Connection, key: str) -> dict[str, Any]:
    noted = get_meta(connection, key)
    return {} if noted is None else dict(json.loads(noted))


def used_rosters(connection: sqlite3.Connection) -> list[BundleRow]:
    """Rosters whose session is planned: all of them stands in the store, and nobody needs their names and photographs
    in a file besides."""
    return [row for row, taken in _dealt_with(connection) if taken.get("session") is not None]


def refused_rosters(connection: sqlite3.Connection, before_ms: int) -> list[BundleRow]:
    """Rosters that were refused before this time."""
    return [row for row, taken in _dealt_with(connection) if taken["reason"] is not None and taken["at_ms"] < before_ms]


def _dealt_with(connection: sqlite3.Connection) -> list[tuple[BundleRow, dict[str, Any]]]:
    noted = [(row, _noted(connection, _taken(row))) for row in everything(connection, "roster")]
    return [(row, taken) for row, taken in noted if taken]


def _taken(row: BundleRow) -> str:
    return f"bundle_taken:{row.kind}:{row.name}:{row.version}"


def _waits(row: BundleRow) -> str:
    return f"bundle_waits:{row.kind}:{row.name}:{row.version}"


def _unfit(kind: str, name: str) -> str:
    return f"bundle_unfit:{kind}:{name}"


def _one(connection: sqlite3.Connection, condition: str, *values: object) -> BundleRow | None:
    row = connection.execute(f"SELECT * FROM bundles {condition}", values).fetchone()  # noqa: S608
    return None if row is None else _row(row)


def _row(row: sqlite3.Row) -> BundleRow:
    return BundleRow(row["kind"], row["name"], row["version"], row["path"], row["sha256"], row["at_ms"])
