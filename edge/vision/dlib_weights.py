"""Reads dlib's face recognition network from its `.dat` file: `dlib_face_recognition_resnet_model_v1.dat`.

The file is dlib's own serialisation of one network type. What is known of it, found by reading the file:

- integer: a byte whose low nibble counts the magnitude's bytes (little-endian) that follow, bit 7 is the sign;
- float: two integers, mantissa and exponent of two (zero is 0, 11);
- text: its length, its bytes; flag: the character `0` or `1`;
- tensor: version 2, four dimensions, raw little-endian float32; alias: version 1, four dimensions;
- network: the loss, then one version byte pair a layer from the output inwards (added layer 2, tag or skip 1, the
  innermost 3), then the layers' own fields from the input outwards, each followed by three flags and three tensors,
  the innermost by one integer more, how many pictures it makes of one.

Tags and skips have no fields, so which layer feeds an addition is the network's published shape (29 convolutions,
Davis King's variant of ResNet-34 of He et al., "Deep Residual Learning", 2015): an addition adds the block's input, or
its 2x2 average where an average pooling stands before the addition.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from edge.errors import BadInput

Floats = npt.NDArray[np.float32]

# What the network's input and output are called once it is written as a model (`convert`).
INPUT = "chips"
OUTPUT = "templates"


@dataclass(frozen=True)
class Convolution:
    """A convolution with the scale and shift after it folded in: filters [out, in, rows, columns], bias [out]."""

    filters: Floats
    bias: Floats
    stride: int
    padding: int


@dataclass(frozen=True)
class Block:
    """A residual block: relu(second(relu(first(x))) + x), or + its 2x2 average pooling when `down`."""

    first: Convolution
    second: Convolution
    down: bool


@dataclass(frozen=True)
class Network:
    """stem (without padding), 3x3/2 maximum, blocks, average over the picture, `embedding` [256, 128] without bias.

    Input is RGB, `side` pixels square; each channel less its `mean` (0 to 255), divided by 256.
    """

    side: int
    mean: tuple[float, float, float]
    stem: Convolution
    blocks: list[Block] = field(default_factory=list)
    embedding: Floats = field(default_factory=lambda: np.zeros((0, 0), np.float32))


def read_network(data: bytes) -> Network:
    """The network in the bytes of the `.dat` file. BadInput for anything else."""
    reader = _Reader(data)
    try:
        network = _network(reader)
    except (IndexError, ValueError, OverflowError, UnicodeDecodeError) as error:
        raise BadInput("weights_unreadable", at=reader.at) from error
    if reader.at != len(data):
        raise BadInput("weights_left_over", at=reader.at)
    return network


class _Reader:
    """A cursor over dlib's serialisation. ValueError or IndexError where the bytes are not what is asked for."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def take(self, count: int) -> bytes:
        if not 0 <= count <= len(self.data) - self.at:
            raise ValueError("the file ends too early")
        self.at += count
        return self.data[self.at - count : self.at]

    def integer(self) -> int:
        control = self.take(1)[0]
        count = control & 0x0F
        if not 1 <= count <= 8 or control & 0x70:
            raise ValueError("not an integer")
        magnitude = int.from_bytes(self.take(count), "little")
        return -magnitude if control & 0x80 else magnitude

    def integers(self, count: int) -> list[int]:
        return [self.integer() for _ in range(count)]

    def expect(self, *values: int) -> None:
        for value in values:
            if (found := self.integer()) != value:
                raise ValueError(f"{found} where {value} belongs")

    def real(self) -> float:
        mantissa, exponent = self.integers(2)
        value = math.ldexp(mantissa, exponent)
        if not math.isfinite(value):
            raise ValueError("not a finite number")
        return value

    def text(self) -> str:
        return self.take(self.integer()).decode("ascii")

    def name(self, expected: str) -> None:
        if (found := self.text()) != expected:
            raise ValueError(f"layer {found!r} where {expected!r} belongs")

    def flag(self) -> None:
        if self.take(1) not in (b"0", b"1"):
            raise ValueError("not a flag")

    def tensor(self) -> Floats:
        self.expect(2)
        shape = self.integers(4)
        if any(not 0 <= side <= 1 << 20 for side in shape):
            raise ValueError("not the shape of a tensor")
        values = np.frombuffer(self.take(4 * math.prod(shape)), "<f4").astype(np.float32)
        if not np.isfinite(values).all():
            raise ValueError("a weight is not a finite number")
        return values.reshape(shape)

    def alias(self, *shape: int) -> None:
        self.expect(1, *shape)

    def end_of_layer(self) -> None:
        for _ in range(3):
            self.flag()
        for _ in range(3):
            if self.tensor().size:
                raise ValueError("a layer keeps values of its last run")


