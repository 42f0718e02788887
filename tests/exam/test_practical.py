"""Score sheets, stations and pictures over a real store: two examiners, clocks, drafts, corrections, deletion."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from edge import clock
from edge.bank.build import sample_bank
from edge.demo import people as cast
from edge.domain.canonical import canonical
from edge.errors import BadInput, Conflict, NotFound, Refused
from edge.exam import acts, cameras, practical, score_board, stations, work_pictures
from edge.exam.documents import parse_policy, parse_roster
from edge.exam.intake import take_in
from edge.exam.practical import Signatures, score_practical
from edge.store import db, ledger, people, records, sessions, sheets
from edge.store import practical as store
from edge.store import purge as store_purge
from edge.store.db import transaction
from edge.store.room_schema import ROOM, ROOM_MIGRATIONS
from support.rooms import DeskRoom
from support.shots import make_jpeg

ONE, TWO, CHIEF = "E-001", "E-002", "E-003"
PROCTOR = "P-001"
LINE = [value for x in range(20) for value in (x * 10, 200)]


def rubric_of(rubric_id: str = "P01", **more: Any) -> dict[str, Any]:
    document = sample_bank().rubrics[0].model_dump(by_alias=True)
    return document | {"id": rubric_id} | more


@dataclass
class Site:
    """A session of its own, opened, with everybody admitted."""

    desk: DeskRoom
    id: str

    @property
    def session(self) -> sessions.Session:
        return sessions.find(self.desk.db, self.id)

    def person(self, number: int = 1) -> str:
        return next(c.person for c in people.candidates(self.desk.db, self.id) if c.number == number)

    def score(self, by: str = ONE, number: int = 1, lost: int = 0, **more: Any) -> dict[str, Any]:
        marks = {"p1d1": 1} if lost else {}
        facts: dict[str, Any] = {"marks": marks, "vetoes": [], "note": ""}
        return score_practical(self.desk.db, self.id, self.person(number), by=by, **facts | more)

    def standing(self, number: int = 1, rubric: str = "P01") -> practical.Standing:
        return practical.standings(self.desk.db, self.session)[(self.person(number), rubric)]

    def entries(self, kind: str) -> list[ledger.Entry]:
        return ledger.entries(self.desk.db, session=self.id, kinds=(kind,))


def make_site(desk: DeskRoom, name: str = "S-9", policy: dict[str, Any] | None = None, **roster: Any) -> Site:
    document = cast.roster(name, clock.wall_ms(), size=4, photos=False)
    spare = document["staff"][1]
    extra = [{"id": TWO, "badge": "90000012"}, {"id": CHIEF, "badge": "90000013", "chief": True}]
    document["staff"] += [spare | one | {"name": one["id"]} for one in extra]
    document |= roster
    rules = parse_policy(canonical(cast.POLICY | (policy or {})))
    key = desk.identity.keys.data
    take_in(desk.db, parse_roster(canonical(document)), rules, room="room-1", bank_file="bank-1.bundle", data_key=key)
    with transaction(desk.db):
        sessions.set_state(desk.db, name, "checkin")
        for who in people.candidates(desk.db, name):
            people.admit(desk.db, name, who.person, "policy")
    return Site(desk, name)


@pytest.fixture
def site(desk: DeskRoom) -> Site:
    return make_site(desk)


@pytest.fixture
def pair(desk: DeskRoom) -> Site:
    return make_site(desk, policy={"examiners": 2, "max_difference": 10})


class Later:
    """The room's clocks, moved on by hand."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.mono, self.boot, self.wall = clock.mono_ms(), clock.boot_id(), clock.wall_ms()
        monkeypatch.setattr(clock, "mono_ms", lambda: self.mono)
        monkeypatch.setattr(clock, "boot_id", lambda: self.boot)
        monkeypatch.setattr(clock, "wall_ms", lambda: self.wall)

    def on(self, ms: int) -> None:
        self.mono += ms
        self.wall += ms


@pytest.fixture
def later(monkeypatch: pytest.MonkeyPatch) -> Iterator[Later]:
    yield Later(monkeypatch)


# ---- one examiner


def test_a_sheet_makes_a_record_and_a_ledger_entry_without_words(site: Site) -> None:
    done = site.score(lost=1, note="手套没戴好")
    assert (done["points"], done["full"], done["passed"], done["standing"]) == (9600, 10_000, True, "settled")
    record = records.tests_of(site.desk.db, site.id)[site.person()]["practical"]
    assert (record.points, record.passed, record.facts["examiners"]) == (9600, True, [ONE])
    entry = site.entries("practical_scored")[0]
    assert entry.subject == site.person()
    assert "手套" not in entry.entry.decode()
    assert entry.body["sheet_sha256"] == site.standing().sheets[0].sha256


