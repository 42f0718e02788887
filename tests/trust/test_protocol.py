"""What rooms and gateways say: signed requests, receipts, tokens; and that nothing passes for them."""

from __future__ import annotations

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import BadInput, ExamroomError, NotSignedIn, VerificationFailed
from edge.trust import dsse, protocol, token
from edge.trust.seal import SealKey
from edge.trust.signer import Ed25519Signer
from support.gateways import flipped, result_envelope

SIGNER, OTHER = Ed25519Signer.generate(), Ed25519Signer.generate()
TARGET = "/v1/rooms/r1/results"


def header(**change: object) -> str:
    facts = {"room": "r1", "epoch": 1, "method": "POST", "target": TARGET, "body": b"{}", "time_ms": 5} | change
    return protocol.authorization(SIGNER, **facts)  # type: ignore[arg-type]


def test_a_signed_request_checks_for_exactly_what_was_signed() -> None:
    claim = protocol.read_authorization(header())
    protocol.check_authorization(claim, SIGNER.public, "POST", TARGET, b"{}")
    wrong = [
        (OTHER.public, "POST", TARGET, b"{}"),
        (SIGNER.public, "GET", TARGET, b"{}"),
        (SIGNER.public, "POST", TARGET + "?x", b"{}"),
        (SIGNER.public, "POST", TARGET, b"{} "),
    ]
    for public, method, target, body in wrong:
        with pytest.raises(NotSignedIn):
            protocol.check_authorization(claim, public, method, target, body)
    for change in ({"room": "r2"}, {"epoch": 2}, {"time_ms": 6}, {"nonce": "0" * 32}):
        with pytest.raises(NotSignedIn):
            protocol.check_authorization(claim.model_copy(update=change), SIGNER.public, "POST", TARGET, b"{}")


def test_two_headers_never_share_a_nonce() -> None:
    nonces = {protocol.read_authorization(header()).nonce for _ in range(50)}
    assert len(nonces) == 50


@pytest.mark.parametrize(
    "wrong", [None, "", "Examroom", "Examroom !!", "Bearer abc", "Examroom " + base64.b64encode(b"{}").decode()]
)
def test_no_authorization_is_told_as_such(wrong: str | None) -> None:
    with pytest.raises(NotSignedIn) as error:
        protocol.read_authorization(wrong)
    assert error.value.code == "request_unsigned"


@given(st.binary(max_size=200))
def test_a_noisy_authorization_is_refused(noise: bytes) -> None:
    with pytest.raises(NotSignedIn):
        protocol.read_authorization("Examroom " + base64.b64encode(noise).decode())


@given(st.text(max_size=100))
def test_a_noisy_header_is_refused(noise: str) -> None:
    with pytest.raises(NotSignedIn):
        protocol.read_authorization(noise)


MODELS = [
    protocol.EnrolRequest,
    protocol.EnrolAnswer,
    protocol.ResultsRequest,
    protocol.ResultsAnswer,
    protocol.CheckpointRequest,
    protocol.BundleList,
    protocol.RoomStatus,
    protocol.ErrorBody,
    protocol.ReceiptsFile,
    protocol.ResultsFile,
]


@given(model=st.sampled_from(MODELS), noise=st.binary(max_size=200))
def test_noise_is_no_body(model: type[protocol.Body], noise: bytes) -> None:
    with pytest.raises(BadInput):
        protocol.parse(model, noise)


def test_a_body_names_the_first_wrong_place() -> None:
    with pytest.raises(BadInput) as error:
        protocol.parse(protocol.ResultsRequest, b'{"envelopes": [1]}')
    assert error.value.facts["where"] == "envelopes.0"
    for body in (
        {"envelopes": []},
        {"envelopes": ["{}"] * 51},
        {"envelopes": ["{}"], "more": 1},
        {"envelopes": ["x" * (protocol.MAX_ENVELOPE + 1)]},
    ):
        with pytest.raises(BadInput):
            protocol.parse(protocol.ResultsRequest, json.dumps(body).encode())


