"""Tickets: what counts, and a sentence of its own for each that does not."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.domain import base45
from edge.domain.reasons import REASONS
from edge.errors import BadInput, Conflict, ExamroomError, VerificationFailed
from edge.trust.revoked import Revoked, sign_revoked
from edge.trust.signer import Ed25519Signer
from edge.trust.ticket import TICKETS, Ticket, TicketTrust, check, issue
from support.examples import fuzzed

ROOT, OTHER = Ed25519Signer.generate(), Ed25519Signer.generate()
TICKET = Ticket("S-2025-考场-1", 17, 1_800_000_000_000)
TEXT = issue(TICKET, ROOT)
NOW = 1_700_000_000_000


def said(text: str, revoked: tuple[str, ...] = (), now_ms: int = NOW) -> str:
    with pytest.raises((BadInput, VerificationFailed)) as error:
        check(text, [ROOT.public], revoked, now_ms)
    assert error.value.code in REASONS
    return error.value.code


def test_a_ticket_counts_and_is_small_enough_for_a_camera() -> None:
    assert check(TEXT, [OTHER.public, ROOT.public], (), NOW) == TICKET
    assert check(TEXT, [ROOT.public], (), TICKET.expires_ms) == TICKET
    assert len(issue(Ticket("S-20250601-01", 1, NOW), ROOT)) <= 170
    assert issue(TICKET, ROOT) == TEXT != issue(Ticket("S-1", 17, TICKET.expires_ms), ROOT)


def test_each_that_does_not_count_has_its_own_word() -> None:
    assert said(TEXT, now_ms=TICKET.expires_ms + 1) == "ticket_expired"
    assert said(TEXT, revoked=(TICKET.id,)) == "ticket_revoked"
    assert said(issue(TICKET, OTHER)) == "ticket_key"
    forged = base45.decode(TEXT[4:])[:-1] + b"2"
    assert said("XT1:" + base45.encode(forged)) == "ticket_forged"
    for broken in ("", "XT1:", "XT2:" + TEXT[4:], TEXT[:-1], TEXT[:60], "https://example.com", TEXT * 9):
        assert said(broken) in ("ticket_broken", "ticket_forged")


@fuzzed
@given(st.integers(4, len(TEXT) - 1), st.characters(codec="utf-8"), st.booleans())
def test_an_altered_ticket_names_nobody(at: int, by: str, cut: bool) -> None:
    altered = TEXT[:at] + ("" if cut else by) + TEXT[at + 1 :]
    if altered != TEXT:
        assert said(altered).startswith("ticket_")


@fuzzed
@given(st.text(max_size=60) | st.binary(max_size=200).map(base45.encode))
def test_any_text_is_a_ticket_or_a_reason(text: str) -> None:
    assert said(text) == "ticket_broken" and said("XT1:" + text) in ("ticket_broken", "ticket_key")


@given(st.binary(max_size=60))
def test_base45_gives_back_what_it_took(data: bytes) -> None:
    assert base45.decode(base45.encode(data)) == data


def test_base45_as_published() -> None:
    assert (base45.encode(b"AB"), base45.encode(b"Hello!!")) == ("BB8", "%69 VD92EX0")
    assert base45.decode("QED8WEX0") == b"ietf!"
    for wrong in ("GGW", "ZZ", "A", "bb8", ":::"):
        with pytest.raises(BadInput):
            base45.decode(wrong)


def test_the_list_of_revoked_tickets_is_signed_and_only_grows_newer(tmp_path: Path) -> None:
    trust = TicketTrust(tmp_path, [ROOT.public])
    assert trust.check(TEXT, NOW) == TICKET
    trust.replace(sign_revoked(Revoked(serial=2, ids=[TICKET.id]), TICKETS, ROOT))
    with pytest.raises(VerificationFailed) as error:
        trust.check(TEXT, NOW)
    assert error.value.code == "ticket_revoked"
    wrong: list[tuple[bytes, type[ExamroomError]]] = [
        (sign_revoked(Revoked(serial=1, ids=[]), TICKETS, ROOT), Conflict),
        (sign_revoked(Revoked(serial=3, ids=[]), TICKETS, OTHER), VerificationFailed),
        (b"{}", BadInput),
    ]
    for envelope, kind in wrong:
        with pytest.raises(kind):
            trust.replace(envelope)
    assert trust.revoked() == Revoked(serial=2, ids=[TICKET.id])
    (tmp_path / TICKETS.name).write_bytes(b"damaged")
    with pytest.raises(VerificationFailed) as error:
        trust.check(TEXT, NOW)
    assert error.value.code == "tickets_list_broken"
    trust.replace(sign_revoked(Revoked(serial=3, ids=[]), TICKETS, ROOT))
    assert trust.check(TEXT, NOW) == TICKET
