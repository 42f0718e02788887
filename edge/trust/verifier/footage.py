"""The footage of an evidence file: fragment tables against the ledger, videos and views against the tables."""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import BinaryIO

from pydantic import ValidationError

from edge import clock
from edge.domain.canonical import canonical
from edge.trust import evidence_format as form
from edge.trust.container import Member, read_blocks
from edge.trust.evidence_format import FragmentTable, Manifest, Part, SegmentFact
from edge.trust.verifier import slice as ledger_slice
from edge.trust.verifier.reader import strict_json
from edge.trust.verifier.signed import millis_of
from edge.trust.verifier.verdict import Problem

GAP_MS = 1500


@dataclass
class Box:
    """The open file: its members, and the checksums that its headers claim wrongly."""

    file: BinaryIO
    members: dict[str, Member]
    wrong_crc: dict[str, int] = field(default_factory=dict)

    def read(self, name: str, most: int) -> bytes:
        """The first `most` bytes of a member at the most."""
        member = self.members[name]
        data = b"".join(read_blocks(self.file, member.start, min(member.size, most)))
        self.note_crc(member, zlib.crc32(data))
        return data

    def note_crc(self, member: Member, crc: int) -> None:
        if crc != member.crc:
            self.wrong_crc[member.name] = member.header


@dataclass
class Small:
    """Members read whole, and the names among all members whose bytes are not those the manifest names."""

    content: dict[str, bytes] = field(default_factory=dict)
    altered: set[str] = field(default_factory=set)


def check_footage(
    box: Box,
    small: Small,
    manifest: Manifest,
    entries: ledger_slice.Entries | None,
    facts: dict[str, object],
) -> Iterator[Problem]:
    """`entries`: those of the slice, None where they cannot be trusted; `facts` get what is covered and the gaps."""
    sizes = {fact.name: fact for fact in manifest.members}
    spans: list[tuple[int, int]] = []
    for place, fact in enumerate(manifest.segments):
        name = form.index_name(fact.segment)
        where: dict[str, object] = {"segment": fact.segment, "camera": manifest.camera}
        table: FragmentTable | None = None
        if name in small.altered:
            yield Problem("evidence_index_altered", Part.INDEX, where)
        else:
            table = _table(small.content[name], fact, manifest)
            if table is None or (place == 0 and table.chosen(fact)[0].wall_ms != manifest.clip_ms):
                yield Problem("evidence_index_content", Part.INDEX, where)
            elif entries is not None and not _entered(table, fact, entries):
                yield Problem("evidence_index_ledger", Part.INDEX, {**where, "seq": fact.ledger_seq})
            elif entries is not None:
                yield from _left_out(manifest, fact, table)
        if table is not None:
            spans += [(f.wall_ms, f.wall_ms + f.duration_ms) for f in table.chosen(fact)]
        yield from _video(box, small, manifest, fact, table, sizes[form.video_name(fact.segment)])
        if (view := sizes.get(form.view_name(fact.segment))) is not None:
            yield from _view(box, small, manifest, fact, table, view)
    facts["covered_s"] = round(covered_ms(manifest, spans) / 1000, 3)
    facts["gaps"] = [{"from": clock.iso(a), "until": clock.iso(b)} for a, b in gaps(manifest, spans)]


def covered_ms(manifest: Manifest, spans: Sequence[tuple[int, int]]) -> int:
    """How much of the asked span fragments cover (wall clock, ms); what a clock set back recorded twice counts once."""
    covered, at = 0, manifest.from_ms
    for start, end in sorted(spans):
        until = min(end, manifest.until_ms)
        covered += max(0, until - max(start, at))
        at = max(at, until)
    return covered


