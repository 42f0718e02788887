// The one thing a verifier must have from elsewhere: the root's public key, as hex, PEM or 32 raw bytes.

import { same, textOf, unbase64, unhex, Wrong } from "./bytes.js";

const PEM = /^\s*-----BEGIN PUBLIC KEY-----([A-Za-z0-9+/=\s]+)-----END PUBLIC KEY-----\s*$/;
// SubjectPublicKeyInfo of an Ed25519 key up to its 32 bytes (RFC 8410).
const BEFORE = unhex("302a300506032b6570032100");

function keyOf(text) {
  const plain = text.trim();
  if (/^[0-9a-fA-F]{64}$/.test(plain)) return unhex(plain.toLowerCase());
  const found = PEM.exec(text);
  const der = found ? unbase64(found[1].replace(/\s/g, "")) : new Uint8Array(0);
  if (der.length !== 44 || !same(der.subarray(0, 12), BEFORE)) throw new Wrong("verify_root_broken", { root: plain.slice(0, 20) + "…" });
  return der.slice(12);
}

// The keys in a text, one after another; an empty text has none.
export function keysIn(text) {
  const parts = text.match(/-----BEGIN[^]*?-----END[^-]*-----|\S+/g) || [];
  return parts.map(keyOf);
}

// The key in a file.
export function keyInFile(bytes) {
  if (bytes.length === 32) return bytes;
  let text = "";
  try {
    text = textOf(bytes.subarray(0, 65536));
  } catch (error) {
    // no text: refused below
  }
  return keyOf(text);
}