def test_a_second_sheet_is_a_correction_with_a_reason_or_nothing(site: Site) -> None:
    with pytest.raises(Conflict) as nothing:
        site.score(correction="点错了")
    assert nothing.value.code == "nothing_to_correct"
    first = site.score(lost=1)
    with pytest.raises(Conflict) as twice:
        site.score()
    assert twice.value.code == "score_signed"
    with pytest.raises(Conflict) as other:
        site.score(TWO)
    assert other.value.code in ("score_exists", "score_held")
    second = site.score(correction="误扣，已与考生核对")
    assert (second["version"], second["points"]) == (2, 10_000)
    kept = sheets.sheets(site.desk.db, site.id)
    assert [(one.id, one.points) for one in kept] == [(first["sheet"], 9600), (second["sheet"], 10_000)]
    assert records.tests_of(site.desk.db, site.id)[site.person()]["practical"].points == 10_000
    entry = site.entries("practical_scored")[-1]
    assert entry.body["corrects"] == kept[0].sha256 and "误扣" not in entry.entry.decode()
    with transaction(site.desk.db):
        sessions.set_state(site.desk.db, site.id, "signed")
    with pytest.raises(Conflict) as closed:
        site.score(correction="再改一次")
    assert closed.value.code == "session_state"


def test_the_same_op_signs_once(site: Site) -> None:
    op = acts.make_op("op-12345678", site.id, "score-sign", {"person": site.person()}, ONE)
    first = acts.carry_out(site.desk.db, op, lambda: site.score(op=op))
    again = acts.carry_out(site.desk.db, op, lambda: site.score(op=op))
    assert first == again
    assert len(sheets.sheets(site.desk.db, site.id)) == 1


def test_nobody_is_scored_who_is_not_here(site: Site) -> None:
    people.set_state(site.desk.db, site.id, site.person(2), "expected")
    with pytest.raises(Conflict) as out:
        site.score(number=2)
    assert out.value.code == "not_admitted"
    assert sheets.sheets(site.desk.db, site.id) == []


def test_signatures_are_asked_for_bound_in_and_encrypted(desk: DeskRoom) -> None:
    site = make_site(desk, policy={"signatures": True})
    key = desk.identity.keys.data
    with pytest.raises(BadInput) as lacking:
        site.score(data_key=key, signatures=Signatures(None, [LINE]))
    assert lacking.value.code == "drawing_missing"
    with pytest.raises(BadInput) as wrong:
        site.score(data_key=key, signatures=Signatures([[5000, 1] * 9], [LINE]))
    assert wrong.value.code == "drawing_wrong"
    done = site.score(data_key=key, signatures=Signatures([LINE], [LINE]))
    drawn = practical.open_signature(desk.db, site.id, done["sheet"], "candidate", key)
    assert drawn == canonical([LINE])
    assert drawn not in sheets.signatures(desk.db, done["sheet"])["candidate"]
    assert site.standing().sheets[0].body["signatures"]["candidate"] == hashlib.sha256(drawn).hexdigest()
    declined = site.score(number=2, data_key=key, signatures=Signatures(None, [LINE], declined=True))
    assert declined["standing"] == "settled"


# ---- two examiners


def test_two_who_agree_make_the_mean(pair: Site) -> None:
    assert pair.score(ONE, lost=1)["standing"] == "waiting"
    assert "practical" not in records.tests_of(pair.desk.db, pair.id).get(pair.person(), {})
    assert pair.score(TWO)["standing"] == "settled"
    assert records.tests_of(pair.desk.db, pair.id)[pair.person()]["practical"].points == 9800
    with pytest.raises(Conflict):
        pair.score(CHIEF)


def test_neither_sees_the_other_before_signing(pair: Site) -> None:
    pair.score(ONE, lost=1)

    def seen(me: str) -> tuple[Any, Any]:
        shown = score_board.board(pair.desk.db, pair.session, me)["candidates"][0]["works"][0]
        whole = score_board.detail(pair.desk.db, pair.session, pair.person(), "P01", me)
        return shown["mine"], [sheet["points"] for sheet in whole["sheets"]]

    assert seen(ONE) == ({"version": 1, "points": 96.0, "vetoed": False}, [96.0])
    assert seen(TWO) == (None, [])
    assert seen(CHIEF) == (None, [])
    pair.score(TWO)
    assert seen(TWO) == ({"version": 1, "points": 100.0, "vetoed": False}, [96.0, 100.0])


