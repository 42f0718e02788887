"""What can be said of SFace without its weights: how chips reach it, with a network of the same shape in its place."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edge.domain.faces import Threshold
from edge.errors import BadInput
from edge.vision.embedders import SfaceEmbedder
from edge.vision.face_pack import UPRIGHT_112, FacePack, Picture
from edge.vision.manifest import read_manifest
from edge.vision.yunet import YunetDetector


@pytest.fixture(scope="module")
def embedder() -> SfaceEmbedder:
    """The mean of each of 3 x 64 patches, mixed into 128 numbers."""
    mix = np.random.default_rng(4).normal(size=(192, 128)).astype(np.float32)
    nodes = [
        helper.make_node("AveragePool", ["data"], ["pooled"], kernel_shape=[14, 14], strides=[14, 14]),
        helper.make_node("Flatten", ["pooled"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "mix"], ["fc1"]),
    ]
    graph = helper.make_graph(
        nodes,
        "stand-in",
        [helper.make_tensor_value_info("data", TensorProto.FLOAT, [1, 3, 112, 112])],
        [helper.make_tensor_value_info("fc1", TensorProto.FLOAT, [1, 128])],
        [numpy_helper.from_array(mix, "mix")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return SfaceEmbedder(model.SerializeToString())


def test_templates_are_of_unit_length_and_red_comes_first(embedder: SfaceEmbedder) -> None:
    chips = np.zeros((2, 112, 112, 3), np.uint8)
    chips[0, :, :, 2] = 200  # red, in BGR
    chips[1, :, :, 0] = 200
    red, blue = embedder.run(chips)
    assert np.linalg.norm([red, blue], axis=1) == pytest.approx([1, 1], abs=1e-5)
    mix = np.random.default_rng(4).normal(size=(192, 128)).astype(np.float32)
    first = mix[:64].sum(axis=0)
    assert red == pytest.approx(first / np.linalg.norm(first), abs=1e-4)
    assert np.linalg.norm(red - blue) > 0.5


def test_a_chip_that_gives_nothing_is_no_template(embedder: SfaceEmbedder) -> None:
    assert np.isnan(embedder.run(np.zeros((1, 112, 112, 3), np.uint8))).all()


def test_a_pack_cuts_what_it_wants(
    embedder: SfaceEmbedder, shared_models: object, portraits: dict[str, Picture]
) -> None:
    detector = YunetDetector((shared_models / "yunet_s_dynamic.onnx").read_bytes())  # type: ignore[operator]
    manifest = read_manifest("sface")
    limits = (Threshold(1.128, 1.128), manifest.fit, manifest.challenge_limits)
    pack = FacePack("sface", "0" * 12, *limits, detector, embedder)
    picture = portraits["hopper"]
    face = pack.detect(picture)[0]
    chip = pack.chip(picture, face)
    assert chip.shape == (112, 112, 3)
    again = pack.detect(np.asarray(np.pad(chip, ((40, 40), (40, 40), (0, 0)))))[0]
    assert np.abs(again.landmarks - 40 - UPRIGHT_112).max() < 6
    assert pack.embed(picture, face).shape == (128,)
    with pytest.raises(BadInput):
        pack.embed_chips(np.zeros((1, 150, 150, 3), np.uint8))
