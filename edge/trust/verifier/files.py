"""What kind of file this is, and the check that belongs to it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

from cryptography import x509

from edge.errors import ExamroomError, NotFound
from edge.trust import dsse, seal
from edge.trust.certificate import Certificate
from edge.trust.completeness_format import looks_like_completeness_file
from edge.trust.container import END_BYTES, END_MARK, LOCAL_MARK, NAME_AT
from edge.trust.evidence_format import MANIFEST, README, Part
from edge.trust.verifier.completenessfile import check_completeness_file
from edge.trust.verifier.evidence import check_evidence
from edge.trust.verifier.resultfile import check_result_file, looks_like_result_file
from edge.trust.verifier.signed import check_certificate, open_strict
from edge.trust.verifier.verdict import Kind, Problem, Verdict, problem_of, refused, verified
from edge.why import why

LARGEST_BUNDLE = 1 << 30
LARGEST_DOCUMENT = 64 << 20
"""Of all but bundles, whose sealed content is not looked into: one candidate's result, one session's certificate."""
LARGE = 16 << 20
"""A larger file that is no container must begin as a document does before more of it is read."""
LONGEST_HEAD = 4 << 20
"""A bundle's first line names a key for each room: some 200 bytes."""
_TAIL = 1 << 16  # where the names of a directory stand, the last of them at the least
_TYPE = re.compile(rb'"payloadType":"application/vnd\.examroom\.([a-z]{1,20})\+json"')


def verify_file(
    path: Path,
    roots: Sequence[bytes],
    witnesses: Sequence[bytes] = (),
    authorities: Sequence[x509.Certificate] = (),
) -> Verdict:
    """Check one file with nothing but itself and the keys given.

    `roots`: raw 32-byte Ed25519 public keys of those who issue rooms' certificates (and, for bundles, policies and
    receipts, of those who sign them). `witnesses`: keys of those who countersign checkpoints, where the roots do not.
    `authorities`: root certificates of time-stamping authorities, where a time stamp is to be checked.
    Whatever the file holds, the answer is a Verdict; NotFound `verify_file_missing` only when it cannot be read at all.
    """
    try:
        with path.open("rb") as file:
            return verify_open(file, roots, witnesses, authorities)
    except OSError as error:
        raise NotFound("verify_file_missing", path=path, detail=why(error)) from error


def verify_open(
    file: BinaryIO,
    roots: Sequence[bytes],
    witnesses: Sequence[bytes] = (),
    authorities: Sequence[x509.Certificate] = (),
) -> Verdict:
    """`verify_file` for a seekable binary file that is open already."""
    if is_container(file):
        return check_evidence(file, roots, witnesses, authorities)
    if _is_nothing_of_ours(file):
        return refused(None, [Problem("verify_unknown", None)])
    file.seek(0)
    data = file.read()
    if looks_like_completeness_file(data):
        return check_completeness_file(data, roots)
    if looks_like_result_file(data):
        return check_result_file(data, roots)
    return _check_document(data, [*roots, *witnesses])


def is_container(file: BinaryIO) -> bool:
    """Whether it begins or ends as an evidence container does: either may be altered, and the file may be cut.

    A ZIP of somebody else's, as a spreadsheet is, has neither our first member's name nor our directory.
    """
    length = file.seek(0, 2)
    file.seek(max(0, length - _TAIL))
    tail = file.read(_TAIL)
    file.seek(0)
    head = file.read(NAME_AT + len(README))
    if head[:4] != LOCAL_MARK and tail[-END_BYTES:][:4] != END_MARK:
        return False
    return README.encode().startswith(head[NAME_AT:]) or MANIFEST.encode() in tail


def _is_nothing_of_ours(file: BinaryIO) -> bool:
    """Whether its size and first bytes say so: somebody may name a film, which is not to be read into memory."""
    length = file.seek(0, 2)
    file.seek(0)
    if length <= LARGE or length > LARGEST_BUNDLE:
        return length > LARGE
    if length > LARGEST_DOCUMENT:
        found = _TYPE.search(file.readline(LONGEST_HEAD))
        return found is None or found[1] != b"bundle"
    head = file.read(_TAIL)
    return not head.startswith(b"{") and not _TYPE.search(head)


def _check_document(data: bytes, roots: Sequence[bytes]) -> Verdict:
    """A bare DSSE envelope, or a sealed bundle (an envelope, a newline, sealed bytes)."""
    line, newline, rest = data.partition(b"\n")
    found = _TYPE.search(line)
    payload_type = dsse.PREFIX + found[1].decode() + "+json" if found else None
    if payload_type == dsse.BUNDLE:
        return _check_bundle(data, line, roots)
    if payload_type == dsse.CERTIFICATE and not newline:
        certificate = check_certificate(line, roots)
        if isinstance(certificate, Problem):
            return refused("certificate", [certificate])
        return verified("certificate", _certificate_facts(certificate))
    if payload_type == dsse.RECEIPT and not newline:
        return _check_envelope(line, payload_type, "receipt", Part.RECEIPT, roots)
    if payload_type == dsse.POLICY and not newline:
        return _check_envelope(line, payload_type, "policy", Part.POLICY, roots)
    if payload_type == dsse.RESULT and not rest:
        return refused("result", [Problem("verify_result_bare", Part.CERTIFICATE)])
    return refused(None, [Problem("verify_unknown", None)])


def _check_envelope(data: bytes, payload_type: str, kind: Kind, part: Part, roots: Sequence[bytes]) -> Verdict:
    try:
        payload = open_strict(data, payload_type, roots, floats=True)
    except ExamroomError as error:
        return refused(kind, [problem_of(error, part)])
    return verified(kind, {"payload": payload})


def _check_bundle(data: bytes, line: bytes, roots: Sequence[bytes]) -> Verdict:
    try:
        open_strict(line, dsse.BUNDLE, roots, floats=True)
        manifest = seal.read_manifest(data, roots)
    except ExamroomError as error:
        part = Part.CONTENT if error.code == "bundle_content" else Part.MANIFEST
        return refused("bundle", [problem_of(error, part)])
    facts: dict[str, object] = {"bundle": manifest.kind, "name": manifest.name, "version": manifest.version}
    return verified("bundle", {**facts, "rooms": sorted(manifest.keys)})


def _certificate_facts(certificate: Certificate) -> dict[str, object]:
    return dict(certificate.model_dump())
