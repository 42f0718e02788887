"""The keys that are born on the device and never leave it: one signs, one unseals, one guards data at rest."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from edge.errors import Refused, VerificationFailed
from edge.trust.seal import SealKey
from edge.trust.signer import Ed25519Signer, Signer, key_id_of, read_secret, write_secret

LOST = "sign.lost"
"""Stands for the signing key in a restored room until it enrols again: the public half."""


@dataclass(frozen=True)
class DataKey:
    """ChaCha20-Poly1305 for templates and photographs; `context` ties a ciphertext to the row it belongs to."""

    secret: bytes

    def encrypt(self, plain: bytes, context: bytes) -> bytes:
        nonce = secrets.token_bytes(12)
        return nonce + ChaCha20Poly1305(self.secret).encrypt(nonce, plain, context)

    def decrypt(self, sealed: bytes, context: bytes) -> bytes:
        try:
            return ChaCha20Poly1305(self.secret).decrypt(sealed[:12], sealed[12:], context)
        except (InvalidTag, ValueError) as error:
            raise VerificationFailed("data_unreadable") from error


@dataclass(frozen=True)
class LostSigner:
    """The identity of a room restored from its second medium: its signing key is on no medium, so it signs nothing."""

    public: bytes

    @property
    def key_id(self) -> str:
        return key_id_of(self.public)

    def sign(self, data: bytes) -> bytes:
        """Refused: the room enrols again first."""
        raise Refused("restored_enrol_first")


@dataclass(frozen=True)
class RoomKeys:
    sign: Signer
    seal: SealKey
    data: DataKey


def create_keys(folder: Path) -> RoomKeys:
    """New signing and sealing keys in `folder`; the data key is kept when there is one."""
    Ed25519Signer.generate().save(folder / "sign.key")
    SealKey.generate().save(folder / "seal.key")
    if not (folder / "data.key").exists():
        write_secret(folder / "data.key", secrets.token_bytes(32))
    return load_keys(folder)


def load_keys(folder: Path) -> RoomKeys:
    """Unavailable when the room has no keys yet: it is not enrolled."""
    return RoomKeys(
        _signer(folder),
        SealKey.load(folder / "seal.key"),
        DataKey(read_secret(folder / "data.key", 32)),
    )


def _signer(folder: Path) -> Signer:
    if not (folder / "sign.key").exists() and (folder / LOST).exists():
        return LostSigner(read_secret(folder / LOST, 32))
    return Ed25519Signer.load(folder / "sign.key")