def test_a_dispute_waits_for_a_chief_who_signed_neither(pair: Site) -> None:
    pair.score(ONE)
    assert pair.score(TWO, vetoes=["v1"])["standing"] == "disputed"
    assert pair.entries("practical_disputed")[0].body["why"] == "veto"
    with pytest.raises(Conflict) as unfinished:
        people.set_state(pair.desk.db, pair.id, pair.person(), "finished")
        practical.need_complete(pair.desk.db, pair.session)
    assert unfinished.value.code == "practical_disputed"
    assert "1" in unfinished.value.sentence("zh")
    ruling: dict[str, Any] = {"points": 7000, "vetoed": False, "reason": "录像显示系了安全带"}
    with pytest.raises(Refused) as not_chief:
        practical.rule(pair.desk.db, pair.id, pair.person(), "P01", by=ONE, **ruling)
    assert not_chief.value.code == "chief_only"
    practical.name_chief(pair.desk.db, pair.id, ONE, "主考不在", PROCTOR)
    with pytest.raises(Refused) as involved:
        practical.rule(pair.desk.db, pair.id, pair.person(), "P01", by=ONE, **ruling)
    assert involved.value.code == "chief_involved"
    with pytest.raises(BadInput):
        practical.rule(pair.desk.db, pair.id, pair.person(), "P01", by=CHIEF, **ruling | {"points": 10_001})
    done = practical.rule(pair.desk.db, pair.id, pair.person(), "P01", by=CHIEF, **ruling)
    assert done["standing"] == "ruled"
    record = records.tests_of(pair.desk.db, pair.id)[pair.person()]["practical"]
    assert (record.points, record.passed, record.facts["ruled"]) == (7000, True, True)
    assert "录像" not in pair.entries("practical_ruled")[0].entry.decode()
    with pytest.raises(Conflict) as over:
        practical.rule(pair.desk.db, pair.id, pair.person(), "P01", by=CHIEF, **ruling)
    assert over.value.code == "no_dispute"


def test_a_correction_takes_a_ruling_back(pair: Site) -> None:
    pair.score(ONE)
    pair.score(TWO, vetoes=["v1"])
    practical.rule(pair.desk.db, pair.id, pair.person(), "P01", points=0, vetoed=True, reason="复核录像", by=CHIEF)
    assert pair.score(TWO, correction="看错了人")["standing"] == "settled"
    assert records.tests_of(pair.desk.db, pair.id)[pair.person()]["practical"].points == 10_000
    assert pair.score(ONE, correction="看错了人", vetoes=["v1"])["standing"] == "disputed"
    assert "practical" not in records.tests_of(pair.desk.db, pair.id).get(pair.person(), {})
    assert len(pair.desk.db.execute("SELECT * FROM rulings").fetchall()) == 1


def test_who_is_missing_is_said_by_number(pair: Site) -> None:
    for number in (1, 2, 3):
        people.set_state(pair.desk.db, pair.id, pair.person(number), "finished")
    pair.score(ONE, 1)
    pair.score(TWO, 1)
    pair.score(ONE, 2)
    with pytest.raises(Conflict) as lacking:
        practical.need_complete(pair.desk.db, pair.session)
    assert lacking.value.code == "practical_missing" and "3" in lacking.value.sentence("zh")
    pair.score(ONE, 3)
    with pytest.raises(Conflict) as second:
        practical.need_complete(pair.desk.db, pair.session)
    assert second.value.code == "practical_second" and "2, 3" in second.value.sentence("en")


def test_only_needed_tests_hold_up_the_results(desk: DeskRoom) -> None:
    site = make_site(desk, policy={"tests": ["theory"]})
    people.set_state(desk.db, site.id, site.person(), "finished")
    practical.need_complete(desk.db, site.session)
    assert practical.needed_tests(site.session) == ("theory",)


# ---- several rubrics


def test_two_rubrics_of_a_test_count_together(desk: DeskRoom) -> None:
    site = make_site(desk, rubrics=[rubric_of("P02")])
    site.score(lost=1)
    assert records.tests_of(desk.db, site.id).get(site.person(), {}).keys() == set()
    site.score(rubric_id="P02")
    record = records.tests_of(desk.db, site.id)[site.person()]["practical"]
    assert (record.points, record.full) == (19_600, 20_000)


def test_a_safety_rubric_beside_the_practical_one(desk: DeskRoom) -> None:
    blueprint = sample_bank().blueprints[0].model_dump()
    blueprint["parts"] = [part for part in blueprint["parts"] if part["test"] == "theory"]
    site = make_site(desk, rubrics=[rubric_of("SAFE", test="safety")], blueprint=blueprint)
    site.score(rubric_id="SAFE", vetoes=["v1"])
    found = records.tests_of(desk.db, site.id)[site.person()]
    assert found["safety"].passed is False and "practical" not in found


