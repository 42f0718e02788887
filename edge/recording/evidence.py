"""Exporting evidence: footage of one camera and span, and all a stranger needs to check it, in one file.

The export is a ledger entry before the first byte is written. The file's format is edge/trust/verifier/FORMAT.md.
"""

from __future__ import annotations

import base64
import secrets
import sqlite3
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path

from edge import clock
from edge.config import Paths
from edge.domain.canonical import canonical
from edge.domain.footage import Fragment, covering
from edge.errors import BadInput, Exists, NotFound, Unavailable, VerificationFailed
from edge.recording.packing import Chosen, Output, Told, write_file
from edge.store import access, downloads, ledger, segments
from edge.store.db import transaction
from edge.store.segments import Segment
from edge.trust import certificate as certificates
from edge.trust import checkpoint as checkpoints
from edge.trust import evidence_format as form
from edge.trust.container import MAX_BYTES
from edge.trust.enrolment import Identity
from edge.trust.evidence_format import Manifest, Range, SegmentFact
from edge.trust.protocol import open_gateway_key
from edge.trust.verifier import slice as ledger_slice
from edge.trust.verifier.slice import proof_line

LONGEST_TEXT = 500
MOST_BEHIND = 10_000
"""So many entries behind the span are looked through for the camera's next segment: some two days of four cameras."""
FAR = 10_000
"""An entry dated in the span that stands so many entries from all others was dated by a clock that was wrong."""
_ROOM_FOR_THE_REST = 64 << 20
_PAGE = 1000
_MOST_NOTES = 100
"""So many countersigned notes are tried with the gateway's key: after a change of it the newest few tell."""


def _tell_nobody(_done: int, _total: int) -> None:
    pass


def export_evidence(
    connection: sqlite3.Connection,
    paths: Paths,
    identity: Identity,
    *,
    camera: str,
    from_ms: int,
    until_ms: int,
    why: str,
    by: str,
    out: Path,
    session: str | None = None,
    views: bool = True,
    reserve: int = 0,
    told: Told = _tell_nobody,
) -> Path:
    """Write the evidence of `camera` over [from_ms, until_ms) of wall time to the new file `out`, and return it.

    `why` is the purpose in words (kept in the file, and in the room till its date; committed to in the ledger), `by` a
    staff id. Closed segments only. `views`: where whole fragments are more than was asked, the same footage cut to the
    picture beside them.
    `reserve`: bytes that the disk of `out` keeps free. The footage is pinned until the file is there.

    Refused before anything is written or entered: BadInput (span, purpose, more than 4 GiB), NotFound (no footage),
    Exists (`out` exists), Conflict (`export_no_room`), VerificationFailed (the certificate is not valid now). While
    writing: Unavailable (disk, or a footage file that is gone), Conflict (`export_no_room`), VerificationFailed
    (footage that is not what was recorded), and what `told` raises; then the ledger keeps the attempt and no file is
    left.
    """
    output = Output(out, views, reserve, told)
    chosen = _choose(connection, camera, from_ms, until_ms, why, by, output)
    _check_identity(identity)
    salt, pin = secrets.token_hex(32), secrets.token_hex(8)
    with transaction(connection):
        downloads.pin(connection, pin, [c.segment.id for c in chosen])
        body = form.export_body(camera, from_ms, until_ms, salt, why)
        export_seq = ledger.append(connection, access.EXPORTED, body, session=session, by=by)
        access.keep_words(connection, export_seq, salt, why)
    try:
        _export(connection, paths, identity, chosen, output, export_seq, salt, session, why, by)
    finally:
        with suppress(Unavailable), transaction(connection):  # a pin that cannot be taken off lapses by itself
            downloads.unpin(connection, pin)
    return out


def need(
    connection: sqlite3.Connection,
    *,
    camera: str,
    from_ms: int,
    until_ms: int,
    why: str,
    by: str,
    out: Path,
    reserve: int,
) -> int:
    """The bytes that such an export would take, with its views. Errors as `export_evidence` before it writes."""
    output = Output(out, True, reserve, _tell_nobody)
    return output.size_of(_choose(connection, camera, from_ms, until_ms, why, by, output))


