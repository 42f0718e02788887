"""The certificates of a room's earlier epochs: what was signed under them is handed out with them, not with today's.

A room that enrols again has a new key. Its files of before keep their signatures, and their certificates are kept for
them beside the one in force, as `trust/epoch-*.json` named by their hash.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from edge.errors import ExamroomError, NotFound
from edge.trust import dsse
from edge.trust.certificate import Certificate
from edge.trust.signer import write_secret


def keep(trust: Path, envelope: bytes) -> None:
    """Keep a certificate that is about to be replaced, on disk when this returns. Once more changes nothing."""
    file = trust / f"epoch-{hashlib.sha256(envelope).hexdigest()[:16]}.json"
    write_secret(file, envelope)
    file.chmod(0o644)


def kept(trust: Path) -> tuple[bytes, ...]:
    """The envelopes of earlier certificates; without those that cannot be read, which fail nobody but their own
    files."""
    found = list[bytes]()
    for file in sorted(trust.glob("epoch-*.json")):
        with suppress(OSError):
            found.append(file.read_bytes())
    return tuple(found)


def signer_of(envelope: bytes, certificates: Iterable[bytes]) -> tuple[bytes, Certificate]:
    """Which of these certificates, as envelopes, has the key that signed `envelope`; and what it says.

    NotFound (`epoch_gone`) for none.
    """
    for one in certificates:
        with suppress(ExamroomError, ValidationError):
            certificate = Certificate.model_validate(dsse.peek(one).payload)
            dsse.open_envelope(envelope, dsse.peek(envelope).payload_type, [certificate.public])
            return one, certificate
    raise NotFound("epoch_gone")