def test_numbers_in_quotes_are_no_numbers() -> None:
    good = {"note": "n", "old_size": 1, "proof": []}
    protocol.parse(protocol.CheckpointRequest, json.dumps(good).encode())
    for wrong in ("1", 1.5, True, -1, 2**53, None):
        with pytest.raises(BadInput):
            protocol.parse(protocol.CheckpointRequest, json.dumps(good | {"old_size": wrong}).encode())


def test_receipts_and_gateway_keys_are_their_signers_alone() -> None:
    receipt = protocol.Receipt(
        room="r", epoch=1, seq=2, body_sha256="0" * 64, tree_head=None, contiguous_to=2, time_ms=9
    )
    envelope = protocol.sign_receipt(receipt, SIGNER)
    assert protocol.open_receipt(envelope, SIGNER.public) == receipt
    for at in range(len(envelope)):
        with pytest.raises((BadInput, VerificationFailed)):
            protocol.open_receipt(flipped(envelope, at), SIGNER.public)
    with pytest.raises(VerificationFailed):
        protocol.open_receipt(envelope, OTHER.public)
    key = protocol.GatewayKey(name="w", key="1" * 64, not_before_ms=0, not_after_ms=1)
    named = protocol.sign_gateway_key(key, SIGNER)
    assert protocol.open_gateway_key(named, SIGNER.public) == key
    with pytest.raises(BadInput):
        protocol.open_gateway_key(envelope, SIGNER.public)
    hollow = dsse.sign_envelope(dsse.RECEIPT, {"room": "r"}, [SIGNER])
    with pytest.raises(BadInput) as error:
        protocol.open_receipt(hollow, SIGNER.public)
    assert error.value.code == "payload_wrong"


def test_a_results_head_is_read_and_nothing_else_of_it() -> None:
    head = protocol.result_head(result_envelope("r1", 1, 4, SIGNER, candidate={"name": "张三"}))
    assert (head.room, head.epoch, head.seq) == ("r1", 1, 4)
    for change in ({"seq": 0}, {"seq": "1"}, {"epoch": True}, {"room": "../r"}, {"seq": 2**60}):
        envelope = dsse.sign_envelope(dsse.RESULT, {"room": "r1", "epoch": 1, "seq": 4} | change, [SIGNER])
        with pytest.raises(BadInput):
            protocol.result_head(envelope)


def test_an_enrolment_proves_the_signing_key() -> None:
    seal = SealKey.generate()
    plain = token.new_token(OTHER.public)
    request = protocol.EnrolRequest(
        token=plain,
        sign_key=SIGNER.public.hex(),
        seal_key=seal.public.hex(),
        proof=protocol.enrol_proof(SIGNER, plain, seal.public),
    )
    protocol.check_enrol_proof(request)
    for change in (
        {"token": token.new_token(OTHER.public)},
        {"sign_key": OTHER.public.hex()},
        {"seal_key": SealKey.generate().public.hex()},
    ):
        with pytest.raises(VerificationFailed):
            protocol.check_enrol_proof(request.model_copy(update=change))


def test_a_token_is_typed_by_people_and_names_its_province() -> None:
    plain = token.new_token(SIGNER.public)
    assert token.read_token(f" {token.spaced(plain).lower()} \n") == plain
    assert token.is_for(plain, SIGNER.public)
    assert not token.is_for(plain, OTHER.public)
    assert token.token_hash(plain) != token.token_hash(token.new_token(SIGNER.public))
    for typed in ("", "ABC", plain[:-1], plain + "A", plain[:-1] + "1", plain[:-1] + "é"):
        with pytest.raises(BadInput):
            token.read_token(typed)


@given(st.text(max_size=60))
def test_a_mistyped_token_is_refused_or_a_token(typed: str) -> None:
    try:
        assert len(token.read_token(typed)) == 32
    except ExamroomError as error:
        assert error.code == "token_malformed"
