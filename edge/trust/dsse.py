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


@dataclass(frozen=True)
class Peeked:
    """What an envelope says before anybody has checked it."""

    payload_type: str
    payload: dict[str, Any]
    raw: bytes
    signatures: list[tuple[str, bytes]]


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


def peek(envelope: bytes) -> Peeked:
    """Read an envelope without believing it. BadInput when it is not one, or not in canonical form."""
    try:
        outer = json.loads(envelope)
        raw = _decode(outer["payload"])
        signatures = [(str(s["keyid"]), _decode(s["sig"])) for s in outer["signatures"]]
        payload_type = outer["payloadType"]
        payload = json.loads(raw)
        same = canonical(outer) == envelope
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise BadInput("envelope_broken") from error
    if not isinstance(payload_type, str) or not isinstance(payload, dict) or not same:
        raise BadInput("envelope_broken")
    return Peeked(payload_type, payload, raw, signatures)


def open_envelope(
    envelope: bytes, payload_type: str, keys: Mapping[str, bytes] | Sequence[bytes], threshold: int = 1
) -> dict[str, Any]:
    """The payload, once `threshold` different known keys have signed it.

    `keys` are raw public keys (or a mapping whose values they are). BadInput for what is no such envelope,
    VerificationFailed for a signature that does not hold.
    """
    peeked = peek(envelope)
    if peeked.payload_type != payload_type:
        raise BadInput("envelope_type", found=peeked.payload_type, wanted=payload_type)
    publics = list(keys.values()) if isinstance(keys, Mapping) else list(keys)
    known = {key_id_of(public): public for public in publics}
    message = pre_authentication(payload_type, peeked.raw)
    good = {
        key_id
        for key_id, signature in peeked.signatures
        if key_id in known and verify(known[key_id], message, signature)
    }
    if len(good) < threshold or len(good) != len(peeked.signatures):
        raise VerificationFailed("signature_wrong", signers=", ".join(k for k, _ in peeked.signatures))
    return peeked.payload


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