def _export(
    connection: sqlite3.Connection,
    paths: Paths,
    identity: Identity,
    chosen: Sequence[Chosen],
    out: Output,
    export_seq: int,
    salt: str,
    session: str | None,
    why: str,
    by: str,
) -> None:
    camera, from_ms, until_ms = chosen[0].segment.camera, chosen[0].from_ms, chosen[0].until_ms
    size, note = _checkpoint(connection, identity)
    inside = [e.seq for e in ledger.entries(connection, before=size, from_ms=from_ms, until_ms=until_ms, limit=size)]
    around = _around(inside, [c.segment for c in chosen])
    span = _span(connection, camera, from_ms, until_ms, size, around)
    facts = [
        SegmentFact(
            segment=c.segment.id,
            ledger_seq=_number(c.segment),
            first=c.fragments[0].n,
            last=c.fragments[-1].n,
        )
        for c in chosen
    ]
    outside = {export_seq, *inside, *(fact.ledger_seq for fact in facts)} - set(range(span.first, span.last + 1))
    entries = _entries(connection, span, sorted(outside))
    manifest = Manifest(
        version=1,
        room=identity.certificate.room,
        epoch=identity.certificate.epoch,
        camera=camera,
        session=session,
        from_ms=from_ms,
        until_ms=until_ms,
        clip_ms=chosen[0].fragments[0].wall_ms,
        made_ms=clock.wall_ms(),
        by=by,
        why=why,
        why_salt=salt,
        export_seq=export_seq,
        span=span,
        others=sorted(outside),
        segments=facts,
        absent=_absent(entries, {fact.segment for fact in facts}, camera, from_ms, until_ms),
        members=[],
    )
    proofs = [ledger.inclusion_proof(connection, entry.seq, size) for entry in entries]
    rest = {
        form.LEDGER: b"".join(entry.entry + b"\n" for entry in entries),
        form.PROOFS: b"".join(proof_line(e.seq, p) + b"\n" for e, p in zip(entries, proofs, strict=True)),
        form.CHECKPOINT: note.encode(),
        **_witness(connection, paths, identity, size),
        **_timestamp(connection, identity, size),
    }
    write_file(out, manifest, identity, chosen, paths.recordings, rest)


