"""DSSE envelopes (secure-systems-lab DSSE v1.0) for everything signed: one format, one verifier, exact bytes."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from edge.domain.canonical import canonical
from edge.errors import BadInput, VerificationFailed
from edge.trust.signer import Signer, key_id_of, verify

PREFIX = "application/vnd.examroom."
CERTIFICATE = PREFIX + "certificate+json"
BUNDLE = PREFIX + "bundle+json"
POLICY = PREFIX + "policy+json"
RESULT = PREFIX + "result+json"
RECEIPT = PREFIX + "receipt+json"
EVIDENCE = PREFIX + "evidence+json"
COMPLETENESS = PREFIX + "completeness+json"


MOST_SIGNATURES = 8
_MOST_MARKS = 64
"""More brackets and commas than so many signatures have: such bytes are not parsed at all, whatever their size."""
_KEYS, _SIGNATURE = {"payload", "payloadType", "signatures"}, {"keyid", "sig"}


@dataclass(frozen=True)
class Outline:
    """An envelope before anybody has checked it: its payload is bytes, which cost nobody more than their length."""

    payload_type: str
    raw: bytes
    signatures: list[tuple[str, bytes]]


@dataclass(frozen=True)
class Peeked(Outline):
    """What an envelope says before anybody has checked it."""

    payload: dict[str, Any]


def pre_authentication(payload_type: str, payload: bytes) -> bytes:
    """PAE of the DSSE protocol: what is signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %s %d %s" % (len(kind), kind, len(payload), payload)


def sign_envelope(payload_type: str, payload: Mapping[str, Any], signers: Sequence[Signer]) -> bytes:
    """The envelope's canonical JSON bytes, signed by each signer over the payload's canonical bytes."""
    raw = canonical(payload)
    message = pre_authentication(payload_type, raw)
    signatures = [{"keyid": s.key_id, "sig": _encode(s.sign(message))} for s in signers]
    return canonical({"payloadType": payload_type, "payload": _encode(raw), "signatures": signatures})


def outline(envelope: bytes) -> Outline:
    """Read an envelope without believing it, or looking into its payload. BadInput when it is not one, has keys that
    nobody signs, more than 8 signatures, or another form than the canonical one."""
    try:
        if sum(envelope.count(mark) for mark in (b"[", b"{", b",")) > _MOST_MARKS:
            raise ValueError("more than an envelope has")
        outer = json.loads(envelope)
        bare = outer.keys() == _KEYS and all(s.keys() == _SIGNATURE for s in outer["signatures"])
        raw = _decode(outer["payload"])
        signatures = [(s["keyid"], _decode(s["sig"])) for s in outer["signatures"]]
        payload_type = outer["payloadType"]
        same = bare and canonical(outer) == envelope
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        raise BadInput("envelope_broken") from error
    texts = all(isinstance(text, str) for text in (payload_type, *(key_id for key_id, _ in signatures)))
    if not texts or not same or len(signatures) > MOST_SIGNATURES:
        raise BadInput("envelope_broken")
    return Outline(payload_type, raw, signatures)


def peek(envelope: bytes) -> Peeked:
    """`outline`, with the payload. BadInput when it is no object."""
    seen = outline(envelope)
    return Peeked(seen.payload_type, seen.raw, seen.signatures, _payload(seen.raw))


def open_envelope(
    envelope: bytes, payload_type: str, keys: Mapping[str, bytes] | Sequence[bytes], threshold: int = 1
) -> dict[str, Any]:
    """The payload, once `threshold` different known keys have signed it.

    `keys` are raw public keys (or a mapping whose values they are). BadInput for what is no such envelope,
    VerificationFailed for a signature that does not hold. What nobody known has signed is not parsed.
    """
    seen = outline(envelope)
    check_signatures(seen, payload_type, keys, threshold)
    return _payload(seen.raw)


def check_signatures(
    seen: Outline, payload_type: str, keys: Mapping[str, bytes] | Sequence[bytes], threshold: int = 1
) -> None:
    """BadInput where it is of another type, VerificationFailed unless `threshold` known keys and no other signed it."""
    if seen.payload_type != payload_type:
        raise BadInput("envelope_type", found=seen.payload_type, wanted=payload_type)
    publics = list(keys.values()) if isinstance(keys, Mapping) else list(keys)
    known = {key_id_of(public): public for public in publics}
    message = pre_authentication(payload_type, seen.raw)
    good = {
        key_id for key_id, signature in seen.signatures if key_id in known and verify(known[key_id], message, signature)
    }
    if len(good) < threshold or len(good) != len(seen.signatures):
        raise VerificationFailed("signature_wrong", signers=", ".join(k for k, _ in seen.signatures))


def _payload(raw: bytes) -> dict[str, Any]:
    try:
        payload = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise BadInput("envelope_broken") from error
    if not isinstance(payload, dict):
        raise BadInput("envelope_broken")
    return payload


def _encode(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _decode(text: str) -> bytes:
    """Strict base64: one text for one value, so that no changed byte goes unseen."""
    try:
        data = base64.b64decode(text, validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    if _encode(data) != text:
        raise ValueError("not canonical base64")
    return data
