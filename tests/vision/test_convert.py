"""The converted network is the original: equal to dlib's own run within 1e-5."""

from __future__ import annotations

from dataclasses import replace

import dlib
import numpy as np
import pytest

from edge.errors import VerificationFailed
from edge.vision import packs
from edge.vision.convert import to_onnx
from edge.vision.dlib_weights import read_network
from edge.vision.face_pack import FacePack, Picture
from edge.vision.manifest import read_manifest


@pytest.fixture(scope="module")
def original() -> dlib.face_recognition_model_v1:
    return dlib.face_recognition_model_v1(str(packs.find_source(read_manifest("dlib").role("embedder"))))


@pytest.mark.parametrize("who", ["hopper", "astronaut"])
def test_equals_dlib_on_both_portraits(
    pack: FacePack, portraits: dict[str, Picture], original: dlib.face_recognition_model_v1, who: str
) -> None:
    picture = portraits[who]
    chip = pack.chip(picture, pack.detect(picture)[0])
    rgb = np.ascontiguousarray(chip[:, :, ::-1])
    chips = {"as it is": (chip, rgb), "mirrored": (chip[:, ::-1], rgb[:, ::-1]), "dark": (chip // 4, rgb // 4)}
    for bgr_chip, rgb_chip in chips.values():
        expected = np.array(original.compute_face_descriptor(np.ascontiguousarray(rgb_chip)))
        found = pack.embed_chips(np.ascontiguousarray(bgr_chip)[np.newaxis])[0]
        assert np.abs(found - expected).max() < 1e-5
        assert np.abs(expected).max() > 0.05


def test_a_batch_equals_its_single_chips(pack: FacePack, portraits: dict[str, Picture]) -> None:
    chips = np.stack([pack.chip(picture, pack.detect(picture)[0]) for picture in portraits.values()] * 3)
    together = pack.embed_chips(chips)
    assert together.shape == (6, 128) and together.dtype == np.float32
    for chip, template in zip(chips, together, strict=True):
        assert np.abs(pack.embed_chips(chip[np.newaxis])[0] - template).max() < 1e-5


def test_a_model_that_is_off_is_not_installed() -> None:
    source = packs.find_source(read_manifest("dlib").role("embedder"))
    network = read_network(source.read_bytes())
    assert packs.self_check(to_onnx(network), source) < 1e-5
    first = network.blocks[5].first
    wrong = replace(network, blocks=[*network.blocks])
    wrong.blocks[5] = replace(wrong.blocks[5], first=replace(first, bias=first.bias + np.float32(0.01)))
    with pytest.raises(VerificationFailed) as refusal:
        packs.self_check(to_onnx(wrong), source)
    assert refusal.value.code == "pack_self_check"
    swapped = replace(network, mean=network.mean[::-1])
    with pytest.raises(VerificationFailed):
        packs.self_check(to_onnx(swapped), source)
    with pytest.raises(VerificationFailed):
        packs.self_check(b"not a model", source)
