"""Signed tree heads as C2SP tlog-checkpoint notes (c2sp.org/tlog-checkpoint, c2sp.org/signed-note).

A note is text: origin, size, root in base64, an empty line, then a line a signature. Other people's tools read it.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from edge.errors import BadInput, ExamroomError, VerificationFailed
from edge.trust.signer import Signer, verify

_ED25519 = b"\x01"


@dataclass(frozen=True)
class TreeHead:
    """What a verified note says."""

    origin: str
    size: int
    root: bytes


def sign_note(origin: str, size: int, root: bytes, name: str, signer: Signer) -> str:
    """A note over (size, root), signed under `name`; `origin` and `name` hold no space or '+'."""
    body = f"{origin}\n{size}\n{base64.b64encode(root).decode()}\n"
    return body + "\n" + _line(body, name, signer)


def cosign(note: str, name: str, signer: Signer) -> str:
    """The same note with one more signature line; what was signed does not change."""
    body, _ = _split(note)
    return note + _line(body, name, signer)


def open_note(note: str, keys: Mapping[str, bytes]) -> TreeHead:
    """The tree head, once every key in `keys` (name to raw public key) has signed it.

    BadInput when it is no note; VerificationFailed when a wanted signature is missing or wrong.
    """
    body, lines = _split(note)
    found: dict[tuple[str, bytes], bytes] = {}
    for line in lines:
        try:
            dash, name, blob = line.split(" ")
            decoded = base64.b64decode(blob, validate=True)
        except (ValueError, binascii.Error) as error:
            raise BadInput("checkpoint_broken") from error
        if dash != "—" or len(decoded) != 68 or base64.b64encode(decoded).decode() != blob:
            raise BadInput("checkpoint_broken")
        if (name, decoded[:4]) in found:
            raise BadInput("checkpoint_broken")
        found[(name, decoded[:4])] = decoded[4:]
    wanted = {(name, _key_hash(name, public)): public for name, public in keys.items()}
    if set(found) - set(wanted):
        raise VerificationFailed("checkpoint_signature", signer=", ".join(sorted(n for n, _ in found)))
    for (name, key_hash), public in wanted.items():
        signature = found.get((name, key_hash))
        if signature is None or not verify(public, body.encode(), signature):
            raise VerificationFailed("checkpoint_signature", signer=name)
    return _head(body)


def is_signed(note: str, keys: Mapping[str, bytes]) -> bool:
    """Whether all of these have signed the note, and nobody else."""
    try:
        open_note(note, keys)
    except ExamroomError:
        return False
    return True


def read_note(note: str) -> tuple[TreeHead, list[str]]:
    """What a note claims and the names on it, believed by nobody yet."""
    body, lines = _split(note)
    return _head(body), [line.split(" ")[1] for line in lines if line.count(" ") == 2]


def only_signers(note: str, names: set[str]) -> str:
    """The note with the signature lines of `names` alone."""
    body, lines = _split(note)
    return body + "\n" + "".join(f"{line}\n" for line in lines if line.split(" ")[1:2] and line.split(" ")[1] in names)


def _head(body: str) -> TreeHead:
    try:
        origin, size, root = body.rstrip("\n").split("\n")
        head = TreeHead(origin, int(size), base64.b64decode(root, validate=True))
    except (ValueError, binascii.Error) as error:
        raise BadInput("checkpoint_broken") from error
    exact = str(head.size) == size and base64.b64encode(head.root).decode() == root
    if not exact or len(head.root) != 32 or not 0 <= head.size < 2**53:
        raise BadInput("checkpoint_broken")
    return head


def _split(note: str) -> tuple[str, list[str]]:
    body, gap, signatures = note.partition("\n\n")
    if not gap or not signatures.endswith("\n"):
        raise BadInput("checkpoint_broken")
    return body + "\n", signatures[:-1].split("\n")


def _key_hash(name: str, public: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + _ED25519 + public).digest()[:4]


def _line(body: str, name: str, signer: Signer) -> str:
    blob = _key_hash(name, signer.public) + signer.sign(body.encode())
    return f"— {name} {base64.b64encode(blob).decode()}\n"