def test_a_safety_test_is_not_both_on_paper_and_on_a_sheet(desk: DeskRoom) -> None:
    with pytest.raises(BadInput, match="safety"):
        make_site(desk, rubrics=[rubric_of("SAFE", test="safety")])


def test_a_session_without_a_rubric_has_nothing_to_score(desk: DeskRoom) -> None:
    site = make_site(desk, rubric=None)
    with pytest.raises(NotFound):
        site.score()


# ---- stations, clocks, steps

PLACES = [
    {"id": "A", "title": "一号工位", "camera": "yard", "rubric": "P01"},
    {"id": "B", "title": "二号工位", "rubric": "P01"},
]


def test_candidates_take_turns_and_can_be_sent_elsewhere(desk: DeskRoom) -> None:
    site = make_site(desk, stations=PLACES)
    works = [c["works"][0]["station"] for c in score_board.board(desk.db, site.session, ONE)["candidates"]]
    assert works == ["A", "B", "A", "B"]
    person = site.person()
    stations.queue(desk.db, site.id, person, "P01", act="call", by=ONE)
    stations.queue(desk.db, site.id, person, "P01", act="skip", by=ONE)
    stations.queue(desk.db, site.id, person, "P01", act="send", by=ONE, station="B")
    work = store.find_work(desk.db, site.id, person, "P01")
    assert work is not None and (work.station, work.state, work.place) == ("B", "queued", 1)
    with pytest.raises(NotFound):
        stations.queue(desk.db, site.id, person, "P01", act="send", by=ONE, station="X")
    kinds = [site.entries(kind) for kind in ("station_called", "station_skipped", "station_sent")]
    assert [len(found) for found in kinds] == [1, 1, 1]
    stations.turn_clock(desk.db, site.id, person, "P01", act="start", by=ONE)
    with pytest.raises(Conflict) as begun:
        stations.queue(desk.db, site.id, person, "P01", act="skip", by=ONE)
    assert begun.value.code == "work_begun"


def test_the_clock_survives_pauses_restarts_and_reboots(site: Site, later: Later) -> None:
    db, person = site.desk.db, site.person()

    def turn(act: str, **more: Any) -> int:
        return int(stations.turn_clock(db, site.id, person, "P01", act=act, by=ONE, **more)["elapsed_ms"])

    assert turn("start") == 0
    later.on(60_000)
    assert stations.tick(db) == 1
    later.on(1_000)
    with pytest.raises(BadInput):
        turn("pause")
    assert turn("pause", reason="设备故障") == 61_000
    later.on(500_000)
    assert turn("resume") == 61_000
    later.on(9_000)
    stations.tick(db)
    later.on(3_000)
    later.boot, later.mono = "0" * 32, 5_000  # the power went: what was not written down is the room's loss
    work = store.find_work(db, site.id, person, "P01")
    assert work is not None and stations.elapsed(work) == 70_000
    stations.tick(db)
    later.on(10_000)
    with pytest.raises(Conflict) as runs:
        site.score()
    assert runs.value.code == "clock_runs"
    assert turn("stop") == 80_000
    with pytest.raises(Conflict):
        turn("stop")
    site.score()
    assert site.standing().sheets[0].body["elapsed_ms"] == 80_000


def test_what_a_tablet_tells_late_is_believed_within_bounds_and_noted(site: Site, later: Later) -> None:
    db, person = site.desk.db, site.person()
    stations.turn_clock(db, site.id, person, "P01", act="start", by=ONE, ago_ms=120_000)
    stations.mark_step(db, site.id, person, "P01", step="p1", done=True, by=ONE, ago_ms=60_000)
    done = stations.turn_clock(db, site.id, person, "P01", act="stop", by=ONE, ago_ms=30_000)
    assert done["elapsed_ms"] == 90_000
    work = store.find_work(db, site.id, person, "P01")
    assert work is not None
    assert store.stamps(db, work.id, ONE)["p1"].elapsed_ms == 60_000
    assert [entry.body["late_ms"] for entry in site.entries("work_clock")] == [120_000, 30_000]
    other = site.person(2)
    stations.turn_clock(db, site.id, other, "P01", act="start", by=ONE)
    later.on(5_000)
    stopped = stations.turn_clock(db, site.id, other, "P01", act="stop", by=ONE, ago_ms=10**9)
    assert stopped["elapsed_ms"] == 0  # never before the clock's last act


