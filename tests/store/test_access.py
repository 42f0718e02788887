"""What is kept of looks at footage goes on its date."""

from __future__ import annotations

import pytest

from edge import clock
from edge.store import access, purge
from edge.store.db import transaction
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


def test_a_sessions_own_deletion_takes_its_views_and_their_words(desk: DeskRoom) -> None:
    access.open_view(desk.db, desk.session, ["door"], 1, 2, why="例行抽查", by="S-001")
    with transaction(desk.db):
        purge.purge_session(desk.db, desk.session)
    assert (count(desk, "footage_views"), count(desk, "reasons")) == (0, 0)
