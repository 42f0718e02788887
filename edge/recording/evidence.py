"""Exporting evidence: footage of one camera and span, and all a stranger needs to check it, in one file.

The export is a ledger entry before the first byte is written. The file's format is edge/trust/verifier/FORMAT.md.
"""

from __future__ import annotations

import base64
import hashlib
import os
import secrets
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import BinaryIO

from edge import clock
from edge.config import Paths
from edge.domain.canonical import canonical
from edge.domain.footage import Fragment, covering
from edge.errors import BadInput, Exists, NotFound, Unavailable, VerificationFailed
from edge.store import ledger, segments
from edge.store.db import transaction
from edge.store.segments import Segment
from edge.trust import certificate as certificates
from edge.trust import checkpoint as checkpoints
from edge.trust import dsse
from edge.trust import evidence_format as form
from edge.trust.container import MAX_BYTES, ContainerWriter
from edge.trust.enrolment import Identity
from edge.trust.evidence_format import FragmentFact, FragmentTable, InitFact, Manifest, MemberFact, Range, SegmentFact
from edge.trust.verifier import slice as ledger_slice
from edge.trust.verifier.slice import proof_line
from edge.why import why

LONGEST_TEXT = 500
_ROOM_FOR_THE_REST = 64 << 20
_PAGE = 1000

_README = """\
证据文件 / Evidence file

考场 / room:        {room} ({epoch})
摄像头 / camera:    {camera}
时间段 / span (UTC): {since} - {until}
导出 / exported:    {made}

video 文件夹里是考场录下的原始录像，可直接播放。其余文件用来证明录像和台账未被改动。
核验不需要联网，只需要省级（或机构）的根公钥：

    examroom verify 本文件.zip --root 根公钥

没有这个命令的电脑（如 Windows）：用浏览器打开省级或考场发给您的核验网页（一个 HTML 文件），选择本文件即可。
请勿解压后重新打包：改动任何一个字节，核验都会指出是哪一部分、录像的第几秒。
本文件含个人信息，请按用途保管，用完即删。

The folder video holds the footage as the room recorded it; it plays as it is. The other files prove that footage
and ledger are unaltered. To verify, offline, with the public key of the province (or institution) alone:

    examroom verify THIS.zip --root ROOT.pub

Where there is no such command, as on Windows: open the verifier page that the province or the room gave you (one HTML
file) in a browser, and choose this file.
Do not unpack and repack: whichever byte is changed, the check names the part, and the second of the footage.
This file holds personal data: keep it for its purpose only, then delete it.
"""


@dataclass(frozen=True)
class Chosen:
    """One segment and those of its fragments that go into the file."""

    segment: Segment
    fragments: tuple[Fragment, ...]

    @property
    def bytes(self) -> int:
        return self.segment.init_length + sum(f.length for f in self.fragments)


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
) -> Path:
    """Write the evidence of `camera` over [from_ms, until_ms) of wall time to the new file `out`, and return it.

    `why` is the purpose in words (kept in the file, committed to in the ledger), `by` a staff id. Closed segments
    only. Refused before anything is written or entered: BadInput (span, purpose, more than 4 GiB), NotFound (no
    footage), Exists (`out` exists), VerificationFailed (the certificate is not valid now). While writing:
    Unavailable (disk, or a footage file that is gone), VerificationFailed (footage that is not what was recorded);
    then the ledger keeps the attempt and no file is left.
    """
    chosen = _choose(connection, camera, from_ms, until_ms, why, by, out)
    _check_identity(identity)
    salt = secrets.token_hex(32)
    with transaction(connection):
        body = form.export_body(camera, from_ms, until_ms, salt, why)
        export_seq = ledger.append(connection, "export", body, session=session, by=by)
    size, note = _checkpoint(connection, identity)
    span = _span(connection, camera, from_ms, until_ms, size)
    facts = [
        SegmentFact(
            segment=c.segment.id,
            ledger_seq=_number(c.segment),
            first=c.fragments[0].n,
            last=c.fragments[-1].n,
        )
        for c in chosen
    ]
    outside = {export_seq, *(fact.ledger_seq for fact in facts)} - set(range(span.first, span.last + 1))
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
    _write_file(out, manifest, identity, chosen, paths.recordings, rest)
    return out


def _choose(
    connection: sqlite3.Connection, camera: str, from_ms: int, until_ms: int, why: str, by: str, out: Path
) -> list[Chosen]:
    """What goes in, or why nothing does."""
    if not 0 <= from_ms < until_ms < 1 << 47 or from_ms > clock.wall_ms():
        raise BadInput("evidence_span")
    if not all(text.strip() and len(text) <= LONGEST_TEXT for text in (why, by)) or not _speakable(why, by):
        raise BadInput("evidence_why")
    if out.exists():
        raise Exists("evidence_exists", path=out)
    found = [
        Chosen(segment, fragments)
        for segment in segments.between(connection, camera, from_ms, until_ms)
        if (fragments := _without_holes(segment, covering(segment.fragments, from_ms, until_ms)))
    ]
    if not found:
        raise NotFound("evidence_no_footage", camera=camera)
    if sum(c.bytes for c in found) > MAX_BYTES - _ROOM_FOR_THE_REST:
        raise BadInput("container_too_large")
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


