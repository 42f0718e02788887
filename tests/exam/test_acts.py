"""Acts of staff: once for each op id, in the transaction of their effect, and by two people where policy says so."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from edge.errors import BadInput, Conflict, Refused
from edge.exam import conduct, incidents
from edge.exam.acts import Op, carry_out, make_op, second_person, settle, wants_second
from edge.exam.documents import parse_policy
from edge.store import acts as rows
from edge.store import db, ledger, people, sessions, staff
from edge.store import incidents as incident_rows
from edge.store.db import connect, transaction
from edge.store.purge import purge_session
from edge.store.room_schema import ROOM, ROOM_MIGRATIONS
from support.rooms import DeskRoom

BY = "P-001"


def op_of(
    desk: DeskRoom, act: str, body: Mapping[str, Any], op_id: str = "op-00000001", second: str | None = None
) -> Op:
    return make_op(op_id, desk.session, act, body, BY, second)


def test_a_repeat_answers_the_same_and_does_nothing_twice(desk: DeskRoom) -> None:
    op = op_of(desk, "incident", {"text": "停电"})

    def work() -> Mapping[str, Any]:
        number = incidents.note(desk.db, desk.session, kind="power", text="停电", by=BY, op=op)
        return {"number": number}

    first = carry_out(desk.db, op, work)
    assert carry_out(desk.db, op, work) == first
    assert len(incident_rows.of_session(desk.db, desk.session)) == 1
    other = op_of(desk, "incident", {"text": "断网"})
    with pytest.raises(Conflict) as reused:
        carry_out(desk.db, other, work)
    assert reused.value.code == "act_reused"


def test_pins_and_the_op_id_are_not_in_what_is_kept(desk: DeskRoom) -> None:
    one = op_of(desk, "close", {"op_id": "a", "reason": "到时", "second": {"badge": "9", "pin": "1"}})
    two = op_of(desk, "close", {"op_id": "b", "reason": "到时", "second": {"badge": "9", "pin": "2"}})
    three = op_of(desk, "close", {"op_id": "b", "reason": "到时", "second": {"badge": "8", "pin": "2"}})
    assert one.digest == two.digest != three.digest


def test_effect_and_record_are_one_transaction(desk: DeskRoom) -> None:
    """A record that cannot be written takes the effect back with it."""
    person = people.candidates(desk.db, desk.session)[0].person
    op = op_of(desk, "absent", {"person": person})
    with transaction(desk.db):
        settle(desk.db, op_of(desk, "other", {}))
        sessions.set_state(desk.db, desk.session, "checkin")
    with pytest.raises(Exception, match="UNIQUE"):
        conduct.mark_absent(desk.db, desk.session, person, "没有来", BY, op)
    assert people.candidate(desk.db, desk.session, person).state == "expected"
    assert ledger.entries(desk.db, kinds=("absent",)) == []
    with pytest.raises(RuntimeError):
        settle(desk.db, op)


def test_the_same_act_sent_side_by_side_is_done_once(desk: DeskRoom) -> None:
    done: list[int] = []
    answers: list[dict[str, Any]] = []

    def work() -> Mapping[str, Any]:
        done.append(1)
        return {"n": len(done)}

    def send() -> None:
        own = connect(desk.config.paths.room_db)
        try:
            answers.append(carry_out(own, op_of(desk, "pause", {"reason": "消防"}), work))
        finally:
            own.close()

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 1
    assert answers == [{"n": 1}] * 8


def test_a_refusal_is_not_kept(desk: DeskRoom) -> None:
    op = op_of(desk, "start", {})

    def refuse() -> None:
        raise Conflict("session_state", state="planned")

    with pytest.raises(Conflict):
        carry_out(desk.db, op, refuse)
    assert rows.find(desk.db, op.op_id) is None
    assert carry_out(desk.db, op, lambda: {"ok": True}) == {"ok": True}


def test_who_confirmed_stands_in_the_ledger(desk: DeskRoom) -> None:
    carry_out(desk.db, op_of(desk, "close", {}, second="E-001"), lambda: None)
    entry = ledger.entries(desk.db, kinds=("act_confirmed",))[0]
    assert (entry.content["by"], entry.body) == ("E-001", {"act": "close", "first": BY})


def test_nobody_confirms_their_own_act_and_only_staff_of_the_session_do(desk: DeskRoom) -> None:
    badges = {one.id: one.badge for one in staff.everybody(desk.db)}
    assert second_person(desk.db, desk.session, BY, badges["E-001"]).id == "E-001"
    for badge, code in ((badges[BY], "second_same"), ("NOBODY", "sign_in_wrong")):
        with pytest.raises(Refused) as refused:
            second_person(desk.db, desk.session, BY, badge)
        assert refused.value.code == code
    with transaction(desk.db):
        staff.put(desk.db, "P-900", "外来", "proctor", "90000099", "$argon2id$x")
    with pytest.raises(Refused) as stranger:
        second_person(desk.db, desk.session, BY, "90000099")
    assert stranger.value.code == "second_no_role"


def test_policy_names_the_acts_of_two_people() -> None:
    marks = b'{"pass": {"safety": 60, "theory": 60, "practical": 60}, "two_person": ["close", "admit-manual"]}'
    policy = parse_policy(marks).model_dump(by_alias=True)
    assert wants_second(policy, "close")
    assert wants_second(policy, "admit", "manual")
    assert not wants_second(policy, "admit", "policy")
    assert not wants_second({}, "close")
    with pytest.raises(BadInput, match=r"two_person\.1"):  # a word nobody asks for would ask nobody
        parse_policy(marks.replace(b"admit-manual", b"clsoe"))


def test_a_correction_is_a_further_entry_and_nothing_is_overwritten(desk: DeskRoom) -> None:
    number = incidents.note(desk.db, desk.session, kind="late", text="迟到五分钟", by=BY, seat="A1")
    incidents.note(desk.db, desk.session, kind="late", text="迟到十分钟", by=BY, seat="A1", corrects=number)
    first, second = incident_rows.of_session(desk.db, desk.session)
    assert (first.text, second.text, second.corrects) == ("迟到五分钟", "迟到十分钟", number)
    entries = ledger.entries(desk.db, kinds=("incident",))
    assert [entry.body.get("corrects") for entry in entries] == [None, number]
    assert "迟到".encode() not in b"".join(entry.entry for entry in entries)
    for wrong, code in (
        ({"kind": "nonsense"}, "incident_kind_wrong"),
        ({"happened_ms": 1 << 50}, "incident_time_wrong"),
        ({"seat": "Z99"}, "seat_unknown"),
        ({"corrects": 999}, "incident_unknown"),
        ({"text": " "}, "reason_wanted"),
    ):
        facts: dict[str, Any] = {"kind": "late", "text": "迟到", "by": BY} | wrong
        with pytest.raises(Exception) as refused:
            incidents.note(desk.db, desk.session, **facts)
        assert getattr(refused.value, "code", None) == code


def test_purging_a_session_deletes_its_acts(desk: DeskRoom) -> None:
    carry_out(desk.db, op_of(desk, "close", {}), lambda: None)
    number = incidents.note(desk.db, desk.session, kind="late", text="迟到五分钟", by=BY)
    incidents.note(desk.db, desk.session, kind="late", text="迟到十分钟", by=BY, corrects=number)
    with transaction(desk.db):
        purge_session(desk.db, desk.session)
    assert rows.find(desk.db, "op-00000001") is None
    assert incident_rows.of_session(desk.db, desk.session) == []


def test_sessions_planned_before_roles_were_per_session_keep_their_staff(tmp_path: Path) -> None:
    path = tmp_path / "room.db"
    old = db.connect(path)
    db._migrate(old, ROOM, {"m001_room": ROOM_MIGRATIONS["m001_room"]})
    with transaction(old):
        old.execute("INSERT INTO institutions VALUES ('I', '学校')")
        old.execute("INSERT INTO classes VALUES ('C', 'I', 'skilled-worker', '班', '架子工', NULL, NULL)")
        old.execute(
            "INSERT INTO sessions (id, class_id, room_id, title, state, planned_ms, minutes, policy, blueprint,"
            " bank_file, bank_id, bank_version, purge_ms)"
            " VALUES ('S', 'C', 'r', 't', 'running', 0, 60, '{}', '{}', 'f', 'b', 1, 0)"
        )
        old.execute("INSERT INTO staff (id, name, role, badge, pin_hash) VALUES ('P', '林', 'proctor', 'B1', 'x')")
        old.execute("INSERT INTO incidents (session_id, at_ms, kind, text) VALUES ('S', 7, 'power', '停电')")
    old.close()
    new = db.open_room(path)
    assert staff.role_in(new, "S", "P") == "proctor"
    assert [(one.happened_ms, one.corrects) for one in incident_rows.of_session(new, "S")] == [(7, None)]
    new.close()
