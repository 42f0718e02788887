"""What an evidence file holds: names of its members, the signed manifest, the fragment table, the parts of a verdict.

The format is published in verifier/FORMAT.md; the exporter and the verifier both read it from here.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge.domain.footage import fragments_root

README = "README.txt"
CERTIFICATE = "certificate.dsse.json"
LEDGER = "ledger.jsonl"
PROOFS = "proofs.jsonl"
CHECKPOINT = "checkpoint.txt"
WITNESS = "witness.json"
TIMESTAMP = "timestamp.json"
MANIFEST = "manifest.dsse.json"

LARGEST_SMALL = 256 << 10
"""Bytes of what holds a few signatures or proofs, and of each such value in a result file."""
LARGEST_MANIFEST = 64 << 20
"""A file of 4 GiB with a day of segments has a manifest of some 2 MB."""
_LARGEST_INDEX = 16 << 20
_LARGEST_LEDGER = 512 << 20
LEDGER_SLACK = 1 << 20
"""So much more than the manifest says is read of an altered ledger or its proofs: enough to name a line put in."""

SmallInt = Annotated[int, Field(ge=0, lt=2**53)]
Millis = Annotated[int, Field(ge=0, lt=253_402_300_800_000)]
Hex32 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
SegmentId = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$")]


class Part(StrEnum):
    """The part of a file that a verdict names. FORMAT.md section 6 says which bytes belong to which."""

    CONTAINER = "container"
    CERTIFICATE = "certificate"
    MANIFEST = "manifest"
    CHECKPOINT = "checkpoint"
    TIMESTAMP = "timestamp"
    LEDGER = "ledger"
    PROOF = "proof"
    INDEX = "segment-index"
    VIDEO = "video"
    VIEW = "video-view"
    README = "readme"
    RESULT = "result"
    RECEIPT = "receipt"
    POLICY = "policy"
    CONTENT = "content"
    COMPLETENESS = "completeness"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class MemberFact(_Model):
    """One member of the container, but the manifest itself."""

    name: str
    size: SmallInt
    sha256: Hex32


class Range(_Model):
    """A run of ledger entries without a hole: first to last, both included."""

    first: SmallInt
    last: SmallInt

    @model_validator(mode="after")
    def _ordered(self) -> Range:
        if self.last < self.first:
            raise ValueError("a range that ends before it begins")
        return self


class SegmentFact(_Model):
    """One segment in the file: its ledger entry, and the fragments (first to last, both included) that are here."""

    segment: SegmentId
    ledger_seq: SmallInt
    first: SmallInt
    last: SmallInt


class Manifest(_Model):
    """The payload of manifest.dsse.json: what was asked, by whom and why, and every other member's hash.

    Times are ms since 1970 UTC; `clip_ms` is the wall time of the first fragment, from which a verdict's seconds
    count. `absent` are segments of the span that the ledger tells of and this file does not hold. `why` is kept out
    of the ledger: its entry holds SHA-256(why_salt || why).
    """

    version: Annotated[int, Field(ge=1, le=1)]
    room: str
    epoch: SmallInt
    camera: str
    session: str | None
    from_ms: Millis
    until_ms: Millis
    clip_ms: Millis
    made_ms: Millis
    by: str
    why: str
    why_salt: Hex32
    export_seq: SmallInt
    span: Range
    others: list[SmallInt]
    segments: Annotated[list[SegmentFact], Field(min_length=1, max_length=30_000)]
    absent: list[str]
    members: list[MemberFact]

    def sequences(self) -> Iterator[int]:
        """The ledger numbers of the lines of ledger.jsonl, in order: the span, and single entries outside it."""
        yield from (seq for seq in self.others if seq < self.span.first)
        yield from range(self.span.first, self.span.last + 1)
        yield from (seq for seq in self.others if seq > self.span.last)

    @property
    def footage_seq(self) -> int:
        """The last ledger entry that tells of footage in the file: a tree head of more entries covers all of it."""
        return max(fact.ledger_seq for fact in self.segments)

    @model_validator(mode="after")
    def _sane(self) -> Manifest:
        span = range(self.span.first, self.span.last + 1)
        if list(self.others) != sorted(set(self.others)) or any(seq in span for seq in self.others):
            raise ValueError("entries outside the span are not in order")
        if len(span) > 5_000_000 or self.until_ms <= self.from_ms:
            raise ValueError("not a span")
        return self


class Witness(_Model):
    """The content of witness.json: an earlier note that others signed too, the consistency proof from it to
    checkpoint.txt, and the envelope in which the root names the gateway's key."""

    note: str
    consistency: list[Hex32]
    gateway: str | None


