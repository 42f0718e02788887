"""The ledger: appended in the transaction it tells of, provable, and loud when a byte of it changes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge.domain import merkle
from edge.errors import VerificationFailed
from edge.store import ledger
from edge.store.db import open_room, transaction


@pytest.fixture
def room(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    connection = open_room(tmp_path / "room.db")
    for n in range(37):
        with transaction(connection):
            ledger.append(connection, "test", {"n": n}, session="S" if n % 2 else None)
    yield connection
    connection.close()


def test_settings_of_every_connection(room: sqlite3.Connection) -> None:
    assert room.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    assert room.execute("PRAGMA synchronous").fetchone()[0] == 2
    assert room.execute("PRAGMA foreign_keys").fetchone()[0] == 1
    tables = room.execute("SELECT name, strict FROM pragma_table_list WHERE schema = 'main' AND type = 'table'")
    loose = {name for name, strict in tables if not strict and not name.startswith(("sqlite_", "_sqlite"))}
    assert loose == set()


def test_every_entry_is_provable(room: sqlite3.Connection) -> None:
    size, root = ledger.check(room)
    assert size == 37
    for entry in ledger.entries(room):
        path = ledger.inclusion_proof(room, entry.seq, size)
        assert merkle.verify_inclusion(merkle.leaf_hash(entry.entry), entry.seq, size, path, root)
    for old in range(size + 1):
        proof = ledger.consistency_proof(room, old, size)
        assert merkle.verify_consistency(old, size, ledger.root(room, old), root, proof)


def test_outside_a_transaction_nothing_is_appended(room: sqlite3.Connection) -> None:
    with pytest.raises(RuntimeError):
        ledger.append(room, "test", {})
    assert ledger.size(room) == 37


def test_what_is_rolled_back_leaves_no_entry(room: sqlite3.Connection) -> None:
    with pytest.raises(ValueError, match="stop"), transaction(room):
        ledger.append(room, "test", {"n": 99})
        raise ValueError("stop")
    assert ledger.size(room) == 37
    ledger.check(room)


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE ledger SET entry = CAST(replace(entry, '\"n\":5', '\"n\":6') AS BLOB) WHERE seq = 5",
        "DELETE FROM ledger WHERE seq = 5",
        "UPDATE ledger_nodes SET hash = zeroblob(32) WHERE level = 1 AND position = 2",
    ],
)
def test_a_changed_past_is_noticed(room: sqlite3.Connection, tampering: str) -> None:
    room.execute(tampering)
    with pytest.raises(VerificationFailed):
        ledger.check(room)


def test_narrowing(room: sqlite3.Connection) -> None:
    assert len(ledger.entries(room, session="S")) == 18
    assert [e.seq for e in ledger.entries(room, since=35)] == [35, 36]
    assert [e.seq for e in ledger.last(room, "test", 3)] == [34, 35, 36]
    assert ledger.last(room, "none", 3) == []
