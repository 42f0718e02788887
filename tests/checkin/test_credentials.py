"""Whose an identity card or a ticket is, and what the door says of each that does not count."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from edge import clock
from edge.checkin.door import Door
from edge.domain import sdt
from edge.domain.badges import Strength
from edge.domain.idcard import IdCard
from edge.domain.reasons import REASONS
from edge.exam import conduct
from edge.exam.banks import open_bank
from edge.hardware.badge import ReaderState, Tap
from edge.hardware.panel import SilentPanel
from edge.store import admissions, checkins, ledger, people, sessions
from edge.trust.revoked import Revoked, sign_revoked
from edge.trust.signer import Ed25519Signer
from edge.trust.ticket import TICKETS, Ticket, TicketTrust, issue
from support import id_reader
from support.rooms import DeskRoom, make_desk_room

from .conftest import TestReader


class Doorstep:
    """A door without faces: whoever is known waits for the proctor."""

    def __init__(self, desk: DeskRoom) -> None:
        self.desk, self.reader = desk, TestReader()
        here = desk.identity
        self.root = Ed25519Signer.load(desk.config.paths.keys / "root.key")
        self.trust = TicketTrust(desk.config.paths.trust, [here.root_public])
        self.door = Door(desk.config, desk.db, here.keys, self.reader, SilentPanel("panel_off"), None, self.trust)

    def who(self, number: int) -> people.Candidate:
        return next(c for c in people.candidates(self.desk.db, self.desk.session) if c.number == number)

    def tap(self, *, card: IdCard | None = None, ticket: str | None = None, strength: Strength = "signed") -> str:
        """What the kiosk then says."""
        self.reader.taps.append(Tap(None, None, clock.mono_ms(), strength, card, ticket))
        self.door.step(0)
        shown = checkins.shown(self.desk.db)
        assert shown is not None and shown.reason in REASONS
        assert ledger.entries(self.desk.db, kinds=("checkin",))[-1].body["reason"] == shown.reason
        return shown.reason

    def ticket(self, number: int = 2, minutes: int = 60, session: str | None = None) -> str:
        expires_ms = clock.wall_ms() + minutes * 60_000
        return issue(Ticket(session or self.desk.session, number, expires_ms), self.root)


@pytest.fixture
def step(tmp_path: Path) -> Iterator[Doorstep]:
    desk = make_desk_room(tmp_path)
    bank = open_bank(desk.identity, desk.config.paths.bundles, sessions.find(desk.db, desk.session))
    conduct.open_checkin(desk.db, desk.session, bank, "P-001")
    found = Doorstep(desk)
    yield found
    found.door.close()
    desk.db.close()


def test_an_id_card_finds_its_person_and_leaves_no_trace(step: Doorstep, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    who = step.who(3)
    assert who.document_type == "resident-id"
    assert step.tap(card=IdCard(who.name, who.document_number)) == "no_template"
    assert step.who(3).state == "waiting"
    entries = b"".join(bytes(row["entry"]) for row in step.desk.db.execute("SELECT entry FROM ledger"))
    assert who.document_number.encode() not in entries and who.document_number not in caplog.text


@pytest.mark.parametrize("filed", ["hmt-residence", "resident-id"])
def test_a_residence_card_of_hong_kong_macao_and_taiwan_finds_its_person(step: Doorstep, filed: str) -> None:
    """Whether the roster calls it by its own name or by that of a citizen's card."""
    who, number = step.who(3), id_reader.number("83000019910305001")
    step.desk.db.execute(
        "UPDATE people SET document_type = ?, document_number = ? WHERE id = ?", (filed, number, who.person)
    )
    (frame,) = sdt.SdtDecoder().feed(id_reader.answer(id_reader.block(who.name, number, kind="J")))
    assert step.tap(card=sdt.card_in(frame.data)) == "no_template"
    assert step.who(3).state == "waiting"
    step.desk.db.execute("UPDATE people SET document_type = 'taiwan-permit' WHERE id = ?", (who.person,))
    assert step.tap(card=sdt.card_in(frame.data)) == "idcard_unknown", "another kind of document has other numbers"


def test_an_id_card_that_does_not_fit_the_list(step: Doorstep) -> None:
    who = step.who(3)
    assert step.tap(card=IdCard("王二", who.document_number)) == "idcard_name"
    assert step.who(3).state == "waiting"
    assert step.tap(card=IdCard(who.name, "11010519491231002X")) == "idcard_unknown"
    admissions.admit(step.desk.db, who.session, who.person, route="manual", reason="admitted_manual", by="P-001")
    assert step.tap(card=IdCard("王二", who.document_number)) == "already_admitted"


def test_a_ticket_finds_its_person(step: Doorstep) -> None:
    ticket = step.ticket(2)
    assert step.tap(ticket=ticket) == "no_template"
    who = step.who(2)
    assert who.state == "waiting"
    admissions.admit(step.desk.db, who.session, who.person, route="manual", reason="admitted_manual", by="P-001")
    assert step.tap(ticket=ticket) == "ticket_used"


def test_each_ticket_that_does_not_count_has_its_own_sentence(step: Doorstep) -> None:
    good = step.ticket(2)
    assert step.tap(ticket=step.ticket(2, minutes=-1)) == "ticket_expired"
    assert step.tap(ticket=step.ticket(2, session="S-other")) == "ticket_other_session"
    assert step.tap(ticket=step.ticket(99)) == "ticket_unknown"
    assert step.tap(ticket=issue(Ticket(step.desk.session, 2, 2**45), Ed25519Signer.generate())) == "ticket_key"
    assert step.tap(ticket=good[:-1] + ("0" if good[-1] != "0" else "1")) in ("ticket_forged", "ticket_broken")
    lost = Ticket(step.desk.session, 2, 2**45)
    step.trust.replace(sign_revoked(Revoked(serial=2, ids=[lost.id]), TICKETS, step.root))
    assert step.tap(ticket=issue(lost, step.root)) == "ticket_revoked"
    assert step.who(2).state == "expected"
    assert step.tap(ticket=good) == "no_template"


def test_a_closed_door_says_so_first(step: Doorstep) -> None:
    step.desk.db.execute("UPDATE sessions SET state = 'planned'")
    assert step.tap(ticket=step.ticket(2, minutes=-1)) == "checkin_closed"
    assert step.tap(card=IdCard("王二", "11010519491231002X")) == "checkin_closed"


def test_a_door_whose_reader_is_gone_shows_the_fault_until_it_is_back(step: Doorstep) -> None:
    def shown() -> tuple[str, str]:
        step.desk.db.execute("UPDATE meta SET value = value")  # something happens in the room
        step.door._enrol_due = 0
        step.door.step(0)
        found = checkins.shown(step.desk.db)
        assert found is not None
        return found.state, found.reason

    assert shown() == ("ready", "kiosk_ready")
    step.reader.is_now = ReaderState(False, "reader_lost")
    assert shown() == ("fault", "reader_lost")
    step.reader.is_now = ReaderState(False, "reader_mute")
    assert shown() == ("fault", "reader_mute")
    step.reader.is_now = ReaderState(True)
    assert shown() == ("ready", "kiosk_ready")
    step.reader.is_now = ReaderState(False, "reader_off")
    assert shown() == ("ready", "kiosk_ready")
