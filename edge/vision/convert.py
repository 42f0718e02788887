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
# Pictures of at most so many pixels a side are convolved as matrices.
FEW = 4


def to_onnx(network: Network) -> bytes:
    """The serialised model: `chips` uint8 [batch, side, side, 3] in **BGR** to `templates` float32 [batch, 128].

    Means and channel order are inside the model, so a chip cut from an OpenCV picture is its input as it is. The
    model is checked by onnx with shape inference before it is returned.
    """
    graph = _Graph()
    graph.node("Transpose", [INPUT], "planes", perm=[0, 3, 1, 2])  # bytes are moved at a quarter of what floats cost
    graph.node("Cast", ["planes"], "pixels", to=TensorProto.FLOAT)
    value, side = graph.convolution("stem", "pixels", _of_pixels(network), network.side)
    value = graph.node("Relu", [value], "stem.relu")
    value = graph.node("MaxPool", [value], "stem.pool", kernel_shape=[3, 3], strides=[2, 2])
    side, channels = (side - 3) // 2 + 1, len(network.stem.bias)
    few = False
    for number, block in enumerate(network.blocks):
        name = f"block{number}"
        first = graph.few_convolution if few else graph.convolution
        inner, inner_side = first(f"{name}.first", value, block.first, side)
        inner = graph.node("Relu", [inner], f"{name}.first.relu")
        if not few and inner_side <= FEW:
            few = True
            inner = graph.places_first(f"{name}.first", inner, inner_side, len(block.first.bias))
            value = graph.places_first(f"{name}.kept", value, side, channels)
        second = graph.few_convolution if few else graph.convolution
        inner, inner_side = second(f"{name}.second", inner, block.second, inner_side)
        kept, kept_side, kept_channels = value, side, channels
        if block.down:
            kept, kept_side = (graph.few_average if few else graph.average)(f"{name}.kept", value, side)
        # The two sides of dlib's addition may differ in size: the smaller is taken as zero beyond its end.
        padded = graph.few_padded if few else graph.padded
        inner_channels = len(block.second.bias)
        side, channels = max(inner_side, kept_side), max(inner_channels, kept_channels)
        inner = padded(f"{name}.inner", inner, inner_channels, channels - inner_channels, inner_side, side)
        kept = padded(f"{name}.kept", kept, kept_channels, channels - kept_channels, kept_side, side)
        value = graph.node("Relu", [graph.node("Add", [inner, kept], f"{name}.sum")], f"{name}.relu")
    value = graph.node("ReduceMean", [value], "flat", axes=[1] if few else [2, 3], keepdims=0)
    graph.constant("embedding", network.embedding)
    graph.node("MatMul", [value, "embedding"], OUTPUT)
    return graph.model(network.side, network.embedding.shape[1])


