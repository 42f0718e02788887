"""The check of a completeness certificate: who signed it, in its certificate's time, and that it adds up."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import ValidationError

from edge import clock
from edge.errors import ExamroomError
from edge.trust import dsse
from edge.trust.certificate import Certificate
from edge.trust.completeness_format import Completeness, percent, split_file
from edge.trust.evidence_format import Part
from edge.trust.verifier.signed import check_certificate, check_envelope, check_note, check_validity
from edge.trust.verifier.verdict import Problem, Verdict, problem_of, refused, verified


def check_completeness_file(data: bytes, roots: Sequence[bytes]) -> Verdict:
    """The verdict on the bytes of a completeness certificate's file."""
    try:
        certificate_envelope, envelope = split_file(data)
    except ExamroomError as error:
        return refused("completeness", [problem_of(error, Part.CONTAINER)])
    certificate = check_certificate(certificate_envelope, roots)
    found = certificate if isinstance(certificate, Problem) else _check(envelope, certificate)
    if isinstance(found, Problem):
        return refused("completeness", [found])
    return verified("completeness", _facts(found))


def _check(envelope: bytes, certificate: Certificate) -> Completeness | Problem:
    told = ("completeness_altered", "completeness_wrong")
    payload = check_envelope(envelope, dsse.COMPLETENESS, certificate, Part.COMPLETENESS, *told)
    if isinstance(payload, Problem):
        return payload
    try:
        found = Completeness.model_validate(payload)
    except ValidationError:
        return Problem("completeness_wrong", Part.COMPLETENESS)
    if (found.room, found.epoch) != (certificate.room, certificate.epoch):
        return Problem("completeness_other_room", Part.COMPLETENESS, {"room": certificate.room})
    head = check_note(found.checkpoint.encode(), certificate)
    if isinstance(head, Problem):
        return head
    return check_validity(certificate, found.made_ms) or found


def _facts(found: Completeness) -> dict[str, object]:
    return {
        "room": found.room,
        "epoch": found.epoch,
        "session": found.session,
        "version": found.version,
        "percent": percent(found.hundredths),
        "gap_count": found.gaps,
        "made": clock.iso(found.made_ms),
        "cameras": [
            {
                "camera": camera.camera,
                "percent": percent(camera.hundredths),
                "expected_s": camera.expected_ms / 1000,
                "recorded_s": camera.recorded_ms / 1000,
                "gaps": len(camera.gaps),
            }
            for camera in found.cameras
        ],
        "payload": found.model_dump(),
    }
