"""What `web` writes behind the answers: digests of journal rows to the ledger, hand-ins to the candidates' states.

Never in the way of an acknowledgement: it runs on its own thread, and when the room store is busy it tries again.
"""

from __future__ import annotations

import sqlite3
import time

from edge.exam.journal import AnswerJournal
from edge.exam.live import LiveExam
from edge.store import journal as rows
from edge.store import ledger, people
from edge.store.db import transaction

GIVE_WAY_S = 0.001


def ledger_digests(journal: AnswerJournal, connection: sqlite3.Connection) -> int:
    """Enter every run of journal rows into the ledger, once each; how many were entered."""
    with journal.reading() as answers:
        while (found := rows.new_run(answers, _give_way)) is not None and not _keep(journal, found):
            pass  # another thread's was faster: what is left of the run is the next
        waiting = rows.unledgered(answers)
    entered = 0
    for digest in waiting:
        seq = _already(connection, digest)
        if seq is None:
            body = {"from": digest.from_n, "upto": digest.upto_n, "sha256": digest.digest}
            with transaction(connection):
                seq = ledger.append(connection, "answers", body)
            entered += 1
        _mark(journal, digest.upto_n, seq)
    return entered


def _give_way() -> None:
    """To the threads that answer: a run after an outage is half a second of the interpreter."""
    time.sleep(GIVE_WAY_S)


def _keep(journal: AnswerJournal, found: rows.Digest) -> bool:
    return journal.submit(lambda c: rows.keep_run(c, found), keeps=True)


def _mark(journal: AnswerJournal, upto_n: int, seq: int) -> None:
    journal.submit(lambda c: rows.set_ledgered(c, upto_n, seq), keeps=True)


def _already(connection: sqlite3.Connection, digest: rows.Digest) -> int | None:
    """The entry of this very run, if a kill came between the ledger's commit and the journal's."""
    for entry in reversed(ledger.last(connection, "answers", 20)):
        if entry.body["upto"] == digest.upto_n and entry.body["sha256"] == digest.digest:
            return entry.seq
    return None


def finish_candidates(live: LiveExam, connection: sqlite3.Connection, session: str) -> int:
    """Mark candidates finished whose hand-in is on disk; how many."""
    done = live.handins()
    ready = [s for s in live.sittings(session) if s.id in done and s.candidate.state == "admitted"]
    if ready:
        with transaction(connection):
            done = live.handins()  # again, under the write lock: an attempt may have been opened again meanwhile
            timed_out = {s.id for s in live.closed_for_time(session)}
            for sitting in ready:
                if sitting.id not in done:
                    continue
                if people.candidate(connection, session, sitting.candidate.person).state != "admitted":
                    continue  # the cached state was old
                people.set_state(connection, session, sitting.candidate.person, "finished")
                body: dict[str, object] = {"attempt": sitting.id}
                if sitting.id in timed_out:
                    body["for_time"] = True
                ledger.append(connection, "handed_in", body, subject=sitting.candidate.person, session=session)
    return len(ready)