def _of_pixels(network: Network) -> Convolution:
    """The first convolution on BGR pixels as they are: W (x - mean) / 256 + b = (W / 256) x + (b - W mean / 256).

    Means and scale of their own would be two more walks over the picture, three values at a time.
    """
    stem = network.stem
    filters = stem.filters[:, ::-1].astype(np.float64) / 256
    shift = (filters * np.array(network.mean[::-1])[:, np.newaxis, np.newaxis]).sum(axis=(1, 2, 3))
    bias = (stem.bias - shift).astype(np.float32)
    return Convolution(np.ascontiguousarray(filters, np.float32), bias, stem.stride, stem.padding)


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

    def average(self, name: str, value: str, side: int) -> tuple[str, int]:
        """Of two by two pixels each; a last odd row or column is left out."""
        return self.node("AveragePool", [value], name, kernel_shape=[2, 2], strides=[2, 2]), (side - 2) // 2 + 1

    def padded(self, name: str, value: str, channels: int, more: int, side: int, wanted: int) -> str:
        """`value`, of so many channels, with `more` of zeros after the last, and zeros after its last row and column.

        More channels are made by a convolution that copies: a `Pad` would take onnxruntime out of the order it keeps
        its channels in, and back.
        """
        if more:
            copy = self.constant(f"{name}.copy", np.eye(channels + more, channels, dtype=np.float32)[..., None, None])
            value = self.node("Conv", [value, copy], f"{name}.widened", kernel_shape=[1, 1])
        if side != wanted:
            pads = self.constant(f"{name}.pads", np.array([0, 0, 0, 0, 0, 0, wanted - side, wanted - side], np.int64))
            value = self.node("Pad", [value, pads], f"{name}.padded", mode="constant")
        return value

    # ---- pictures of few pixels, as [batch, pixels, channels]

    def places_first(self, name: str, value: str, side: int, channels: int) -> str:
        shape = self.constant(f"{name}.flat.shape", np.array([-1, channels, side * side], np.int64))
        return self.node(
            "Transpose", [self.node("Reshape", [value, shape], f"{name}.flat")], f"{name}.t", perm=[0, 2, 1]
        )

    def few_convolution(self, name: str, value: str, layer: Convolution, side: int) -> tuple[str, int]:
        """As one matrix product: onnxruntime's convolution takes the pixels at an edge one by one, and here nearly all
        are at an edge."""
        rows, columns = layer.filters.shape[2:]
        end = (side + 2 * layer.padding - rows) // layer.stride + 1
        start = np.arange(end) * layer.stride - layer.padding
        down, across = start[:, None] + np.arange(rows), start[:, None] + np.arange(columns)
        inside = ((down >= 0) & (down < side))[:, None, :, None] & ((across >= 0) & (across < side))[None, :, None, :]
        places = down[:, None, :, None] * side + across[None, :, None, :]
        places = np.where(inside, places, side * side).reshape(end * end, rows * columns)
        seen = (places < side * side).any(axis=0)  # what no pixel of the result sees takes no part
        filters = layer.filters.transpose(2, 3, 1, 0).reshape(rows * columns, *layer.filters.shape[1::-1])[seen]
        value = self._gathered(name, value, places[:, seen].ravel(), side)
        shape = self.constant(f"{name}.shape", np.array([-1, filters.shape[0] * filters.shape[1]], np.int64))
        value = self.node("Reshape", [value, shape], f"{name}.rows")
        matrix = self.constant(f"{name}.filters", np.ascontiguousarray(filters.reshape(-1, filters.shape[2])))
        value = self.node("Gemm", [value, matrix, self.constant(f"{name}.bias", layer.bias)], f"{name}.product")
        back = self.constant(f"{name}.back", np.array([-1, end * end, filters.shape[2]], np.int64))
        return self.node("Reshape", [value, back], name), end

    def few_average(self, name: str, value: str, side: int) -> tuple[str, int]:
        end = (side - 2) // 2 + 1
        corner = (np.arange(end)[:, None] * 2 * side + np.arange(end) * 2).ravel()
        parts = [self._gathered(f"{name}.{by}", value, corner + by, side) for by in (0, 1, side, side + 1)]
        quarter = self.constant(f"{name}.quarter", np.array(0.25, np.float32))
        return self.node("Mul", [self.node("Sum", parts, f"{name}.four"), quarter], name), end

    def few_padded(self, name: str, value: str, channels: int, more: int, side: int, wanted: int) -> str:
        if side != wanted:
            places = np.full((wanted, wanted), side * side)
            places[:side, :side] = np.arange(side * side).reshape(side, side)
            value = self._gathered(f"{name}.wide", value, places.ravel(), side)
        if more:
            pads = self.constant(f"{name}.pads", np.array([0, 0, 0, 0, 0, more], np.int64))
            value = self.node("Pad", [value, pads], f"{name}.padded", mode="constant")
        return value

    def _gathered(self, name: str, value: str, places: npt.NDArray[np.int64], side: int) -> str:
        """These pixels of `value`; the one after its last is zero."""
        if (places == side * side).any():
            pads = self.constant(f"{name}.zero", np.array([0, 0, 0, 0, 1, 0], np.int64))
            value = self.node("Pad", [value, pads], f"{name}.more", mode="constant")
        at = self.constant(f"{name}.places", np.ascontiguousarray(places, np.int64))
        return self.node("Gather", [value, at], f"{name}.gathered", axis=1)

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
