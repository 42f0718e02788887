"""Which part each byte of a good file belongs to: what a verdict must name when that byte is changed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from edge.errors import BadInput
from edge.trust import dsse
from edge.trust import evidence_format as form
from edge.trust.container import Member, read_blocks, read_directory
from edge.trust.evidence_format import FragmentTable, Manifest, Part
from edge.trust.verifier.evidence import part_of
from edge.trust.verifier.files import is_container
from edge.trust.verifier.footage import view_pieces
from edge.trust.verifier.reader import strict_json
from edge.trust.verifier.resultfile import frame_of


@dataclass(frozen=True)
class Region:
    """The bytes [start, end) of a file. `second` is set for video, `seq` for lines of the ledger and its proofs."""

    part: str
    start: int
    end: int
    second: float | None = None
    seq: int | None = None


def layout(path: Path) -> list[Region]:
    """Regions that cover a good evidence or result file without a hole, in order. BadInput for any other file."""
    with path.open("rb") as file:
        length = file.seek(0, 2)
        try:
            inner = sorted(_evidence(file) if is_container(file) else _result(file), key=lambda r: r.start)
        except (ValueError, KeyError) as error:
            raise BadInput("verify_unknown") from error
    return list(_filled(inner, length))


def _filled(inner: list[Region], length: int) -> Iterator[Region]:
    """Put the container's own bytes between the contents."""
    at = 0
    for region in inner:
        if region.start > at:
            yield Region(Part.CONTAINER.value, at, region.start)
        yield region
        at = region.end
    if at < length:
        yield Region(Part.CONTAINER.value, at, length)


def _result(file: BinaryIO) -> Iterator[Region]:
    file.seek(0)
    for part, start, end in frame_of(file.read()):
        yield Region(part.value, start, end)


def _evidence(file: BinaryIO) -> Iterator[Region]:
    members = {member.name: member for member in read_directory(file)}

    def content(name: str) -> bytes:
        return b"".join(read_blocks(file, members[name].start, members[name].size))

    manifest = Manifest.model_validate(dsse.peek(content(form.MANIFEST)).payload)
    chosen = {form.video_name(fact.segment): fact for fact in manifest.segments}
    viewed = {form.view_name(fact.segment): fact for fact in manifest.segments}
    for name, member in members.items():
        if name in (form.LEDGER, form.PROOFS):
            yield from _lines(content(name), member, manifest)
        elif name in chosen:
            table = FragmentTable.model_validate(strict_json(content(form.index_name(chosen[name].segment))))
            at = member.start
            for piece, fragment in table.pieces(chosen[name]):
                second = form.second_of(fragment, manifest.clip_ms)
                yield Region(Part.VIDEO.value, at, at + piece.length, second)
                at += piece.length
        elif name in viewed:
            table = FragmentTable.model_validate(strict_json(content(form.index_name(viewed[name].segment))))
            at = member.start
            for one in view_pieces(manifest, viewed[name], table, member.size):
                yield Region(Part.VIEW.value, at, at + one.length, one.second)
                at += one.length
        elif member.size:
            yield Region(part_of(name).value, member.start, member.end)


def _lines(data: bytes, member: Member, manifest: Manifest) -> Iterator[Region]:
    at = member.start
    for line, seq in zip(data.splitlines(keepends=True), manifest.sequences(), strict=True):
        yield Region(part_of(member.name).value, at, at + len(line), seq=seq)
        at += len(line)
