"""The completeness certificate of a session: what each camera recorded, each gap with its cause, what the clocks did.

The room signs it once the session is closed and its footage is in the index; footage salvaged later makes a further
version. The format is published in verifier/FORMAT.md, section 9; who issues it and who checks it read it from here.
"""

from __future__ import annotations

import json
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, model_validator

from edge.domain.canonical import canonical
from edge.domain.footage import hundredths
from edge.errors import BadInput
from edge.trust.certificate import RoomId
from edge.trust.evidence_format import Millis, SegmentId, SmallInt

Camera = Annotated[str, Field(min_length=1, max_length=64)]
Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_-]{0,63}$")]
_HEAD, _BETWEEN, _END = b'{"certificate":', b',"completeness":', b"}"


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class GapFact(_Model):
    """From and until as the wall clock showed them; `ms` how long it was, `doubt_ms` how far that may be wrong."""

    from_ms: Millis
    until_ms: Millis
    ms: SmallInt
    cause: Word
    doubt_ms: SmallInt


class BlindFact(_Model):
    """When the camera saw nothing, or nothing that moved: footage there is, and it shows little."""

    from_ms: Millis
    until_ms: Millis
    reason: Word


class CameraFact(_Model):
    """One camera over the session, in milliseconds that really passed; `hundredths` of a percent, rounded down.

    `frames` (None: not counted), `dropped` and `lost_ms` are of the whole segments that touch the session.
    """

    camera: Camera
    expected_ms: SmallInt
    recorded_ms: SmallInt
    hundredths: Annotated[int, Field(ge=0, le=10_000)]
    segments: SmallInt
    salvaged: SmallInt
    frames: SmallInt | None
    dropped: SmallInt
    lost_ms: SmallInt
    gaps: list[GapFact]
    blind: list[BlindFact]

    @model_validator(mode="after")
    def _adds_up(self) -> CameraFact:
        missing = sum(gap.ms for gap in self.gaps)
        if self.recorded_ms + missing != self.expected_ms:
            raise ValueError("recorded time and gaps are not the time expected")
        if self.hundredths != hundredths(self.expected_ms, self.recorded_ms, len(self.gaps)):
            raise ValueError("not the share that was recorded")
        return self


class ClockFact(_Model):
    """One thing that happened to the clock: set by `step_ms`, begun anew with `boot`, or of another `quality`."""

    at_ms: Millis
    camera: Camera
    step_ms: Annotated[int, Field(gt=-(2**53), lt=2**53)] | None = None
    boot: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")] | None = None
    quality: Word | None = None


class Completeness(_Model):
    """What the room signs. `from_ms` is when the door opened, `until_ms` when the session closed.

    `deleted`: segments of the session that the ledger tells of and the index no longer has. `checkpoint`: the room's
    signed note of its ledger at that moment.
    """

    format: Annotated[int, Field(ge=1, le=1)]  # a Literal would take true for 1
    version: Annotated[int, Field(ge=1, lt=2**53)]
    room: RoomId
    epoch: Annotated[int, Field(ge=1, lt=2**53)]
    session: Annotated[str, Field(min_length=1, max_length=128)]
    from_ms: Millis
    until_ms: Millis
    made_ms: Millis
    cameras: list[CameraFact]
    clock: list[ClockFact]
    deleted: list[SegmentId]
    checkpoint: Annotated[str, Field(max_length=4096)]

    @model_validator(mode="after")
    def _one_of_each(self) -> Completeness:
        names = [camera.camera for camera in self.cameras]
        if len(names) != len(set(names)):
            raise ValueError("a camera twice")
        return self

    @property
    def hundredths(self) -> int:
        """Of all cameras together; 10000 only where none has a gap."""
        expected = sum(camera.expected_ms for camera in self.cameras)
        recorded = sum(camera.recorded_ms for camera in self.cameras)
        return hundredths(expected, recorded, self.gaps) if self.cameras else 0

    @property
    def gaps(self) -> int:
        return sum(len(camera.gaps) for camera in self.cameras)


def percent(in_hundredths: int) -> str:
    """9997 as 99.97, 10000 as 100."""
    whole, rest = divmod(in_hundredths, 100)
    return f"{whole}.{rest:02}" if rest else str(whole)


def completeness_file(certificate_envelope: bytes, envelope: bytes) -> bytes:
    """The file's bytes: canonical JSON of the room's certificate and the signed completeness."""
    return canonical({"certificate": json.loads(certificate_envelope), "completeness": json.loads(envelope)})


def looks_like_completeness_file(data: bytes) -> bool:
    return _BETWEEN in data


def split_file(data: bytes) -> tuple[bytes, bytes]:
    """The two envelopes of a file. BadInput (`completeness_frame`) where the bytes around them are not all there."""
    first, found, second = data.partition(_BETWEEN)
    if not found or not first.startswith(_HEAD) or not second.endswith(_END):
        raise BadInput("completeness_frame")
    return first[len(_HEAD) :], second[: -len(_END)]
