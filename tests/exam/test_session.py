"""A whole session through the exam package alone: open, admit, claim, answer, close, score, sign, verify."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from edge.bank.build import sample_bank
from edge.bank.model import BankDocument
from edge.demo import people as cast
from edge.domain.canonical import canonical
from edge.domain.scoring import TESTS
from edge.errors import BadInput, Conflict, NotFound, NotSignedIn, Refused, Unavailable
from edge.exam import conduct, marking, practical, results, written
from edge.exam.banks import open_bank
from edge.exam.documents import parse_policy, parse_roster
from edge.exam.intake import take_in
from edge.exam.journal import AnswerJournal
from edge.exam.live import LiveExam
from edge.store import admissions, ledger, people, records, sessions, staff, timing
from edge.store.db import connect, transaction
from edge.trust import dsse
from edge.trust.verifier import verify_file
from support.rooms import DeskRoom, TabletHand, make_desk_room, right_letters

BY = "P-001"


@dataclass
class Running:
    """A desk room whose session has started, everybody admitted."""

    desk: DeskRoom
    journal: AnswerJournal
    live: LiveExam
    bank: BankDocument

    def refresh(self) -> None:
        self.live.refresh(self.desk.db)

    def code(self, number: int) -> str:
        who = next(c for c in people.candidates(self.desk.db, self.desk.session) if c.number == number)
        assert who.seat_code is not None
        return who.seat_code

    def person(self, number: int) -> str:
        return next(c.person for c in people.candidates(self.desk.db, self.desk.session) if c.number == number)


@pytest.fixture
def running(desk: DeskRoom) -> Iterator[Running]:
    session = sessions.find(desk.db, desk.session)
    bank = open_bank(desk.identity, desk.config.paths.bundles, session)
    conduct.open_checkin(desk.db, desk.session, bank, BY)
    for who in people.candidates(desk.db, desk.session)[:5]:
        admissions.admit(desk.db, desk.session, who.person, route="policy", reason="admitted_manual", by=BY)
    journal = AnswerJournal(desk.config.paths.answers_db)
    live = LiveExam(journal, lambda s: open_bank(desk.identity, desk.config.paths.bundles, s))
    live.refresh(desk.db)
    yield Running(desk, journal, live, bank)
    journal.close()


def start(running: Running) -> None:
    conduct.start(running.desk.db, running.desk.session, BY)
    running.live.set_running(running.desk.session, True)
    running.refresh()


def test_from_planned_to_verified_results(running: Running, tmp_path: Path) -> None:
    desk = running.desk
    start(running)
    best, worst = TabletHand(running.live, running.code(1)), TabletHand(running.live, running.code(2))
    for item, letters in right_letters(best.tablet, running.bank).items():
        assert best.answer(item, letters).outcome == "applied"
    for item in right_letters(worst.tablet, running.bank):
        worst.answer(item, [])
    assert best.hand_in().outcome == "applied"
    assert written.ledger_digests(running.journal, desk.db) == 1
    assert written.ledger_digests(running.journal, desk.db) == 0
    marking.close(desk.db, running.journal, running.live, desk.session, running.bank, "时间到", BY)

    tests = records.tests_of(desk.db, desk.session)
    assert all(tests[running.person(1)][t].passed for t in ("safety", "theory"))
    assert tests[running.person(1)]["safety"].points == tests[running.person(1)]["safety"].full
    assert tests[running.person(2)]["theory"].points == 0
    with pytest.raises(Conflict) as lacking:
        results.sign_results(desk.db, desk.identity, desk.session, BY)
    assert lacking.value.code == "practical_missing"
    for number in range(1, 6):
        person = running.person(number)
        practical.score_practical(desk.db, desk.session, person, marks={}, vetoes=[], note="", by="E-001")
    assert results.sign_results(desk.db, desk.identity, desk.session, BY) == 6

    files = results.write_files(desk.db, desk.identity, desk.session, tmp_path / "out")
    assert len(files) == 6
    for file in files:
        verdict = verify_file(file, [desk.identity.root_public])
        assert verdict.ok, verdict.sentence("en")
    payloads = [dsse.peek(r.envelope).payload for r in records.results_of(desk.db, desk.session)]
    by_number = {p["candidate"]["number"]: p for p in payloads}
    assert by_number[1]["verdict"] == "passed"
    assert by_number[2]["verdict"] == "failed"
    assert by_number[6]["verdict"] == "absent"
    assert set(by_number[1]["tests"]) == set(TESTS)
    assert [p["seq"] for p in payloads] == list(range(1, 7))
    assert records.upload_counts(desk.db, desk.session)["waiting"] == 6
    ledger.check(desk.db)


def test_ledger_holds_no_names_numbers_or_badges(running: Running) -> None:
    start(running)
    everything = b"".join(entry.entry for entry in ledger.entries(running.desk.db)).decode()
    for who in people.candidates(running.desk.db, running.desk.session):
        assert who.name not in everything
        assert who.document_number not in everything
        assert who.badge is not None and who.badge not in everything


def test_answers_before_the_start_and_wrong_ones_are_refused(running: Running) -> None:
    hand = TabletHand(running.live, running.code(1))
    item = next(iter(hand.tablet.sitting.options))
    with pytest.raises(Conflict):
        hand.answer(item, ["A"])
    with pytest.raises(Conflict):
        running.live.paper(hand.tablet)
    start(running)
    hand = replace_tablet(running, hand)
    single = next(i for i, (kind, _) in hand.tablet.sitting.options.items() if kind == "single")
    for value, code in (
        (["Z"], "option_not_on_item"),
        (["A", "A"], "option_not_on_item"),
        (["A", "B"], "one_option_only"),
    ):
        with pytest.raises(BadInput) as refused:
            hand.answer(single, value)
        assert refused.value.code == code
        hand.seq -= 1
    with pytest.raises(BadInput):
        hand.answer("no-such-item", ["A"])
    hand.seq -= 1
    assert hand.answer(single, ["A"]).version == 1


def replace_tablet(running: Running, hand: TabletHand) -> TabletHand:
    """The same tablet after the room has taken over what changed."""
    hand.tablet = running.live.tablet(hand.secret)
    hand.seq = 0
    return hand


def test_repeat_stale_gap_and_late(running: Running) -> None:
    start(running)
    hand = TabletHand(running.live, running.code(1))
    item = next(i for i, (kind, _) in hand.tablet.sitting.options.items() if kind == "single")
    first = hand.op(item, ["A"])
    done = running.live.save(hand.tablet, first)
    assert running.live.save(hand.tablet, first) == done
    with pytest.raises(Conflict) as reused:
        running.live.save(hand.tablet, replace(first, value=["B"]))
    assert reused.value.code == "op_id_reused"
    stale = hand.answer(item, ["C"], base=0)
    assert (stale.outcome, stale.version, stale.current) == ("stale", 1, ["A"])
    assert hand.answer(item, ["C"], base=1).version == 2
    hand.seq += 1
    with pytest.raises(Conflict) as gap:
        hand.answer(item, ["D"], base=2)
    assert gap.value.code == "sequence_wrong"
    hand.seq = 3
    assert hand.hand_in().outcome == "applied"
    late = hand.answer(item, ["B"], base=2)
    assert late.outcome == "late"
    assert running.live.clock(hand.tablet.sitting)["s"] == "done"


def test_one_active_tablet_and_moving_it(running: Running) -> None:
    start(running)
    first = TabletHand(running.live, running.code(1))
    item = next(i for i, (kind, _) in first.tablet.sitting.options.items() if kind == "single")
    first.answer(item, ["A"])
    with pytest.raises(Conflict) as other:
        TabletHand(running.live, running.code(1))
    assert other.value.code == "tablet_other"
    assert running.live.release(first.tablet.binding.attempt)
    with pytest.raises(Refused):
        running.live.tablet(first.secret)
    second = TabletHand(running.live, running.code(1))
    paper = running.live.paper(second.tablet)
    assert paper["responses"][item]["value"] == ["A"]
    assert paper["next_seq"] == 1
    assert second.answer(item, ["B"], base=1).version == 2


def test_no_key_or_source_on_a_tablet(running: Running) -> None:
    start(running)
    hand = TabletHand(running.live, running.code(3))
    paper = json.dumps(running.live.paper(hand.tablet), ensure_ascii=False)
    for word in ("answer", "source", "clause", "difficulty", "template"):
        assert f'"{word}"' not in paper


def test_wrong_code_wrong_cookie(running: Running) -> None:
    with pytest.raises(NotFound):
        running.live.claim("000000")
    with pytest.raises(NotSignedIn):
        running.live.tablet("made up")


def test_time_runs_out_and_acknowledged_answers_stand(running: Running, monkeypatch: pytest.MonkeyPatch) -> None:
    start(running)
    hand = TabletHand(running.live, running.code(1))
    item = next(i for i, (kind, _) in hand.tablet.sitting.options.items() if kind == "single")
    hand.answer(item, ["A"])
    running.live.clocks.change(running.desk.session, lambda now: replace(now, elapsed_ms=61 * 60_000 + 1))
    assert running.live.clock(hand.tablet.sitting)["s"] == "closed"
    assert hand.answer(item, ["B"], base=1).outcome == "late"
    running.live.tick()
    assert hand.tablet.sitting.id in running.live.handins()
    conduct.add_time(running.desk.db, running.desk.session, running.person(2), 10, "设备故障", BY)
    running.refresh()
    other = TabletHand(running.live, running.code(2))
    assert 8 * 60_000 < running.live.clock(other.tablet.sitting)["left"] <= 10 * 60_000


def test_elapsed_time_and_answers_survive_a_restart(running: Running) -> None:
    start(running)
    hand = TabletHand(running.live, running.code(1))
    item = next(i for i, (kind, _) in hand.tablet.sitting.options.items() if kind == "single")
    hand.answer(item, ["A"])
    running.live.clocks.change(running.desk.session, lambda now: replace(now, elapsed_ms=5 * 60_000))
    running.journal.close()
    journal = AnswerJournal(running.desk.config.paths.answers_db)
    try:
        live = LiveExam(journal, lambda s: running.bank)
        live.refresh(running.desk.db)
        assert live.elapsed(running.desk.session) >= 5 * 60_000
        assert live.paper(live.tablet(hand.secret))["responses"][item]["value"] == ["A"]
    finally:
        journal.close()


def test_an_answer_on_its_way_from_a_released_tablet_is_kept_and_never_applied(running: Running) -> None:
    start(running)
    first = TabletHand(running.live, running.code(1))
    item = next(i for i, (kind, _) in first.tablet.sitting.options.items() if kind == "single")
    first.answer(item, ["A"])
    under_way = first.op(item, ["D"], base=1)
    running.live.release(first.tablet.binding.attempt)
    assert running.live.save(first.tablet, under_way).outcome == "stale"
    with pytest.raises(Refused) as late:
        first.hand_in()
    assert late.value.code == "tablet_released"
    second = TabletHand(running.live, running.code(1))
    assert running.live.paper(second.tablet)["responses"][item]["value"] == ["A"]


def test_a_tick_never_undoes_a_pause(running: Running) -> None:
    start(running)
    stop = threading.Event()

    def keep_ticking() -> None:
        while not stop.is_set():
            running.live.tick()

    ticking = threading.Thread(target=keep_ticking)
    ticking.start()
    try:
        for _ in range(60):
            running.live.set_running(running.desk.session, False)
            assert not running.live.running(running.desk.session)
            on_disk = running.journal.submit(timing.clocks)[running.desk.session]
            assert not on_disk.running
            running.live.set_running(running.desk.session, True)
    finally:
        stop.set()
        ticking.join()


def test_who_was_let_in_meanwhile_never_waits_again_and_keeps_their_answers(running: Running) -> None:
    start(running)
    desk, person = running.desk, running.person(1)
    recorded = admissions.note(desk.db, "waiting", "face_unsure_proctor", session=desk.session, person=person)
    assert recorded == ("refused", "already_admitted")
    assert people.candidate(desk.db, desk.session, person).state == "admitted"
    hand = TabletHand(running.live, running.code(1))
    item = next(i for i, (kind, _) in hand.tablet.sitting.options.items() if kind == "single")
    hand.answer(item, ["A"])
    with transaction(desk.db):  # whatever state somebody is left in, answers are never thrown away
        people.set_state(desk.db, desk.session, person, "waiting")
    marking.close(desk.db, running.journal, running.live, desk.session, running.bank, "时间到", BY)
    assert people.candidate(desk.db, desk.session, person).state == "finished"
    assert records.tests_of(desk.db, desk.session)[person]["safety"].state == "scored"


def test_a_busy_store_refuses_the_close_before_anybody_is_handed_in(running: Running) -> None:
    start(running)
    hand = TabletHand(running.live, running.code(1))
    item = next(i for i, (kind, _) in hand.tablet.sitting.options.items() if kind == "single")
    other = connect(running.desk.config.paths.room_db)
    running.desk.db.execute("PRAGMA busy_timeout = 50")
    with transaction(other), pytest.raises(Unavailable):
        marking.close(running.desk.db, running.journal, running.live, running.desk.session, running.bank, "到时", BY)
    other.close()
    assert hand.answer(item, ["A"]).outcome == "applied"


def test_time_given_in_the_roster_is_given(tmp_path: Path) -> None:
    document = cast.roster("S-9", 0, size=3, photos=False)
    document["candidates"][1]["extra_minutes"] = 15
    desk = make_desk_room(tmp_path, size=2)
    here = desk.identity
    roster = parse_roster(canonical(document))
    policy = parse_policy(canonical(cast.POLICY))
    take_in(desk.db, roster, policy, room="room-1", bank_file="bank-1.bundle", data_key=here.keys.data)
    conduct.open_checkin(desk.db, "S-9", sample_bank(), BY)
    extra = {desk_number(desk, person): a.extra_ms for person, a in sessions.attempts(desk.db, "S-9").items()}
    assert extra == {1: 0, 2: 15 * 60_000, 3: 0}

    document = cast.roster("S-10", 0, size=3, photos=False)
    document["class"] |= {"id": "C-S-9", "post": "钢筋工"}
    with pytest.raises(Conflict) as differs:
        take_in(
            desk.db, parse_roster(canonical(document)), policy, room="room-1", bank_file="x", data_key=here.keys.data
        )
    assert differs.value.code == "class_differs"
    assert [s.id for s in sessions.all_sessions(desk.db) if s.id == "S-10"] == []

    document = cast.roster("S-11", 0, size=3, photos=False)
    document["staff"][0]["id"] = "P-777"
    take_in(desk.db, parse_roster(canonical(document)), policy, room="room-1", bank_file="x", data_key=here.keys.data)
    holder = staff.by_badge(desk.db, cast.STAFF[0].badge)
    assert holder is not None and holder.id == "P-777"
    desk.db.close()


def desk_number(desk: DeskRoom, person: str) -> int:
    return people.candidate(desk.db, "S-9", person).number


@pytest.mark.parametrize("role", ["proctor", "examiner"])
def test_a_roster_nobody_could_run_is_refused(role: str) -> None:
    document = cast.roster("S-1", 0, size=2, photos=False)
    document["staff"] = [member for member in document["staff"] if member["role"] != role]
    with pytest.raises(BadInput) as refused:
        parse_roster(canonical(document))
    assert role in str(refused.value)