class Timestamp(_Model):
    """The content of timestamp.json: an earlier note by the room alone, the consistency proof from it to
    checkpoint.txt, and an authority's TimeStampResp (RFC 3161) over the SHA-256 of that note, in base64."""

    note: str
    consistency: list[Hex32]
    tsr: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]+={0,2}$", max_length=100_000)]


class InitFact(_Model):
    """The initialisation part (ftyp, moov) of a segment file."""

    length: SmallInt
    sha256: Hex32


class FragmentFact(_Model):
    """One fragment (moof, mdat) of a segment file: its place there, its hash and its time."""

    n: SmallInt
    offset: SmallInt
    length: SmallInt
    sha256: Hex32
    wall_ms: Millis
    mono_ms: Millis
    duration_ms: SmallInt


class FragmentTable(_Model):
    """The payload of segments/ID.json: every fragment of the segment, so that the ledger's root can be rebuilt."""

    segment: SegmentId
    camera: str
    init: InitFact
    fragments: Annotated[list[FragmentFact], Field(min_length=1)]

    @model_validator(mode="after")
    def _numbered(self) -> FragmentTable:
        if [f.n for f in self.fragments] != list(range(self.fragments[0].n, self.fragments[0].n + len(self.fragments))):
            raise ValueError("fragments are not numbered in order")
        return self

    def chosen(self, fact: SegmentFact) -> list[FragmentFact]:
        return [f for f in self.fragments if fact.first <= f.n <= fact.last]

    def pieces(self, fact: SegmentFact) -> list[tuple[InitFact | FragmentFact, FragmentFact]]:
        """What a video member is made of, in order, each with the fragment whose time it takes."""
        chosen = self.chosen(fact)
        return [(self.init, chosen[0]), *((fragment, fragment) for fragment in chosen)]

    def root(self) -> str:
        """What the `segment` ledger entry holds as `fragments_root`."""
        return fragments_root([f.sha256 for f in self.fragments])


def why_commitment(salt: str, why: str) -> str:
    """What the ledger keeps of a purpose: hex SHA-256 over the 32 salt bytes and the UTF-8 text."""
    return hashlib.sha256(bytes.fromhex(salt) + why.encode()).hexdigest()


def export_body(camera: str, from_ms: int, until_ms: int, salt: str, why: str) -> dict[str, object]:
    """The body of the `export` ledger entry: what was asked, and a commitment to the purpose."""
    return {"camera": camera, "from_ms": from_ms, "until_ms": until_ms, "why": why_commitment(salt, why)}


def index_name(segment: str) -> str:
    return f"segments/{segment}.json"


def video_name(segment: str) -> str:
    return f"video/{segment}.mp4"


def view_name(segment: str) -> str:
    return f"view/{segment}.mp4"


def largest(name: str) -> int | None:
    """The most bytes a member may have that is read whole, None for others: known before anything of it is read."""
    if name in (README, CERTIFICATE, CHECKPOINT, WITNESS, TIMESTAMP):
        return LARGEST_SMALL
    if name in (LEDGER, PROOFS):
        return _LARGEST_LEDGER
    if name == MANIFEST:
        return LARGEST_MANIFEST
    return _LARGEST_INDEX if name.startswith("segments/") else None


def expected_names(
    manifest: Manifest, *, witnessed: bool, timestamped: bool = False, views: Collection[str] = ()
) -> list[str]:
    """The members of an evidence file in their one order; the manifest comes last. `views`: names of views in it."""
    videos = list[str]()
    for fact in manifest.segments:
        view = view_name(fact.segment)
        videos += [index_name(fact.segment), video_name(fact.segment), *([view] if view in views else [])]
    witness = [WITNESS] if witnessed else []
    timestamp = [TIMESTAMP] if timestamped else []
    return [README, CERTIFICATE, *videos, LEDGER, PROOFS, CHECKPOINT, *witness, *timestamp, MANIFEST]


def touches(started_ms: int, ended_ms: int, manifest: Manifest) -> bool:
    """Whether a stretch of wall time is of the span asked: what an export has to hold, or to name as absent."""
    return started_ms < manifest.until_ms and ended_ms > manifest.from_ms


def second_of(fragment: FragmentFact, clip_start_ms: int) -> float:
    """Seconds from the clip's first fragment, by the room's wall clock, to the start of this one."""
    return round((fragment.wall_ms - clip_start_ms) / 1000, 3)
