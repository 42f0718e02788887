"""Sealed bundles: content only the rooms it is for can read, under a manifest only the province can sign.

File: one line with the DSSE manifest, then ChaCha20-Poly1305 (RFC 8439) chunks of 64 KiB. A chunk's nonce is its
number and whether it is the last, so none can be dropped, repeated or moved. The content key is sealed to each room
with HPKE base mode (RFC 9180, X25519, HKDF-SHA256, ChaCha20-Poly1305).

A bundle of two shares seals to each room only one of them; the other is released when the exam is near
(`edge.trust.shares`), and without it a room's keys open nothing.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from edge.domain.reasons import Words, words
from edge.errors import BadInput, Refused, VerificationFailed
from edge.trust import dsse
from edge.trust.shares import Content, Release, Shared, check_share, xor
from edge.trust.signer import Signer, read_secret, write_secret

CHUNK = 64 * 1024
_TAG = 16
_SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)

Kind = Literal["bank", "roster", "policy"]


class BundleManifest(BaseModel):
    """What a bundle is, signed. `keys` maps a room id to what is sealed for it (base64): the key, or one share of it.

    A bundle of one share leaves `shares` and `release` out, as all did before there were two.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    version: Annotated[int, Field(ge=1, le=2**53 - 1)]
    not_before_ms: int
    expires_ms: int
    size: Annotated[int, Field(ge=0)]
    content_sha256: str
    sealed_sha256: str
    keys: dict[str, str]
    facts: dict[str, Any]
    shares: Literal[1, 2] = 1
    release: Release | None = None

    @model_validator(mode="after")
    def two_shares_are_released(self) -> Self:
        if (self.shares == 2) != (self.release is not None):
            raise ValueError("two shares and a way of release go together")
        return self

    @property
    def content(self) -> Content:
        """What codes and releases of this version are bound to."""
        return Content(self.kind, self.name, self.version, self.content_sha256)


@dataclass(frozen=True)
class SealKey:
    """A room's X25519 key, born on the device, for what is sealed to it."""

    _key: X25519PrivateKey

    @classmethod
    def generate(cls) -> SealKey:
        return cls(X25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path) -> SealKey:
        return cls(X25519PrivateKey.from_private_bytes(read_secret(path, 32)))

    def save(self, path: Path) -> None:
        write_secret(path, self._key.private_bytes_raw())

    @property
    def public(self) -> bytes:
        return self._key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)

    def unwrap(self, wrapped: bytes, info: bytes) -> bytes:
        return _SUITE.decrypt(wrapped, self._key, info)


def seal_bundle(
    kind: Kind,
    name: str,
    version: int,
    content: bytes,
    rooms: Mapping[str, bytes],
    signers: Sequence[Signer],
    *,
    not_before_ms: int,
    expires_ms: int,
    facts: Mapping[str, Any],
    shared: Shared | None = None,
) -> bytes:
    """The bundle file for `rooms` (id to raw X25519 public key). With `shared`, the rooms get the other share."""
    key = secrets.token_bytes(32)
    for_rooms = key if shared is None else xor(key, shared.share)
    sealed = b"".join(_encrypt(key, content))
    manifest = BundleManifest(
        kind=kind,
        name=name,
        version=version,
        not_before_ms=not_before_ms,
        expires_ms=expires_ms,
        size=len(content),
        content_sha256=hashlib.sha256(content).hexdigest(),
        sealed_sha256=hashlib.sha256(sealed).hexdigest(),
        keys={room: _wrap(for_rooms, public, kind, name, version, room) for room, public in rooms.items()},
        facts=dict(facts),
        shares=1 if shared is None else 2,
        release=None if shared is None else shared.release,
    )
    without = {"shares", "release"} if shared is None else set()
    return dsse.sign_envelope(dsse.BUNDLE, manifest.model_dump(exclude=without), signers) + b"\n" + sealed


