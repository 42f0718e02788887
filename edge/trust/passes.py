"""Passes: a supervisor's short-lived right to spot checks of named rooms and one stretch of time, signed with Ed25519
by the province's root, or by the institution's at a site without a gateway. As a QR code or a file.

Text: `XP1:` and base45 of: the first 8 bytes of the SHA-256 of the public key; the signature, 64 bytes, over the DSSE
pre-authentication of what follows; the pass, canonical JSON (`Pass`).

Whoever holds the text is its holder, so it is short-lived, and a signed list (`revoked-passes.json` among the room's
trusted files) takes lost ones back. Times are compared with the room's own clock.
"""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge.domain import base45
from edge.domain.canonical import canonical
from edge.errors import BadInput, Refused, VerificationFailed, Wrong
from edge.trust import dsse
from edge.trust.certificate import RoomId
from edge.trust.revoked import ListKind, RandomId, RevokedTrust
from edge.trust.signer import Signer, key_id_of, verify
from edge.why import where

MARK = "XP1:"
PASSES = ListKind(
    name="revoked-passes.json",
    payload_type=dsse.PREFIX + "revoked-passes+json",
    broken="passes_list_broken",
    old="passes_list_old",
    id_wrong="pass_id_wrong",
)
LONGEST_DAYS = 31
LONGEST_MS = LONGEST_DAYS * 86_400_000
LONGEST_TEXT = 16_000
LONGEST_FILE = 60_000
"""Of a file that holds a pass: the QR code of the longest text is less."""
_PASS = dsse.PREFIX + "pass+json"
_KEY, _SIGNATURE = 8, 64
# where a text stands in a file: an SVG drawn of it has it as its description
_TEXT = re.compile(r"XP1:[0-9A-Z $%*+\-./:]+")

_Ms = Annotated[int, Field(ge=0, lt=1 << 47, strict=True)]


class Pass(BaseModel):
    """Who may look at the footage of which rooms. Times are ms since 1970 UTC.

    `from_ms`..`until_ms`: the wall time that may be looked at. `not_before_ms`..`expires_ms`: when the pass counts, at
    most LONGEST_DAYS. `export`: whether evidence may be taken away.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: RandomId
    name: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^\r\n\t]*\S[^\r\n\t]*$")]
    rooms: Annotated[list[RoomId], Field(min_length=1, max_length=100)]
    from_ms: _Ms
    until_ms: _Ms
    not_before_ms: _Ms
    expires_ms: _Ms
    export: Annotated[bool, Field(strict=True)]

    @model_validator(mode="after")
    def times_make_sense(self) -> Self:
        if self.from_ms >= self.until_ms:
            raise Wrong("pass_span")
        if not 0 < self.expires_ms - self.not_before_ms <= LONGEST_MS:
            raise Wrong("pass_too_long", days=LONGEST_DAYS)
        return self

    @property
    def by(self) -> str:
        """How the ledger names its holder."""
        return f"pass:{self.id}"

    def touches(self, from_ms: int, until_ms: int) -> bool:
        return self.from_ms < until_ms and from_ms < self.until_ms


def issue(
    signer: Signer,
    *,
    name: str,
    rooms: Sequence[str],
    from_ms: int,
    until_ms: int,
    not_before_ms: int,
    expires_ms: int,
    export: bool,
) -> tuple[Pass, str]:
    """A new pass, and its text. BadInput (`pass_terms`) says what cannot be."""
    facts = {"name": name, "rooms": sorted(set(rooms)), "from_ms": from_ms, "until_ms": until_ms}
    facts |= {"not_before_ms": not_before_ms, "expires_ms": expires_ms, "export": export}
    while True:
        try:
            made = Pass.model_validate({"id": secrets.token_hex(8), **facts})
            raw = canonical(made.model_dump())
        except (ValidationError, UnicodeEncodeError) as error:
            raise BadInput("pass_terms", **where(error)) from error
        signature = signer.sign(dsse.pre_authentication(_PASS, raw))
        text = MARK + base45.encode(bytes.fromhex(signer.key_id) + signature + raw)
        if not text.endswith(" "):  # which whoever copies a text would lose
            return made, text


def text_in(file: str) -> str:
    """The pass in the text of a file: a plain one, or the SVG of its QR code. Whatever else is given back as it is."""
    found = _TEXT.search(file)
    return found.group().rstrip(" ") if found else file.strip()


def check(text: str, keys: Sequence[bytes]) -> Pass:
    """The pass of a text, once one of `keys` (raw public keys) signed it; whether it counts is `need_good`.

    BadInput: `pass_broken`, it is none. VerificationFailed: `pass_key` (somebody else's), `pass_forged` (altered).
    """
    try:
        data = base45.decode(text.removeprefix(MARK)) if text.startswith(MARK) and len(text) <= LONGEST_TEXT else b""
        raw = data[_KEY + _SIGNATURE :]
        loaded = json.loads(raw)
        same = canonical(loaded) == raw
    except (BadInput, ValueError, RecursionError) as error:
        raise BadInput("pass_broken") from error
    public = next((key for key in keys if bytes.fromhex(key_id_of(key)) == data[:_KEY]), None)
    if public is None:
        raise VerificationFailed("pass_key")
    if not verify(public, dsse.pre_authentication(_PASS, raw), data[_KEY : _KEY + _SIGNATURE]):
        raise VerificationFailed("pass_forged")
    try:
        made = Pass.model_validate(loaded)
    except ValidationError as error:
        raise BadInput("pass_broken") from error
    if not same:
        raise BadInput("pass_broken")
    return made


def need_good(made: Pass, revoked: Collection[str], room: str, now_ms: int) -> None:
    """Refused where the pass does not count in `room` now: `pass_revoked`, `pass_early`, `pass_expired`,
    `pass_other_room`.
    """
    if made.id in revoked:
        raise Refused("pass_revoked")
    if now_ms < made.not_before_ms:
        raise Refused("pass_early")
    if now_ms >= made.expires_ms:
        raise Refused("pass_expired")
    if room not in made.rooms:
        raise Refused("pass_other_room", room=room)


class PassTrust(RevokedTrust):
    """What a room holds passes against: the public keys, and the list of revoked ones in the folder `trust`."""

    def __init__(self, trust: Path, keys: Sequence[bytes]) -> None:
        super().__init__(trust, keys, PASSES)

    def check(self, text: str, room: str, now_ms: int) -> Pass:
        """As `check` and `need_good`; besides VerificationFailed `passes_list_broken`: nobody can say which count."""
        made = check(text, self._keys)
        self.need_good(made, room, now_ms)
        return made

    def need_good(self, made: Pass, room: str, now_ms: int) -> None:
        need_good(made, self.revoked_now(), room, now_ms)
