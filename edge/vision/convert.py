"""Writes the face network that `dlib_weights` reads as an ONNX model, so that onnxruntime can run it."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

from edge.vision.dlib_weights import INPUT, OUTPUT, Convolution, Network

# Opset 17 and IR 8 (2022) are the oldest that say all of this, so that any onnxruntime of the supported range reads it.
OPSET = 17
IR_VERSION = 8


def to_onnx(network: Network) -> bytes:
    """The serialised model: `chips` uint8 [batch, side, side, 3] in **BGR** to `templates` float32 [batch, 128].

    Means and channel order are inside the model, so a chip cut from an OpenCV picture is its input as it is. The
    model is checked by onnx with shape inference before it is returned.
    """
    graph = _Graph()
    graph.node("Cast", [INPUT], "pixels", to=TensorProto.FLOAT)
    graph.constant("mean", np.array(network.mean[::-1], np.float32))
    graph.constant("scale", np.array(1 / 256, np.float32))
    graph.node("Sub", ["pixels", "mean"], "centred")
    graph.node("Mul", ["centred", "scale"], "scaled")
    graph.node("Transpose", ["scaled"], "planes", perm=[0, 3, 1, 2])
    stem = network.stem
    bgr_stem = Convolution(np.ascontiguousarray(stem.filters[:, ::-1]), stem.bias, stem.stride, stem.padding)

    value, side = graph.convolution("stem", "planes", bgr_stem, network.side)
    value = graph.node("Relu", [value], "stem.relu")
    value = graph.node("MaxPool", [value], "stem.pool", kernel_shape=[3, 3], strides=[2, 2])
    side, channels = (side - 3) // 2 + 1, len(stem.bias)
    for number, block in enumerate(network.blocks):
        name = f"block{number}"
        inner, inner_side = graph.convolution(f"{name}.first", value, block.first, side)
        inner = graph.node("Relu", [inner], f"{name}.first.relu")
        inner, inner_side = graph.convolution(f"{name}.second", inner, block.second, inner_side)
        kept, kept_side, kept_channels = value, side, channels
        if block.down:
            kept = graph.node("AveragePool", [value], f"{name}.kept", kernel_shape=[2, 2], strides=[2, 2])
            kept_side = (side - 2) // 2 + 1
        # The two sides of dlib's addition may differ in size: the smaller is taken as zero beyond its end.
        side, channels = max(inner_side, kept_side), max(len(block.second.bias), kept_channels)
        inner = graph.padded(f"{name}.inner", inner, channels - len(block.second.bias), side - inner_side)
        kept = graph.padded(f"{name}.kept", kept, channels - kept_channels, side - kept_side)
        value = graph.node("Relu", [graph.node("Add", [inner, kept], f"{name}.sum")], f"{name}.relu")
    value = graph.node("GlobalAveragePool", [value], "pooled")
    value = graph.node("Flatten", [value], "flat", axis=1)
    graph.constant("embedding", network.embedding)
    graph.node("MatMul", [value, "embedding"], OUTPUT)
    return graph.model(network.side, network.embedding.shape[1])


class _Graph:
    """Nodes and constants of one model, each value named after its node."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, values: npt.NDArray[Any]) -> str:
        self.constants.append(numpy_helper.from_array(values, name))
        return name

    def node(self, kind: str, inputs: list[str], output: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, inputs, [output], name=output, **attributes))
        return output

    def convolution(self, name: str, value: str, layer: Convolution, side: int) -> tuple[str, int]:
        inputs = [value, self.constant(f"{name}.filters", layer.filters), self.constant(f"{name}.bias", layer.bias)]
        rows, columns = layer.filters.shape[2:]
        output = self.node(
            "Conv",
            inputs,
            name,
            kernel_shape=[rows, columns],
            strides=[layer.stride] * 2,
            pads=[layer.padding] * 4,
        )
        return output, (side + 2 * layer.padding - rows) // layer.stride + 1

    def padded(self, name: str, value: str, channels: int, side: int) -> str:
        """`value` with zeros after its last channel, row and column."""
        if not channels and not side:
            return value
        pads = self.constant(f"{name}.pads", np.array([0, 0, 0, 0, 0, channels, side, side], np.int64))
        return self.node("Pad", [value, pads], f"{name}.padded", mode="constant")

    def model(self, side: int, outputs: int) -> bytes:
        graph = helper.make_graph(
            self.nodes,
            "dlib_face_recognition_resnet_model_v1",
            [helper.make_tensor_value_info(INPUT, TensorProto.UINT8, ["batch", side, side, 3])],
            [helper.make_tensor_value_info(OUTPUT, TensorProto.FLOAT, ["batch", outputs])],
            self.constants,
        )
        opset = [helper.make_opsetid("", OPSET)]
        model = helper.make_model(graph, producer_name="examroom-edge", opset_imports=opset, ir_version=IR_VERSION)
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString())
