"""Answers the room kept and did not apply: the proctor sees both values, and accepting one is an act with a reason."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from edge.bank.model import BankDocument
from edge.errors import Conflict, NotFound
from edge.exam import marking, papers
from edge.exam.acts import Op, settle
from edge.exam.journal import AnswerJournal
from edge.store import kept as store
from edge.store import ledger, records, sessions
from edge.store.db import transaction
from edge.store.records import keep_reason


def numbers_of(paper: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """(item id, its number on the paper) of everything that is answered; the sub-items of a case are "12.1", "12.2"."""
    number = 0
    for part in paper["parts"]:
        for item in part["items"]:
            number += 1
            subs = item.get("items")
            if subs is None:
                yield item["id"], str(number)
            else:
                yield from ((sub["id"], f"{number}.{at}") for at, sub in enumerate(subs, start=1))


def kept_answers(
    connection: sqlite3.Connection, answers: sqlite3.Connection, session_id: str, person: str
) -> list[dict[str, Any]]:
    """Both values of each kept answer, by the number the candidate sees; letters, never the text of an item."""
    attempt = sessions.attempt_of(connection, session_id, person)
    if attempt is None:
        raise NotFound("candidate_unknown")
    numbers = dict(numbers_of(attempt.paper))
    return [
        {
            "n": one.n,
            "item": numbers.get(one.item, "?"),
            "outcome": one.flag or one.outcome,
            "value": one.value,
            "at_ms": one.at_ms,
            "stands": one.stands,
            "stands_ms": one.stands_ms,
            "accepted": one.accepted,
            "old_tablet": one.old_tablet,
        }
        for one in store.kept(answers, attempt.id)
    ]


def accept(
    connection: sqlite3.Connection,
    journal: AnswerJournal,
    session_id: str,
    person: str,
    numbers: Sequence[int],
    elapsed_ms: int,
    bank: BankDocument,
    reason: str,
    by: str,
    op: Op | None = None,
) -> None:
    """Make kept answers count, by their `n` and in this order, while the exam runs or before its results are signed.

    They go into the journal first, once and all or none; the ledger's word follows in one transaction with the new
    scores, where the exam has been scored already.
    """
    session = sessions.find(connection, session_id)
    sessions.need_state(session, "running", "closed")
    attempt = sessions.attempt_of(connection, session_id, person)
    if attempt is None:
        raise NotFound("candidate_unknown")
    if not journal.submit(lambda c: store.accept(c, attempt.id, numbers, elapsed_ms)):
        raise NotFound("kept_unknown")
    items = papers.index(bank).items
    again = marking.score_written(journal, attempt, session, items) if session.state == "closed" else []
    with transaction(connection):
        if sessions.find(connection, session_id).state != session.state:
            raise Conflict("session_busy")
        for record in again:
            records.put_test(connection, session_id, person, record)
        body = {
            "attempt": attempt.id,
            "journal": list(numbers),
            "scored_again": bool(again),
            "reason_sha256": keep_reason(connection, session_id, "answer_accepted", reason, by),
        }
        ledger.append(connection, "answer_accepted", body, subject=person, session=session_id, by=by)
        settle(connection, op, {"person": person})
