"""DSSE envelopes: every byte counts, every key counts, and nothing but an envelope is one."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.domain.canonical import canonical
from edge.errors import BadInput, ExamroomError, VerificationFailed
from edge.trust import dsse
from edge.trust.signer import Ed25519Signer
from support.gateways import flipped

ROOT, OTHER = Ed25519Signer.generate(), Ed25519Signer.generate()
PAYLOAD = {"room": "r", "epoch": 1, "seq": 7, "名": "张三"}
ENVELOPE = dsse.sign_envelope(dsse.RESULT, PAYLOAD, [ROOT])


def test_pre_authentication_is_that_of_the_dsse_protocol() -> None:
    # the example of the protocol's own text
    wanted = b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    assert dsse.pre_authentication("http://example.com/HelloWorld", b"hello world") == wanted


def test_what_was_signed_comes_back() -> None:
    assert dsse.open_envelope(ENVELOPE, dsse.RESULT, [ROOT.public]) == PAYLOAD
    assert dsse.open_envelope(ENVELOPE, dsse.RESULT, {"any": ROOT.public}) == PAYLOAD
    assert dsse.peek(ENVELOPE).payload == PAYLOAD


def test_any_flipped_bit_of_any_byte_is_refused() -> None:
    for at in range(len(ENVELOPE)):
        for mask in (0x01, 0x20, 0x80):
            with pytest.raises((BadInput, VerificationFailed)):
                dsse.open_envelope(flipped(ENVELOPE, at, mask), dsse.RESULT, [ROOT.public])


def test_cut_or_lengthened_is_refused() -> None:
    for changed in (ENVELOPE[:-1], ENVELOPE + b" ", ENVELOPE + b"\n", b" " + ENVELOPE, b"", ENVELOPE * 2):
        with pytest.raises(BadInput):
            dsse.open_envelope(changed, dsse.RESULT, [ROOT.public])


def test_another_writing_of_the_same_json_is_refused() -> None:
    loose = json.dumps(json.loads(ENVELOPE), indent=1).encode()
    with pytest.raises(BadInput):
        dsse.open_envelope(loose, dsse.RESULT, [ROOT.public])


def test_a_type_cannot_pass_for_another() -> None:
    with pytest.raises(BadInput) as error:
        dsse.open_envelope(ENVELOPE, dsse.RECEIPT, [ROOT.public])
    assert error.value.code == "envelope_type"
    outer = json.loads(ENVELOPE)
    outer["payloadType"] = dsse.RECEIPT
    with pytest.raises(VerificationFailed):
        dsse.open_envelope(canonical(outer), dsse.RECEIPT, [ROOT.public])


def test_thresholds_count_different_keys() -> None:
    both = dsse.sign_envelope(dsse.POLICY, PAYLOAD, [ROOT, OTHER])
    keys = [ROOT.public, OTHER.public]
    assert dsse.open_envelope(both, dsse.POLICY, keys, threshold=2) == PAYLOAD
    twice = dsse.sign_envelope(dsse.POLICY, PAYLOAD, [ROOT, ROOT])
    for envelope in (twice, dsse.sign_envelope(dsse.POLICY, PAYLOAD, [ROOT])):
        with pytest.raises(VerificationFailed):
            dsse.open_envelope(envelope, dsse.POLICY, keys, threshold=2)


def test_unknown_keys_and_added_signatures_are_refused() -> None:
    with pytest.raises(VerificationFailed):
        dsse.open_envelope(ENVELOPE, dsse.RESULT, [OTHER.public])
    with pytest.raises(VerificationFailed):
        dsse.open_envelope(ENVELOPE, dsse.RESULT, [])
    outer = json.loads(ENVELOPE)
    outer["signatures"].append({"keyid": OTHER.key_id, "sig": base64.b64encode(bytes(64)).decode()})
    with pytest.raises(VerificationFailed):
        dsse.open_envelope(canonical(outer), dsse.RESULT, [ROOT.public])
    outer["signatures"] = []
    with pytest.raises(VerificationFailed):
        dsse.open_envelope(canonical(outer), dsse.RESULT, [ROOT.public])


def test_an_envelope_has_a_few_signatures_and_no_key_that_nobody_signs() -> None:
    outer = json.loads(ENVELOPE)
    for change in (
        {"signatures": outer["signatures"] * 9},
        {"note": "unsigned"},
        {"signatures": [{**outer["signatures"][0], "note": 1}]},
        {"signatures": [{**outer["signatures"][0], "keyid": 7}]},
        {"signatures": [{**outer["signatures"][0], "keyid": "," * 65}]},
    ):
        with pytest.raises(BadInput):
            dsse.open_envelope(canonical({**outer, **change}), dsse.RESULT, [ROOT.public])
    eight = [Ed25519Signer.generate() for _ in range(8)]
    signed = dsse.sign_envelope(dsse.POLICY, PAYLOAD, eight)
    assert dsse.open_envelope(signed, dsse.POLICY, [one.public for one in eight], threshold=8) == PAYLOAD


def test_a_payload_that_nobody_known_signed_is_not_looked_into() -> None:
    outer = json.loads(dsse.sign_envelope(dsse.RESULT, PAYLOAD, [OTHER]))
    broken = canonical({**outer, "payload": base64.b64encode(b"[" * 10).decode()})
    with pytest.raises(VerificationFailed):
        dsse.open_envelope(broken, dsse.RESULT, [ROOT.public])
    with pytest.raises(BadInput):
        dsse.peek(broken)


@given(st.binary(max_size=300))
def test_noise_is_refused_with_a_sentence(noise: bytes) -> None:
    with pytest.raises(ExamroomError):
        dsse.peek(noise)


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)


@given(payload=_JSON, kind=_JSON, signatures=_JSON)
def test_json_that_is_no_envelope_is_refused(payload: object, kind: object, signatures: object) -> None:
    outer = {"payload": payload, "payloadType": kind, "signatures": signatures}
    with pytest.raises(ExamroomError):
        dsse.open_envelope(json.dumps(outer).encode(), dsse.RESULT, [ROOT.public])
