"""The result file: one signed result with all that a stranger needs to check it but the root key.

application/vnd.examroom.result-file+json, canonical JSON:
{"certificate": envelope, "proof": {"checkpoint", "entry", "leaf", "path", "seq"}, "result": envelope}.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence

from edge.domain import merkle
from edge.domain.canonical import canonical
from edge.domain.reasons import LANGUAGES, bare
from edge.errors import BadInput, ExamroomError
from edge.trust import checkpoint as checkpoints
from edge.trust import dsse
from edge.trust.certificate import Certificate
from edge.trust.checkpoint import TreeHead
from edge.trust.evidence_format import LARGEST_SMALL, Part
from edge.trust.verifier.reader import strict_json
from edge.trust.verifier.signed import (
    check_certificate,
    check_envelope,
    check_note,
    check_validity,
    millis_of,
)
from edge.trust.verifier.verdict import Problem, Verdict, problem_of, refused, verified
from edge.why import why

MEDIA_TYPE = "application/vnd.examroom.result-file+json"
# The fixed bytes of the canonical form, and the part of the value that stands after each of them.
FRAME: tuple[tuple[bytes, Part], ...] = (
    (b'{"certificate":', Part.CERTIFICATE),
    (b',"proof":{"checkpoint":', Part.CHECKPOINT),
    (b',"entry":', Part.LEDGER),
    (b',"leaf":', Part.PROOF),
    (b',"path":', Part.PROOF),
    (b',"seq":', Part.PROOF),
    (b'},"result":', Part.RESULT),
)
_END = b"}"


def result_file(
    certificate_envelope: bytes, result_envelope: bytes, note: str, entry: bytes, proof: Sequence[bytes]
) -> bytes:
    """The file's bytes.

    `note`: a checkpoint that covers the `result` ledger entry whose exact bytes are `entry` (body {"sha256": hex of
    `result_envelope`, ...}); `proof`: the entry's audit path to it. BadInput `result_file_parts` where these do not
    belong together, so that no room writes a file nobody can verify.
    """
    try:
        certificate = Certificate.model_validate(dsse.peek(certificate_envelope).payload)
        data = canonical(
            {
                "certificate": json.loads(certificate_envelope),
                "proof": {
                    "checkpoint": checkpoints.only_signers(note, {certificate.origin}),
                    "entry": entry.decode(),
                    "leaf": merkle.leaf_hash(entry).hex(),
                    "path": [step.hex() for step in proof],
                    "seq": json.loads(entry)["seq"],
                },
                "result": json.loads(result_envelope),
            }
        )
    except (ExamroomError, ValueError, TypeError, KeyError) as error:
        raise BadInput("result_file_parts", detail=why(error)) from error
    checked = _check([data[start:end] for _, start, end in frame_of(data)], certificate)
    if isinstance(checked, Problem):
        raise BadInput(
            "result_file_parts", detail={language: bare(checked.sentence(language)) for language in LANGUAGES}
        )
    return data


def frame_of(data: bytes) -> list[tuple[Part, int, int]]:
    """(part, start, end) of the seven values; BadInput `result_file_frame` where the fixed bytes are not all there."""
    if not data.startswith(FRAME[0][0]) or not data.endswith(_END):
        raise BadInput("result_file_frame")
    starts = [len(FRAME[0][0])]
    ends = []
    for mark, _ in FRAME[1:]:
        at = data.find(mark, starts[-1])
        if at < 0:
            raise BadInput("result_file_frame")
        ends.append(at)
        starts.append(at + len(mark))
    ends.append(len(data) - len(_END))
    return [(part, start, end) for (_, part), start, end in zip(FRAME, starts, ends, strict=True)]


def looks_like_result_file(data: bytes) -> bool:
    return data.startswith(FRAME[0][0]) or FRAME[1][0] in data


def check_result_file(data: bytes, roots: Sequence[bytes]) -> Verdict:
    """The verdict on the bytes of a result file."""
    try:
        pieces = [data[start:end] for _, start, end in frame_of(data)]
    except ExamroomError as error:
        return refused("result", [problem_of(error, Part.CONTAINER)])
    certificate = check_certificate(pieces[0], roots)
    checked = certificate if isinstance(certificate, Problem) else _check(pieces, certificate)
    return refused("result", [checked]) if isinstance(checked, Problem) else verified("result", checked)


def _check(pieces: Sequence[bytes], certificate: Certificate) -> dict[str, object] | Problem:
    _, note, entry, leaf, path, seq, result = pieces
    payload = check_envelope(result, dsse.RESULT, certificate, Part.RESULT, "result_altered", "result_content")
    if isinstance(payload, Problem):
        return payload
    told, own = {"epoch": certificate.epoch, "room": certificate.room}, [certificate.epoch, certificate.room]
    if canonical([payload.get(key, wanted) for key, wanted in told.items()]) != canonical(own):  # 1.0 is not 1
        return Problem("result_other_room", Part.RESULT, {"room": certificate.room})
    head = _note(note, certificate)
    if isinstance(head, Problem):
        return head
    entered = _entry(entry, leaf, path, seq, head)
    if isinstance(entered, Problem):
        return entered
    sha256 = hashlib.sha256(result).hexdigest()
    try:
        content = strict_json(entered)
        number, at = content["seq"], millis_of(content["at"])
        same = content["kind"] == "result" and content["body"]["sha256"] == sha256
        same = same and type(number) is int and number == int(seq)
    except (ValueError, TypeError, KeyError, RecursionError):
        return Problem("result_not_entered", Part.LEDGER)
    if not same or at is None:
        return Problem("result_not_entered", Part.LEDGER)
    return check_validity(certificate, at) or {
        "room": certificate.room,
        "epoch": certificate.epoch,
        "institution": certificate.institution,
        "issuer": certificate.issuer,
        "sha256": sha256,
        "seq": number,
        "entered": content["at"],
        "entries_in_ledger": head.size,
        "payload": payload,
    }


def _note(piece: bytes, certificate: Certificate) -> TreeHead | Problem:
    text = _text(piece)
    return check_note(text or b"", certificate)


def _entry(entry: bytes, leaf: bytes, path: bytes, seq: bytes, head: TreeHead) -> bytes | Problem:
    """The ledger entry's bytes, once they are in the tree. `leaf` tells an altered entry from an altered path."""
    text = _text(entry)
    if max(len(leaf), len(path), len(seq)) > LARGEST_SMALL:
        return Problem("result_proof_altered", Part.PROOF)
    try:
        named = bytes.fromhex(strict_json(leaf))
        steps = [bytes.fromhex(step) for step in strict_json(path)]
        number = strict_json(seq)
        exact = canonical([step.hex() for step in steps]) == path and canonical(named.hex()) == leaf
    except (ValueError, TypeError):
        return Problem("result_proof_altered", Part.PROOF)
    if not exact or not isinstance(number, int) or isinstance(number, bool):
        return Problem("result_proof_altered", Part.PROOF)
    own = merkle.leaf_hash(text) if text is not None else None
    if own == named:
        if merkle.verify_inclusion(named, number, head.size, steps, head.root):
            return text or b""
        return Problem("result_proof_altered", Part.PROOF)
    if own is not None and merkle.verify_inclusion(own, number, head.size, steps, head.root):
        return Problem("result_proof_altered", Part.PROOF)
    return Problem("result_entry_altered", Part.LEDGER)


def _text(piece: bytes) -> bytes | None:
    """The UTF-8 bytes of a JSON string in canonical form, which nobody has signed yet."""
    if len(piece) > LARGEST_SMALL:
        return None
    try:
        value = strict_json(piece)
        return value.encode() if isinstance(value, str) else None
    except ValueError:
        return None
