"""Checks that evidence, result files and bare envelopes share: certificate, envelope, checkpoint, moments."""

from __future__ import annotations

import re
from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from edge import clock
from edge.errors import BadInput, ExamroomError
from edge.trust import checkpoint as checkpoints
from edge.trust import dsse
from edge.trust.certificate import Certificate
from edge.trust.evidence_format import Part
from edge.trust.signer import key_id_of
from edge.trust.verifier.reader import strict_json
from edge.trust.verifier.verdict import Problem, printable

_MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)


def check_certificate(envelope: bytes, roots: Sequence[bytes]) -> Certificate | Problem:
    """The certificate, or why it is none that one of `roots` (raw public keys) signed."""
    try:
        signers = [key_id for key_id, _ in dsse.outline(envelope).signatures]
    except ExamroomError:
        return Problem("evidence_certificate_altered", Part.CERTIFICATE)
    for root in roots:
        with suppress(ExamroomError, ValidationError):
            return Certificate.model_validate(open_strict(envelope, dsse.CERTIFICATE, [root]), strict=True)
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
    envelope: bytes, payload_type: str, certificate: Certificate, part: Part, altered: str, unfit: str
) -> dict[str, Any] | Problem:
    """The payload the room signed, or a problem: `altered`, another signer than the certificate's key, or `unfit`,
    where it signed what is not in the form of the format."""
    try:
        seen = dsse.outline(envelope)
    except ExamroomError:
        return Problem(altered, part)
    try:
        dsse.check_signatures(seen, payload_type, [certificate.public])
    except ExamroomError:
        signers, wanted = [key_id for key_id, _ in seen.signatures], key_id_of(certificate.public)
        if wanted in signers:
            return Problem(altered, part)
        facts = {"signer": _names(signers), "wanted": wanted, "room": certificate.room}
        return Problem("evidence_signer_wrong", part, facts)
    try:
        return read_payload(seen, floats=payload_type == dsse.RESULT)
    except ExamroomError:
        return Problem(unfit, part)


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


def open_strict(envelope: bytes, payload_type: str, keys: Sequence[bytes], *, floats: bool = False) -> dict[str, Any]:
    """The payload that `keys` signed and nobody else, read as both verifiers read. Errors as `dsse.open_envelope`."""
    seen = dsse.outline(envelope)
    dsse.check_signatures(seen, payload_type, keys)
    return read_payload(seen, floats=floats)


def read_payload(seen: dsse.Outline, *, floats: bool = False) -> dict[str, Any]:
    """The payload in canonical form; BadInput otherwise."""
    try:
        payload = strict_json(seen.raw, floats=floats)
    except ValueError as error:
        raise BadInput("envelope_broken") from error
    if not isinstance(payload, dict):
        raise BadInput("envelope_broken")
    return payload


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
