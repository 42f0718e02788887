"""The real `web` process: nothing acknowledged is lost to SIGKILL, SIGTERM is quick, another's lock holds up nobody."""

from __future__ import annotations

import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from edge.demo.tablets import Tally, questions
from edge.ops.ports import free_port
from edge.store import ledger
from edge.store.db import connect
from edge.store.ledger import check
from support.kills import keep_answering, kill_web, wrongs
from support.rooms import DeskRoom, make_desk_room
from support.serving import answers, claimed, open_exam, serving, until


@pytest.fixture
def room(tmp_path: Path) -> DeskRoom:
    return make_desk_room(tmp_path, web={"port": free_port(), "threads": 64})


def test_twenty_sigkills_lose_no_acknowledged_answer(room: DeskRoom, tmp_path: Path) -> None:
    tally = kill_web(room, tmp_path, 20, random.Random(20))
    assert not tally.problems
    assert len(tally.acknowledged) > 100
    assert not wrongs(room, tally), "none lost, doubled or changed"
    room.db.close()


def test_sigterm_ends_it_within_five_seconds_and_keeps_everything(room: DeskRoom, tmp_path: Path) -> None:
    tally, stop = Tally(), threading.Event()
    with serving(room, tmp_path) as (web, base):
        proctor, codes = open_exam(base, room.session, admit=3)
        tablets = claimed(base, codes, tally)
        threads = [threading.Thread(target=keep_answering, args=(t, stop), daemon=True) for t in tablets]
        for thread in threads:
            thread.start()
        time.sleep(1)
        with proctor.stream(f"/console/api/{room.session}/events") as events:
            assert next(events.iter_lines()), "somebody looks at the console all the while"
            with pytest.raises(RuntimeError, match="409"):
                proctor.post(f"/console/api/{room.session}/start", reason="再开一次")
            assert web.stop() < 5
        refused = [entry.body for entry in ledger.entries(room.db, kinds=("act_refused",))]
        assert [body["reason"] for body in refused] == ["session_state"], "noted a moment before the end"
        assert "were not written" not in web.said() and "SIGKILL" not in web.said()
        proctor.close()
        web.start()
        until(lambda: answers(base), 20, "web is back")
        stop.set()
        for thread in threads:
            thread.join(20)
        for tablet in tablets:
            tablet.close()
    assert not tally.problems
    assert not wrongs(room, tally)
    room.db.close()


HOLDER = """
import sys, time
from pathlib import Path
from edge.store.db import connect, transaction
connection = connect(Path(sys.argv[1]))
with transaction(connection):
    print("holding", flush=True)
    time.sleep(60)
"""


def test_a_process_stopped_inside_its_transaction_holds_up_no_answer(room: DeskRoom, tmp_path: Path) -> None:
    tally = Tally()
    with serving(room, tmp_path) as (_, base):
        proctor, codes = open_exam(base, room.session, admit=3)
        tablets = claimed(base, codes, tally)
        papers = [tablet.paper() for tablet in tablets]
        holder = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(room.config.paths.room_db)], stdout=subprocess.PIPE, text=True
        )
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline().strip() == "holding"
            holder.send_signal(signal.SIGSTOP)
            start = time.monotonic()
            for tablet, paper in zip(tablets, papers, strict=True):
                for item in questions(paper):
                    assert tablet.answer(item["id"], tablet.guess(item), 0) is not None
            assert tablets[0].hand_in() is not None
            assert time.monotonic() - start < 5
            # the console says so rather than hanging for ever, and nothing of its act is done
            with pytest.raises(RuntimeError, match="503"):
                proctor.post(f"/console/api/{room.session}/pause", reason="测试")
        finally:
            holder.kill()
            holder.wait()
            holder.stdout.close()
        assert len(tally.acknowledged) == 3 * 37 + 1
        # what waited behind is written as soon as the store is free
        until(lambda: _ledgered(room), 20, "answers reach the ledger")
        for tablet in tablets:
            tablet.close()
        proctor.close()
    check(room.db)
    room.db.close()


def _ledgered(room: DeskRoom) -> bool:
    connection = connect(room.config.paths.answers_db)
    try:
        last = connection.execute("SELECT max(n) FROM journal").fetchone()[0]
        done = connection.execute("SELECT max(upto_n) FROM digests WHERE ledger_seq IS NOT NULL").fetchone()[0]
        return bool(last == done)
    except sqlite3.Error:
        return False
    finally:
        connection.close()
