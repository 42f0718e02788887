"""What room and gateway say to each other of footage that the province asks for: the signed request and the bodies."""

from __future__ import annotations

import json
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from edge.errors import BadInput, Wrong
from edge.trust import dsse
from edge.trust.certificate import Hex32, RoomId
from edge.trust.protocol import Body, Count, Envelope, Number
from edge.trust.signer import Signer
from edge.why import where

CLIP_REQUEST = dsse.PREFIX + "clip-request+json"
LONGEST_CLIP_MS = 6 * 3_600_000
PART_BYTES = 8 << 20
"""Of a part of the file, but for the last: S3 takes none below 5 MiB."""
SMALLEST_PART = 64 * 1024
LARGEST_FILE = 1 << 32

ClipId = Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
_Ms = Annotated[int, Field(ge=0, lt=1 << 47)]


class ClipRequest(Body):
    """Payload of a request: evidence of this camera and span, wanted by `by` at the province, for `why`.

    The room answers until `not_after_ms`. `by` and `why` are words of people's, deleted on their dates on both sides.
    """

    id: ClipId
    room: RoomId
    epoch: Number
    camera: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
    from_ms: _Ms
    until_ms: _Ms
    why: Annotated[str, Field(min_length=2, max_length=400)]
    by: Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[^\r\n\t]*\S[^\r\n\t]*$")]
    made_ms: _Ms
    not_after_ms: _Ms

    @model_validator(mode="after")
    def times_make_sense(self) -> Self:
        if not 0 < self.until_ms - self.from_ms <= LONGEST_CLIP_MS:
            raise Wrong("clip_span", hours=LONGEST_CLIP_MS // 3_600_000)
        if self.made_ms >= self.not_after_ms:
            raise Wrong("clip_times")
        return self


class ClipList(Body):
    """The requests that wait for this room, each an envelope by the gateway's key."""

    requests: Annotated[list[Envelope], Field(max_length=1000)]


class ClipRefusal(Body):
    """The room will not: the code of a reason of its catalogue."""

    reason: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]


class ClipFile(Body):
    """The file that is to come: `parts` are the SHA-256 of each `part_bytes` of it, the last of what is left."""

    size: Annotated[int, Field(ge=1, lt=LARGEST_FILE)]
    sha256: Hex32
    part_bytes: Annotated[int, Field(ge=SMALLEST_PART, le=PART_BYTES)]
    parts: Annotated[list[Hex32], Field(min_length=1, max_length=10_000)]

    @model_validator(mode="after")
    def has_all_its_parts(self) -> Self:
        if len(self.parts) != -(-self.size // self.part_bytes):
            raise Wrong("clip_parts")
        return self

    def part_size(self, number: int) -> int:
        """Bytes of part `number`, counted from 1."""
        return min(self.part_bytes, self.size - (number - 1) * self.part_bytes)


class PartAddress(Body):
    """Where to PUT one part that is not there yet, counted from 1; an address without a host is the gateway's own."""

    number: Number
    url: Annotated[str, Field(min_length=1, max_length=2000)]


class ClipPlan(Body):
    """What is still to be sent; `received` once the whole file is there and `missing` is empty for good.

    Where neither, every part is there: the room ends the file, and asks again until it is received.
    """

    received: bool
    missing: Annotated[list[PartAddress], Field(max_length=10_000)]


class ClipEnd(Body):
    sha256: Hex32


class ClipState(Body):
    """How far a request is; `joining`: every part is here, and the gateway puts them together. The room asks again."""

    id: ClipId
    state: Literal["asked", "sending", "joining", "received", "refused"]
    time_ms: Count


def sign_request(request: ClipRequest, signer: Signer) -> bytes:
    return dsse.sign_envelope(CLIP_REQUEST, request.model_dump(), [signer])


def open_request(envelope: bytes, gateway_public: bytes) -> ClipRequest:
    """A request, once the gateway's key signed it. BadInput or VerificationFailed otherwise."""
    payload = dsse.open_envelope(envelope, CLIP_REQUEST, [gateway_public])
    try:
        return ClipRequest.model_validate_json(json.dumps(payload))
    except ValidationError as error:
        raise BadInput("payload_wrong", where=where(error)["where"]) from error
