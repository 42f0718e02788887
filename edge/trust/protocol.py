"""What room and gateway say to each other over HTTP: every body as a model, and how a room signs its requests.

Both sides import these models, so neither can drift from the other; `edge/gateway/openapi.yaml` is the same contract
for everybody else. Signed things travel as text, byte for byte as they were signed (DSSE envelopes, C2SP notes).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import secrets
from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from edge.domain.canonical import canonical
from edge.errors import BadInput, NotSignedIn, VerificationFailed
from edge.trust import dsse
from edge.trust.certificate import Hex32, RoomId
from edge.trust.seal import Kind
from edge.trust.signer import Signer, verify
from edge.why import where

MAX_BATCH = 50
MAX_ENVELOPE = 256 * 1024
MAX_BODY = 16 * 1024 * 1024
SKEW_MS = 5 * 60 * 1000
SCHEME = "Examroom"
GATEWAY = dsse.PREFIX + "gateway+json"
RELEASE = dsse.PREFIX + "release+json"
IN_ENGLISH = "_en"
_REQUEST = dsse.PREFIX + "request"
_ENROL = dsse.PREFIX + "enrol"

Count = Annotated[int, Field(ge=0, le=2**53 - 1)]
Number = Annotated[int, Field(ge=1, le=2**53 - 1)]
BundleName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
Signature = Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]{86}==$")]
Envelope = Annotated[str, Field(min_length=2, max_length=MAX_ENVELOPE)]
Note = Annotated[str, Field(min_length=1, max_length=4096)]


class Body(BaseModel):
    """No unknown key, no quiet conversion: a number in quotes is not a number."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class ErrorBody(Body):
    """What every refusal says. `facts` fill the sentence again in the reader's own catalogue; one that is words comes
    twice, in Chinese and, with `IN_ENGLISH` after its name, in English.
    """

    error: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")]
    zh: Annotated[str, Field(max_length=2000)]
    en: Annotated[str, Field(max_length=2000)]
    facts: Annotated[dict[str, str | int], Field(max_length=16)]
    time_ms: Count


class Health(Body):
    name: str
    version: str
    time_ms: Count


class EnrolRequest(Body):
    """`proof` is the new signing key's signature over token and keys: it is ours, and it vouches for the other."""

    token: Annotated[str, Field(pattern=r"^[A-Z2-7]{32}$")]
    sign_key: Hex32
    seal_key: Hex32
    proof: Signature


class EnrolAnswer(Body):
    """The room's certificate, the province's raw root key in hex, and the gateway's key signed by that root."""

    certificate: Envelope
    root: Hex32
    gateway: Envelope


class GatewayKey(Body):
    """Payload of the envelope in which the root names the key that signs receipts and witnesses checkpoints."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$")]
    key: Hex32
    not_before_ms: Count
    not_after_ms: Count

    @property
    def public(self) -> bytes:
        return bytes.fromhex(self.key)


class BundleItem(Body):
    """`sha256` and `size` are those of the sealed file as it is fetched."""

    kind: Kind
    name: BundleName
    version: Number
    sha256: Hex32
    size: Count


class BundleList(Body):
    bundles: Annotated[list[BundleItem], Field(max_length=10_000)]


class ResultsRequest(Body):
    envelopes: Annotated[list[Envelope], Field(min_length=1, max_length=MAX_BATCH)]


class ResultItem(Body):
    """What became of the envelope at the same place in the request. `status` is as HTTP has it: 200, 409 for a fork."""

    status: Annotated[int, Field(ge=200, le=499)]
    outcome: Literal["stored", "repeated", "refused"]
    receipt: Envelope | None
    error: ErrorBody | None


class ResultsAnswer(Body):
    items: Annotated[list[ResultItem], Field(max_length=MAX_BATCH)]


class ResultHead(BaseModel):
    """All the gateway reads of a result's payload."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True)

    room: RoomId
    epoch: Number
    seq: Number


class SeenTree(Body):
    """The last tree head of the room that the gateway has witnessed."""

    size: Count
    root: Hex32


class Receipt(Body):
    """Payload of a receipt. `contiguous_to`: results 1 to this number of the epoch are all with the gateway."""

    room: RoomId
    epoch: Number
    seq: Number
    body_sha256: Hex32
    tree_head: SeenTree | None
    contiguous_to: Count
    time_ms: Count


class CheckpointRequest(Body):
    """`proof`: RFC 6962 consistency proof in hex from `old_size`, the last size the gateway is thought to have seen."""

    note: Note
    old_size: Count
    proof: Annotated[list[Hex32], Field(max_length=64)]


class CheckpointAnswer(Body):
    """The room's own note with the gateway's signature line added."""

    note: Note


class RoomStatus(Body):
    room: RoomId
    epoch: Number
    suspended: bool
    reason: str | None
    contiguous_to: Count
    seen: SeenTree | None
    gateway: Envelope
    time_ms: Count


class ReleaseRequest(Body):
    """The room asks for the second share of a bank, for one session of its own."""

    name: BundleName
    version: Number
    session: Annotated[str, Field(min_length=1, max_length=64)]


class ReleaseAnswer(Body):
    release: Envelope


class Grant(Body):
    """Payload of the envelope in which the gateway's key releases a bank's share, sealed to the room (base64)."""

    room: RoomId
    epoch: Number
    name: BundleName
    version: Number
    session: Annotated[str, Field(min_length=1, max_length=64)]
    share: Annotated[str, Field(pattern=r"^[A-Za-z0-9+/]+={0,2}$", max_length=400)]
    time_ms: Count


class ResultsFile(Body):
    """Waiting results on a memory stick, for a room without a line."""

    format: Literal["examroom-results-1"]
    room: RoomId
    envelopes: Annotated[list[Envelope], Field(max_length=100_000)]