def test_a_step_is_stamped_onto_the_stations_camera(desk: DeskRoom, later: Later) -> None:
    site = make_site(desk, stations=PLACES)
    db, person = desk.db, site.person()
    stations.turn_clock(db, site.id, person, "P01", act="start", by=ONE)
    later.on(42_000)
    stations.mark_step(db, site.id, person, "P01", step="p1", done=True, by=ONE)
    body = site.entries("step_scored")[0].body
    assert (body["step"], body["camera"], body["elapsed_ms"], body["ms"]) == ("p1", "yard", 42_000, later.wall)
    assert "recording" not in body
    stations.mark_step(db, site.id, person, "P01", step="p1", done=False, by=ONE)
    work = store.find_work(db, site.id, person, "P01")
    assert work is not None and store.stamps(db, work.id, ONE) == {}
    for on, names in ((False, frozenset({"door"})), (True, frozenset({"door", "yard"}))):
        stations.mark_step(db, site.id, person, "P01", step="p2", done=True, by=ONE, cameras=names)
        assert site.entries("step_scored")[-1].body["recording"] is on
        shown = score_board.detail(db, site.session, person, "P01", ONE)
        assert shown["stamps"]["p2"]["recording"] is on
    with pytest.raises(BadInput):
        stations.mark_step(db, site.id, person, "P01", step="nope", done=True, by=ONE)


def test_a_station_that_no_camera_films_is_said(later: Later) -> None:
    places = [store.Station("A", "一号", "yard", "P01"), store.Station("B", "", "gone", "P01")]
    places.append(store.Station("C", "", None, "P01"))
    said = {"camera-yard": {"state": "recording", "mono_ms": later.mono}, "web": {"state": "serving"}}
    assert [(one["station"], one["why"]) for one in cameras.unseen(places, said)] == [("B", "absent")]
    later.on(cameras.OLD_MS)
    assert [(one["station"], one["why"]) for one in cameras.unseen(places, said)] == [("A", "off"), ("B", "absent")]
    said["camera-yard"] = {"state": "blind", "mono_ms": later.mono}
    assert [(one["station"], one["why"]) for one in cameras.unseen(places, said)] == [("A", "blind"), ("B", "absent")]
    assert cameras.recording(said) == {"yard"}
    said["camera-yard"] = {"state": "camera_stalled", "mono_ms": later.mono}
    assert cameras.recording(said) == frozenset()


def test_time_limits_cost_points(desk: DeskRoom, later: Later) -> None:
    steps = [dict(step) for step in rubric_of()["steps"]]
    steps[0] |= {"minutes": 1, "over": {"per_minute": 2}}
    timed = rubric_of(minutes=5, over={"per_minute": 3, "end_after": 5, "then": "veto"}, steps=steps)
    site = make_site(desk, rubric=timed)
    with pytest.raises(Conflict) as unclocked:
        site.score()
    assert unclocked.value.code == "clock_not_started"
    stations.turn_clock(desk.db, site.id, site.person(), "P01", act="start", by=ONE)
    later.on(61_000)
    stations.turn_clock(desk.db, site.id, site.person(), "P01", act="stop", by=ONE)
    with pytest.raises(Conflict) as unfinished:
        site.score()
    assert unfinished.value.code == "step_not_finished"
    stations.mark_step(desk.db, site.id, site.person(), "P01", step="p1", done=True, by=ONE)
    assert site.score()["points"] == 9800
    stations.turn_clock(desk.db, site.id, site.person(2), "P01", act="start", by=ONE)
    later.on(11 * 60_000)
    stations.mark_step(desk.db, site.id, site.person(2), "P01", step="p1", done=True, by=ONE)
    stations.turn_clock(desk.db, site.id, site.person(2), "P01", act="stop", by=ONE)
    late = site.score(number=2)
    assert late["vetoed"] and not late["passed"]


def test_measured_values_are_asked_for(desk: DeskRoom) -> None:
    steps = [dict(step) for step in rubric_of()["steps"]]
    spacing = {"id": "m1", "title": {"zh": "立杆间距"}, "unit": "m", "target": 1.5}
    steps[1]["measures"] = [spacing | {"bands": [{"within": 0.05, "deduct": 0}, {"within": "0.1", "deduct": 4}]}]
    site = make_site(desk, rubric=rubric_of(steps=steps))
    with pytest.raises(BadInput) as lacking:
        site.score()
    assert lacking.value.code == "measure_missing"
    with pytest.raises(BadInput) as wrong:
        site.score(measured={"m1": "about a metre"})
    assert wrong.value.code == "rubric_wrong"
    assert site.score(measured={"m1": "1.58"})["points"] == 9600


