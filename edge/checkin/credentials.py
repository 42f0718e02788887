"""Whose credential a tap is: a badge, a resident's identity card, or a ticket."""

from __future__ import annotations

import sqlite3
import unicodedata
from dataclasses import dataclass

from edge import clock
from edge.checkin.visit import holder, of_several, under_way
from edge.domain.admission import Credential, Decision
from edge.errors import ExamroomError
from edge.hardware.badge import Tap
from edge.store import people
from edge.trust.ticket import TicketTrust

ON_CARDS = ("resident-id", "hmt-residence")
"""The documents whose cards the reader reads: a residence permit of Hong Kong, Macao and Taiwan is laid out like a
citizen's."""


@dataclass(frozen=True)
class Found:
    """The candidate at the door it names, if any; `elsewhere`: some session of the room that is not under way has it;
    `refusal`: what is wrong with the credential itself."""

    kind: Credential
    who: people.Candidate | None = None
    elsewhere: bool = False
    refusal: Decision | None = None


def whose(connection: sqlite3.Connection, tap: Tap, tickets: TicketTrust | None) -> Found:
    """Look up what was shown. A name that is not the roster's is the proctor's to judge, who sees card and person."""
    if tap.card is not None:
        everybody = people.by_document(connection, ON_CARDS, tap.card.number)
        who = of_several(connection, everybody)
        if who is not None and _plain(who.name) != _plain(tap.card.name):
            return Found("card", who, refusal=Decision("waiting", "idcard_name", "manual"))
        return Found("card", who, bool(everybody))
    if tap.ticket is not None:
        return _ticket(connection, tap.ticket, tickets)
    who, elsewhere = holder(connection, tap.badge or "")
    return Found("badge", who, elsewhere)


def _ticket(connection: sqlite3.Connection, text: str, tickets: TicketTrust | None) -> Found:
    if tickets is None:
        return Found("ticket", refusal=Decision("refused", "ticket_key"))
    try:
        ticket = tickets.check(text, clock.wall_ms())
    except ExamroomError as error:
        return Found("ticket", refusal=Decision("refused", error.code))
    if ticket.session not in under_way(connection):
        return Found("ticket", elsewhere=True)
    named = [who for who in people.candidates(connection, ticket.session) if who.number == ticket.number]
    return Found("ticket", named[0] if named else None)


def _plain(name: str) -> str:
    """A name without what is written one way here and another there: width, spaces, dots."""
    folded = unicodedata.normalize("NFKC", name).casefold()
    return "".join(character for character in folded if character.isalnum())
