"""Signed lists of what was taken back: tickets and passes that do not count any more, though their time is not over.

A list is a DSSE envelope of the root's among the room's trusted files. One replaces a list with a lower serial and
never one with a higher. Who cannot read the list takes nothing that it could name.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.errors import BadInput, Conflict, VerificationFailed
from edge.trust import dsse
from edge.trust.signer import Signer, write_secret

RandomId = Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


@dataclass(frozen=True)
class ListKind:
    """One sort of list: its file, its payload type, and the reasons for a damaged list, an old one and a wrong id."""

    name: str
    payload_type: str
    broken: str
    old: str
    id_wrong: str


class Revoked(BaseModel):
    """The ids that were taken back."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[1] = 1
    serial: Annotated[int, Field(ge=1, le=2**53, strict=True)]
    ids: Annotated[list[RandomId], Field(max_length=100_000)]


def sign_revoked(revoked: Revoked, kind: ListKind, signer: Signer) -> bytes:
    return dsse.sign_envelope(kind.payload_type, revoked.model_dump(), [signer])


def open_revoked(envelope: bytes, kind: ListKind, keys: Sequence[bytes]) -> Revoked:
    """The list, once one of `keys` signed it. BadInput, VerificationFailed."""
    try:
        return Revoked.model_validate(dsse.open_envelope(envelope, kind.payload_type, keys))
    except ValidationError as error:
        raise BadInput(kind.broken) from error


def extend_list(file: Path, kind: ListKind, ids: Iterable[str], signer: Signer) -> Revoked:
    """Add ids, as people type them, to the list in `file`, which is made when absent; the list as it is now.

    BadInput: one is no id, or the file is no list; VerificationFailed: it is another signer's. The file stays then.
    """
    known = open_revoked(file.read_bytes(), kind, [signer.public]) if file.exists() else Revoked(serial=1, ids=[])
    try:
        listed = Revoked(serial=known.serial + 1, ids=sorted({*known.ids, *(one.strip().lower() for one in ids)}))
    except ValidationError as error:
        raise BadInput(kind.id_wrong) from error
    write_secret(file, sign_revoked(listed, kind, signer))
    return listed


class RevokedTrust:
    """The public keys that a room trusts, and its list of one kind in the folder `trust`."""

    def __init__(self, trust: Path, keys: Sequence[bytes], kind: ListKind) -> None:
        self._file, self._keys, self._kind = trust / kind.name, keys, kind
        self._read: tuple[int, int] | None = None
        self._ids: frozenset[str] = frozenset()

    def revoked(self) -> Revoked:
        """The list in force; an empty one of serial 1 where there is none yet. VerificationFailed: it is damaged."""
        try:
            return open_revoked(self._file.read_bytes(), self._kind, self._keys)
        except FileNotFoundError:
            return Revoked(serial=1, ids=[])
        except (OSError, BadInput, VerificationFailed) as error:
            raise VerificationFailed(self._kind.broken) from error

    def replace(self, envelope: bytes) -> Revoked:
        """Put a newer list in force. Conflict when it is older than what is here; else as `open_revoked`."""
        new = open_revoked(envelope, self._kind, self._keys)
        try:
            known = self.revoked().serial if self._file.exists() else 0
        except VerificationFailed:  # whatever stands there is no list: anything signed is better
            known = 0
        if new.serial < known:
            raise Conflict(self._kind.old, serial=new.serial, known=known)
        write_secret(self._file, envelope)
        self._file.chmod(0o644)
        return new

    def revoked_now(self) -> frozenset[str]:
        """The ids of the list in force; the file is read again when it has changed. VerificationFailed: damaged."""
        try:
            stat = self._file.stat()
            mark = (stat.st_mtime_ns, stat.st_ino)
        except FileNotFoundError:
            mark = (0, 0)
        if mark != self._read:
            self._ids = frozenset(self.revoked().ids)
            self._read = mark
        return self._ids
