"""Checking an evidence file, from the outside in: container, certificate, manifest, ledger, fragments.

Each step trusts only what the steps before it proved. What one step finds damaged, later steps leave out instead of
reporting it again, so that one changed byte has one name.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Any, BinaryIO

from cryptography import x509
from pydantic import ValidationError

from edge import clock
from edge.domain import merkle
from edge.errors import ExamroomError
from edge.trust import checkpoint as checkpoints
from edge.trust import dsse
from edge.trust import evidence_format as form
from edge.trust.certificate import Certificate
from edge.trust.checkpoint import TreeHead
from edge.trust.container import read_directory
from edge.trust.evidence_format import Manifest, Part
from edge.trust.protocol import GATEWAY, GatewayKey, open_gateway_key
from edge.trust.verifier import slice as ledger_slice
from edge.trust.verifier.footage import Box, Small, check_footage
from edge.trust.verifier.reader import strict_json
from edge.trust.verifier.signed import (
    check_certificate,
    check_envelope,
    check_note,
    check_validity,
    millis_of,
    open_strict,
)
from edge.trust.verifier.stamp import check_stamp
from edge.trust.verifier.verdict import Problem, Verdict, printable, problem_of, refused, verified

CLOCK_STEP_MS = 86_400_000
_ALTERED = {
    form.README: ("evidence_readme_altered", Part.README),
    form.CERTIFICATE: ("evidence_certificate_altered", Part.CERTIFICATE),
    form.CHECKPOINT: ("evidence_checkpoint_altered", Part.CHECKPOINT),
    form.WITNESS: ("evidence_checkpoint_altered", Part.CHECKPOINT),
    form.TIMESTAMP: ("evidence_timestamp_altered", Part.TIMESTAMP),
}


def check_evidence(
    file: BinaryIO,
    roots: Sequence[bytes],
    witnesses: Sequence[bytes] = (),
    authorities: Sequence[x509.Certificate] = (),
) -> Verdict:
    """The verdict on an open evidence file. Reads each content byte once; holds no video in memory.

    `authorities`: roots of time-stamping authorities; without one a time stamp in the file is not checked, and the
    facts say so.
    """
    try:
        box = Box(file, {member.name: member for member in read_directory(file)})
    except ExamroomError as error:
        return refused("evidence", [problem_of(error, Part.CONTAINER)])
    for name, part in ((form.CERTIFICATE, Part.CERTIFICATE), (form.MANIFEST, Part.MANIFEST)):
        if name not in box.members:
            return refused("evidence", [Problem("evidence_member_missing", part, {"member": name})])
    if large := list(_too_large(box)):
        return refused("evidence", large)
    certificate = check_certificate(box.read(form.CERTIFICATE, form.LARGEST_SMALL), roots)
    if isinstance(certificate, Problem):
        return refused("evidence", [certificate])
    manifest = _manifest(box.read(form.MANIFEST, form.LARGEST_MANIFEST), certificate)
    if isinstance(manifest, Problem):
        return refused("evidence", [manifest])
    problems = [*_members(box, manifest)]
    if problems:
        return refused("evidence", problems)
    # told of every file: a witness.json that was taken out, or names nobody, must not look better than an old one
    facts: dict[str, object] = {"witnesses": [], "witnessed_entries": 0, "witness_covers": False}
    problems += _contents(box, manifest, certificate, [*roots, *witnesses], authorities, facts)
    if expired := check_validity(certificate, manifest.made_ms):
        problems.append(expired)
    if problems:
        return refused("evidence", problems)
    return verified("evidence", {**_facts(manifest, certificate), **facts})


def _too_large(box: Box) -> Iterator[Problem]:
    """Nobody has signed what comes first: its size is looked at before it is read."""
    for name, member in box.members.items():
        most = form.largest(name)
        if most is not None and member.size > most:
            facts = {"member": name, "size": member.size, "most": most}
            yield Problem("evidence_member_large", part_of(name), facts)


def _manifest(envelope: bytes, certificate: Certificate) -> Manifest | Problem:
    told = ("evidence_manifest_altered", "evidence_manifest_content")
    payload = check_envelope(envelope, dsse.EVIDENCE, certificate, Part.MANIFEST, *told)
    if isinstance(payload, Problem):
        return payload
    try:
        manifest = Manifest.model_validate(payload)
    except ValidationError:
        return Problem("evidence_manifest_content", Part.MANIFEST)
    if (manifest.room, manifest.epoch) != (certificate.room, certificate.epoch):
        facts = {"room": manifest.room, "wanted": certificate.room}
        return Problem("evidence_manifest_room", Part.MANIFEST, facts)
    return manifest


def part_of(name: str) -> Part:
    """The part that a member's content belongs to."""
    if name in _ALTERED:
        return _ALTERED[name][1]
    named = {form.LEDGER: Part.LEDGER, form.PROOFS: Part.PROOF, form.MANIFEST: Part.MANIFEST}
    if name in named:
        return named[name]
    if name.startswith(("video/", "view/")):
        return Part.VIDEO if name.startswith("video/") else Part.VIEW
    return Part.INDEX if name.startswith("segments/") else Part.CONTAINER