def _network(reader: _Reader) -> Network:
    reader.expect(1)
    reader.name("loss_metric_2")
    reader.real(), reader.real()
    while (version := reader.integer()) in (1, 2):
        pass
    if version != 3:
        raise ValueError("not the version of a layer")
    reader.name("input_rgb_image_sized")
    mean = (reader.real(), reader.real(), reader.real())
    side = reader.integer()
    reader.expect(side)

    stem = _convolution(reader, 3, innermost=True)
    if stem.padding:  # then the means could not be taken into it (`convert`)
        raise ValueError("the first convolution pads its picture")
    _plain(reader, "relu_")
    _pooling(reader, "max_pool_2", 3, 3, 2, 2, 0, 0)
    blocks: list[Block] = []
    channels = len(stem.bias)
    while (ahead := _peek(reader)) == "con_4":
        block = _block(reader, channels)
        channels = len(block.second.bias)
        blocks.append(block)
    if ahead != "avg_pool_2":
        raise ValueError(f"layer {ahead!r} where 'avg_pool_2' belongs")
    _pooling(reader, "avg_pool_2", 0, 0, 1, 1, 0, 0)
    return Network(side, mean, stem, blocks, _embedding(reader, channels))


def _peek(reader: _Reader) -> str:
    here = reader.at
    name = reader.text()
    reader.at = here
    return name


def _block(reader: _Reader, channels: int) -> Block:
    first = _convolution(reader, channels)
    _plain(reader, "relu_")
    second = _convolution(reader, len(first.bias))
    down = _peek(reader) == "avg_pool_2"
    if down:
        _pooling(reader, "avg_pool_2", 2, 2, 2, 2, 0, 0)
    if (first.stride == 2) != down:
        raise ValueError("a block halves its picture without halving what is added")
    _plain(reader, "add_prev_")
    _plain(reader, "relu_")
    return Block(first, second, down)


def _convolution(reader: _Reader, channels: int, innermost: bool = False) -> Convolution:
    """A convolution and the affine layer after it, as one: gamma * (W x + b) + beta = (gamma W) x + gamma b + beta."""
    reader.name("con_4")
    values = reader.tensor().ravel()
    count, rows, columns, stride, stride_x, padding, padding_x = reader.integers(7)
    if stride != stride_x or padding != padding_x or stride not in (1, 2) or not 0 <= padding <= 3:
        raise ValueError("a convolution of another shape")
    size = count * channels * rows * columns
    if min(count, rows, columns) < 1 or values.size != size + count:
        raise ValueError("a convolution has another number of weights than its shape says")
    reader.alias(count, channels, rows, columns)
    reader.alias(1, count, 1, 1)
    for _ in range(4):
        reader.real()
    reader.end_of_layer()

    if innermost:
        reader.expect(1)
    reader.name("affine_")
    gamma_beta = reader.tensor().ravel()
    if gamma_beta.size != 2 * count:
        raise ValueError("a scale has another number of weights than its convolution has filters")
    reader.alias(1, count, 1, 1)
    reader.alias(1, count, 1, 1)
    reader.expect(0)
    reader.end_of_layer()

    filters = values[:size].reshape(count, channels, rows, columns).astype(np.float64)
    gamma, beta = gamma_beta[:count].astype(np.float64), gamma_beta[count:].astype(np.float64)
    with np.errstate(over="ignore"):
        folded = (filters * gamma[:, None, None, None]).astype(np.float32)
        bias = (gamma * values[size:] + beta).astype(np.float32)
    if not (np.isfinite(folded).all() and np.isfinite(bias).all()):
        raise ValueError("a weight is not a finite number")
    return Convolution(folded, bias, stride, padding)


def _plain(reader: _Reader, name: str) -> None:
    reader.name(name)
    reader.end_of_layer()


def _pooling(reader: _Reader, name: str, *shape: int) -> None:
    reader.name(name)
    reader.expect(*shape)
    reader.end_of_layer()


def _embedding(reader: _Reader, channels: int) -> Floats:
    reader.name("fc_2")
    outputs = reader.integer()
    reader.expect(channels)
    weights = reader.tensor()
    if weights.shape != (channels, outputs, 1, 1):
        raise ValueError("the last layer has another shape than it says")
    reader.alias(channels, outputs, 1, 1)
    reader.alias(0, 0, 0, 0)
    reader.expect(1)
    for _ in range(4):
        reader.real()
    reader.end_of_layer()
    return weights.reshape(channels, outputs)
