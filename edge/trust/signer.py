"""Signing keys behind one protocol, so that an SM2 USB key can stand where Ed25519 (RFC 8032) stands today."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from edge.errors import BadInput, Unavailable


class Signer(Protocol):
    """Something that signs bytes; `public` is the raw public key, `key_id` its short name."""

    @property
    def key_id(self) -> str: ...

    @property
    def public(self) -> bytes: ...

    def sign(self, data: bytes) -> bytes: ...


def key_id_of(public: bytes) -> str:
    """The first 16 hex digits of the SHA-256 of the raw public key."""
    return hashlib.sha256(public).hexdigest()[:16]


@dataclass(frozen=True)
class Ed25519Signer:
    """An Ed25519 private key held in memory (32-byte seed)."""

    _key: Ed25519PrivateKey

    @classmethod
    def generate(cls) -> Ed25519Signer:
        return cls(Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path) -> Ed25519Signer:
        """Read a raw 32-byte seed; Unavailable when the file is missing or is not one."""
        return cls(Ed25519PrivateKey.from_private_bytes(read_secret(path, 32)))

    @classmethod
    def given(cls, path: Path) -> Ed25519Signer:
        """The signing root's key from a file that somebody named. BadInput (`root_key_wrong`) for any other file."""
        try:
            return cls.load(path)
        except Unavailable as error:
            raise BadInput("root_key_wrong", path=path) from error

    def save(self, path: Path) -> None:
        write_secret(path, self._key.private_bytes_raw())

    @property
    def public(self) -> bytes:
        return self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    @property
    def key_id(self) -> str:
        return key_id_of(self.public)

    def sign(self, data: bytes) -> bytes:
        return self._key.sign(data)


def verify(public: bytes, data: bytes, signature: bytes) -> bool:
    """Whether `signature` (64 bytes) is `public`'s over `data`."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, data)
    except (InvalidSignature, ValueError):
        return False
    return True


def write_secret(path: Path, secret: bytes) -> None:
    """Write a secret readable by its owner alone, whole or not at all, and on disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(secret)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def read_secret(path: Path, length: int) -> bytes:
    try:
        secret = path.read_bytes()
    except OSError as error:
        raise Unavailable("key_missing", path=path) from error
    if len(secret) != length:
        raise Unavailable("key_broken", path=path)
    return secret