class ReceiptsFile(Body):
    """The gateway's answer to a ResultsFile, carried back."""

    format: Literal["examroom-receipts-1"]
    room: RoomId
    gateway: Envelope
    items: Annotated[list[ResultItem], Field(max_length=100_000)]


class Authorization(Body):
    """Who speaks, when, and the signature over all of the request."""

    room: RoomId
    epoch: Number
    time_ms: Count
    nonce: Annotated[str, Field(pattern=r"^[0-9a-f]{32}$")]
    signature: Signature


Model = TypeVar("Model", bound=BaseModel)


def parse(model: type[Model], data: bytes) -> Model:
    """One HTTP body or file as `model`; BadInput("body_wrong") names the first place that is not as agreed."""
    try:
        return model.model_validate_json(data)
    except ValidationError as error:
        raise BadInput("body_wrong", **where(error)) from error


def authorization(signer: Signer, room: str, epoch: int, method: str, target: str, body: bytes, time_ms: int) -> str:
    """The Authorization header of one request: the scheme, then canonical JSON in base64.

    `target` is path and query from /v1 on. A header serves once: the nonce in it is random.
    """
    nonce = secrets.token_hex(16)
    signature = signer.sign(_request_message(room, epoch, method, target, body, time_ms, nonce))
    content = {"room": room, "epoch": epoch, "time_ms": time_ms, "nonce": nonce, "signature": _text(signature)}
    return f"{SCHEME} {_text(canonical(content))}"


def read_authorization(header: str | None) -> Authorization:
    """What the header claims, believed by nobody yet. NotSignedIn when there is none or it is malformed."""
    scheme, _, blob = (header or "").partition(" ")
    if scheme != SCHEME or len(blob) > 2000:
        raise NotSignedIn("request_unsigned")
    try:
        return Authorization.model_validate_json(base64.b64decode(blob, validate=True))
    except (ValidationError, binascii.Error, ValueError) as error:
        raise NotSignedIn("request_unsigned") from error


def check_authorization(claim: Authorization, public: bytes, method: str, target: str, body: bytes) -> None:
    """NotSignedIn when `public` did not sign this method, target and body with the claim's time and nonce."""
    message = _request_message(claim.room, claim.epoch, method, target, body, claim.time_ms, claim.nonce)
    if not verify(public, message, base64.b64decode(claim.signature)):
        raise NotSignedIn("request_signature")


def enrol_proof(signer: Signer, token: str, seal_public: bytes) -> str:
    """The proof of an enrolment, base64."""
    return _text(signer.sign(_enrol_message(token, signer.public.hex(), seal_public.hex())))


def check_enrol_proof(request: EnrolRequest) -> None:
    message = _enrol_message(request.token, request.sign_key, request.seal_key)
    if not verify(bytes.fromhex(request.sign_key), message, base64.b64decode(request.proof)):
        raise VerificationFailed("enrol_proof")


def sign_receipt(receipt: Receipt, signer: Signer) -> bytes:
    return dsse.sign_envelope(dsse.RECEIPT, receipt.model_dump(), [signer])


def open_receipt(envelope: bytes, gateway_public: bytes) -> Receipt:
    """A receipt, once the gateway's key signed it. BadInput or VerificationFailed otherwise."""
    return _model(Receipt, dsse.open_envelope(envelope, dsse.RECEIPT, [gateway_public]))


def sign_gateway_key(key: GatewayKey, root: Signer) -> bytes:
    return dsse.sign_envelope(GATEWAY, key.model_dump(), [root])


def open_gateway_key(envelope: bytes, root_public: bytes) -> GatewayKey:
    """The gateway's key, once the province's root signed it."""
    return _model(GatewayKey, dsse.open_envelope(envelope, GATEWAY, [root_public]))


def sign_release(grant: Grant, signer: Signer) -> bytes:
    return dsse.sign_envelope(RELEASE, grant.model_dump(), [signer])


def open_release(envelope: bytes, gateway_public: bytes) -> Grant:
    """A release, once the gateway's key signed it. BadInput or VerificationFailed otherwise."""
    return _model(Grant, dsse.open_envelope(envelope, RELEASE, [gateway_public]))


def release_info(room: str, epoch: int, name: str, version: int) -> bytes:
    """What ties a sealed share to the room and the bank it is for."""
    return f"examroom release 1\n{room}\n{epoch}\n{name}\n{version}".encode()


def result_head(envelope: bytes) -> ResultHead:
    """Room, epoch and number of a result envelope, believed by nobody yet."""
    peeked = dsse.peek(envelope)
    if peeked.payload_type != dsse.RESULT:
        raise BadInput("envelope_type", found=peeked.payload_type[:100], wanted=dsse.RESULT)
    return _model(ResultHead, peeked.payload)


def _model(model: type[Model], payload: dict[str, object]) -> Model:
    try:
        return model.model_validate_json(json.dumps(payload))
    except ValidationError as error:
        raise BadInput("payload_wrong", where=where(error)["where"]) from error


def _request_message(room: str, epoch: int, method: str, target: str, body: bytes, time_ms: int, nonce: str) -> bytes:
    content = {
        "room": room,
        "epoch": epoch,
        "method": method,
        "target": target,
        "body_sha256": hashlib.sha256(body).hexdigest(),
        "time_ms": time_ms,
        "nonce": nonce,
    }
    return dsse.pre_authentication(_REQUEST, canonical(content))


def _enrol_message(token: str, sign_key: str, seal_key: str) -> bytes:
    return dsse.pre_authentication(_ENROL, canonical({"token": token, "sign_key": sign_key, "seal_key": seal_key}))


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()