def _span(connection: sqlite3.Connection, camera: str, from_ms: int, until_ms: int, size: int) -> Range:
    """The run of entries around the span: from one before it to the camera's next segment after it.

    Only then are the span's own segments entered, which happens as they close. Either end may be the tree's.
    """
    inside = [e.seq for e in ledger.entries(connection, from_ms=from_ms, until_ms=until_ms, limit=size)]
    if not inside:
        inside = [e.seq for e in ledger.entries(connection, from_ms=from_ms, limit=1)]
    first, last = min([*inside[:1], size - 1]), min([*inside[-1:], size - 1])
    while first > 0 and ledger.get(connection, first).at_ms > from_ms:
        first -= 1
    for since in range(last, size, _PAGE):
        for entry in ledger.entries(connection, since=since, limit=min(_PAGE, size - since)):
            if entry.kind == "segment" and ledger_slice.closes(entry.content, camera, until_ms):
                return Range(first=first, last=entry.seq)
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
    """The newest tree head of this epoch that the gateway signed too, where there is one."""
    seen = ledger.latest_checkpoint(connection, witnessed=True)
    if seen is None or seen.witnessed is None or not 0 < seen.size <= size:
        return {}
    if checkpoints.read_note(seen.witnessed)[0].origin != identity.certificate.origin:
        return {}
    gateway = paths.trust / "gateway.json"
    witness = form.Witness(
        note=seen.witnessed,
        consistency=[step.hex() for step in ledger.consistency_proof(connection, seen.size, size)],
        gateway=gateway.read_text(encoding="utf-8") if gateway.is_file() else None,
    )
    return {form.WITNESS: canonical(witness.model_dump())}


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


def _write_file(
    out: Path,
    manifest: Manifest,
    identity: Identity,
    chosen: Sequence[Chosen],
    recordings: Path,
    rest: dict[str, bytes],
) -> None:
    """Write beside `out`, put it on disk, then give it its name; on any error nothing is left."""
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        with part.open("xb") as file:
            _write(file, manifest, identity, chosen, recordings, rest)
            file.flush()
            os.fsync(file.fileno())
        part.rename(out)
        folder = os.open(out.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise Unavailable("evidence_unwritable", path=out, detail=why(error)) from error
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _write(
    file: BinaryIO,
    manifest: Manifest,
    identity: Identity,
    chosen: Sequence[Chosen],
    recordings: Path,
    rest: dict[str, bytes],
) -> None:
    box = ContainerWriter(file)
    members: list[MemberFact] = []

    def add(name: str, chunks: Iterable[bytes]) -> None:
        digest = hashlib.sha256()
        member = box.add(name, _hashed(chunks, digest.update))
        members.append(MemberFact(name=name, size=member.size, sha256=digest.hexdigest()))

    add(form.README, [_readme(manifest)])
    add(form.CERTIFICATE, [identity.envelope])
    for one in chosen:
        add(form.index_name(one.segment.id), [canonical(_table(one.segment).model_dump())])
        add(form.video_name(one.segment.id), _video(recordings, one))
    for name, content in rest.items():
        add(name, [content])
    payload = manifest.model_copy(update={"members": members}).model_dump()
    box.add(form.MANIFEST, [dsse.sign_envelope(dsse.EVIDENCE, payload, [identity.keys.sign])])
    box.finish()


def _hashed(chunks: Iterable[bytes], update: Callable[[bytes], None]) -> Iterator[bytes]:
    for chunk in chunks:
        update(chunk)
        yield chunk


def _video(recordings: Path, chosen: Chosen) -> Iterator[bytes]:
    """Initialisation part and fragments, a fragment at a time, each checked against its recorded hash."""
    segment = chosen.segment
    pieces: list[tuple[int | str, int, int, str]] = [("moov", 0, segment.init_length, segment.init_sha256)]
    pieces += [(f.n, f.offset, f.length, f.sha256) for f in chosen.fragments]
    try:
        with (recordings / segment.path).open("rb") as file:
            for n, offset, length, sha256 in pieces:
                file.seek(offset)
                data = file.read(length)
                if hashlib.sha256(data).hexdigest() != sha256:
                    raise VerificationFailed("footage_altered", segment=segment.id, n=n)
                yield data
    except OSError as error:
        raise Unavailable("footage_missing", segment=segment.id) from error


def _table(segment: Segment) -> FragmentTable:
    return FragmentTable(
        segment=segment.id,
        camera=segment.camera,
        init=InitFact(length=segment.init_length, sha256=segment.init_sha256),
        fragments=[FragmentFact(**{k: v for k, v in asdict(f).items() if k != "key"}) for f in segment.fragments],
    )


def _readme(manifest: Manifest) -> bytes:
    """With a byte order mark and CRLF, so that any Windows shows it right."""
    text = _README.format(
        room=manifest.room,
        epoch=manifest.epoch,
        camera=manifest.camera,
        since=clock.iso(manifest.from_ms),
        until=clock.iso(manifest.until_ms),
        made=clock.iso(manifest.made_ms),
    )
    return text.replace("\n", "\r\n").encode("utf-8-sig")