def gaps(manifest: Manifest, spans: Sequence[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """The stretches of the asked span, longer than 1.5 s, that no fragment covers (wall clock, ms)."""
    at = manifest.from_ms
    for start, end in sorted(spans):
        if start - at > GAP_MS:
            yield at, start
        at = max(at, end)
    if manifest.until_ms - at > GAP_MS:
        yield at, manifest.until_ms


def _table(data: bytes, fact: SegmentFact, manifest: Manifest) -> FragmentTable | None:
    try:
        table = FragmentTable.model_validate(strict_json(data))
    except (ValidationError, ValueError):
        return None
    chosen = table.chosen(fact)
    whole = bool(chosen) and len(chosen) == fact.last - fact.first + 1
    same = (table.segment, table.camera) == (fact.segment, manifest.camera)
    return table if whole and same else None


def _entered(table: FragmentTable, fact: SegmentFact, entries: ledger_slice.Entries) -> bool:
    """The ledger's `segment` entry tells of exactly this table, whose fragments follow one another inside its time."""
    entry = entries.get(fact.ledger_seq)
    if entry is None or entry["kind"] != "segment":
        return False
    body = entry["body"]
    told = [body.get(key) for key in ("segment", "camera", "init_sha256", "fragments", "fragments_root")]
    same = canonical(told) == canonical(  # true is not 1
        [table.segment, table.camera, table.init.sha256, len(table.fragments), table.root()]
    )
    times = [t for f in table.fragments for t in (f.wall_ms, f.wall_ms + f.duration_ms)]
    started, ended = millis_of(body.get("started")), millis_of(body.get("ended"))
    inside = started is not None and ended is not None and started <= times[0] and times[-1] <= ended
    return same and inside and times == sorted(times)


def _left_out(manifest: Manifest, fact: SegmentFact, table: FragmentTable) -> Iterator[Problem]:
    """Fragments of the asked span that the segment has and this file does not: those before the first, after the last.

    Without this, whoever holds the room's key could cut a segment short, and the verdict would call it a gap.
    """
    touching = [f for f in table.fragments if form.touches(f.wall_ms, f.wall_ms + f.duration_ms, manifest)]
    for gone in ([f for f in touching if f.n < fact.first], [f for f in touching if f.n > fact.last]):
        if gone:
            second = form.second_of(gone[0], manifest.clip_ms)
            facts = {
                "camera": manifest.camera,
                "segment": fact.segment,
                "second": second,
                "from": clock.iso(gone[0].wall_ms),
                "until": clock.iso(gone[-1].wall_ms + gone[-1].duration_ms),
                "count": len(gone),
            }
            yield Problem("evidence_fragments_missing", Part.VIDEO, facts, second, fact.ledger_seq)


def _video(
    box: Box,
    small: Small,
    manifest: Manifest,
    fact: SegmentFact,
    table: FragmentTable | None,
    signed: form.MemberFact,
) -> Iterator[Problem]:
    """One video member: its whole hash, and each fragment's, to name the second that was altered."""
    pieces = [] if table is None else list(_pieces(manifest, fact, table))
    altered, whole = _stream(box, box.members[signed.name], pieces)
    if altered or whole != (signed.size, signed.sha256):
        small.altered.add(signed.name)
        yield from [Problem("evidence_video_altered", Part.VIDEO, p.facts, p.second) for p in altered] or [
            Problem("evidence_video_unknown", Part.VIDEO, {"segment": fact.segment, "camera": manifest.camera})
        ]


def _view(
    box: Box, small: Small, manifest: Manifest, fact: SegmentFact, table: FragmentTable | None, signed: form.MemberFact
) -> Iterator[Problem]:
    """The same fragments with another beginning, for which the manifest alone vouches."""
    pieces = [] if table is None else view_pieces(manifest, fact, table, signed.size)
    altered, whole = _stream(box, box.members[signed.name], pieces)
    where = {"segment": fact.segment, "camera": manifest.camera}
    if whole == (signed.size, signed.sha256):
        if altered:
            yield Problem("evidence_view_differs", Part.VIEW, where)
        return
    small.altered.add(signed.name)
    if not altered and whole[0] == signed.size:
        altered = pieces[:1]
    yield from [Problem("evidence_view_altered", Part.VIEW, p.facts, p.second) for p in altered] or [
        Problem("evidence_view_unknown", Part.VIEW, where)
    ]


@dataclass(frozen=True)
class Piece:
    """A run of bytes of a video or view: its hash, where it has one by itself, and what to say if it is altered."""

    length: int
    sha256: str | None
    second: float
    facts: Mapping[str, object]


def _stream(box: Box, member: Member, pieces: Sequence[Piece]) -> tuple[list[Piece], tuple[int, str]]:
    """Read a member once: the pieces that are altered, and its size and hash."""
    whole, crc, read = hashlib.sha256(), 0, 0
    altered: list[Piece] = []
    for piece in pieces:
        digest = hashlib.sha256()
        for block in read_blocks(box.file, member.start + read, min(piece.length, member.size - read)):
            digest.update(block)
            whole.update(block)
            crc = zlib.crc32(block, crc)
            read += len(block)
        if piece.sha256 is not None and digest.hexdigest() != piece.sha256:
            altered.append(piece)
    for block in read_blocks(box.file, member.start + read, member.size - read):
        whole.update(block)
        crc = zlib.crc32(block, crc)
    box.note_crc(member, crc)
    return altered, (member.size, whole.hexdigest())


def _pieces(manifest: Manifest, fact: SegmentFact, table: FragmentTable) -> Iterator[Piece]:
    """The initialisation part and each fragment, as they follow."""
    for piece, fragment in table.pieces(fact):
        second = form.second_of(fragment, manifest.clip_ms)
        facts = {
            "camera": manifest.camera,
            "segment": fact.segment,
            "fragment": None if piece is table.init else fragment.n,
            "wall": clock.iso(fragment.wall_ms),
            "second": second,
        }
        yield Piece(piece.length, piece.sha256, second, facts)


def view_pieces(manifest: Manifest, fact: SegmentFact, table: FragmentTable, size: int) -> list[Piece]:
    """Of a view of `size` bytes: what stands before the fragments, and these."""
    init, *fragments = _pieces(manifest, fact, table)
    head = max(0, size - sum(piece.length for piece in fragments))
    return [replace(init, length=head, sha256=None), *fragments]
