"""Two shares: both open the bank, one alone gives nothing, and a code that cannot be right is told as such."""

from __future__ import annotations

import base64
import hashlib

import pytest
from cryptography.exceptions import InvalidTag
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import BadInput, ExamroomError, Refused, VerificationFailed
from edge.trust import shares
from edge.trust.seal import SealKey, open_bundle, read_manifest, seal_bundle
from edge.trust.shares import Content, Release, new_codes, open_slip, read_code, share_out, xor
from edge.trust.signer import Ed25519Signer
from support.examples import examples

ROOT, KEY = Ed25519Signer.generate(), SealKey.generate()
PLAIN = b'{"bank":"safety"}' * 9000
CONTENT = Content("bank", "safety", 3, hashlib.sha256(PLAIN).hexdigest())
CODES = new_codes()
with pytest.MonkeyPatch.context() as cheap:  # a slip says how hard it was made, and takes its time by design
    cheap.setattr(shares, "MEMORY_KIB", 1024)
    SHARED = share_out(CONTENT, CODES, gateway=True)
BUNDLE = seal_bundle(
    "bank", "safety", 3, PLAIN, {"r1": KEY.public}, [ROOT], not_before_ms=0, expires_ms=9, facts={}, shared=SHARED
)
DIGITS = st.text("0123456789", min_size=15, max_size=15)


def opened(share: bytes | None, key: SealKey = KEY) -> bytes:
    return open_bundle(BUNDLE, [ROOT.public], "r1", key, 5, share)[1]


def code_of(error: pytest.ExceptionInfo[ExamroomError]) -> str:
    assert "{" not in error.value.sentence("zh") + error.value.sentence("en")
    return error.value.code


def test_both_shares_open_it_by_slips_and_by_release() -> None:
    release = read_manifest(BUNDLE, [ROOT.public]).release
    assert release is not None and release.ways == ["gateway", "codes"]
    first, second = (open_slip(release, CONTENT, slip, CODES[slip - 1]) for slip in (1, 2))
    assert xor(first, second) == SHARED.share
    assert opened(xor(first, second)) == PLAIN == opened(SHARED.share)


def test_a_room_alone_a_slip_alone_and_another_s_share_open_nothing() -> None:
    first, second = (open_slip(SHARED.release, CONTENT, slip, CODES[slip - 1]) for slip in (1, 2))
    with pytest.raises(Refused) as refused:
        opened(None)
    assert code_of(refused) == "bank_locked"
    for share in (first, second, bytes(32), share_out(CONTENT, None, True).share):
        with pytest.raises(VerificationFailed) as wrong:
            opened(share)
        assert code_of(wrong) == "unlock_share_wrong"
    with pytest.raises(VerificationFailed):
        opened(SHARED.share, SealKey.generate())


def test_what_the_room_holds_is_not_the_content_key() -> None:
    """With the room's key and everything in the file the content does not decrypt: what it holds is a half."""
    from edge.trust.seal import _decrypt, _info

    half = KEY.unwrap(
        base64.b64decode(read_manifest(BUNDLE, [ROOT.public]).keys["r1"]), _info("bank", "safety", 3, "r1")
    )
    sealed = BUNDLE.partition(b"\n")[2]
    assert b"".join(_decrypt(xor(half, SHARED.share), sealed)) == PLAIN
    for key in (half, SHARED.share):
        with pytest.raises(InvalidTag):
            _decrypt(key, sealed)


@given(st.binary(min_size=32, max_size=32))
@settings(max_examples=examples(50))
def test_for_every_key_some_other_share_fits_one_share(key: bytes) -> None:
    """One share says nothing: whatever the key were, there is a second share that goes with this first."""
    first = SHARED.share
    assert xor(first, xor(first, key)) == key


@given(DIGITS, st.integers(0, 15), st.integers(1, 9), st.sampled_from([1, 2]))
def test_one_wrong_digit_is_always_told(digits: str, at: int, more: int, slip: int) -> None:
    code = digits + shares._check_digit(slip, digits)
    assert read_code(shares.grouped(code), slip) == code == read_code(f" {code[:8]}-{code[8:]} ", slip)
    wrong = code[:at] + str((int(code[at]) + more) % 10) + code[at + 1 :]
    with pytest.raises(BadInput) as told:
        read_code(wrong, slip)
    assert code_of(told) in ("unlock_code_digit", "unlock_code_other")


@given(DIGITS, st.sampled_from([1, 2]))
def test_a_slip_in_the_other_field_is_always_told(digits: str, slip: int) -> None:
    with pytest.raises(BadInput) as told:
        read_code(digits + shares._check_digit(slip, digits), 3 - slip)
    assert code_of(told) == "unlock_code_other"


@pytest.mark.parametrize("typed", ["", "1234", "1" * 17, "123456789012345x", "１２３４５６７８９０１２３４５６"])
def test_what_is_no_code_is_told(typed: str) -> None:
    with pytest.raises(BadInput) as told:
        read_code(typed, 1)
    assert code_of(told) == "unlock_code_form"


def test_wrong_codes_swapped_slips_and_altered_wraps_open_nothing() -> None:
    release, other = SHARED.release, Content("bank", "safety", 4, CONTENT.sha256)
    swapped = Release(ways=["codes"], share_sha256=release.share_sha256, slips=[release.slips[1], release.slips[0]])
    sealed = bytearray(base64.b64decode(release.slips[0].sealed))
    sealed[20] ^= 1
    bent = release.slips[0].model_copy(update={"sealed": base64.b64encode(bytes(sealed)).decode()})
    altered = Release(ways=["codes"], share_sha256=release.share_sha256, slips=[bent, release.slips[1]])
    for one, content, slip, code in (
        (release, CONTENT, 1, new_codes()[0]),
        (release, CONTENT, 1, CODES[1]),
        (swapped, CONTENT, 1, CODES[0]),
        (swapped, CONTENT, 1, CODES[1]),
        (altered, CONTENT, 1, CODES[0]),
        (release, other, 1, CODES[0]),
    ):
        with pytest.raises(Refused) as refused:
            open_slip(one, content, slip, code)
        assert code_of(refused) == "unlock_code_wrong"
    with pytest.raises(Refused) as no_slips:
        open_slip(share_out(CONTENT, None, True).release, CONTENT, 1, CODES[0])
    assert code_of(no_slips) == "unlock_no_codes"


def test_a_bundle_of_one_share_is_as_it_was() -> None:
    data = seal_bundle("bank", "b", 1, b"x", {"r1": KEY.public}, [ROOT], not_before_ms=0, expires_ms=9, facts={})
    payload = base64.b64decode(data.partition(b'"payload":"')[2].partition(b'"')[0])
    assert b"shares" not in payload and b"release" not in payload
    assert read_manifest(data, [ROOT.public]).shares == 1
    assert open_bundle(data, [ROOT.public], "r1", KEY, 5)[1] == b"x"


def test_codes_differ_and_stand_in_groups() -> None:
    found = {code for _ in range(50) for code in new_codes()}
    assert len(found) == 100
    assert shares.grouped("1234567890123456") == "1234 5678 9012 3456"