# ---- tablets and drafts


def draft(site: Site, tablet: str, base: int, note: str, by: str = ONE) -> dict[str, Any]:
    body = {"marks": {}, "note": note}
    return stations.save_draft(site.desk.db, site.id, site.person(), "P01", body=body, base=base, by=by, tablet=tablet)


def test_two_tablets_of_one_examiner_lose_nothing(site: Site) -> None:
    db = site.desk.db
    assert draft(site, "t1", 0, "a") | {"at_ms": 0} == {
        "outcome": "applied", "version": 1, "elsewhere": False, "at_ms": 0
    }  # fmt: skip
    second = draft(site, "t2", 1, "b")
    assert (second["outcome"], second["elsewhere"]) == ("stale", True)
    taken = stations.take_over(db, site.id, site.person(), "P01", by=ONE, tablet="t2")
    assert taken["body"]["note"] == "a"
    assert draft(site, "t2", 1, "c")["outcome"] == "applied"
    late = draft(site, "t1", 1, "from the first")
    assert (late["outcome"], late["version"]) == ("stale", 2)
    shown = score_board.detail(db, site.session, site.person(), "P01", ONE)
    assert shown["draft"]["body"]["note"] == "c"
    assert sorted(one["body"]["note"] for one in shown["stale"]) == ["b", "from the first"]


def test_what_a_replaced_tablet_still_sends_changes_nothing_and_is_kept(site: Site, later: Later) -> None:
    db, person = site.desk.db, site.person()

    def turn(act: str, tablet: str, ago_ms: int = 0) -> dict[str, Any]:
        return stations.turn_clock(db, site.id, person, "P01", act=act, by=ONE, tablet=tablet, ago_ms=ago_ms)

    def step(tablet: str, done: bool = True) -> dict[str, Any]:
        return stations.mark_step(db, site.id, person, "P01", step="p1", done=done, by=ONE, tablet=tablet)

    assert turn("start", "t1")["outcome"] == "applied"
    stations.take_over(db, site.id, person, "P01", by=ONE, tablet="t2")
    later.on(60_000)
    assert step("t2")["outcome"] == "applied"
    later.on(60_000)
    assert step("t1", done=False)["outcome"] == "stale"
    stopped = turn("stop", "t1", 30_000)
    assert (stopped["outcome"], stopped["state"], stopped["elapsed_ms"]) == ("stale", "working", 120_000)
    shown = score_board.detail(db, site.session, person, "P01", ONE)
    assert shown["stamps"]["p1"]["elapsed_ms"] == 60_000 and shown["running"]
    assert [{k: v for k, v in one.items() if k != "at_ms"} for one in shown["beside"]] == [
        {"step": "p1", "done": False},
        {"act": "stop"},
    ]
    assert shown["beside"][1]["at_ms"] == later.wall - 30_000
    assert len(site.entries("work_act_kept")) == 2
    turn("stop", "t2")
    with pytest.raises(Conflict) as elsewhere:
        site.score(tablet="t1")
    assert elsewhere.value.code == "score_elsewhere"
    assert site.score(tablet="t2")["points"] == 10_000


def test_another_examiner_is_told_who_scores_and_may_take_over_with_a_reason(site: Site) -> None:
    db = site.desk.db
    draft(site, "t1", 0, "a")
    with pytest.raises(Conflict) as held:
        draft(site, "t9", 0, "x", by=TWO)
    assert held.value.code == "score_held" and "高考评" in held.value.sentence("zh")
    with pytest.raises(Conflict):
        site.score(TWO)
    with pytest.raises(BadInput):
        stations.take_over(db, site.id, site.person(), "P01", by=TWO, tablet="t9", examiner=ONE)
    stations.take_over(db, site.id, site.person(), "P01", by=TWO, tablet="t9", examiner=ONE, reason="考评员离场")
    assert draft(site, "t9", 0, "x", by=TWO)["outcome"] == "applied"
    kept, _ = store.drafts(db, store.works(db, site.id)[(site.person(), "P01")].id, ONE)
    assert kept is not None and kept.body["note"] == "a"
    site.score(TWO)
    with pytest.raises(Conflict) as signed:
        stations.take_over(db, site.id, site.person(), "P01", by=ONE, tablet="t1", examiner=TWO, reason="想改")
    assert signed.value.code == "score_exists"


def test_the_board_says_who_scores(pair: Site) -> None:
    draft(pair, "t1", 0, "a")
    draft(pair, "t2", 0, "b", by=TWO)
    work = score_board.board(pair.desk.db, pair.session, TWO)["candidates"][0]["works"][0]
    assert [(h["examiner"], h["mine"]) for h in work["holders"]] == [(ONE, False), (TWO, True)]
    with pytest.raises(Conflict):
        draft(pair, "t3", 0, "c", by=CHIEF)


