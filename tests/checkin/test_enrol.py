"""Photographs into templates: one at a time; none that its header rules out, none that ended processes twice."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.checkin import enrol
from edge.checkin.enrol import enrol_next, enrol_person, template_of
from edge.checkin.templates import read_template
from edge.demo.people import ASTRONAUT, HOPPER, portrait_file
from edge.domain.pictures import picture_size
from edge.errors import BadInput, Unavailable, VerificationFailed
from edge.exam import consent
from edge.store import faces, ledger, people
from edge.store.db import connect, patience, transaction
from edge.store.meta import get_meta, set_meta
from edge.vision.face import NETWORK_ERRORS
from edge.vision.face_pack import FacePack
from support.examples import fuzzed
from support.rooms import DeskRoom, make_desk_room


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DeskRoom]:
    made = make_desk_room(tmp_path, photos=True)
    yield made
    made.db.close()


def persons(desk: DeskRoom) -> list[str]:
    return [c.person for c in people.candidates(desk.db, desk.session) if c.number in (HOPPER, ASTRONAUT)]


def templates(desk: DeskRoom, pack: FacePack) -> list[str]:
    return [p for p in persons(desk) if people.template(desk.db, p, pack.name, pack.version) is not None]


def huge_png(side: int) -> bytes:
    head = b"IHDR" + struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + head + struct.pack(">I", zlib.crc32(head))


@pytest.mark.parametrize(
    ("kind", "how"),
    [
        (".png", []),
        (".jpg", []),
        (".jpg", [cv2.IMWRITE_JPEG_PROGRESSIVE, 1]),
        (".jpg", [cv2.IMWRITE_JPEG_RST_INTERVAL, 2]),
    ],
)
def test_the_size_is_read_from_the_header(kind: str, how: list[int]) -> None:
    _, data = cv2.imencode(kind, np.zeros((37, 91, 3), np.uint8), how)
    assert picture_size(data.tobytes()) == (91, 37)
    assert picture_size(data.tobytes()[:20]) is None


@fuzzed
@given(st.sampled_from([b"", b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"\xff\xd8\xff\xc0"]), st.binary(max_size=80))
def test_no_bytes_break_the_header(start: bytes, rest: bytes) -> None:
    size = picture_size(start + rest)
    assert size is None or len(size) == 2


@pytest.mark.parametrize("data", [huge_png(20_000), huge_png(8000), huge_png(0), b"GIF89a" + b"\0" * 40, b""])
def test_what_is_too_large_or_no_photograph_is_not_decoded(
    pack: FacePack, monkeypatch: pytest.MonkeyPatch, data: bytes
) -> None:
    monkeypatch.setattr("edge.checkin.enrol.cv2.imdecode", None)
    with pytest.raises(BadInput) as refused:
        template_of(pack, data)
    assert refused.value.code == "picture_invalid"


def test_a_photograph_is_taken_at_a_time(desk: DeskRoom, pack: FacePack) -> None:
    assert enrol_next(desk.db, pack, desk.identity.keys.data)
    assert len(templates(desk, pack)) == 1
    assert not enrol_next(desk.db, pack, desk.identity.keys.data)
    assert len(templates(desk, pack)) == 2


def ended_at(desk: DeskRoom, person: str, at_work: str = enrol.AT_WORK) -> None:
    """As a process leaves the store that is killed, or loses its power, while it is at somebody's photograph."""
    with transaction(desk.db):
        set_meta(desk.db, at_work, f"another-run {person}")


def given_up(desk: DeskRoom) -> list[tuple[str | None, dict[str, object]]]:
    return [(e.subject, e.body) for e in ledger.entries(desk.db, kinds=("enrolment_failed",))]


def test_a_power_cut_costs_nobody_their_photograph(desk: DeskRoom, pack: FacePack) -> None:
    """Whoever the process was at comes last, and is enrolled."""
    key = desk.identity.keys.data
    first, second = faces.awaiting_template(desk.db, pack.name, pack.version)
    ended_at(desk, first)
    assert enrol_next(desk.db, pack, key)
    assert templates(desk, pack) == [second] and people.photo(desk.db, first) is not None
    assert not enrol_next(desk.db, pack, key)
    assert set(templates(desk, pack)) == {first, second} and given_up(desk) == []


def test_a_photograph_that_ended_the_process_twice_is_not_met_again(desk: DeskRoom, pack: FacePack) -> None:
    key, (first, second) = desk.identity.keys.data, persons(desk)
    ended_at(desk, first)
    assert enrol_person(desk.db, pack, key, second)
    ended_at(desk, first, enrol.AT_WORK_COMMAND)
    assert not enrol_person(desk.db, pack, key, first, enrol.AT_WORK_COMMAND)
    assert people.photo(desk.db, first) is None
    assert given_up(desk) == [(first, {"reason": "picture_invalid"})]


