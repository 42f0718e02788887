"""The Merkle tree of RFC 6962 section 2.1 (RFC 9162 section 2.1 keeps it): hashes, roots and both proofs.

Pure functions over 32-byte hashes. Where a tree is too large to hold, the prover asks a `node(level, index)` function
for the hash of a complete subtree of 2**level leaves; nothing else of the tree is needed.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

Node = Callable[[int, int], bytes]

EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(entry: bytes) -> bytes:
    """RFC 6962 2.1: SHA-256(0x00 || entry)."""
    return hashlib.sha256(b"\x00" + entry).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """RFC 6962 2.1: SHA-256(0x01 || left || right)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def completed_nodes(index: int, leaf: bytes, node: Node) -> list[tuple[int, int, bytes]]:
    """The (level, index, hash) of each subtree that leaf `index` completes, itself at level 0 first."""
    found = [(0, index, leaf)]
    level, position, value = 0, index, leaf
    while position % 2 == 1:
        value = node_hash(node(level, position - 1), value)
        level, position = level + 1, position // 2
        found.append((level, position, value))
    return found


def range_root(start: int, end: int, node: Node) -> bytes:
    """The hash of leaves [start, end), where start is a multiple of the largest power of two below the width."""
    width = end - start
    if width == 0:
        return EMPTY_ROOT
    if width & (width - 1) == 0 and start % width == 0:
        level = width.bit_length() - 1
        return node(level, start >> level)
    split = 1 << (width - 1).bit_length() - 1
    return node_hash(range_root(start, start + split, node), range_root(start + split, end, node))


def root(size: int, node: Node) -> bytes:
    """The tree head of the first `size` leaves."""
    return range_root(0, size, node)


def inclusion_proof(index: int, size: int, node: Node) -> list[bytes]:
    """RFC 6962 2.1.1: the audit path of leaf `index` in the tree of `size` leaves, nearest sibling first."""
    if not 0 <= index < size:
        raise ValueError("leaf index outside the tree")
    path: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        split = 1 << (end - start - 1).bit_length() - 1
        if index - start < split:
            path.append(range_root(start + split, end, node))
            end = start + split
        else:
            path.append(range_root(start, start + split, node))
            start += split
    return path[::-1]


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], expected: bytes) -> bool:
    """RFC 9162 2.1.3.2: whether `path` leads from `leaf` at `index` to the root `expected` of `size` leaves."""
    if not 0 <= index < size:
        return False
    at, last, value = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return False
        if at % 2 == 1 or at == last:
            value = node_hash(sibling, value)
            while at % 2 == 0 and at != 0:
                at, last = at >> 1, last >> 1
        else:
            value = node_hash(value, sibling)
        at, last = at >> 1, last >> 1
    return last == 0 and value == expected


def consistency_proof(old: int, new: int, node: Node) -> list[bytes]:
    """RFC 6962 2.1.2: the proof that the tree of `new` leaves extends that of `old` leaves."""
    if not 0 <= old <= new:
        raise ValueError("the older tree is larger than the newer")
    if old in (0, new):
        return []
    return _subproof(old, 0, new, True, node)


def _subproof(old: int, start: int, end: int, whole: bool, node: Node) -> list[bytes]:
    width = end - start
    if old == width:
        return [] if whole else [range_root(start, end, node)]
    split = 1 << (width - 1).bit_length() - 1
    if old <= split:
        return [*_subproof(old, start, start + split, whole, node), range_root(start + split, end, node)]
    left = range_root(start, start + split, node)
    return [*_subproof(old - split, start + split, end, False, node), left]


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """RFC 9162 2.1.4.2: whether the tree of `new` leaves with `new_root` extends that of `old` with `old_root`."""
    if old == new:
        return not proof and old_root == new_root
    if old == 0:
        return not proof and old_root == EMPTY_ROOT
    if not proof or old > new:
        return False
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    at, last = old - 1, new - 1
    while at % 2 == 1:
        at, last = at >> 1, last >> 1
    first = second = path[0]
    for step in path[1:]:
        if last == 0:
            return False
        if at % 2 == 1 or at == last:
            first, second = node_hash(step, first), node_hash(step, second)
            while at % 2 == 0 and at != 0:
                at, last = at >> 1, last >> 1
        else:
            second = node_hash(second, step)
        at, last = at >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root


def tree_of(leaves: Sequence[bytes]) -> Node:
    """A node function over leaf hashes held in memory, for verifiers and tests."""
    levels: list[list[bytes]] = [list(leaves)]
    while len(levels[-1]) > 1:
        below = levels[-1]
        levels.append([node_hash(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)])
    return lambda level, index: levels[level][index]
