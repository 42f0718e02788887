"""Signed notes: other people's format, and no second way of writing one."""

from __future__ import annotations

import base64
import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge.errors import BadInput, ExamroomError, VerificationFailed
from edge.trust.checkpoint import TreeHead, cosign, only_signers, open_note, read_note, sign_note
from edge.trust.signer import Ed25519Signer, verify
from support.gateways import flipped

ROOM, WITNESS = Ed25519Signer.generate(), Ed25519Signer.generate()
ROOT = hashlib.sha256(b"root").digest()
ORIGIN = "examroom.r1.1"
NOTE = sign_note(ORIGIN, 12, ROOT, ORIGIN, ROOM)
KEYS = {ORIGIN: ROOM.public}
BOTH = {**KEYS, "witness.example": WITNESS.public}


def test_the_note_is_a_c2sp_signed_note() -> None:
    body, _, signatures = NOTE.partition("\n\n")
    assert body.split("\n") == [ORIGIN, "12", base64.b64encode(ROOT).decode()]
    dash, name, blob = signatures.rstrip("\n").split(" ")
    assert (dash, name) == ("—", ORIGIN)
    decoded = base64.b64decode(blob)
    # signed-note: key id = first four bytes of SHA-256(name || "\n" || 0x01 || key)
    assert decoded[:4] == hashlib.sha256(ORIGIN.encode() + b"\n\x01" + ROOM.public).digest()[:4]
    assert verify(ROOM.public, (body + "\n").encode(), decoded[4:])


def test_it_reads_back_and_takes_a_second_signature() -> None:
    assert open_note(NOTE, KEYS) == TreeHead(ORIGIN, 12, ROOT)
    witnessed = cosign(NOTE, "witness.example", WITNESS)
    assert witnessed.startswith(NOTE)
    assert open_note(witnessed, BOTH).size == 12
    assert open_note(only_signers(witnessed, {ORIGIN}), KEYS).size == 12
    assert read_note(witnessed)[1] == [ORIGIN, "witness.example"]


def test_every_wanted_signature_is_needed_and_no_other_is_suffered() -> None:
    with pytest.raises(VerificationFailed):
        open_note(NOTE, BOTH)
    with pytest.raises(VerificationFailed):
        open_note(cosign(NOTE, "witness.example", WITNESS), KEYS)
    with pytest.raises(VerificationFailed):
        open_note(cosign(NOTE, "witness.example", ROOM), BOTH)


def test_any_flipped_bit_is_refused() -> None:
    data = NOTE.encode()
    for at in range(len(data)):
        for mask in (0x01, 0x10):
            try:
                changed = flipped(data, at, mask).decode()
            except UnicodeDecodeError:
                continue
            with pytest.raises((BadInput, VerificationFailed)):
                open_note(changed, KEYS)


@pytest.mark.parametrize(
    "change",
    [
        lambda n: n.replace("\n12\n", "\n012\n"),
        lambda n: n.replace("\n12\n", "\n+12\n"),
        lambda n: n.replace("\n12\n", "\n12 \n"),
        lambda n: n.replace("\n12\n", "\n-12\n"),
        lambda n: n.replace("—", "-"),
        lambda n: n[:-1],
        lambda n: n + "\n",
        lambda n: n.replace("\n\n", "\n"),
        lambda n: n.replace("\n", "\r\n"),
        lambda n: n + n.partition("\n\n")[2].replace("—", "— "),
    ],
)
def test_another_way_of_writing_it_is_refused(change: object) -> None:
    changed = change(NOTE)  # type: ignore[operator]
    assert changed != NOTE
    with pytest.raises((BadInput, VerificationFailed)):
        open_note(changed, KEYS)


def test_base64_with_loose_last_bits_is_refused() -> None:
    line = NOTE.partition("\n\n")[2].rstrip("\n")
    blob = line.split(" ")[2]
    assert blob.endswith("=")
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
    last = blob.rstrip("=")[-1]
    loose = blob.rstrip("=")[:-1] + alphabet[alphabet.index(last) + 1] + "=" * (len(blob) - len(blob.rstrip("=")))
    assert base64.b64decode(loose) == base64.b64decode(blob)
    with pytest.raises(BadInput):
        open_note(NOTE.replace(blob, loose), KEYS)


@given(st.text(max_size=200))
def test_noise_is_refused_with_a_sentence(noise: str) -> None:
    with pytest.raises(ExamroomError):
        open_note(noise, KEYS)
