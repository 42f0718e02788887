"""The three tests' records, rubric scores, incidents and signed results. Points are integers in hundredths."""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from edge import clock
from edge.domain.canonical import canonical_text


@dataclass(frozen=True)
class TestRecord:
    """What one candidate reached in one of the three tests."""

    __test__ = False  # not a pytest class, for all its name

    test: str
    state: str
    points: int | None
    full: int | None
    passed: bool | None
    facts: Mapping[str, Any]


def put_test(connection: sqlite3.Connection, session: str, person: str, record: TestRecord) -> None:
    connection.execute(
        "INSERT OR REPLACE INTO test_records (session_id, person_id, test, state, points, full, passed, facts)"
        " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (
            session,
            person,
            record.test,
            record.state,
            record.points,
            record.full,
            None if record.passed is None else int(record.passed),
            canonical_text(record.facts),
        ),
    )


def tests_of(connection: sqlite3.Connection, session: str) -> dict[str, dict[str, TestRecord]]:
    """Test records by person and test."""
    found: dict[str, dict[str, TestRecord]] = {}
    for r in connection.execute("SELECT * FROM test_records WHERE session_id = ?", (session,)):
        passed = None if r["passed"] is None else bool(r["passed"])
        record = TestRecord(r["test"], r["state"], r["points"], r["full"], passed, json.loads(r["facts"]))
        found.setdefault(r["person_id"], {})[r["test"]] = record
    return found


@dataclass(frozen=True)
class RubricScore:
    """One examiner's signed practical score."""

    person: str
    examiner: str
    marks: Mapping[str, Any]
    points: int
    vetoed: bool
    signed_ms: int


def rubric_scores(connection: sqlite3.Connection, session: str) -> list[RubricScore]:
    """Signed sheets as they stand, the newest version of each examiner's."""
    rows = connection.execute(
        "SELECT * FROM sheets s WHERE session_id = ? AND version = (SELECT max(version) FROM sheets o WHERE"
        " o.session_id = s.session_id AND o.person_id = s.person_id AND o.rubric_id = s.rubric_id"
        " AND o.examiner_id = s.examiner_id) ORDER BY signed_ms",
        (session,),
    )
    return [
        RubricScore(
            r["person_id"], r["examiner_id"], json.loads(r["body"]), r["points"], bool(r["vetoed"]), r["signed_ms"]
        )
        for r in rows
    ]


def commit_to(text: str) -> tuple[str, str]:
    """(salt, digest) of a person's own words: the digest is for the ledger, the salt goes when the words do."""
    salt = secrets.token_hex(16)
    return salt, hashlib.sha256(f"{salt}\n{text}".encode()).hexdigest()


def keep_reason(connection: sqlite3.Connection, session: str, kind: str, text: str, by: str | None) -> str:
    """Keep a person's own words here, where they are deleted on their date; the salted digest is for the ledger."""
    salt, digest = commit_to(text)
    connection.execute(
        "INSERT INTO reasons (session_id, kind, text, salt, sha256, by_staff, at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (session, kind, text, salt, digest, by, clock.wall_ms()),
    )
    return digest


def reason_of(connection: sqlite3.Connection, session: str, kind: str, text: str, by: str | None) -> dict[str, str]:
    """What a ledger entry says of the reason for an act: its digest, as of `keep_reason`, or nothing without one."""
    return {"reason_sha256": keep_reason(connection, session, kind, text, by)} if text else {}


@dataclass(frozen=True)
class Result:
    """A signed result as it leaves the room."""

    epoch: int
    seq: int
    session: str
    person: str
    envelope: bytes
    sha256: str


def next_result_seq(connection: sqlite3.Connection, epoch: int) -> int:
    """Result numbers count from 1 in each epoch and skip none, so the gateway sees what is missing."""
    row = connection.execute("SELECT coalesce(max(seq), 0) + 1 FROM results WHERE epoch = ?", (epoch,)).fetchone()
    return int(row[0])


def add_result(connection: sqlite3.Connection, result: Result) -> None:
    """The result and its outbox row; the caller adds the ledger entry in the same transaction."""
    connection.execute(
        "INSERT INTO results (epoch, seq, session_id, person_id, envelope, sha256, at_ms) VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            result.epoch,
            result.seq,
            result.session,
            result.person,
            result.envelope,
            result.sha256,
            clock.wall_ms(),
        ),
    )
    connection.execute(
        "INSERT INTO outbox (epoch, seq, state) VALUES (?, ?, 'waiting')",
        (result.epoch, result.seq),
    )


def results_of(connection: sqlite3.Connection, session: str) -> list[Result]:
    rows = connection.execute("SELECT * FROM results WHERE session_id = ? ORDER BY epoch, seq", (session,))
    return [
        Result(r["epoch"], r["seq"], r["session_id"], r["person_id"], bytes(r["envelope"]), r["sha256"]) for r in rows
    ]


def result_count(connection: sqlite3.Connection, session: str) -> int:
    """How many signed results the session has."""
    return int(connection.execute("SELECT count(*) FROM results WHERE session_id = ?", (session,)).fetchone()[0])


def upload_counts(connection: sqlite3.Connection, session: str) -> dict[str, int]:
    """How many results the session has, and how many the province has receipted."""
    row = connection.execute(
        "SELECT count(*) AS n, coalesce(sum(o.state = 'receipted'), 0) AS done FROM results r"
        " JOIN outbox o ON o.epoch = r.epoch AND o.seq = r.seq WHERE r.session_id = ?",
        (session,),
    ).fetchone()
    return {"results": row["n"], "receipted": row["done"], "waiting": row["n"] - row["done"]}
