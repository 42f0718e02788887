"""Who a room is: its keys, number and epoch, signed by the province (or by the institution at a site without one)."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.errors import BadInput, VerificationFailed
from edge.trust import dsse
from edge.trust.signer import Signer

RoomId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Hex32 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class Certificate(BaseModel):
    """A room's identity in one epoch. Keys are raw 32-byte public keys in hex; times are ms since 1970 UTC."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    room: RoomId
    epoch: Annotated[int, Field(ge=1)]
    institution: str
    issuer: str
    sign_key: Hex32
    seal_key: Hex32
    not_before_ms: int
    not_after_ms: int

    @property
    def public(self) -> bytes:
        return bytes.fromhex(self.sign_key)

    @property
    def seal_public(self) -> bytes:
        return bytes.fromhex(self.seal_key)

    @property
    def origin(self) -> str:
        """The name of this room's ledger in its checkpoints."""
        return f"examroom.{self.room}.{self.epoch}"


def issue(certificate: Certificate, root: Signer) -> bytes:
    return dsse.sign_envelope(dsse.CERTIFICATE, certificate.model_dump(), [root])


def check(envelope: bytes, root_public: bytes, at_ms: int | None = None) -> Certificate:
    """The certificate, if `root_public` signed it and `at_ms` (where given) lies in its time."""
    try:
        certificate = Certificate.model_validate(dsse.open_envelope(envelope, dsse.CERTIFICATE, [root_public]))
    except ValidationError as error:
        raise BadInput("certificate_broken") from error
    if at_ms is not None and not certificate.not_before_ms <= at_ms <= certificate.not_after_ms:
        raise VerificationFailed("certificate_expired", room=certificate.room)
    return certificate
