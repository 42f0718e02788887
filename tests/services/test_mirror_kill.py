"""`web` with a second medium, killed at random moments: a spare machine has every answer acknowledged until then."""

from __future__ import annotations

import json
import random
import shutil
import subprocess
import sys
import threading
import time
from pathlib import Path

import requests
from click.testing import CliRunner

import support
from edge.cli import main
from edge.demo.tablets import Tally
from edge.ops.ports import free_port
from edge.store import ledger
from edge.store.db import connect
from edge.store.status import read_statuses
from support.kills import keep_answering
from support.rooms import DeskRoom, make_desk_room
from support.serving import answers, claimed, open_exam, serving, until, write_config

KILLS = 4


def restored(room: DeskRoom, folder: Path, name: str) -> tuple[set[str], dict[str, object]]:
    """(operations, what the command says) of a spare machine given a copy of the medium."""
    medium, spare = folder / f"{name}-medium", folder / name
    shutil.copytree(folder / "medium", medium)
    done = subprocess.run(
        [sys.executable, "-m", "edge.cli", "restore", "--from", str(medium), "--to", str(spare), "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    connection = connect(spare / "answers.db")
    try:
        return {row["op_id"] for row in connection.execute("SELECT op_id FROM journal")}, json.loads(done.stdout)
    finally:
        connection.close()


def mirror_is_well(room: DeskRoom, since: float) -> bool:
    said = read_statuses(room.config.paths.status).get("mirror", {})
    return said.get("state") == "ok" and int(said["wall_ms"]) > since * 1000


def failing_flushes(folder: Path) -> tuple[str, ...]:
    """What a service is started with so that flushes of the answers' log fail while `folder`/fails exists."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        return ()
    library = folder / "failing_fsync.so"
    source = Path(support.__file__).with_name("failing_fsync.c")
    subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, source, "-ldl"], check=True)
    return ("env", f"LD_PRELOAD={library}", f"FSYNC_FAILS={folder / 'fails'}")


def fail_a_while(tally: Tally, flag: Path) -> None:
    """Until answers have been refused for it; then they are taken again."""
    tally.refused.clear()
    flag.touch()
    try:
        until(lambda: "journal_failed" in tally.refused, 20, "commits fail")
    finally:
        flag.unlink()
    before = len(tally.acknowledged)
    until(lambda: len(tally.acknowledged) > before + 5, 20, "answers go on")


def test_kills_lose_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """Nor do commits whose flush fails on the first medium, in the midst of others: the second is in step."""
    store = {"mirror": str(tmp_path / "medium"), "mirror_same_disk": True}
    room = make_desk_room(tmp_path, web={"port": free_port(), "threads": 64}, store=store)
    chance, tally, stop = random.Random(6), Tally(), threading.Event()
    prefix = failing_flushes(tmp_path)
    with serving(room, tmp_path, prefix) as (web, base):
        proctor, codes = open_exam(base, room.session)
        until(lambda: mirror_is_well(room, 0), 30, "the mirror is well")
        board = requests.get(f"{base}/healthz", timeout=5)
        assert board.ok
        assert proctor.get(f"/console/api/{room.session}/board")["services"]["mirror"]["state"] == "ok"
        tablets = claimed(base, codes, tally)
        threads = [threading.Thread(target=keep_answering, args=(t, stop), daemon=True) for t in tablets]
        for thread in threads:
            thread.start()
        for kill in range(KILLS):
            began = time.time()
            until(lambda since=began: mirror_is_well(room, since), 30, "the mirror is well again")
            time.sleep(chance.uniform(0.1, 1.0))
            if prefix and kill % 2:
                fail_a_while(tally, tmp_path / "fails")
            web.kill()
            told = set(tally.acknowledged)
            stored, said = restored(room, tmp_path, f"spare-{kill}")
            assert told <= stored
            assert said["answers"] == len(stored)
            web.start()
            until(lambda: answers(base), 20, "web is back")
        stop.set()
        for thread in threads:
            thread.join(20)
        for person in (*tablets, proctor):
            person.close()
    assert not tally.problems
    assert len(tally.acknowledged) > 50 * KILLS
    assert not ledger.last(room.db, "mirror_lost", 1)
    room.db.close()


def test_restore_refuses_what_it_must(tmp_path: Path) -> None:
    full = tmp_path / "full"
    full.mkdir()
    (full / "something").touch()
    empty = tmp_path / "empty"
    empty.mkdir()
    config = write_config(make_desk_room(tmp_path / "desk").config, tmp_path)
    command = [sys.executable, "-m", "edge.cli", "--config", str(config), "restore", "--from", str(empty)]
    for target, code, word in ((full, 2, "is not empty"), (tmp_path / "new", 2, "nothing to restore")):
        done = subprocess.run([*command, "--to", str(target)], capture_output=True, text=True, check=False)
        assert (done.returncode, word in done.stderr) == (code, True), done.stderr
    assert not (tmp_path / "new").exists()
    missing = CliRunner().invoke(main, ["restore", "--from", str(tmp_path / "nowhere")])
    assert (missing.exit_code, "nowhere" in missing.output) == (2, True)
    own = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "is not empty" in own.stderr  # by default the box's own state folder