def _members(box: Box, manifest: Manifest) -> Iterator[Problem]:
    """The members are those of the manifest, which are those of the format, in that order."""
    signed = [fact.name for fact in manifest.members]
    named = set(signed)
    if [*signed, form.MANIFEST] != form.expected_names(
        manifest, witnessed=form.WITNESS in named, timestamped=form.TIMESTAMP in named, views=named
    ):
        yield Problem("evidence_manifest_content", Part.MANIFEST)
        return
    wanted, there = [*signed, form.MANIFEST], list(box.members)
    for name in wanted:
        if name not in box.members:
            yield Problem("evidence_member_missing", part_of(name), {"member": name})
    named = set(wanted)
    for name in there:
        if name not in named:
            yield Problem("evidence_member_extra", Part.CONTAINER, {"member": name})
    if there != wanted and set(there) == named:
        yield Problem("evidence_member_order", Part.CONTAINER)


def _contents(
    box: Box,
    manifest: Manifest,
    certificate: Certificate,
    known: Sequence[bytes],
    authorities: Sequence[x509.Certificate],
    facts: dict[str, object],
) -> Iterator[Problem]:
    """Every member against the manifest, and what they say against each other."""
    small = _read_small(box, manifest)
    for name, (reason, part) in _ALTERED.items():
        if name in small.altered and name != form.README:
            yield Problem(reason, part)
    head: TreeHead | None = None
    if form.CHECKPOINT not in small.altered:
        checked = check_note(small.content[form.CHECKPOINT], certificate)
        if isinstance(checked, Problem):
            yield checked
        else:
            head = checked
            facts["entries_in_ledger"] = head.size
            newest = manifest.footage_seq
            if form.WITNESS in small.content and form.WITNESS not in small.altered:
                yield from _witness(small.content[form.WITNESS], head, certificate, known, newest, facts)
            if form.TIMESTAMP in small.content and form.TIMESTAMP not in small.altered:
                yield from check_stamp(small.content[form.TIMESTAMP], head, certificate, authorities, newest, facts)
    expected = list(manifest.sequences())
    found = ledger_slice.Slice(
        expected,
        ledger_slice.split_lines(small.content[form.LEDGER], len(expected)),
        ledger_slice.split_lines(small.content[form.PROOFS], len(expected)),
    )
    told = True
    for problem in _ledger(found, small, manifest, head):
        told = False
        yield problem
    if told and head is not None and found.entries:
        last = found.entries[manifest.span.last]
        facts["open_end"] = not ledger_slice.closes(last, manifest.camera, manifest.until_ms)
        yield from _made_in_time(found.entries[manifest.export_seq], manifest, certificate)
    yield from check_footage(box, small, manifest, found.entries if told and head else None, facts)
    if form.README in small.altered:
        yield Problem("evidence_readme_altered", Part.README)
    # A header that claims another checksum than its unaltered content has is the container's fault.
    for name, header in box.wrong_crc.items():
        if name not in small.altered:
            yield Problem("container_altered", Part.CONTAINER, {"at": header})


def _read_small(box: Box, manifest: Manifest) -> Small:
    small = Small()
    for fact in manifest.members:
        if fact.name.startswith(("video/", "view/")):
            continue
        data = box.read(fact.name, fact.size + (form.LEDGER_SLACK if fact.name in (form.LEDGER, form.PROOFS) else 0))
        small.content[fact.name] = data
        if box.members[fact.name].size != fact.size or hashlib.sha256(data).hexdigest() != fact.sha256:
            small.altered.add(fact.name)
    return small


