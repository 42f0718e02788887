"""Answers written in one pass say and leave what they would one by one."""

from __future__ import annotations

import sqlite3
import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import ExamroomError
from edge.store import journal as rows
from edge.store.db import open_answers, transaction
from edge.store.saving import Asked, Outcome, Standings
from support.examples import examples

ATTEMPTS = ("a", "b")
TABLETS = {"a": ("a1", "a2"), "b": ("b1",)}

asked = st.builds(
    lambda attempt, tablet, op, seq, item, base, value, late: Asked(
        rows.Operation(f"op-{op:06d}", attempt, TABLETS[attempt][tablet % len(TABLETS[attempt])], seq, "answer", item,
                       base, value),
        1000, late, 900,
    ),
    st.sampled_from(ATTEMPTS), st.integers(0, 1), st.integers(0, 12), st.integers(1, 6), st.sampled_from(["i", "j"]),
    st.integers(0, 3), st.sampled_from([["A"], ["B"], [], ["A", "C"], ["无\u3000"]]), st.booleans(),
)  # fmt: skip
acts = st.lists(st.one_of(asked, st.sampled_from(["release a", "handin b", "bind a2"])), max_size=30)


def opened(path: Path) -> sqlite3.Connection:
    connection = open_answers(path)
    with transaction(connection):
        rows.bind(connection, "a", "a1", "secret-a1")
        rows.bind(connection, "b", "b1", "secret-b1")
    return connection


def act(connection: sqlite3.Connection, what: str) -> None:
    if what == "release a":
        rows.release(connection, "a")
    elif what == "handin b":
        rows.close_attempt(connection, "b")
    elif rows.binding_of(connection, "secret-a2") is None and not _bound(connection, "a"):
        rows.bind(connection, "a", "a2", "secret-a2")


def _bound(connection: sqlite3.Connection, attempt: str) -> bool:
    query = "SELECT 1 FROM bindings WHERE attempt_id = ? AND released_ms IS NULL"
    return connection.execute(query, (attempt,)).fetchone() is not None


def said(outcome: Outcome) -> object:
    if isinstance(outcome, ExamroomError):
        return outcome.code, outcome.facts
    assert isinstance(outcome, rows.Recorded), outcome
    return outcome.op_id, outcome.outcome, outcome.version, outcome.current, outcome.grace


def one_by_one(connection: sqlite3.Connection, todo: list[Asked | str]) -> list[object]:
    found: list[object] = []
    for one in todo:
        with transaction(connection):
            if isinstance(one, str):
                act(connection, one)
                continue
            try:
                found.append(said(rows.record(connection, one.op, one.elapsed_ms, one.late, one.own_ms, one.grace)))
            except ExamroomError as error:
                found.append(said(error))
    return found


def together(connection: sqlite3.Connection, todo: list[Asked | str]) -> list[object]:
    standings, found, run = Standings(), list[object](), list[Asked]()

    def write() -> None:
        with transaction(connection):
            found.extend(said(outcome) for outcome in standings.keep(connection, run))
        run.clear()

    for one in todo:
        if isinstance(one, str):
            write()
            with transaction(connection):
                act(connection, one)
            standings.forget()
        else:
            run.append(one)
    write()
    return found


def left(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    """What stands in the tables, but for times and row numbers."""
    journal = connection.execute(
        "SELECT op_id, attempt_id, tablet_id, tablet_seq, item_id, base_version, value, outcome, version, elapsed_ms,"
        " own_ms, age_ms, grace FROM journal ORDER BY n"
    )
    standing = connection.execute(
        "SELECT r.attempt_id, r.item_id, r.version, r.value, j.op_id FROM responses r JOIN journal j ON j.n = r.n"
        " ORDER BY 1, 2"
    )
    return [tuple(row) for row in (*journal, *standing)]


@settings(max_examples=examples(150), deadline=None)
@given(acts)
def test_in_one_pass_as_one_by_one(todo: list[Asked | str]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        first, second = opened(Path(folder) / "one.db"), opened(Path(folder) / "two.db")
        try:
            assert together(second, todo) == one_by_one(first, todo)
            assert left(second) == left(first)
        finally:
            first.close()
            second.close()


def test_one_that_the_tables_refuse_takes_no_other_with_it(tmp_path: Path) -> None:
    connection = opened(tmp_path / "answers.db")

    def answer(op: str, attempt: str, seq: int) -> Asked:
        return Asked(rows.Operation(op, attempt, f"{attempt}1", seq, "answer", "i", seq - 1, ["A"]), 0, False)

    todo = [answer(f"op-a-{n:04d}", "a", n) for n in range(1, 100)]
    todo.insert(50, answer("op-a-0007", "b", 1))  # an id that another attempt has used in the same commit
    todo.append(answer("op-b-0001", "b", 1))
    with transaction(connection):
        found = Standings().keep(connection, todo)
    assert isinstance(found[50], ExamroomError)
    assert found[50].code == "op_id_reused"
    assert sum(isinstance(one, rows.Recorded) for one in found) == 100
    assert connection.execute("SELECT count(*) FROM journal").fetchone()[0] == 100
    connection.close()
