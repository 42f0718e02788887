"""Reading the one thing a verifier must have from elsewhere: the root's public key."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from edge.errors import BadInput, ExamroomError
from edge.trust.protocol import open_gateway_key

_HEX = re.compile(r"[0-9a-fA-F]{64}")
_LONGEST = 64 * 1024


def read_root(given: str | Path) -> bytes:
    """The raw 32-byte Ed25519 public key of `given`: 64 hex digits, or a file of hex, PEM or the raw bytes.

    BadInput `verify_root_broken` where it is none of these.
    """
    if _HEX.fullmatch(str(given)):
        return bytes.fromhex(str(given))
    try:
        with Path(given).open("rb") as file:
            data = file.read(_LONGEST)
        public = _parse(data)
    except (OSError, ValueError, UnsupportedAlgorithm) as error:
        raise BadInput("verify_root_broken", root=given) from error
    return public


def read_witness(given: str | Path, roots: Sequence[bytes]) -> bytes:
    """Like `read_root`, or a gateway's key envelope (`gateway.json`) that one of `roots` signed."""
    try:
        return read_root(given)
    except BadInput:
        for root in roots:
            with suppress(ExamroomError, ValueError, OSError):
                return open_gateway_key(Path(given).read_bytes(), root).public
        raise


def _parse(data: bytes) -> bytes:
    if len(data) == 32:
        return data
    if data.lstrip().startswith(b"-----BEGIN PUBLIC KEY-----"):
        key = load_pem_public_key(data)
        if not isinstance(key, Ed25519PublicKey):
            raise ValueError("not an Ed25519 key")
        return key.public_bytes(Encoding.Raw, PublicFormat.Raw)
    text = data.decode("ascii").strip()
    if not _HEX.fullmatch(text):
        raise ValueError("not a public key")
    return bytes.fromhex(text)
