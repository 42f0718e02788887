"""Unlocking at the console, over real HTTP: two persons, never one twice; a kill in mid-exam needs nobody again."""

from __future__ import annotations

from pathlib import Path

import pytest
import requests

from edge.demo.people import STAFF
from edge.demo.tablets import Tally
from edge.ops.ports import free_port
from edge.store import acts, ledger, sessions
from edge.store.db import connect
from support.serving import answers, claimed, open_exam, serving, signed_in, until
from support.unlocking import locked_room

PROCTOR, EXAMINER, SUPERVISOR, TECHNICIAN = STAFF


def second(who: object = EXAMINER, pin: str | None = None) -> dict[str, str]:
    return {"badge": who.badge, "pin": pin or who.pin}  # type: ignore[attr-defined]


def test_two_persons_unlock_the_exam_runs_over_a_kill_and_is_locked_when_it_is_closed(tmp_path: Path) -> None:
    desk, codes = locked_room(tmp_path, web={"port": free_port()})
    act, typed = (
        f"/console/api/{desk.session}/unlock-bank",
        {"code1": codes[0], "code2": codes[1], "reason": "网关连不上"},
    )
    with serving(desk, tmp_path) as (web, base):
        proctor = signed_in(base)
        bank = proctor.get(f"/console/api/{desk.session}/board")["session"]["locked_bank"]
        assert bank["ways"] == ["codes"]
        for path, body, reason in (
            (f"/console/api/{desk.session}/open-checkin", {"reason": "开考"}, "403 .*bank_locked"),
            (act, typed, "403 .*second_wanted"),
            (act, {**typed, "reason": " ", "second": second()}, "400 .*reason_wanted"),
            (act, {**typed, "second": second(PROCTOR)}, "403 .*second_same"),
            (act, {**typed, "second": second(pin="000000")}, "403 .*sign_in_wrong"),
            (act, {**typed, "code1": codes[0][:-1], "second": second()}, "400 .*unlock_code_form"),
            (act, {**typed, "code1": codes[1], "code2": codes[0], "second": second()}, "400 .*unlock_code_other"),
        ):
            with pytest.raises(RuntimeError, match=reason):
                proctor.post(path, **body)
        assert sessions.find(desk.db, desk.session).unlocked == {}
        done = proctor.post(act, op_id="unlock-once-1", **typed, second=second())
        assert done["board"]["session"]["locked_bank"] is None
        again = proctor.post(act, op_id="unlock-once-1", **typed, second=second())
        assert again["done"] == "unlock-bank"
        [entry] = ledger.entries(desk.db, kinds=("bank_unlocked",))
        [confirmed] = ledger.entries(desk.db, kinds=("act_confirmed",))
        assert (entry.content["by"], confirmed.content["by"]) == (PROCTOR.id, EXAMINER.id)
        kept = acts.find(desk.db, "unlock-once-1")
        assert kept is not None and codes[0] not in repr(kept)

        proctor, seats = open_exam(base, desk.session, admit=1)
        [tablet] = claimed(base, seats, Tally())
        before = tablet.paper()
        web.kill()
        web.start()
        until(lambda: answers(base), 30, "web answers")
        assert tablet.paper()["parts"] == before["parts"]

        proctor = signed_in(base)
        proctor.post(f"/console/api/{desk.session}/close", reason="时间到")
        assert proctor.get(f"/console/api/{desk.session}/board")["session"]["locked_bank"]["name"] == bank["name"]
        assert requests.get(f"{base}/healthz", timeout=5).ok
    db = connect(desk.config.paths.room_db)
    kinds = [entry.kind for entry in ledger.entries(db)]
    assert kinds.index("exam_closed") < kinds.index("bank_locked")
    assert sessions.find(db, desk.session).unlocked == {}
    db.close()
    desk.db.close()


def test_a_supervisor_looks_on_and_unlocks_nothing(tmp_path: Path) -> None:
    desk, codes = locked_room(tmp_path, web={"port": free_port()})
    with serving(desk, tmp_path) as (_, base):
        supervisor = signed_in(base, SUPERVISOR)
        with pytest.raises(RuntimeError, match="403"):  # a supervisor looks on
            supervisor.post(f"/console/api/{desk.session}/unlock-bank", code1=codes[0], code2=codes[1], second=second())
    desk.db.close()
