"""A running exam with a second medium, in this process, and what a spare machine makes of the medium."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from edge.bank.build import sample_bank
from edge.exam import conduct
from edge.exam.journal import AnswerJournal
from edge.exam.live import LiveExam
from edge.exam.mirror import open_mirror
from edge.ops.restore import find, restore
from edge.store import admissions, journal, people
from edge.store.db import connect
from support.rooms import TabletHand, make_desk_room

BY = "P-001"


class Mirrored:
    """A running exam with a second medium, in this process."""

    def __init__(self, folder: Path, medium: Path, **store: object) -> None:
        self.desk = make_desk_room(folder, store={"mirror": str(medium), "mirror_same_disk": True, **store})
        db, session = self.desk.db, self.desk.session
        conduct.open_checkin(db, session, sample_bank(), BY)
        for who in people.candidates(db, session):
            admissions.admit(db, session, who.person, route="policy", reason="admitted_manual", by=BY)
        conduct.start(db, session, BY)
        self.told: list[tuple[str, dict[str, Any]]] = []
        self.medium = medium
        self.open()
        self.live.set_running(session, True)
        codes = [who.seat_code for who in people.candidates(db, session)]
        self.hands = [TabletHand(self.live, code) for code in codes if code]
        self.acknowledged: set[str] = set()
        self.versions: dict[tuple[int, str], int] = {}

    def open(self) -> None:
        self.journal = AnswerJournal(self.desk.config.paths.answers_db)
        self.live = LiveExam(self.journal, lambda _: sample_bank())
        self.live.refresh(self.desk.db)
        mirror = open_mirror(self.desk.config, "room-1", self._tell)
        assert mirror is not None
        self.mirror = mirror
        self.journal.mirror_to(mirror)

    def _tell(self, kind: str, facts: Mapping[str, Any]) -> None:
        self.told.append((kind, dict(facts)))

    def well(self) -> bool:
        return self.mirror.state()[0] == "ok"

    def answer(self, hand: int, count: int = 1) -> None:
        """The next `count` answers of one tablet, acknowledged."""
        tablet = self.hands[hand]
        items = [i for i, (kind, _) in tablet.tablet.sitting.options.items() if kind in ("judgement", "single")]
        for _ in range(count):
            item = items[tablet.seq % len(items)]
            base = self.versions.get((hand, item), 0)
            op = tablet.op(item, ["A"], base)
            assert tablet.live.save(tablet.tablet, op).outcome == "applied"
            self.versions[hand, item] = base + 1
            self.acknowledged.add(op.op_id)

    def close(self) -> None:
        self.journal.close()
        self.desk.db.close()


def restored_ops(medium: Path, target: Path, secret: bytes | None = None) -> set[str]:
    """The operations a spare machine has after restoring from what is on the medium at this moment."""
    copy = target.with_name(target.name + "-medium")
    shutil.copytree(medium, copy)
    restore(find(copy, secret), target)
    connection = connect(target / "answers.db")
    try:
        return {op.op_id for op in journal.all_ops(connection)}
    finally:
        connection.close()


def lost(exam: Mirrored, reason: str) -> bool:
    return ("mirror_lost", {"reason": reason}) in exam.told