def _choose(
    connection: sqlite3.Connection, camera: str, from_ms: int, until_ms: int, why: str, by: str, out: Output
) -> list[Chosen]:
    """What goes in, or why nothing does."""
    if not 0 <= from_ms < until_ms < 1 << 47 or from_ms > clock.wall_ms():
        raise BadInput("evidence_span")
    if not all(text.strip() and len(text) <= LONGEST_TEXT for text in (why, by)) or not _speakable(why, by):
        raise BadInput("evidence_why")
    if out.path.exists():
        raise Exists("evidence_exists", path=out.path)
    found = [
        Chosen(segment, fragments, from_ms, until_ms)
        for segment in segments.between(connection, camera, from_ms, until_ms)
        if (fragments := _without_holes(segment, covering(segment.fragments, from_ms, until_ms)))
    ]
    if not found:
        raise NotFound("evidence_no_footage", camera=camera)
    size = out.size_of(found)
    if size > MAX_BYTES - _ROOM_FOR_THE_REST:
        raise BadInput("container_too_large")
    out.need_room(size + size // 10)
    return found


def _speakable(*texts: str) -> bool:
    """Whether UTF-8 can say it: a form may bring lone surrogates."""
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        return False
    return True


def _without_holes(segment: Segment, fragments: tuple[Fragment, ...]) -> tuple[Fragment, ...]:
    """First to last of `fragments`, with all between."""
    if not fragments:
        return ()
    return tuple(f for f in segment.fragments if fragments[0].n <= f.n <= fragments[-1].n)


def _check_identity(identity: Identity) -> None:
    certificate = certificates.check(identity.envelope, identity.root_public, clock.wall_ms())
    if certificate.public != identity.keys.sign.public:
        raise VerificationFailed("evidence_signer")


def _number(segment: Segment) -> int:
    if segment.ledger_seq is None:
        raise NotFound("segment_missing", segment=segment.id)
    return segment.ledger_seq


def _checkpoint(connection: sqlite3.Connection, identity: Identity) -> tuple[int, str]:
    """A fresh tree head, kept like any other; the export's own entry is under it."""
    origin = identity.certificate.origin
    size = ledger.size(connection)
    root = ledger.root(connection, size)
    note = checkpoints.sign_note(origin, size, root, origin, identity.keys.sign)
    with transaction(connection):
        ledger.save_checkpoint(connection, size, root, note)
    return size, note


def _around(inside: Sequence[int], footage: Sequence[Segment]) -> Range:
    """Where the run of entries has to be: those dated in the span (`inside`), and the footage's own.

    Where a clock was wrong, entries dated in the span stand far from it too, and the run would hold all between. So it
    is where most of the footage was entered; what a killed recorder left was entered later than it was recorded, and
    counts only where there is nothing else.
    """
    own = [_number(segment) for segment in footage if not segment.salvaged] or [
        max((seq for seq in inside if seq <= number), default=number) for number in map(_number, footage)
    ]
    groups = list[list[int]]()
    for seq in sorted({*inside, *own}):
        if groups and seq - groups[-1][-1] <= FAR:
            groups[-1].append(seq)
        else:
            groups.append([seq])
    most = max(groups, key=lambda group: len(set(group) & set(own)))
    return Range(first=most[0], last=most[-1])


def _span(connection: sqlite3.Connection, camera: str, from_ms: int, until_ms: int, size: int, around: Range) -> Range:
    """The run of entries: from one before the span to the camera's next segment after it, with all `around`.

    Only then are the span's own segments entered, which happens as they close. Either end may be the tree's; of a
    camera that stopped, the run ends a day later, or it would hold all that the room has entered since.
    """
    first, last = around.first, around.last
    while first > 0 and ledger.get(connection, first).at_ms > from_ms:
        first -= 1
    long_after: int | None = None
    for since in range(last, size, _PAGE):
        for entry in ledger.entries(connection, since=since, limit=min(_PAGE, size - since)):
            if entry.kind == "segment" and ledger_slice.closes(entry.content, camera, until_ms):
                return Range(first=first, last=entry.seq)
            if long_after is None and entry.at_ms >= until_ms + ledger_slice.LONG_MS:
                long_after = entry.seq
        if long_after is not None and since - last >= MOST_BEHIND:
            return Range(first=first, last=long_after)
    return Range(first=first, last=size - 1)


def _entries(connection: sqlite3.Connection, span: Range, others: Sequence[int]) -> list[ledger.Entry]:
    run = ledger.entries(connection, since=span.first, limit=span.last - span.first + 1)
    return sorted([*run, *(ledger.get(connection, seq) for seq in others)], key=lambda entry: entry.seq)


def _absent(entries: Iterable[ledger.Entry], present: set[str], camera: str, from_ms: int, until_ms: int) -> list[str]:
    """Segments the slice tells of, of this camera and span, that are no longer kept or have no fragment in it."""
    bodies = [entry.body for entry in entries if entry.kind == "segment"]
    since, until = clock.iso(from_ms), clock.iso(until_ms)
    return [
        str(body["segment"])
        for body in bodies
        if body["camera"] == camera
        and body["segment"] not in present
        and body["started"] < until
        and body["ended"] > since
    ]


def _witness(connection: sqlite3.Connection, paths: Paths, identity: Identity, size: int) -> dict[str, bytes]:
    """The newest tree head of this epoch that the gateway signed too, with the key that goes with it, where there is
    one. What it signed with an earlier key would look forged beside that.
    """
    file = paths.trust / "gateway.json"
    envelope = file.read_bytes() if file.is_file() else None
    origin, keys = identity.certificate.origin, {identity.certificate.origin: identity.certificate.public}
    if envelope is not None:
        gateway = open_gateway_key(envelope, identity.root_public)
        keys[gateway.name] = gateway.public
    for seen in ledger.witnessed_checkpoints(connection, size, _MOST_NOTES):
        if not seen.witnessed or checkpoints.read_note(seen.witnessed)[0].origin != origin:
            return {}
        if envelope is None or checkpoints.is_signed(seen.witnessed, keys):
            witness = form.Witness(
                note=seen.witnessed,
                consistency=[step.hex() for step in ledger.consistency_proof(connection, seen.size, size)],
                gateway=None if envelope is None else envelope.decode(),
            )
            return {form.WITNESS: canonical(witness.model_dump())}
    return {}


def _timestamp(connection: sqlite3.Connection, identity: Identity, size: int) -> dict[str, bytes]:
    """The newest tree head of this epoch that an authority time-stamped, where there is one."""
    seen = ledger.latest_checkpoint(connection, timestamped=True)
    if seen is None or seen.timestamp is None or not 0 < seen.size <= size:
        return {}
    if checkpoints.read_note(seen.note)[0].origin != identity.certificate.origin:
        return {}
    stamped = form.Timestamp(
        note=seen.note,
        consistency=[step.hex() for step in ledger.consistency_proof(connection, seen.size, size)],
        tsr=base64.b64encode(seen.timestamp).decode(),
    )
    return {form.TIMESTAMP: canonical(stamped.model_dump())}
