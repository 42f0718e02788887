"""One-time enrolment tokens: 96 random bits and 64 bits of the province root's SHA-256, in 32 base32 characters.

Who types the token thereby says which province they mean: an answer under another root is refused.
"""

from __future__ import annotations

import base64
import hashlib
import re
import secrets

from edge.errors import BadInput

_FORM = re.compile(r"^[A-Z2-7]{32}$")


def new_token(root_public: bytes) -> str:
    """A new token for `root_public`, plain (see `spaced` for people)."""
    return base64.b32encode(secrets.token_bytes(12) + _fingerprint(root_public)).decode()


def spaced(token: str) -> str:
    """The token in groups of four, as it is printed."""
    return "-".join(token[start : start + 4] for start in range(0, len(token), 4))


def read_token(typed: str) -> str:
    """The plain token from what a person typed: case, blanks and hyphens do not matter. BadInput when it is none."""
    token = re.sub(r"[\s-]", "", typed).upper()
    if not _FORM.match(token):
        raise BadInput("token_malformed")
    return token


def token_hash(token: str) -> str:
    """What the gateway keeps of a token, hex."""
    return hashlib.sha256(b"examroom token 1\n" + token.encode()).hexdigest()


def is_for(token: str, root_public: bytes) -> bool:
    """Whether the token was issued under this root."""
    return base64.b32decode(token)[12:] == _fingerprint(root_public)


def _fingerprint(root_public: bytes) -> bytes:
    return hashlib.sha256(root_public).digest()[:8]