def _ledger(found: ledger_slice.Slice, small: Small, manifest: Manifest, head: TreeHead | None) -> Iterator[Problem]:
    intact = form.LEDGER not in small.altered
    if not intact:
        yield from ledger_slice.check_lines(found, head)
    if form.PROOFS in small.altered:
        yield ledger_slice.check_proofs(found, head, ledger_intact=intact)
    elif intact and head is not None:
        wrong = list(ledger_slice.check_inclusion(found, head))
        yield from wrong
        if not wrong:
            yield from ledger_slice.check_story(found.entries, manifest, head)


def _made_in_time(exported: dict[str, Any], manifest: Manifest, certificate: Certificate) -> Iterator[Problem]:
    """When the file was made, by its own ledger entry: `made_ms` alone is a number that the signer chose.

    A clock may be set between the two, which are milliseconds apart; by a day or more, nobody can tell when it was.
    """
    at = millis_of(exported["at"])
    if at is None or manifest.made_ms < at - CLOCK_STEP_MS:
        facts = {"made": clock.iso(manifest.made_ms), "at": exported["at"], "seq": manifest.export_seq}
        yield Problem("evidence_made_before", Part.MANIFEST, facts, seq=manifest.export_seq)
    elif check_validity(certificate, manifest.made_ms) is None and (expired := check_validity(certificate, at)):
        yield expired


def _witness(
    data: bytes, head: TreeHead, certificate: Certificate, known: Sequence[bytes], newest: int, facts: dict[str, object]
) -> Iterator[Problem]:
    """An earlier tree head that somebody outside the room signed: the ledger of this file must extend it.

    `newest`: the last entry that tells of footage in the file, which the witness covers or not.
    """
    try:
        witness = form.Witness.model_validate(strict_json(data))
        path = [bytes.fromhex(step) for step in witness.consistency]
        room = checkpoints.only_signers(witness.note, {certificate.origin})
        earlier = checkpoints.open_note(room, {certificate.origin: certificate.public})
        consistent = earlier.origin == head.origin and merkle.verify_consistency(
            earlier.size, head.size, earlier.root, head.root, path
        )
        others = sorted(set(checkpoints.read_note(witness.note)[1]) - {certificate.origin})
    except (ExamroomError, ValueError):
        consistent = False
    gateway = _gateway_key(witness.gateway, known) if consistent else None
    named = gateway is None or _vouched(witness.note, gateway.name, [gateway.public])
    if not consistent or not named or (gateway is None and witness.gateway is not None):
        yield Problem("evidence_witness_differs", Part.CHECKPOINT)
        return
    keys = [*known, *([gateway.public] if gateway else [])]
    facts["witnesses"] = [printable(name) for name in others if _vouched(witness.note, name, keys)]
    entries = earlier.size if facts["witnesses"] else 0
    facts["witnessed_entries"], facts["witness_covers"] = entries, entries > newest


def _gateway_key(envelope: str | None, roots: Sequence[bytes]) -> GatewayKey | None:
    """The gateway's name and key, where a root signed them."""
    for root in roots if envelope is not None else ():
        with suppress(ExamroomError, ValueError):
            data = (envelope or "").encode()
            open_strict(data, GATEWAY, [root])
            return open_gateway_key(data, root)
    return None


def _vouched(note: str, name: str, keys: Sequence[bytes]) -> bool:
    for public in keys:
        with suppress(ExamroomError, ValueError):
            checkpoints.open_note(checkpoints.only_signers(note, {name}), {name: public})
            return True
    return False


def _facts(manifest: Manifest, certificate: Certificate) -> dict[str, object]:
    return {
        "room": certificate.room,
        "epoch": certificate.epoch,
        "institution": certificate.institution,
        "issuer": certificate.issuer,
        "camera": manifest.camera,
        "session": manifest.session,
        "from": clock.iso(manifest.from_ms),
        "until": clock.iso(manifest.until_ms),
        "made": clock.iso(manifest.made_ms),
        "by": manifest.by,
        "why": manifest.why,
        "entries": sum(1 for _ in manifest.sequences()),
        "segments": [s.segment for s in manifest.segments],
        "absent": list(manifest.absent),
    }