# ---- pictures


def send(site: Site, data: bytes, by: str = ONE, sha256: str | None = None) -> dict[str, Any]:
    digest = sha256 or hashlib.sha256(data).hexdigest()
    begun = work_pictures.begin(site.desk.db, site.id, site.person(), "P01", sha256=digest, size=len(data), by=by)
    done = begun
    for part in range(begun["parts"]):
        chunk = data[part * work_pictures.PART_BYTES :][: work_pictures.PART_BYTES]
        done = put(site, begun["picture"], part, chunk, by)
    return begun | done


def put(site: Site, picture: str, part: int, chunk: bytes, by: str = ONE) -> dict[str, Any]:
    return work_pictures.add_part(
        site.desk.db,
        site.id,
        picture,
        part,
        chunk,
        hashlib.sha256(chunk).hexdigest(),
        by=by,
        data_key=site.desk.identity.keys.data,
    )


def test_a_picture_comes_in_parts_is_encrypted_and_signed_for(site: Site) -> None:
    data = make_jpeg(1200, 900, pad=120_000)
    done = send(site, data)
    assert done["done"] and done["parts"] == 3
    key = site.desk.identity.keys.data
    assert work_pictures.open_picture(site.desk.db, site.id, done["picture"], key) == data
    stored = site.desk.db.execute("SELECT sealed FROM work_pictures").fetchone()[0]
    assert data[:40] not in stored
    assert site.desk.db.execute("SELECT count(*) FROM picture_parts").fetchone()[0] == 0
    digest = hashlib.sha256(data).hexdigest()
    assert site.entries("work_picture")[0].body["sha256"] == digest
    site.score()
    assert site.standing().sheets[0].body["pictures"] == [digest]
    with pytest.raises(Conflict) as signed:
        work_pictures.remove(site.desk.db, site.id, done["picture"], ONE)
    assert signed.value.code == "picture_signed"


def test_a_sheet_is_signed_with_all_its_pictures_or_not_yet(site: Site) -> None:
    here, on_its_way = make_jpeg(10, 10), make_jpeg(20, 20, pad=60_000)
    send(site, here)
    digests = [hashlib.sha256(one).hexdigest() for one in (here, on_its_way)]
    begun = work_pictures.begin(
        site.desk.db, site.id, site.person(), "P01", sha256=digests[1], size=len(on_its_way), by=ONE
    )
    put(site, begun["picture"], 0, on_its_way[: work_pictures.PART_BYTES])
    with pytest.raises(Conflict) as lacking:
        site.score(shots=digests)
    assert lacking.value.code == "pictures_missing" and sheets.sheets(site.desk.db, site.id) == []
    put(site, begun["picture"], 1, on_its_way[work_pictures.PART_BYTES :])
    site.score(shots=digests)
    assert site.standing().sheets[0].body["pictures"] == sorted(digests)


def test_an_interrupted_picture_goes_on_where_it_was(site: Site) -> None:
    data = make_jpeg(100, 100, pad=100_000)
    facts: dict[str, Any] = {"sha256": hashlib.sha256(data).hexdigest(), "size": len(data), "by": ONE}
    begun = work_pictures.begin(site.desk.db, site.id, site.person(), "P01", **facts)
    chunks = [data[at : at + work_pictures.PART_BYTES] for at in range(0, len(data), work_pictures.PART_BYTES)]
    put(site, begun["picture"], 2, chunks[2])
    put(site, begun["picture"], 2, chunks[2])
    again = work_pictures.begin(site.desk.db, site.id, site.person(), "P01", **facts)
    assert (again["picture"], again["have"]) == (begun["picture"], [2])
    put(site, begun["picture"], 0, chunks[0])
    assert put(site, begun["picture"], 1, chunks[1])["done"]
    assert put(site, begun["picture"], 1, chunks[1])["done"]
    assert len(site.entries("work_picture")) == 1


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"\x89PNG" + bytes(500), "picture_wrong"),
        (make_jpeg(1601, 10), "picture_wrong"),
        (make_jpeg(10, 10, exif=True), "picture_exif"),
    ],
)
def test_what_is_no_picture_of_ours_is_refused_and_gone(site: Site, data: bytes, code: str) -> None:
    with pytest.raises(BadInput) as wrong:
        send(site, data)
    assert wrong.value.code == code
    assert site.desk.db.execute("SELECT count(*) FROM work_pictures").fetchone()[0] == 0


