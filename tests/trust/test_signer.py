"""Signing keys: RFC 8032's own vector, files that are whole or absent, signatures that cannot be moved."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from edge.errors import Unavailable
from edge.trust.signer import Ed25519Signer, key_id_of, read_secret, verify, write_secret

# RFC 8032, 7.1, test 2
SEED = bytes.fromhex("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb")
PUBLIC = bytes.fromhex("3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c")
SIGNATURE = bytes.fromhex(
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da"
    "085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
)


def test_the_vector_of_rfc_8032(tmp_path: Path) -> None:
    write_secret(tmp_path / "k", SEED)
    signer = Ed25519Signer.load(tmp_path / "k")
    assert signer.public == PUBLIC
    assert signer.sign(b"\x72") == SIGNATURE
    assert verify(PUBLIC, b"\x72", SIGNATURE)
    assert signer.key_id == key_id_of(PUBLIC)
    assert len(signer.key_id) == 16


def test_a_key_file_is_its_owners_alone_and_reads_back(tmp_path: Path) -> None:
    signer = Ed25519Signer.generate()
    path = tmp_path / "keys" / "sign.key"
    signer.save(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert Ed25519Signer.load(path).public == signer.public
    assert [p.name for p in path.parent.iterdir()] == ["sign.key"]


def test_missing_and_damaged_keys_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(Unavailable) as missing:
        Ed25519Signer.load(tmp_path / "none")
    assert missing.value.code == "key_missing"
    (tmp_path / "short").write_bytes(b"x" * 31)
    with pytest.raises(Unavailable) as broken:
        read_secret(tmp_path / "short", 32)
    assert broken.value.code == "key_broken"


@pytest.mark.parametrize("at", range(0, 64, 7))
def test_a_changed_signature_does_not_verify(at: int) -> None:
    changed = bytearray(SIGNATURE)
    changed[at] ^= 4
    assert not verify(PUBLIC, b"\x72", bytes(changed))


def test_what_is_no_signature_or_no_key_is_false_not_an_error() -> None:
    assert not verify(PUBLIC, b"\x72", b"")
    assert not verify(b"short", b"\x72", SIGNATURE)
    assert not verify(PUBLIC, b"other", SIGNATURE)
