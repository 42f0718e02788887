"""Checks that evidence, result files and bare envelopes share: certificate, envelope, checkpoint, moments."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from edge import clock
from edge.domain.canonical import canonical
from edge.errors import BadInput, ExamroomError
from edge.trust import certificate as certificates
from edge.trust import checkpoint as checkpoints
from edge.trust import dsse
from edge.trust.certificate import Certificate
from edge.trust.evidence_format import Part
from edge.trust.signer import key_id_of
from edge.trust.verifier.verdict import Problem, printable

_ENVELOPE, _SIGNATURE = {"payload", "payloadType", "signatures"}, {"keyid", "sig"}
_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)


def check_certificate(envelope: bytes, roots: Sequence[bytes]) -> Certificate | Problem:
    """The certificate, or why it is none that one of `roots` (raw public keys) signed."""
    try:
        signers = [key_id for key_id, _ in peek(envelope).signatures]
    except ExamroomError:
        return Problem("evidence_certificate_altered", Part.CERTIFICATE)
    for root in roots:
        try:
            return certificates.check(envelope, root)
        except ExamroomError:
            continue
    if set(signers) & {key_id_of(root) for root in roots}:
        return Problem("evidence_certificate_altered", Part.CERTIFICATE)
    return Problem("evidence_root_unknown", Part.CERTIFICATE, {"signer": _names(signers)})


def check_validity(certificate: Certificate, at_ms: int) -> Problem | None:
    """A signature counts when it was made inside the certificate's time, however old it is today."""
    if certificate.not_before_ms <= at_ms <= certificate.not_after_ms:
        return None
    facts = {"room": certificate.room, "at": clock.iso(at_ms)}
    return Problem("evidence_certificate_expired", Part.CERTIFICATE, facts)


def check_envelope(
    envelope: bytes, payload_type: str, certificate: Certificate, part: Part, altered: str
) -> dict[str, Any] | Problem:
    """The payload the room signed, or a problem: `altered`, or another signer than the certificate's key."""
    try:
        signers = [key_id for key_id, _ in peek(envelope).signatures]
    except ExamroomError:
        return Problem(altered, part)
    with suppress(ExamroomError):
        return dsse.open_envelope(envelope, payload_type, [certificate.public])
    if key_id_of(certificate.public) in signers:
        return Problem(altered, part)
    facts = {"signer": _names(signers), "wanted": key_id_of(certificate.public), "room": certificate.room}
    return Problem("evidence_signer_wrong", part, facts)


def check_note(note: bytes, certificate: Certificate) -> checkpoints.TreeHead | Problem:
    """The tree head of a note with the room's signature and no other."""
    try:
        text = note.decode()
        head = checkpoints.open_note(text, {certificate.origin: certificate.public})
    except (ExamroomError, UnicodeError):
        return Problem("evidence_checkpoint_altered", Part.CHECKPOINT)
    if head.origin != certificate.origin or text.count("\n") != 5:
        return Problem("evidence_checkpoint_altered", Part.CHECKPOINT)
    return head


def peek(envelope: bytes) -> dsse.Peeked:
    """`dsse.peek` of an envelope that is nothing but its three keys, with a payload in canonical form.

    What JSON alone lets through (NaN, lone surrogates, keys that nobody signed) is refused as BadInput too.
    """
    try:
        peeked = dsse.peek(envelope)
        outer = json.loads(envelope)
        bare = outer.keys() == _ENVELOPE and all(
            one.keys() == _SIGNATURE and isinstance(one["keyid"], str) for one in outer["signatures"]
        )
        exact = bare and canonical(peeked.payload) == peeked.raw
    except (ValueError, AttributeError, RecursionError) as error:
        raise BadInput("envelope_broken") from error
    if not exact:
        raise BadInput("envelope_broken")
    return peeked


def strict_json(data: bytes) -> Any:
    """The value whose canonical bytes are exactly `data`; ValueError otherwise."""
    try:
        value = json.loads(data.decode())
        same = canonical(value) == data
    except RecursionError as error:
        raise ValueError("nested too deep") from error
    if not same:
        raise ValueError("not in canonical form")
    return value


def millis_of(moment: object) -> int | None:
    """Milliseconds of a text as `clock.iso` writes it; None for anything else."""
    if not isinstance(moment, str) or not _MOMENT.fullmatch(moment):
        return None
    try:
        parsed = datetime.fromisoformat(moment)
    except ValueError:
        return None
    return round(parsed.timestamp() * 1000) if clock.iso(round(parsed.timestamp() * 1000)) == moment else None


def _names(signers: Sequence[str]) -> str:
    return printable(", ".join(signers) or "-")
