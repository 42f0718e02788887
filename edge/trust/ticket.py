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
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.domain import base45
from edge.errors import BadInput, Conflict, VerificationFailed
from edge.trust import dsse
from edge.trust.signer import Signer, key_id_of, verify, write_secret

MARK = "XT1:"
LIST_NAME = "revoked-tickets.json"
_TICKET = dsse.PREFIX + "ticket"
_LIST = dsse.PREFIX + "revoked-tickets+json"
_KEY, _SIGNATURE = 8, 64
_FACTS = struct.Struct(">8sQI")
_LONGEST = 400

TicketId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


@dataclass(frozen=True)
class Ticket:
    """`number` is the candidate's in the roster of `session`."""

    session: str
    number: int
    expires_ms: int
    id: str = field(default_factory=lambda: secrets.token_hex(8))


class Revoked(BaseModel):
    """The list of tickets taken back. A list replaces one with a lower `serial` and never one with a higher."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    serial: Annotated[int, Field(ge=1, le=2**53, strict=True)]
    tickets: Annotated[list[TicketId], Field(max_length=100_000)]


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


def sign_revoked(revoked: Revoked, signer: Signer) -> bytes:
    return dsse.sign_envelope(_LIST, revoked.model_dump(), [signer])


def open_revoked(envelope: bytes, keys: Sequence[bytes]) -> Revoked:
    """The list, once one of `keys` signed it. BadInput, VerificationFailed."""
    try:
        return Revoked.model_validate(dsse.open_envelope(envelope, _LIST, keys))
    except ValidationError as error:
        raise BadInput("tickets_list_broken") from error


class TicketTrust:
    """What a room holds tickets against: the public keys, and the list of revoked ones in the folder `trust`."""

    def __init__(self, trust: Path, keys: Sequence[bytes]) -> None:
        self._file, self._keys = trust / LIST_NAME, keys
        self._read: tuple[int, int] | None = None
        self._revoked: frozenset[str] = frozenset()

    def check(self, text: str, now_ms: int) -> Ticket:
        """As `check`; besides VerificationFailed `tickets_list_broken`: nobody can say which tickets are revoked."""
        return check(text, self._keys, self._revoked_now(), now_ms)

    def need(self, public: bytes) -> None:
        """VerificationFailed (`tickets_other_root`) when this room would take no ticket signed with that key."""
        if public not in self._keys:
            raise VerificationFailed("tickets_other_root")

    def revoked(self) -> Revoked:
        """The list in force; an empty one of serial 1 where there is none yet."""
        try:
            return open_revoked(self._file.read_bytes(), self._keys)
        except FileNotFoundError:
            return Revoked(serial=1, tickets=[])
        except (OSError, BadInput, VerificationFailed) as error:
            raise VerificationFailed("tickets_list_broken") from error

    def replace(self, envelope: bytes) -> Revoked:
        """Put a newer list in force. Conflict when it is older than what is here; else as `open_revoked`."""
        new = open_revoked(envelope, self._keys)
        try:
            known = self.revoked().serial if self._file.exists() else 0
        except VerificationFailed:  # whatever stands there is no list: anything signed is better
            known = 0
        if new.serial < known:
            raise Conflict("tickets_list_old", serial=new.serial, known=known)
        write_secret(self._file, envelope)
        self._file.chmod(0o644)
        return new

    def _revoked_now(self) -> frozenset[str]:
        try:
            stat = self._file.stat()
            mark = (stat.st_mtime_ns, stat.st_ino)
        except FileNotFoundError:
            mark = (0, 0)
        if mark != self._read:
            self._revoked = frozenset(self.revoked().tickets)
            self._read = mark
        return self._revoked
