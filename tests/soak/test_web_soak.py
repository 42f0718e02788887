"""200 SIGKILLs of `web` under load: not one acknowledged answer is missing."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from bench.measured import record
from edge.ops.ports import free_port
from edge.store.ledger import check
from support.kills import journal_ops, kill_web, wrongs
from support.rooms import make_desk_room

KILLS = 200
SEED = 200

pytestmark = pytest.mark.soak


def test_two_hundred_sigkills_lose_no_acknowledged_answer(tmp_path: Path) -> None:
    room = make_desk_room(tmp_path, web={"port": free_port(), "threads": 64})
    began = time.monotonic()
    try:
        tally = kill_web(room, tmp_path, KILLS, random.Random(SEED))
        stored, wrong = journal_ops(room), wrongs(room, tally)
        size, _ = check(room.db)
    finally:
        room.db.close()
    record(
        "web_kills",
        {
            "kills": KILLS,
            "acknowledged": len(tally.acknowledged),
            "stored": len(stored),
            "lost": wrong.lost,
            "doubled": wrong.doubled,
            "changed": wrong.changed,
            "sent_again": tally.retries,
            "ledger_entries": size,
            "seconds": round(time.monotonic() - began),
        },
    )
    assert not tally.problems
    assert not wrong
    assert len(tally.acknowledged) > KILLS
