"""Sealed bundles: for their rooms, whole, in time; and RFC 9180's box opens with other people's code."""

from __future__ import annotations

import base64
import hashlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.domain.canonical import canonical
from edge.errors import BadInput, ExamroomError, Refused, Unavailable, VerificationFailed
from edge.trust import dsse
from edge.trust.roomkeys import DataKey, create_keys, load_keys
from edge.trust.seal import CHUNK, BundleManifest, SealKey, open_bundle, read_manifest, seal_bundle
from edge.trust.signer import Ed25519Signer
from support.examples import examples
from support.gateways import flipped

ROOT = Ed25519Signer.generate()
KEY, OTHER = SealKey.generate(), SealKey.generate()
CONTENT = canonical({"题": ["安全帽", 1]})


def sealed(content: bytes = CONTENT, version: int = 3, **times: int) -> bytes:
    rooms = {"r1": KEY.public, "r2": OTHER.public}
    span = {"not_before_ms": 1000, "expires_ms": 2000} | times
    return seal_bundle("bank", "safety", version, content, rooms, [ROOT], facts={"items": 1}, **span)


def opened(data: bytes, room: str = "r1", key: SealKey = KEY, at: int = 1500) -> bytes:
    return open_bundle(data, [ROOT.public], room, key, at)[1]


@pytest.mark.parametrize("size", [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK])
def test_any_length_reads_back_for_each_room(size: int) -> None:
    content = bytes(i % 251 for i in range(size))
    data = sealed(content)
    assert opened(data) == content
    assert opened(data, "r2", OTHER) == content
    assert content[:64] not in data or size < 16


def test_manifest_and_errors_by_time_and_room() -> None:
    data = sealed()
    manifest = read_manifest(data, [ROOT.public])
    assert (manifest.kind, manifest.name, manifest.version, manifest.size) == ("bank", "safety", 3, len(CONTENT))
    for at, code in ((999, "bundle_early"), (2001, "bundle_expired")):
        with pytest.raises(Refused) as error:
            opened(data, at=at)
        assert error.value.code == code
    with pytest.raises(Refused) as other:
        opened(data, "r3")
    assert other.value.code == "bundle_other_room"


def test_a_room_cannot_open_what_is_sealed_to_another() -> None:
    with pytest.raises(VerificationFailed):
        opened(sealed(), "r2", KEY)


def test_a_wrapped_key_cannot_be_moved_to_another_version() -> None:
    old, new = sealed(version=3), sealed(version=4)
    payload = dsse.peek(old.partition(b"\n")[0]).payload | {"version": 4}
    moved = dsse.sign_envelope(dsse.BUNDLE, payload, [ROOT]) + b"\n" + old.partition(b"\n")[2]
    assert opened(new) == CONTENT
    with pytest.raises(VerificationFailed):
        opened(moved)


def test_any_flipped_byte_is_refused() -> None:
    data = sealed()
    for at in range(len(data)):
        with pytest.raises((BadInput, VerificationFailed)):
            opened(flipped(data, at))


def test_chunks_dropped_moved_or_added_are_refused() -> None:
    data = sealed(bytes(3 * CHUNK))
    line, _, body = data.partition(b"\n")
    step = CHUNK + 16
    for changed in (body[:step] + body[2 * step :], body[step:] + body[:step], body[:-step], body + body[:step]):
        with pytest.raises(VerificationFailed):
            opened(line + b"\n" + changed)
        # and not only because of the digest: with a manifest that names the changed bytes the chunks still refuse
        payload = dsse.peek(line).payload | {"sealed_sha256": hashlib.sha256(changed).hexdigest()}
        forged = dsse.sign_envelope(dsse.BUNDLE, payload, [ROOT]) + b"\n" + changed
        with pytest.raises(VerificationFailed):
            opened(forged)


@pytest.mark.parametrize("data", [b"", b"\n", b"{}\n", b"no newline", b"\xff\n\xff"])
def test_noise_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput):
        read_manifest(data, [ROOT.public])


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.just(10**30) | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.just("r1") | st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
FIELDS = sorted(BundleManifest.model_fields)


@settings(max_examples=examples(60), deadline=None)
@given(st.dictionaries(st.sampled_from([*FIELDS, "more"]), ANYTHING, min_size=1, max_size=2), st.integers(0, 400))
def test_a_signed_manifest_that_says_anything_opens_or_is_refused_with_a_sentence(
    change: dict[str, object], cut: int
) -> None:
    line, _, body = sealed().partition(b"\n")
    try:
        payload = dsse.peek(line).payload | change
        opened(dsse.sign_envelope(dsse.BUNDLE, payload, [ROOT]) + b"\n" + body)
    except ExamroomError as error:
        assert str(error)
    with pytest.raises(ExamroomError):
        opened((line + b"\n" + body)[: -cut - 1])


def test_a_wrong_signer_is_refused() -> None:
    with pytest.raises(VerificationFailed):
        open_bundle(sealed(), [Ed25519Signer.generate().public], "r1", KEY, 1500)


def test_the_wrapped_key_is_hpke_base_mode() -> None:
    """RFC 9180: the box is enc (32 bytes) and ciphertext (32 + 16), and unwraps only under its info."""
    wrapped = base64.b64decode(read_manifest(sealed(), [ROOT.public]).keys["r1"])
    assert len(wrapped) == 32 + 32 + 16
    assert len(KEY.unwrap(wrapped, b"examroom bundle key 1\nbank\nsafety\n3\nr1")) == 32


def test_room_keys_are_born_once_and_the_data_key_stays(tmp_path: Path) -> None:
    first = create_keys(tmp_path)
    second = create_keys(tmp_path)
    assert first.sign.public != second.sign.public
    assert first.data == second.data
    assert load_keys(tmp_path).seal.public == second.seal.public
    with pytest.raises(Unavailable):
        load_keys(tmp_path / "none")


def test_data_at_rest_belongs_to_its_row() -> None:
    key = DataKey(bytes(32))
    box = key.encrypt(b"template", b"person-1")
    assert key.decrypt(box, b"person-1") == b"template"
    assert box != key.encrypt(b"template", b"person-1")
    for changed, context in ((box, b"person-2"), (flipped(box, 20), b"person-1"), (b"", b"person-1")):
        with pytest.raises(VerificationFailed):
            key.decrypt(changed, context)
