from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edge.errors import BadInput
from edge.vision import packs
from edge.vision.dlib_weights import Network, read_network
from edge.vision.manifest import read_manifest
from support.examples import examples


@pytest.fixture(scope="module")
def data() -> bytes:
    return packs.find_source(read_manifest("dlib").role("embedder")).read_bytes()


@pytest.fixture(scope="module")
def network(data: bytes) -> Network:
    return read_network(data)


def test_the_network_has_its_published_shape(network: Network) -> None:
    convolutions = [network.stem, *(layer for block in network.blocks for layer in (block.first, block.second))]
    assert len(convolutions) == 29
    assert [len(block.second.bias) for block in network.blocks] == [32] * 3 + [64] * 4 + [128] * 3 + [256] * 4
    assert [number for number, block in enumerate(network.blocks) if block.down] == [3, 7, 10, 13]
    assert network.side == 150
    assert network.mean == pytest.approx((122.782, 117.001, 104.298))
    assert network.embedding.shape == (256, 128)
    weights = sum(layer.filters.size for layer in convolutions) + network.embedding.size
    assert 5.5e6 < weights < 5.7e6


@pytest.mark.parametrize("length", [0, 1, 3, 20, 300, 400, 19_400, 60_000, -1])
def test_a_cut_file_is_refused(data: bytes, length: int) -> None:
    with pytest.raises(BadInput) as refusal:
        read_network(data[:length])
    assert refusal.value.code == "weights_unreadable"
    assert "{" not in str(refusal.value)


def test_a_longer_file_is_refused(data: bytes) -> None:
    with pytest.raises(BadInput, match="left over"):
        read_network(data + b"\x00")


class _Hidden(bytes):
    """Bytes whose repr is short: hypothesis prints a test's arguments."""

    def __repr__(self) -> str:
        return f"<{len(self)} bytes>"


@pytest.fixture(scope="module")
def head(data: bytes) -> bytes:
    return _Hidden(data[:60_000])


@settings(max_examples=examples(300), deadline=None)
@given(position=st.integers(0, 19_900), value=st.integers(0, 255), cut=st.integers(20_000, 60_000))
def test_a_changed_and_cut_file_is_refused_by_the_one_error(head: bytes, position: int, value: int, cut: int) -> None:
    broken = bytearray(head[:cut])
    broken[position] = value
    with pytest.raises(BadInput):
        read_network(bytes(broken))


@settings(max_examples=examples(300), deadline=None)
@given(st.binary(max_size=4096))
def test_any_bytes_are_refused(noise: bytes) -> None:
    with pytest.raises(BadInput):
        read_network(noise)
    with pytest.raises(BadInput):
        read_network(b"\x01\x01\x01\x0dloss_metric_2" + noise)