def test_a_part_that_is_not_what_it_says(site: Site) -> None:
    data = make_jpeg(10, 10)
    begun = work_pictures.begin(
        site.desk.db, site.id, site.person(), "P01", sha256=secrets.token_hex(32), size=len(data), by=ONE
    )
    for part, chunk in ((0, data[:-1]), (1, data), (-1, data)):
        with pytest.raises(BadInput):
            put(site, begun["picture"], part, chunk)
    with pytest.raises(NotFound):
        put(site, begun["picture"], 0, data, by=TWO)
    with pytest.raises(BadInput):
        put(site, begun["picture"], 0, data)  # right in itself, but not the picture announced


def test_at_most_so_many_pictures(desk: DeskRoom) -> None:
    site = make_site(desk, policy={"pictures": 1})
    first = send(site, make_jpeg(10, 10))
    with pytest.raises(Conflict) as full:
        send(site, make_jpeg(11, 11))
    assert full.value.code == "pictures_full"
    work_pictures.remove(desk.db, site.id, first["picture"], ONE)
    assert send(site, make_jpeg(11, 11))["done"]
    with pytest.raises(BadInput):
        work_pictures.begin(desk.db, site.id, site.person(), "P01", sha256="0" * 64, size=2_000_000, by=ONE)


# ---- deletion


def test_the_purge_takes_pictures_signatures_drafts_and_words(site: Site) -> None:
    key = site.desk.identity.keys.data
    send(site, make_jpeg(10, 10))
    draft(site, "t1", 0, "words")
    stations.mark_step(site.desk.db, site.id, site.person(), "P01", step="p1", done=True, by=ONE, tablet="t2")
    done = site.score(note="私人的话", data_key=key, signatures=Signatures([LINE], [LINE]))
    with transaction(site.desk.db):
        store_purge.purge_session(site.desk.db, site.id)
    for table in ("work_pictures", "picture_parts", "score_drafts", "acts_beside", "sheet_signatures"):
        assert site.desk.db.execute(f"SELECT count(*) FROM {table}").fetchone()[0] == 0, table  # noqa: S608
    kept = sheets.sheets(site.desk.db, site.id)
    assert [(one.id, one.body, one.points) for one in kept] == [(done["sheet"], {}, 10_000)]


def test_a_work_can_be_written_down_as_it_is(site: Site) -> None:
    with transaction(site.desk.db):
        work = stations.work_of(site.desk.db, site.id, site.person(), "P01")
        store.save_work(site.desk.db, replace(work, state="called", place=7))
    found = store.find_work(site.desk.db, site.id, site.person(), "P01")
    assert found is not None and (found.state, found.place) == ("called", 7)


def test_a_room_of_before_keeps_its_signed_sheets(tmp_path: Path) -> None:
    """The migration: rubric and scores of one examiner become a rubric, a station and a signed sheet."""
    file = tmp_path / "room.db"
    old = {name: sql for name, sql in ROOM_MIGRATIONS.items() if name == "m001_room"}
    before = db._open(file, ROOM, old)
    before.execute("INSERT INTO institutions VALUES ('I', 'x')")
    before.execute("INSERT INTO classes VALUES ('C', 'I', 'skilled-worker', 't', 'p', NULL, NULL)")
    before.execute(
        "INSERT INTO sessions (id, class_id, room_id, title, state, planned_ms, minutes, policy, blueprint, rubric,"
        " bank_file, bank_id, bank_version, purge_ms) VALUES ('S', 'C', 'r', 't', 'closed', 1, 1, ?, '{}', ?, 'f', 'b',"
        " 1, 1)",
        (canonical(cast.POLICY).decode(), canonical(rubric_of()).decode()),
    )
    before.execute("INSERT INTO people VALUES ('p', 'n', 'passport', '1', 's', NULL)")
    before.execute("INSERT INTO candidates (session_id, person_id, number, state) VALUES ('S', 'p', 1, 'finished')")
    before.execute("INSERT INTO staff VALUES ('E-001', 'n', 'examiner', '1', 'h', 0, NULL)")
    before.execute("INSERT INTO rubric_scores VALUES ('S', 'p', 'E-001', '{\"marks\":{\"p1d1\":1}}', 9600, 0, 5)")
    before.close()
    now = db.open_room(file)
    standing = practical.standings(now, sessions.find(now, "S"))[("p", "P01")]
    assert (standing.state, standing.points, standing.sheets[0].examiner) == ("settled", 9600, ONE)
    assert list(store.stations(now, "S")) == ["P01"]
    practical.need_complete(now, sessions.find(now, "S"))
    now.close()
