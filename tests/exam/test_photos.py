"""A corrected photograph counts: what was made of the one before goes; the same one again changes nothing."""

from __future__ import annotations

import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge import clock
from edge.demo import people as cast
from edge.demo.people import HOPPER, portrait_file
from edge.domain.canonical import canonical
from edge.exam.documents import parse_policy, parse_roster
from edge.exam.intake import take_in
from edge.exam.photos import keep_photo
from edge.exam.photos_later import add_photos
from edge.store import faces, ledger, people
from edge.store.db import transaction
from support.rooms import DeskRoom, make_desk_room

PACK = ("dlib", "1")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DeskRoom]:
    made = make_desk_room(tmp_path, photos=True)
    yield made
    made.db.close()


def hopper(desk: DeskRoom) -> str:
    return next(c.person for c in people.candidates(desk.db, desk.session) if c.number == HOPPER)


def enrolled(desk: DeskRoom) -> str:
    """As check-in leaves it: the template stands, the photograph is gone."""
    person = hopper(desk)
    with transaction(desk.db) as db:
        people.set_photo(db, person, None)
        people.set_template(db, person, *PACK, b"of the photograph before")
        faces.add_still(db, "s1", desk.session, person, b"evidence", 1 << 50)
    return person


def by_another_roster(desk: DeskRoom, _folder: Path) -> str:
    roster = parse_roster(canonical(cast.roster("S-2", clock.wall_ms(), size=6, photos=True)))
    rules = parse_policy(canonical(cast.POLICY))
    key = desk.identity.keys.data
    return take_in(desk.db, roster, rules, room="room-1", bank_file="bank-1.bundle", data_key=key)


def by_archive(desk: DeskRoom, folder: Path) -> str:
    archive = folder / "photos.zip"
    with zipfile.ZipFile(archive, "w") as out:
        out.write(portrait_file("astronaut"), f"{HOPPER}.jpg")
    assert add_photos(desk.db, desk.session, archive, desk.identity.keys.data, None)[0] == 1
    return desk.session


@pytest.mark.parametrize("brings", [by_another_roster, by_archive])
def test_a_new_photograph_takes_the_place_of_the_template(desk: DeskRoom, tmp_path: Path, brings: object) -> None:
    assert callable(brings)
    person = enrolled(desk)
    session = brings(desk, tmp_path)
    assert people.template(desk.db, person, *PACK) is None
    assert person in faces.awaiting_template(desk.db, *PACK)
    (proof,) = ledger.entries(desk.db, kinds=("face_data_deleted",))
    told = {key: proof.body[key] for key in ("templates", "photos", "stills", "why")}
    assert (proof.subject, told) == (person, {"templates": 1, "photos": 0, "stills": 0, "why": "replaced"})
    assert proof.content["session"] == session
    assert faces.held(desk.db, person) == {"templates": 0, "photos": 1, "stills": 1}


def test_the_same_photograph_again_changes_nothing_while_it_waits(desk: DeskRoom) -> None:
    key, person = desk.identity.keys.data, hopper(desk)
    waiting = people.photo(desk.db, person)
    assert waiting is not None
    with transaction(desk.db) as db:
        keep_photo(db, desk.session, person, key.encrypt(key.decrypt(waiting, person.encode()), person.encode()), key)
    assert people.photo(desk.db, person) == waiting
    assert ledger.entries(desk.db, kinds=("face_data_deleted",)) == []
    other = key.encrypt(b"another", person.encode())
    for broken in (False, True):  # and one that does not decrypt any more is no reason to refuse a new one
        with transaction(desk.db) as db:
            if broken:
                people.set_photo(db, person, b"broken")
            keep_photo(db, desk.session, person, other, key)
        assert people.photo(desk.db, person) == other
