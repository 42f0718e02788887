"""RFC 3161: what `openssl ts` signs is taken; another imprint, nonce, purpose, signature or authority is not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from edge.errors import BadInput, ExamroomError, VerificationFailed
from edge.trust import der, timestamp
from support.tsa import Authority

NOTE = "examroom.room-1.1\n5\nAAAA\n\n— examroom.room-1.1 AAAA\n"
DIGEST = timestamp.imprint(NOTE)
NONCE = 0x8123_4567_89AB


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Authority]:
    yield Authority(tmp_path_factory.mktemp("tsa") / "tsa")


@pytest.fixture(scope="module")
def answer(authority: Authority) -> bytes:
    return authority.reply(timestamp.request(DIGEST, NONCE))


def code(answer: bytes, digest: bytes, ca: Path, nonce: int | None = NONCE) -> str:
    with pytest.raises(ExamroomError) as caught:
        timestamp.check(answer, digest, timestamp.read_authorities(ca), nonce)
    return caught.value.code


@pytest.mark.parametrize(("use_rsa", "ess"), [(False, "sha256"), (True, "sha1"), (True, "sha512")])
def test_a_stamp_by_openssl_is_taken(tmp_path: Path, use_rsa: bool, ess: str) -> None:
    made = Authority(tmp_path / "tsa", use_rsa=use_rsa, ess=ess)
    answer = made.reply(timestamp.request(DIGEST, NONCE))
    stamp = timestamp.check(answer, DIGEST, timestamp.read_authorities(made.ca), NONCE)
    assert (stamp.authority, made.openssl_verifies(answer, NOTE.encode())) == ("tsa", True)
    assert abs(stamp.time_ms / 1000 - (tmp_path / "tsa" / "answer").stat().st_mtime) < 60


def test_another_imprint_nonce_or_authority_is_refused(authority: Authority, answer: bytes, tmp_path: Path) -> None:
    assert code(answer, timestamp.imprint(NOTE + "x"), authority.ca) == "timestamp_imprint"
    assert code(answer, DIGEST, authority.ca, NONCE + 1) == "timestamp_nonce"
    without = authority.reply(timestamp.request(DIGEST, 1))
    assert code(without, DIGEST, authority.ca) == "timestamp_nonce"
    other = Authority(tmp_path / "other")
    assert code(answer, DIGEST, other.ca) == "timestamp_authority"
    # the issuing CA alone may be named as well, and the root of another beside it does no harm
    issuing = authority.folder / "issuing.pem"
    assert timestamp.check(answer, DIGEST, timestamp.read_authorities(issuing), NONCE).authority == "tsa"


@pytest.mark.parametrize(
    ("usages", "critical"),
    [
        ([ExtendedKeyUsageOID.CODE_SIGNING], True),
        ([ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING], True),
        ([ExtendedKeyUsageOID.TIME_STAMPING], False),
        ([], True),
    ],
)
def test_a_certificate_that_is_not_for_time_stamping_alone_is_refused(
    authority: Authority, answer: bytes, usages: list[object], critical: bool
) -> None:
    authority.signer("wrong", usages, critical=critical)  # type: ignore[arg-type]
    assert code(authority.signed_by("wrong", answer), DIGEST, authority.ca) == "timestamp_purpose"


def test_the_same_way_of_signing_with_the_right_certificate_is_taken(authority: Authority, answer: bytes) -> None:
    again = authority.signed_by("tsa", answer)
    assert again != answer
    assert timestamp.check(again, DIGEST, timestamp.read_authorities(authority.ca), NONCE).authority == "tsa"


def test_a_certificate_that_was_over_at_the_time_is_refused(authority: Authority, answer: bytes) -> None:
    authority.signer("old", [ExtendedKeyUsageOID.TIME_STAMPING], days=-1)
    assert code(authority.signed_by("old", answer), DIGEST, authority.ca) == "timestamp_authority"


def test_no_changed_byte_is_taken(authority: Authority, answer: bytes) -> None:
    """Of what is signed; bytes of the issuing CA's certificate and of the frame may break nothing that is relied on."""
    roots = timestamp.read_authorities(authority.ca)
    good = timestamp.check(answer, DIGEST, roots, NONCE)
    found = set[str]()
    for at in range(0, len(answer), 3):
        data = bytearray(answer)
        data[at] ^= 1 << at % 8
        try:
            assert timestamp.check(bytes(data), DIGEST, roots, NONCE) == good, at
        except (BadInput, VerificationFailed) as error:
            found.add(error.code)
    assert found >= {"timestamp_broken", "timestamp_signature", "timestamp_imprint", "timestamp_nonce"}
    token = der.read(answer).parts()[1]
    info = token.parts()[1].parts()[0].parts()[2].parts()[1].parts()[0].content
    for at in range(len(info)):
        data = bytearray(answer)
        data[answer.index(info) + at] ^= 4
        with pytest.raises(ExamroomError):
            timestamp.check(bytes(data), DIGEST, roots, NONCE)


@pytest.mark.parametrize(
    "data", [b"", b"0", b"\x30\x80\x00\x00", b"\x30\x03\x02\x01\x02", b"<html>", b"\x30\x82\x00\x01\x00"]
)
def test_what_is_no_answer_is_broken(authority: Authority, data: bytes) -> None:
    assert code(data, DIGEST, authority.ca) == "timestamp_broken"


def test_an_authority_that_will_not_is_told_by_its_status(authority: Authority, tmp_path: Path) -> None:
    will_not = der.value(der.SEQUENCE, der.value(der.SEQUENCE, der.integer(2)))
    assert code(will_not, DIGEST, authority.ca) == "timestamp_refused"
    (tmp_path / "no.pem").write_text("nothing")
    for missing in (tmp_path / "none.pem", tmp_path / "no.pem"):
        with pytest.raises(BadInput) as caught:
            timestamp.read_authorities(missing)
        assert caught.value.code == "timestamp_ca"


def test_object_identifiers_and_numbers_are_written_as_der_has_them() -> None:
    assert der.oid("1.2.840.113549.1.9.16.1.4").hex() == "2a864886f70d0109100104"
    assert [der.integer(n).hex() for n in (0, 127, 128, 255, 1 << 63)] == [
        "020100", "02017f", "02020080", "020200ff", "0209008000000000000000"
    ]  # fmt: skip