def test_a_new_photograph_begins_anew(desk: DeskRoom, pack: FacePack) -> None:
    key, (first, _) = desk.identity.keys.data, persons(desk)
    sealed = people.photo(desk.db, first)
    ended_at(desk, first)
    enrol_next(desk.db, pack, key)
    with transaction(desk.db):
        people.set_photo(desk.db, first, sealed)
    ended_at(desk, first)
    assert enrol_person(desk.db, pack, key, first) and given_up(desk) == []


@pytest.mark.parametrize("kind", [*NETWORK_ERRORS[:2], MemoryError])
def test_a_network_that_fails_ends_nothing_and_is_tried_once_more(
    desk: DeskRoom, pack: FacePack, monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    def fails(*_: object) -> enrol.Template:
        raise kind("of the network")

    key, (first, second) = desk.identity.keys.data, persons(desk)
    with monkeypatch.context() as patch:
        patch.setattr(pack, "embed", fails)
        for person in (first, first, second):
            assert not enrol_person(desk.db, pack, key, person)
        assert enrol.photo_faults(pack, portrait_file("hopper").read_bytes()) == ("picture_invalid",)
    assert given_up(desk) == [(first, {"reason": "picture_invalid"})]
    assert enrol_person(desk.db, pack, key, second)


def test_who_stops_the_command_blames_no_photograph(
    desk: DeskRoom, pack: FacePack, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object) -> enrol.Template:
        raise KeyboardInterrupt

    monkeypatch.setattr(enrol, "template_of", stopped)
    with pytest.raises(KeyboardInterrupt):
        enrol_person(desk.db, pack, desk.identity.keys.data, persons(desk)[0])
    assert get_meta(desk.db, enrol.AT_WORK) == ""


def test_a_store_held_after_the_look_costs_nobody_their_photograph(
    desk: DeskRoom, pack: FacePack, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, (first, _) = desk.identity.keys.data, persons(desk)
    other = connect(desk.config.paths.room_db)
    patience(desk.db, 1)
    made = enrol.template_of

    def held(which: FacePack, data: bytes) -> enrol.Template:
        other.execute("BEGIN IMMEDIATE")
        return made(which, data)

    with monkeypatch.context() as patch:
        patch.setattr(enrol, "template_of", held)
        with pytest.raises(Unavailable):
            enrol_person(desk.db, pack, key, first)
    other.rollback()
    other.close()
    assert enrol_person(desk.db, pack, key, first)
    assert templates(desk, pack) == [first]


def test_a_photograph_withdrawn_while_it_was_looked_at_leaves_no_template(
    desk: DeskRoom, pack: FacePack, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, (first, _) = desk.identity.keys.data, persons(desk)
    made = enrol.template_of

    def withdrawn(which: FacePack, data: bytes) -> enrol.Template:
        consent.withdraw(desk.db, desk.session, first, "本人要求撤回", "P-001")
        return made(which, data)

    monkeypatch.setattr(enrol, "template_of", withdrawn)
    assert not enrol_person(desk.db, pack, key, first)
    assert templates(desk, pack) == []
    assert not enrol_person(desk.db, pack, key, first)


def test_without_a_consent_that_stands_there_is_no_template(desk: DeskRoom, pack: FacePack) -> None:
    with transaction(desk.db):
        desk.db.execute("UPDATE consents SET notice = '2020-0'")
    assert not enrol_next(desk.db, pack, desk.identity.keys.data)
    assert not enrol_person(desk.db, pack, desk.identity.keys.data, persons(desk)[0])
    assert templates(desk, pack) == [] and people.photo(desk.db, persons(desk)[0]) is not None


def test_a_template_opens_for_its_person_pack_and_version_only(
    desk: DeskRoom, pack: FacePack, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, (first, second) = desk.identity.keys.data, persons(desk)
    assert enrol_person(desk.db, pack, key, first)
    assert read_template(desk.db, pack, key, first) is not None
    sealed = people.template(desk.db, first, pack.name, pack.version)
    assert sealed is not None
    with transaction(desk.db):
        people.set_template(desk.db, second, pack.name, pack.version, sealed)
        people.set_template(desk.db, first, pack.name, "another", sealed)
    with pytest.raises(VerificationFailed):
        read_template(desk.db, pack, key, second)
    monkeypatch.setattr(pack, "version", "another")
    with pytest.raises(VerificationFailed):
        read_template(desk.db, pack, key, first)


def test_the_command_and_the_check_in_do_not_take_each_other_for_dead(desk: DeskRoom, pack: FacePack) -> None:
    key, (first, _) = desk.identity.keys.data, persons(desk)
    with transaction(desk.db):
        set_meta(desk.db, enrol.AT_WORK, f"the-check-in {first}")
    assert enrol_person(desk.db, pack, key, first, enrol.AT_WORK_COMMAND)
    assert templates(desk, pack) == [first]
