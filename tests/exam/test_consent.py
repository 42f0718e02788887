"""Whose face is processed, for what and how long: consent by purpose, withdrawal, kept pictures, and what is left."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from edge.domain import consents
from edge.errors import Conflict, NotFound, VerificationFailed
from edge.exam import consent
from edge.exam.documents import Consent
from edge.exam.intake import _consents
from edge.exam.purge import empty_log
from edge.store import faces, ledger, people
from edge.store.db import connect, transaction
from support.rooms import DeskRoom, make_desk_room

KNOWN = {
    "2026-1": "e9eb6d8434555c329e4ec1cb256b290684f49aebcbdb3883a21d11971d2f1672",
}
BY = "P-001"


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[DeskRoom]:
    made = make_desk_room(tmp_path)
    yield made
    made.db.close()


def person(desk: DeskRoom, number: int = 1) -> str:
    return next(c.person for c in people.candidates(desk.db, desk.session) if c.number == number)


def everything(folder: Path) -> bytes:
    return b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())


def give(desk: DeskRoom, who: str, mark: bytes) -> list[bytes]:
    """Consent, photograph, template and still of somebody, each with bytes to look for; large enough for pages of
    their own."""
    parts = [mark * 900 + kind * 900 for kind in (b"photo", b"template", b"still")]
    with transaction(desk.db):
        for purpose in consents.PURPOSES:
            people.set_consent(desk.db, who, purpose, True, consents.VERSION, consents.notice().sha256, "kiosk")
        people.set_photo(desk.db, who, parts[0])
        people.set_template(desk.db, who, "dlib", "1", parts[1])
        faces.add_still(desk.db, f"still-{mark.decode()}", desk.session, who, parts[2], 1 << 50)
    return [mark * 20]


def test_what_a_notice_says_is_never_changed_under_its_version() -> None:
    assert {version: consents.notice(version).sha256 for version in consents.versions()} == KNOWN
    assert consents.VERSION in KNOWN
    said = consents.notice()
    keys = [key for key, _ in said.sections]
    assert {"who", "how", "keep", "decline", "withdraw", "rights", *consents.PURPOSES} <= set(keys)
    facts: dict[str, Any] = {"institution": "某校", "title": "某场", "days": 90, "still_days": 7}
    for language in ("zh", "en"):
        shown = said.shown(language, (consents.ONE_TO_ONE,), **facts)
        assert "{" not in json.dumps([part["text"] for part in shown], ensure_ascii=False)
        assert {part["key"] for part in shown} & set(consents.PURPOSES) == {consents.ONE_TO_ONE}


def test_a_new_notice_asks_again_and_a_refusal_stands(desk: DeskRoom) -> None:
    who = person(desk)
    with transaction(desk.db):
        people.set_consent(desk.db, who, consents.ONE_TO_ONE, True, "2020-0")
        people.set_photo(desk.db, who, b"sealed")
    assert people.consent(desk.db, who, consents.ONE_TO_ONE) is None
    assert faces.awaiting_template(desk.db, "dlib", "1") == []
    with transaction(desk.db):
        people.set_consent(desk.db, who, consents.ONE_TO_ONE, False, "2020-0")
    assert people.consent(desk.db, who, consents.ONE_TO_ONE) is False
    assert faces.standings(desk.db, desk.session, "dlib", "1")[0].lack == "face_refused"


@pytest.mark.parametrize(
    ("said", "stands"),
    [
        ({"face": True, "notice": consents.VERSION, "date": "2026-01-05"}, {consents.ONE_TO_ONE: True}),
        ({"face": True, "notice": consents.VERSION}, {}),
        ({"face": True, "notice": "roster", "date": "2026-01-05"}, {}),
        ({"face": False}, {consents.ONE_TO_ONE: False}),
        (
            {"face": True, "still": False, "search": True, "notice": consents.VERSION, "date": "2026-01-05"},
            {consents.ONE_TO_ONE: True, consents.STILL: False, consents.SEARCH: True},
        ),
    ],
)
def test_a_roster_s_consent_counts_with_its_notice_and_day(
    desk: DeskRoom, said: dict[str, Any], stands: dict[str, bool]
) -> None:
    who = person(desk)
    with transaction(desk.db):
        _consents(desk.db, desk.session, who, Consent.model_validate(said))
    found = {p: people.consent(desk.db, who, p) for p in consents.PURPOSES}
    assert {p: answer for p, answer in found.items() if answer is not None} == stands
    entries = ledger.entries(desk.db, kinds=("consent",))
    assert {e.body["purpose"]: e.body["given"] for e in entries if e.subject == who} == stands


def test_a_roster_does_not_undo_what_they_withdrew_themselves(desk: DeskRoom) -> None:
    who = person(desk)
    give(desk, who, b"X")
    consent.withdraw(desk.db, desk.session, who, "本人要求", BY)
    old = Consent.model_validate({"face": True, "notice": consents.VERSION, "date": "2026-01-05"})
    with transaction(desk.db):
        _consents(desk.db, desk.session, who, old)
    assert people.consent(desk.db, who, consents.ONE_TO_ONE) is False


def test_withdrawal_deletes_at_once_and_leaves_a_proof_and_no_copy(desk: DeskRoom) -> None:
    who, other = person(desk), person(desk, 2)
    marks, kept = give(desk, who, b"GONE"), give(desk, other, b"KEPT")
    state = desk.config.paths.state
    assert all(mark in everything(state) for mark in (*marks, *kept))
    answer = consent.withdraw(desk.db, desk.session, who, "本人要求撤回", BY)
    assert answer["gone"] == {"templates": 1, "photos": 1, "stills": 1}
    assert [people.consent(desk.db, who, p) for p in consents.PURPOSES] == [False] * 4
    empty_log(desk.db)
    left = everything(state)
    assert marks[0] not in left, "in the file, its free pages or the log"
    assert kept[0] in left
    proof, told = (ledger.last(desk.db, kind, 1)[0] for kind in ("face_data_deleted", "consent_withdrawn"))
    assert proof.subject == told.subject == who and proof.body["why"] == "withdrawn"
    assert proof.body["templates"] == proof.body["photos"] == proof.body["stills"] == 1
    assert len(proof.body["sha256"]) == 64 and told.body["notice"] == consents.VERSION
    with pytest.raises(Conflict) as again:
        consent.withdraw(desk.db, desk.session, who, "本人要求撤回", BY)
    assert again.value.code == "consent_nothing"


def test_the_log_is_emptied_once_nobody_reads_in_it(desk: DeskRoom) -> None:
    who = person(desk)
    give(desk, who, b"GONE")
    reader = connect(desk.config.paths.room_db)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM people").fetchone()
    desk.db.execute("PRAGMA busy_timeout = 1")
    consent.withdraw(desk.db, desk.session, who, "本人要求撤回", BY)
    empty_log(desk.db)
    assert faces.log_holds_deleted(desk.db), "somebody reads in it: it is tried again"
    reader.execute("ROLLBACK")
    reader.close()
    empty_log(desk.db)
    assert not faces.log_holds_deleted(desk.db)
    assert b"GONE" * 20 not in everything(desk.config.paths.state)


def test_a_kept_picture_is_looked_at_with_an_entry_and_goes_on_its_date(desk: DeskRoom) -> None:
    who, key = person(desk), desk.identity.keys.data
    with transaction(desk.db):
        sealed = key.encrypt(b"jpeg", faces.still_context(who, "s1"))
        faces.add_still(desk.db, "s1", desk.session, who, sealed, 1)
    assert consent.open_still(desk.db, desk.session, who, key, BY) == b"jpeg"
    (looked,) = ledger.entries(desk.db, kinds=("still_viewed",))
    assert looked.subject == who and looked.content["by"] == BY
    with transaction(desk.db):  # a row that was moved to somebody else does not open
        desk.db.execute("UPDATE stills SET person_id = ?", (person(desk, 2),))
    with pytest.raises(VerificationFailed):
        consent.open_still(desk.db, desk.session, person(desk, 2), key, BY)
    with transaction(desk.db):
        assert faces.delete_stills_due(desk.db) == 1
    assert ledger.last(desk.db, "face_data_deleted", 1)[0].body["why"] == "date"
    with pytest.raises(NotFound):
        consent.open_still(desk.db, desk.session, who, key, BY)


def test_everybody_s_standing_is_said(desk: DeskRoom) -> None:
    ids = [person(desk, n) for n in range(1, 7)]
    with transaction(desk.db):
        for who in ids[:4]:
            people.set_consent(desk.db, who, consents.ONE_TO_ONE, True, consents.VERSION)
        people.set_template(desk.db, ids[0], "dlib", "1", b"x")
        people.set_template(desk.db, ids[1], "yunet", "1", b"x")
        people.set_photo(desk.db, ids[2], b"x")
        people.set_face_fault(desk.db, ids[3], "face_several")
        people.set_photo(desk.db, ids[4], b"x")
        desk.db.execute("UPDATE candidates SET minor = 1 WHERE person_id = ?", (ids[5],))
    lacks = [one.lack for one in faces.standings(desk.db, desk.session, "dlib", "1")]
    assert lacks == [None, "face_other_pack", "face_waits", "face_several", "face_asked_at_kiosk", "face_minor"]
    told = consent.of_session(desk.db, desk.session, "dlib", "1")
    assert told["ready"] == 1 and len(told["others"]) == 5 and all(one["zh"] and one["en"] for one in told["others"])
