"""Roots and proofs of RFC 6962 trees, against the definition and against each other."""

from __future__ import annotations

import hashlib

from hypothesis import given
from hypothesis import strategies as st

from edge.domain import merkle

sizes = st.integers(1, 130)


def leaves_of(count: int) -> list[bytes]:
    return [merkle.leaf_hash(n.to_bytes(4, "big")) for n in range(count)]


def by_definition(leaves: list[bytes]) -> bytes:
    """RFC 6962 2.1, word for word."""
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return merkle.node_hash(by_definition(leaves[:split]), by_definition(leaves[split:]))


def test_empty_root_is_the_hash_of_nothing() -> None:
    assert merkle.root(0, merkle.tree_of([])) == hashlib.sha256(b"").digest()


@given(sizes)
def test_root_is_the_definition(count: int) -> None:
    leaves = leaves_of(count)
    assert merkle.root(count, merkle.tree_of(leaves)) == by_definition(leaves)


@given(sizes, st.data())
def test_inclusion_holds_and_holds_for_nothing_else(count: int, data: st.DataObject) -> None:
    leaves = leaves_of(count)
    node, index = merkle.tree_of(leaves), data.draw(st.integers(0, count - 1))
    root, path = merkle.root(count, node), merkle.inclusion_proof(index, count, node)
    assert merkle.verify_inclusion(leaves[index], index, count, path, root)
    assert not merkle.verify_inclusion(merkle.leaf_hash(b"other"), index, count, path, root)
    assert not merkle.verify_inclusion(leaves[index], index, count, [*path, root], root)
    assert not merkle.verify_inclusion(leaves[index], count, count, path, root)
    if path:
        assert not merkle.verify_inclusion(leaves[index], index, count, path[:-1], root)


@given(sizes, st.data())
def test_consistency_holds_and_a_rewritten_past_does_not(count: int, data: st.DataObject) -> None:
    leaves = leaves_of(count)
    old = data.draw(st.integers(0, count))
    node = merkle.tree_of(leaves)
    new_root, old_root = merkle.root(count, node), merkle.root(old, merkle.tree_of(leaves[:old]))
    proof = merkle.consistency_proof(old, count, node)
    assert merkle.verify_consistency(old, count, old_root, new_root, proof)
    forged = merkle.root(old, merkle.tree_of([merkle.leaf_hash(b"forged"), *leaves[1:old]])) if old else b"\0" * 32
    assert not merkle.verify_consistency(old, count, forged, new_root, proof)


@given(sizes)
def test_nodes_written_as_leaves_arrive_make_the_same_tree(count: int) -> None:
    stored: dict[tuple[int, int], bytes] = {}
    leaves = leaves_of(count)
    for index, leaf in enumerate(leaves):
        for level, position, value in merkle.completed_nodes(index, leaf, lambda level, at: stored[(level, at)]):
            stored[(level, position)] = value
    assert merkle.root(count, lambda level, at: stored[(level, at)]) == by_definition(leaves)
