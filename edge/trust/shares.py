"""A bank's key under two shares: K = A xor B. A is sealed to each room; B is released when the exam is near.

B leaves by the gateway's signed release, or from two printed slips, each held by another person: B = B1 xor B2, and
each half is wrapped under its slip's code (argon2id, then ChaCha20-Poly1305 bound to the content it is for). Any one of
A, B, B1 and B2 is uniformly random by itself.

A code is 15 random digits and one check digit (ISO 7064 MOD 11,10) reckoned with the slip's number before them, so that
a wrong digit and a slip in the other's field are told before anything is tried.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
from dataclasses import dataclass
from typing import Annotated, Literal, Self

from argon2.low_level import Type, hash_secret_raw
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge.errors import BadInput, Refused, VerificationFailed

SLIPS = (1, 2)
CODE_DIGITS = 16
MEMORY_KIB = 64 * 1024
ROUNDS = 4
Way = Literal["gateway", "codes"]

_Base64 = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]+={0,2}$", max_length=200)]


class Slip(BaseModel):
    """One half of the release share under one code. `memory_kib` and `rounds` are argon2id's; binary is base64."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    salt: _Base64
    sealed: _Base64
    memory_kib: Annotated[int, Field(ge=8, le=1 << 20)]
    rounds: Annotated[int, Field(ge=1, le=100)]


class Release(BaseModel):
    """How the second share of a bundle is had. The hash names the share without telling it: it is 32 random bytes."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    ways: Annotated[list[Way], Field(min_length=1, max_length=2)]
    share_sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    slips: Annotated[list[Slip], Field(max_length=2)]

    @model_validator(mode="after")
    def as_many_slips_as_halves(self) -> Self:
        if len(self.slips) != (len(SLIPS) if "codes" in self.ways else 0):
            raise ValueError("codes want two slips, and slips want codes")
        return self


@dataclass(frozen=True)
class Content:
    """What a share is for. Not the sealed file: a version sealed anew for a new room keeps its codes."""

    kind: str
    name: str
    version: int
    sha256: str

    def label(self, slip: int) -> bytes:
        return f"examroom bank share 1\n{slip}\n{self.kind}\n{self.name}\n{self.version}\n{self.sha256}".encode()


@dataclass(frozen=True)
class Shared:
    """The second share of one version, and what its manifest says of it."""

    share: bytes
    release: Release


def new_codes() -> tuple[str, str]:
    """The codes of slips 1 and 2, digits only."""
    return _new_code(1), _new_code(2)


def grouped(code: str) -> str:
    """For a person: four groups of four."""
    return " ".join(code[at : at + 4] for at in range(0, len(code), 4))


def read_code(typed: str, slip: int) -> str:
    """The digits of a code as somebody typed it.

    BadInput: not 16 digits, a digit is wrong, or it is the other slip's.
    """
    digits = "".join(typed.split()).replace("-", "")
    if len(digits) != CODE_DIGITS or not (digits.isascii() and digits.isdigit()):
        raise BadInput("unlock_code_form", slip=slip)
    if _check_digit(slip, digits[:-1]) == digits[-1]:
        return digits
    other = SLIPS[1] if slip == SLIPS[0] else SLIPS[0]
    if _check_digit(other, digits[:-1]) == digits[-1]:
        raise BadInput("unlock_code_other", slip=slip, other=other)
    raise BadInput("unlock_code_digit", slip=slip)


def share_out(content: Content, codes: tuple[str, str] | None, gateway: bool) -> Shared:
    """A new second share for `content`, under two codes, by the gateway, or either."""
    share = secrets.token_bytes(32)
    ways: list[Way] = [*(("gateway",) if gateway else ()), *(("codes",) if codes is not None else ())]
    slips = []
    if codes is not None:
        first = secrets.token_bytes(32)
        halves = (first, xor(share, first))
        slips = [_wrap(content, n, code, half) for n, code, half in zip(SLIPS, codes, halves, strict=True)]
    return Shared(share, Release(ways=ways, share_sha256=hashlib.sha256(share).hexdigest(), slips=slips))


def open_slip(release: Release, content: Content, slip: int, code: str) -> bytes:
    """The half behind one slip. Refused `unlock_code_wrong` for another code; costs 64 MB and a moment.

    Refused `unlock_no_codes` where the bundle is released by the gateway alone.
    """
    if "codes" not in release.ways:
        raise Refused("unlock_no_codes", name=content.name)
    one = release.slips[slip - 1]
    try:
        sealed = base64.b64decode(one.sealed, validate=True)
        key = _key(code, base64.b64decode(one.salt, validate=True), one.memory_kib, one.rounds)
        return ChaCha20Poly1305(key).decrypt(sealed[:12], sealed[12:], content.label(slip))
    except (InvalidTag, ValueError) as error:
        raise Refused("unlock_code_wrong", slip=slip) from error


def check_share(release: Release, content: Content, share: bytes) -> bytes:
    """`share` itself, when it is the one the manifest means; VerificationFailed otherwise."""
    if hashlib.sha256(share).hexdigest() != release.share_sha256:
        raise VerificationFailed("unlock_share_wrong", name=content.name)
    return share


def xor(one: bytes, other: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(one, other, strict=True))


def _wrap(content: Content, slip: int, code: str, half: bytes) -> Slip:
    salt, nonce = secrets.token_bytes(16), secrets.token_bytes(12)
    sealed = nonce + ChaCha20Poly1305(_key(code, salt, MEMORY_KIB, ROUNDS)).encrypt(nonce, half, content.label(slip))
    return Slip(salt=_text(salt), sealed=_text(sealed), memory_kib=MEMORY_KIB, rounds=ROUNDS)


def _key(code: str, salt: bytes, memory_kib: int, rounds: int) -> bytes:
    return hash_secret_raw(
        code.encode(), salt, time_cost=rounds, memory_cost=memory_kib, parallelism=1, hash_len=32, type=Type.ID
    )


def _new_code(slip: int) -> str:
    digits = "".join(secrets.choice("0123456789") for _ in range(CODE_DIGITS - 1))
    return digits + _check_digit(slip, digits)


def _check_digit(slip: int, digits: str) -> str:
    product = 10
    for digit in (slip, *map(int, digits)):
        total = (product + digit) % 10 or 10
        product = total * 2 % 11
    return str((11 - product) % 10)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
