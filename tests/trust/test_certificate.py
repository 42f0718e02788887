"""Certificates: who a room is, and that nobody else can say so."""

from __future__ import annotations

import pytest

from edge.errors import BadInput, VerificationFailed
from edge.trust import dsse
from edge.trust.certificate import Certificate, check, issue
from edge.trust.signer import Ed25519Signer
from support.gateways import flipped

ROOT = Ed25519Signer.generate()
CERTIFICATE = Certificate(
    room="room-1",
    epoch=2,
    institution="示例学校",
    issuer="示例省",
    sign_key="11" * 32,
    seal_key="22" * 32,
    not_before_ms=1000,
    not_after_ms=2000,
)
ENVELOPE = issue(CERTIFICATE, ROOT)


def test_it_reads_back_under_its_root_only() -> None:
    assert check(ENVELOPE, ROOT.public) == CERTIFICATE
    assert CERTIFICATE.origin == "examroom.room-1.2"
    with pytest.raises(VerificationFailed):
        check(ENVELOPE, Ed25519Signer.generate().public)


@pytest.mark.parametrize(("at", "good"), [(999, False), (1000, True), (2000, True), (2001, False)])
def test_its_time(at: int, good: bool) -> None:
    if good:
        check(ENVELOPE, ROOT.public, at)
        return
    with pytest.raises(VerificationFailed) as error:
        check(ENVELOPE, ROOT.public, at)
    assert error.value.code == "certificate_expired"


def test_any_flipped_byte_is_refused() -> None:
    for at in range(len(ENVELOPE)):
        with pytest.raises((BadInput, VerificationFailed)):
            check(flipped(ENVELOPE, at), ROOT.public)


@pytest.mark.parametrize(
    "wrong",
    [
        {"room": "../x"},
        {"room": ""},
        {"room": "a\n"},
        {"epoch": 0},
        {"sign_key": "zz"},
        {"sign_key": "AB" * 32},
        {"more": 1},
    ],
)
def test_what_cannot_be_a_certificate_is_refused_even_when_signed(wrong: dict[str, object]) -> None:
    envelope = dsse.sign_envelope(dsse.CERTIFICATE, CERTIFICATE.model_dump() | wrong, [ROOT])
    with pytest.raises(BadInput) as error:
        check(envelope, ROOT.public)
    assert error.value.code == "certificate_broken"
