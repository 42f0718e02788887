"""The time stamp of an evidence file: an earlier checkpoint of the same ledger that an outside authority dated."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence

from cryptography import x509

from edge import clock
from edge.domain import merkle
from edge.errors import ExamroomError
from edge.trust import checkpoint as checkpoints
from edge.trust import evidence_format as form
from edge.trust import timestamp
from edge.trust.certificate import Certificate
from edge.trust.checkpoint import TreeHead
from edge.trust.evidence_format import Part
from edge.trust.verifier.reader import strict_json
from edge.trust.verifier.verdict import Problem, problem_of


def check_stamp(
    data: bytes,
    head: TreeHead,
    certificate: Certificate,
    authorities: Sequence[x509.Certificate],
    newest: int,
    facts: dict[str, object],
) -> Iterator[Problem]:
    """`head` must extend the stamped checkpoint; with `authorities` given one of them must have dated it.

    Fills `facts["timestamp"]`: `checked`, `entries` (of the ledger that it covers) and, where checked, `time` and
    `authority`. `facts["stamp_covers"]`: whether it covers `newest`, the last entry that tells of footage in the file.
    """
    try:
        stamped = form.Timestamp.model_validate(strict_json(data))
        answer = base64.b64decode(stamped.tsr, validate=True)
        earlier = checkpoints.open_note(stamped.note, {certificate.origin: certificate.public})
        path = [bytes.fromhex(step) for step in stamped.consistency]
        same = earlier.origin == head.origin and base64.b64encode(answer).decode() == stamped.tsr
        held = same and merkle.verify_consistency(earlier.size, head.size, earlier.root, head.root, path)
    except (ExamroomError, ValueError):
        held = False
    if not held:
        yield Problem("evidence_timestamp_differs", Part.TIMESTAMP)
        return
    told: dict[str, object] = {"checked": False, "entries": earlier.size}
    if authorities:
        try:
            stamp = timestamp.check(answer, timestamp.imprint(stamped.note), authorities)
        except ExamroomError as error:
            yield problem_of(error, Part.TIMESTAMP)
            return
        told |= {"checked": True, "time": clock.iso(stamp.time_ms), "authority": stamp.authority}
    facts["timestamp"], facts["stamp_covers"] = told, earlier.size > newest