def what_it_is(manifest: BundleManifest) -> Words:
    """For a sentence about a bundle of another kind than the one wanted."""
    return words("check_bundle_kind", kind=words(f"kind_{manifest.kind}"), name=manifest.name)


def read_manifest(data: bytes, keys: Sequence[bytes]) -> BundleManifest:
    """The manifest, once `keys` signed it and the sealed bytes are the ones it speaks of."""
    line, newline, sealed = data.partition(b"\n")
    if not newline:
        raise BadInput("bundle_broken")
    try:
        manifest = BundleManifest.model_validate(dsse.open_envelope(line, dsse.BUNDLE, keys))
    except ValidationError as error:
        raise BadInput("bundle_broken") from error
    if hashlib.sha256(sealed).hexdigest() != manifest.sealed_sha256:
        raise VerificationFailed("bundle_content", name=manifest.name)
    return manifest


def open_bundle(
    data: bytes, keys: Sequence[bytes], room: str, seal_key: SealKey, at_ms: int, share: bytes | None = None
) -> tuple[BundleManifest, bytes]:
    """Manifest and plain content for `room`; `share` is the released one of a bundle of two.

    BadInput: not a bundle. VerificationFailed: altered or wrongly signed, or another's share. Refused: not for this
    room, not now, or `bank_locked` without its second share.
    """
    manifest = read_manifest(data, keys)
    if at_ms < manifest.not_before_ms:
        raise Refused("bundle_early", name=manifest.name)
    if at_ms > manifest.expires_ms:
        raise Refused("bundle_expired", name=manifest.name)
    wrapped = manifest.keys.get(room)
    if wrapped is None:
        raise Refused("bundle_other_room", name=manifest.name, room=room)
    if manifest.release is not None:
        if share is None:
            raise Refused("bank_locked", name=manifest.name, version=manifest.version)
        check_share(manifest.release, manifest.content, share)
    try:
        info = _info(manifest.kind, manifest.name, manifest.version, room)
        key = seal_key.unwrap(base64.b64decode(wrapped, validate=True), info)
        if manifest.release is not None and share is not None:
            key = xor(key, share)
        content = b"".join(_decrypt(key, data.partition(b"\n")[2]))
    except (InvalidTag, ValueError) as error:
        raise VerificationFailed("bundle_content", name=manifest.name) from error
    if len(content) != manifest.size or hashlib.sha256(content).hexdigest() != manifest.content_sha256:
        raise VerificationFailed("bundle_content", name=manifest.name)
    return manifest, content


def seal_to(public: bytes, secret: bytes, info: bytes) -> bytes:
    """`secret` so that only the owner of `public` (raw X25519) has it: what `SealKey.unwrap` undoes."""
    return _SUITE.encrypt(secret, X25519PublicKey.from_public_bytes(public), info)


def _info(kind: str, name: str, version: int, room: str) -> bytes:
    return f"examroom bundle key 1\n{kind}\n{name}\n{version}\n{room}".encode()


def _wrap(key: bytes, public: bytes, kind: str, name: str, version: int, room: str) -> str:
    return base64.b64encode(seal_to(public, key, _info(kind, name, version, room))).decode()


def _nonce(number: int, last: bool) -> bytes:
    return struct.pack(">IQ", 1 if last else 0, number)


def _encrypt(key: bytes, content: bytes) -> list[bytes]:
    cipher = ChaCha20Poly1305(key)
    starts = range(0, max(len(content), 1), CHUNK)
    return [
        cipher.encrypt(_nonce(number, start + CHUNK >= len(content)), content[start : start + CHUNK], None)
        for number, start in enumerate(starts)
    ]


def _decrypt(key: bytes, sealed: bytes) -> list[bytes]:
    cipher, step = ChaCha20Poly1305(key), CHUNK + _TAG
    starts = range(0, max(len(sealed), 1), step)
    return [
        cipher.decrypt(_nonce(number, start + step >= len(sealed)), sealed[start : start + step], None)
        for number, start in enumerate(starts)
    ]
