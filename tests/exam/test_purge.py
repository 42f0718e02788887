"""Deletion by date: after it nothing of a person is left, in either database or among the files; the digests stay."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge import clock
from edge.bank.build import sample_bank
from edge.clock import TimeQuality
from edge.demo import people as cast
from edge.domain.canonical import canonical
from edge.errors import Conflict
from edge.exam import conduct, marking, practice, results, written
from edge.exam.banks import open_bank
from edge.exam.documents import parse_policy, parse_roster
from edge.exam.intake import take_in
from edge.exam.journal import AnswerJournal
from edge.exam.live import LiveExam
from edge.exam.purge import empty_log, purge_due
from edge.store import admissions, bundles, checkins, faces, ledger, people, sessions, staff
from edge.store import journal as rows
from edge.store.db import transaction
from support.kinds_room import make_kinds_room
from support.rooms import DeskRoom, TabletHand

BY = "P-001"
WORDS = "我叫王小明住在工地三号楼"


class Room:
    """A session on its way from check-in to its date."""

    def __init__(self, desk: DeskRoom) -> None:
        self.desk, self.db, self.session = desk, desk.db, desk.session
        self.bank = open_bank(desk.identity, desk.config.paths.bundles, sessions.find(desk.db, desk.session))
        self.journal = AnswerJournal(desk.config.paths.answers_db)
        self.live = LiveExam(self.journal, lambda s: self.bank)

    def person(self, number: int, session: str | None = None) -> people.Candidate:
        return next(c for c in people.candidates(self.db, session or self.session) if c.number == number)

    def open(self, session: str | None = None) -> TabletHand:
        """Started, one candidate let in; their tablet."""
        session = session or self.session
        conduct.open_checkin(self.db, session, self.bank, BY)
        who = self.person(1, session).person
        admissions.admit(self.db, session, who, route="face", reason="admitted_face", by=None, score=0.31, detail=None)
        conduct.start(self.db, session, BY)
        self.live.set_running(session, True)
        self.live.refresh(self.db)
        return TabletHand(self.live, self.person(1, session).seat_code or "")

    def say(self, hand: TabletHand) -> None:
        item = next(i for i, (kind, _) in hand.tablet.sitting.options.items() if kind == "fill")
        blanks = hand.tablet.sitting.options[item][1]["blanks"]
        assert hand.answer(item, [WORDS, *[""] * (blanks - 1)]).outcome == "applied"

    def end(self) -> None:
        marking.close(self.db, self.journal, self.live, self.session, self.bank, "时间到", BY)
        self.db.execute("UPDATE sessions SET policy = json_set(policy, '$.tests', json('[\"theory\"]'))")
        results.sign_results(self.db, self.desk.identity, self.session, BY)
        results.write_files(self.db, self.desk.identity, self.session, self.desk.config.paths.results)

    def on_its_date(self) -> list[str]:
        self.db.execute("UPDATE sessions SET purge_ms = 1 WHERE id = ?", (self.session,))
        return purge_due(self.db, self.journal, self.desk.config.paths, uploads=False)

    def everything(self) -> bytes:
        """All bytes of the state folder, what was written ahead included."""
        self.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        answers = "\n".join(self.journal.submit(lambda c: list(c.iterdump())))
        files = [
            file for file in self.desk.config.paths.state.rglob("*") if file.is_file() and "answers" not in file.name
        ]
        return b"".join(file.read_bytes() for file in files) + answers.encode()


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Room]:
    monkeypatch.setattr(clock, "quality", lambda: TimeQuality.SYNCHRONISED)
    desk = make_kinds_room(tmp_path)
    made = Room(desk)
    yield made
    made.journal.close()
    desk.db.close()


def test_nothing_of_a_person_is_left_after_the_date(room: Room) -> None:
    who = room.person(1)
    room.say(room.open())
    face = {kind: f"sealed {kind} ".encode() * 500 for kind in ("photo", "template", "still")}
    with transaction(room.db):
        people.set_photo(room.db, who.person, face["photo"])
        people.set_template(room.db, room.person(2).person, "dlib", "1", face["template"])
        faces.add_still(room.db, "s1", room.session, who.person, face["still"], 1 << 50)
    photos = sum(people.photo(room.db, c.person) is not None for c in people.candidates(room.db, room.session))
    assert all(one[:200] in room.everything() for one in face.values())
    with transaction(room.db):
        checkins.show(room.db, "welcome", "admitted_face", {"name_masked": "王*", "seat_code": "123456"})
        room.db.execute("UPDATE kiosk SET at_ms = 1")
    room.end()
    # with the session's end template and photograph are gone, in one proof without a name; the still has its own date
    empty_log(room.db)
    proof = ledger.last(room.db, "face_data_deleted", 1)[0]
    assert (proof.subject, proof.body["why"]) == (None, "closed")
    assert (proof.body["templates"], proof.body["photos"], proof.body["stills"]) == (1, photos, 0)
    standing = room.everything()
    assert [kind for kind, one in face.items() if one[:200] in standing] == ["still"]
    for told in (who.name, who.document_number, WORDS):
        assert told.encode() in standing, told
    assert list((room.desk.config.paths.results / room.session).glob("*.json"))
    digests = room.journal.submit(lambda c: [tuple(r) for r in c.execute("SELECT from_n, digest FROM digests")])
    assert room.on_its_date() == [room.session]
    left = room.everything()
    for told in (who.name, who.document_number, WORDS, "123456"):
        assert told.encode() not in left, told
    assert face["still"][:200] not in left
    last = ledger.last(room.db, "personal_data_deleted", 1)[0].body
    assert last["stills"] == 1 and len(last["sha256"]) == 64
    assert room.db.execute("SELECT count(*) FROM checkins WHERE score IS NOT NULL").fetchone()[0] == 0
    assert not (room.desk.config.paths.results / room.session).exists()
    kept = room.journal.submit(lambda c: [tuple(r) for r in c.execute("SELECT from_n, digest FROM digests")])
    assert set(digests) <= set(kept)
    for table in ("responses", "handins", "bindings", "exam_clock"):
        count = f"SELECT count(*) FROM {table}"  # noqa: S608
        assert room.journal.submit(lambda c, query=count: c.execute(query).fetchone()[0]) == 0
    ledger.check(room.db)
    assert room.on_its_date() == []


def test_numbers_of_deleted_rows_are_not_given_again(room: Room) -> None:
    """A new row under an old number would be behind the last digest and never reach the ledger."""
    room.say(room.open())
    room.end()
    newest = room.journal.submit(lambda c: c.execute("SELECT max(n) FROM journal").fetchone()[0])
    made = practice.create(room.db, "room-1", room.desk.identity.keys.data, 2, None)
    assert room.on_its_date() == [room.session]
    room.bank = sample_bank()
    hand = room.open(made)
    item = next(i for i, (kind, _) in hand.tablet.sitting.options.items() if kind == "single")
    assert hand.answer(item, ["A"]).outcome == "applied"
    assert written.ledger_digests(room.journal, room.db) == 1
    last = ledger.last(room.db, "answers", 1)[0].body
    assert last["from"] > newest


def test_answers_go_though_a_kill_came_between_the_stores(room: Room) -> None:
    room.say(room.open())
    room.end()
    written.ledger_digests(room.journal, room.db)
    with transaction(room.db):
        room.db.execute("UPDATE sessions SET purged_ms = 1")
    assert room.on_its_date() == []
    assert WORDS.encode() not in room.everything()


def test_a_door_that_was_opened_and_never_used_has_a_date_too(room: Room) -> None:
    conduct.open_checkin(room.db, room.session, room.bank, BY)
    assert room.on_its_date() == [room.session]
    assert not room.person(1).name


def test_staff_go_with_their_last_session_and_come_back_with_the_next(room: Room) -> None:
    before = {one.id: one for one in staff.everybody(room.db)}
    with transaction(room.db):
        staff.sign_in(room.db, BY, "token")
    assert room.on_its_date() == [room.session]
    after = {one.id: one for one in staff.everybody(room.db)}
    for one in after.values():
        gone = one.role in ("proctor", "examiner")
        assert (one.name, one.pin_hash) == (("", "") if gone else (before[one.id].name, before[one.id].pin_hash))
    assert staff.signed_in(room.db, "token") is None
    with transaction(room.db):
        was = before[BY]
        staff.put(room.db, BY, was.name, was.role, was.badge, was.pin_hash)
    assert staff.by_badge(room.db, was.badge) == was


def test_what_was_said_in_practice_goes_with_it(room: Room) -> None:
    room.db.execute("UPDATE sessions SET policy = json_set(policy, '$.practice', json('true'))")
    room.say(room.open())
    practice.delete(room.db, room.journal, room.live, room.session, BY)
    assert WORDS.encode() not in room.everything()
    assert room.journal.submit(rows.attempts_seen) <= {
        r[0]
        for r in room.journal.submit(lambda c: list(c.execute("SELECT attempt_id FROM journal WHERE value = '[]'")))
    }


def test_a_roster_is_emptied_when_its_session_has_gone_and_not_fetched_again(room: Room) -> None:
    folder = room.desk.config.paths.bundles
    with transaction(room.db):
        for name in ("r-1", "r-2", "r-3"):
            bundles.put(room.db, "roster", name, 1, f"{name}.bundle", "00")
            (folder / f"{name}.bundle").write_bytes(b"sealed names")
        one, two, _ = bundles.everything(room.db, "roster")
        bundles.set_taken(room.db, one, None, room.session)
        bundles.set_taken(room.db, two, "roster_broken")
        room.db.execute("UPDATE meta SET value = json_set(value, '$.at_ms', 1) WHERE key = 'bundle_taken:roster:r-2:1'")
    room.on_its_date()
    sizes = {name: (folder / f"{name}.bundle").stat().st_size for name in ("r-1", "r-2", "r-3")}
    assert sizes == {"r-1": 0, "r-2": 0, "r-3": 12}
    assert json.loads(room.db.execute("SELECT value FROM meta WHERE key LIKE '%r-1%'").fetchone()[0])["session"]


def test_a_roster_that_was_taken_is_emptied_by_any_clock(room: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = room.desk.config.paths.bundles
    with transaction(room.db):
        for name in ("r-1", "r-2"):
            bundles.put(room.db, "roster", name, 1, f"{name}.bundle", "00")
            (folder / f"{name}.bundle").write_bytes(b"sealed names")
        one, two = bundles.everything(room.db, "roster")
        bundles.set_taken(room.db, one, None, room.session)
        bundles.set_taken(room.db, two, "roster_broken")
        room.db.execute("UPDATE meta SET value = json_set(value, '$.at_ms', 1) WHERE key = 'bundle_taken:roster:r-2:1'")
    monkeypatch.setattr(clock, "quality", lambda: TimeQuality.UNKNOWN)
    assert room.on_its_date() == [], "no session goes by such a clock"
    assert [(folder / f"{name}.bundle").stat().st_size for name in ("r-1", "r-2")] == [0, 12]


def test_results_that_are_gone_are_not_written_again(room: Room) -> None:
    room.open()
    room.end()
    room.on_its_date()
    with pytest.raises(Conflict) as gone:
        results.write_files(room.db, room.desk.identity, room.session, room.desk.config.paths.results)
    assert gone.value.code == "results_deleted"


def test_a_face_that_another_session_awaits_is_kept_until_that_one_is_signed(room: Room) -> None:
    """Two sessions a day: signing the morning's must not turn its people away from the door in the afternoon."""
    both = room.person(1)
    with transaction(room.db):
        for number in (1, 2):
            people.set_photo(room.db, room.person(number).person, b"sealed")
        made = "afternoon"
        room.db.execute(
            "INSERT INTO sessions (id, class_id, room_id, title, state, planned_ms, minutes, policy, blueprint,"
            " bank_file, bank_id, bank_version, purge_ms) SELECT ?, class_id, room_id, title, 'planned', planned_ms,"
            " minutes, policy, blueprint, bank_file, bank_id, bank_version, purge_ms FROM sessions",
            (made,),
        )
        people.add_candidate(room.db, made, both.person, 1, None, None)
    room.open()
    room.end()
    assert people.photo(room.db, both.person) == b"sealed"
    assert people.photo(room.db, room.person(2).person) is None


@pytest.mark.parametrize(
    ("roster_days", "policy", "days"),
    [(None, {}, 90), (None, {"keep_days": 30}, 30), (400, {"keep_days": 200}, 200), (7, {"keep_days": 200}, 7)],
)
def test_personal_data_go_by_the_signed_policy_or_sooner_where_the_roster_says(
    desk: DeskRoom, roster_days: int | None, policy: dict[str, int], days: int
) -> None:
    planned = clock.wall_ms()
    roster = cast.roster("S-7", planned, size=2, photos=False)
    roster["session"] |= {"purge_days": roster_days} if roster_days else {}
    session = take_in(
        desk.db,
        parse_roster(canonical(roster)),
        parse_policy(canonical(cast.POLICY | policy)),
        room="room-1",
        bank_file="bank-1.bundle",
        data_key=desk.identity.keys.data,
    )
    assert sessions.find(desk.db, session).purge_ms == planned + days * 86_400_000
