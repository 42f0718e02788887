"""What is kept of looks at footage goes on its date."""

from __future__ import annotations

import pytest

from edge import clock
from edge.domain.keeping import MARGIN_MS
from edge.store import access, ledger, purge
from edge.store.db import transaction
from edge.trust.evidence_format import export_body
from support.rooms import DeskRoom


def count(desk: DeskRoom, table: str) -> int:
    return int(desk.db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])  # noqa: S608


def test_names_and_words_go_on_their_date(desk: DeskRoom, monkeypatch: pytest.MonkeyPatch) -> None:
    now = clock.wall_ms()
    view = access.open_view(desk.db, desk.session, ["door"], 1, 2, why="例行抽查", by="S-001")
    with transaction(desk.db):
        access.sign_in(desk.db, "0" * 16, '{"name": "李检查"}', now + 1000, "hash")
    seen = desk.db.execute("SELECT seen_ms FROM pass_sessions").fetchone()[0]

    def later(milliseconds: int) -> tuple[int, int, int, int]:
        monkeypatch.setattr(clock, "wall_ms", lambda: now + milliseconds)
        with transaction(desk.db):
            access.forget_due(desk.db)
        return (
            count(desk, "footage_views"),
            count(desk, "pass_sessions"),
            count(desk, "passes"),
            count(desk, "reasons"),
        )

    assert access.view(desk.db, view.id, desk.session, "S-001") == view
    assert later(500) == (1, 1, 1, 1)
    assert access.signed_in(desk.db, "hash") == ('{"name": "李检查"}', seen)
    assert later(2000) == (1, 0, 1, 1)
    assert later(access.VIEW_LASTS_MS + 1000) == (0, 0, 1, 1)
    assert later(access.KEEP_MS + 1000 + 1) == (0, 0, 0, 1), "the session itself has not had its day yet"
    with transaction(desk.db):
        desk.db.execute("UPDATE sessions SET purged_ms = ?", (now,))
    assert later(access.KEEP_MS + 2000) == (0, 0, 0, 0)


def test_who_looked_leaves_nothing_out_that_meets_the_footage(desk: DeskRoom) -> None:
    opened, closed = 50_000_000, 60_000_000
    with transaction(desk.db):
        desk.db.execute("UPDATE sessions SET opened_ms = ?, closed_ms = ?", (opened, closed))

    def exported(since: int, until: int, why: str, session: str | None = None) -> None:
        with transaction(desk.db):
            body = export_body("door", since, until, "5a" * 32, why)
            seq = ledger.append(desk.db, access.EXPORTED, body, session=session, by="S-001")
            access.keep_words(desk.db, seq, "5a" * 32, why)

    access.note_search(desk.db, ["door"], opened - MARGIN_MS - 9, opened - MARGIN_MS + 1)  # by command, of no session
    access.note_search(desk.db, ["door"], opened - MARGIN_MS - 9, opened - MARGIN_MS)
    exported(closed + MARGIN_MS - 1, closed + MARGIN_MS + 9, "省级调阅")
    exported(closed + MARGIN_MS, closed + MARGIN_MS + 9, "别的时间")
    exported(1, 2, "指明场次", desk.session)
    exported(opened, closed, "另一场", "S-gone")
    told = [(one.kind, one.session, one.from_ms, one.why) for one in access.looks(desk.db, desk.session)]
    assert told == [
        (access.SEARCHED, None, opened - MARGIN_MS - 9, None),
        (access.EXPORTED, None, closed + MARGIN_MS - 1, "省级调阅"),
        (access.EXPORTED, desk.session, 1, "指明场次"),
        (access.EXPORTED, "S-gone", opened, "另一场"),
    ]
    assert [row[0] for row in desk.db.execute("SELECT kind FROM reasons")] == [access.EXPORTED] * 3
    assert not any("省级调阅" in entry.entry.decode() for entry in ledger.entries(desk.db))
    now = clock.wall_ms()
    with transaction(desk.db):
        desk.db.execute("UPDATE sessions SET purged_ms = ?", (now,))
        desk.db.execute("UPDATE reasons SET at_ms = ?", (now - access.KEEP_MS - 1,))
        access.forget_due(desk.db)
    assert count(desk, "reasons") == 0 and len(access.looks(desk.db, desk.session)) == 4


def test_a_sessions_own_deletion_takes_its_views_and_their_words(desk: DeskRoom) -> None:
    access.open_view(desk.db, desk.session, ["door"], 1, 2, why="例行抽查", by="S-001")
    with transaction(desk.db):
        purge.purge_session(desk.db, desk.session)
    assert (count(desk, "footage_views"), count(desk, "reasons")) == (0, 0)
