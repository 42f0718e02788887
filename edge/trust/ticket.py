"""Tickets: a QR code that names one candidate of one session until a time, signed with Ed25519 by the province's root,
or by the institution's at a site without a gateway.

Text: `XT1:` and base45 of: the first 8 bytes of the SHA-256 of the public key; the signature, 64 bytes, over the DSSE
pre-authentication of what follows; the ticket's id, 8 random bytes; when it ends, ms since 1970 UTC, 8 bytes; the
candidate's number in the session, 4 bytes; the session's id in UTF-8. Numbers are most significant byte first. Nobody's
name or document is on it.

A ticket may be copied, so it says who is expected and no more: who has entered enters no second time, and the signed
list of revoked tickets (a DSSE envelope, `revoked-tickets.json` among the room's trusted files) takes lost ones back.
"""

from __future__ import annotations

import secrets
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from edge.domain import base45
from edge.errors import BadInput, VerificationFailed
from edge.trust import dsse
from edge.trust.revoked import ListKind, RevokedTrust
from edge.trust.signer import Signer, key_id_of, verify

MARK = "XT1:"
TICKETS = ListKind(
    name="revoked-tickets.json",
    payload_type=dsse.PREFIX + "revoked-tickets+json",
    broken="tickets_list_broken",
    old="tickets_list_old",
    id_wrong="ticket_id_wrong",
)
_TICKET = dsse.PREFIX + "ticket"
_KEY, _SIGNATURE = 8, 64
_FACTS = struct.Struct(">8sQI")
_LONGEST = 400


@dataclass(frozen=True)
class Ticket:
    """`number` is the candidate's in the roster of `session`."""

    session: str
    number: int
    expires_ms: int
    id: str = field(default_factory=lambda: secrets.token_hex(8))


def issue(ticket: Ticket, signer: Signer) -> str:
    """The text of the QR code."""
    facts = _FACTS.pack(bytes.fromhex(ticket.id), ticket.expires_ms, ticket.number) + ticket.session.encode()
    signature = signer.sign(dsse.pre_authentication(_TICKET, facts))
    return MARK + base45.encode(bytes.fromhex(signer.key_id) + signature + facts)


def check(text: str, keys: Sequence[bytes], revoked: Iterable[str], now_ms: int) -> Ticket:
    """The ticket of a text, once one of `keys` (raw public keys) signed it and it counts at `now_ms`.

    BadInput: `ticket_broken`, it is none. VerificationFailed: `ticket_key` (somebody else's), `ticket_forged`
    (altered), `ticket_revoked`, `ticket_expired`.
    """
    try:
        data = base45.decode(text.removeprefix(MARK)) if text.startswith(MARK) and len(text) <= _LONGEST else b""
        facts = data[_KEY + _SIGNATURE :]
        number, expires_ms, candidate = _FACTS.unpack_from(facts)
        session = facts[_FACTS.size :].decode()
    except (BadInput, struct.error, UnicodeDecodeError) as error:
        raise BadInput("ticket_broken") from error
    public = next((key for key in keys if bytes.fromhex(key_id_of(key)) == data[:_KEY]), None)
    if public is None:
        raise VerificationFailed("ticket_key")
    if not verify(public, dsse.pre_authentication(_TICKET, facts), data[_KEY : _KEY + _SIGNATURE]):
        raise VerificationFailed("ticket_forged")
    ticket = Ticket(session, candidate, expires_ms, number.hex())
    if ticket.id in revoked:
        raise VerificationFailed("ticket_revoked")
    if now_ms > ticket.expires_ms:
        raise VerificationFailed("ticket_expired")
    return ticket


class TicketTrust(RevokedTrust):
    """What a room holds tickets against: the public keys, and the list of revoked ones in the folder `trust`."""

    def __init__(self, trust: Path, keys: Sequence[bytes]) -> None:
        super().__init__(trust, keys, TICKETS)

    def need(self, public: bytes) -> None:
        """VerificationFailed (`tickets_other_root`) when this room would take no ticket signed with that key."""
        if public not in self._keys:
            raise VerificationFailed("tickets_other_root")

    def check(self, text: str, now_ms: int) -> Ticket:
        """As `check`; besides VerificationFailed `tickets_list_broken`: nobody can say which tickets are revoked."""
        return check(text, self._keys, self.revoked_now(), now_ms)
