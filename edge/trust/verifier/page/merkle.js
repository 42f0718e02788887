// The Merkle tree of RFC 6962: leaf and node hashes, and both proofs as RFC 9162 (2.1.3.2, 2.1.4.2) checks them.

import { same } from "./bytes.js";
import { sha256 } from "./hashes.js";

const LEAF = Uint8Array.of(0);
const NODE = Uint8Array.of(1);

export function leafHash(entry) {
  return sha256(LEAF, entry);
}

function nodeHash(left, right) {
  return sha256(NODE, left, right);
}

// The root over leaf hashes held in memory.
export function rootOf(leaves) {
  if (leaves.length === 0) return sha256();
  let level = leaves;
  while (level.length > 1) {
    const above = [];
    for (let at = 0; at < level.length; at += 2) above.push(at + 1 < level.length ? nodeHash(level[at], level[at + 1]) : level[at]);
    level = above;
  }
  return level[0];
}

// Sizes may pass 2^32, where JavaScript's own bit operations end.
const half = (n) => Math.floor(n / 2);

export function included(leaf, index, size, path, root) {
  if (!(index >= 0 && index < size)) return false;
  let at = index, last = size - 1, value = leaf;
  for (const sibling of path) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      value = nodeHash(sibling, value);
      while (at % 2 === 0 && at !== 0) [at, last] = [half(at), half(last)];
    } else {
      value = nodeHash(value, sibling);
    }
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && same(value, root);
}

export function consistent(older, newer, olderRoot, newerRoot, proof) {
  if (older === newer) return proof.length === 0 && same(olderRoot, newerRoot);
  if (older === 0) return proof.length === 0 && same(olderRoot, sha256());
  if (proof.length === 0 || older > newer) return false;
  let at = older - 1, last = newer - 1;
  while (at % 2 === 1) [at, last] = [half(at), half(last)];
  const path = at === 0 ? [olderRoot, ...proof] : proof;
  let first = path[0], second = path[0];
  for (const step of path.slice(1)) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      first = nodeHash(step, first);
      second = nodeHash(step, second);
      while (at % 2 === 0 && at !== 0) [at, last] = [half(at), half(last)];
    } else {
      second = nodeHash(second, step);
    }
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && same(first, olderRoot) && same(second, newerRoot);
}
