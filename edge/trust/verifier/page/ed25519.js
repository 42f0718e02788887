// Ed25519 signatures (RFC 8032): the browser's own where it has them, otherwise by the curve's equations in BigInt.

import { same, unhex } from "./bytes.js";
import { engine, sha512 } from "./hashes.js";

const P = (1n << 255n) - 19n;
const L = (1n << 252n) + 27742317777372353535851937790883648493n;
const mod = (x) => ((x % P) + P) % P;

function power(base, exponent) {
  let found = 1n;
  for (let b = mod(base), e = exponent; e; e >>= 1n, b = (b * b) % P) if (e & 1n) found = (found * b) % P;
  return found;
}

const inverse = (x) => power(x, P - 2n);
const D = mod(-121665n * inverse(121666n));
const MINUS_ONE_ROOT = power(2n, (P - 1n) / 4n);

// Points as (X, Y, Z, T) with x = X/Z, y = Y/Z, T = XY/Z.
function add(one, other) {
  const a = mod((one[1] - one[0]) * (other[1] - other[0]));
  const b = mod((one[1] + one[0]) * (other[1] + other[0]));
  const c = mod(2n * one[3] * other[3] * D);
  const d = mod(2n * one[2] * other[2]);
  const e = b - a, f = d - c, g = d + c, h = b + a;
  return [mod(e * f), mod(g * h), mod(f * g), mod(e * h)];
}

function little(bytes) {
  let value = 0n;
  for (let at = bytes.length - 1; at >= 0; at -= 1) value = (value << 8n) | BigInt(bytes[at]);
  return value;
}

function point(bytes) {
  const whole = little(bytes);
  const odd = whole >> 255n;
  const y = mod(whole & ((1n << 255n) - 1n));
  const u = mod(y * y - 1n), v = mod(D * y * y + 1n);
  let x = mod(u * power(v, 3n) * power(u * power(v, 7n), (P - 5n) / 8n));
  if (mod(v * x * x) === mod(-u)) x = mod(x * MINUS_ONE_ROOT);
  if (mod(v * x * x) !== u || (x === 0n && odd)) return null;
  if ((x & 1n) !== odd) x = mod(-x);
  return [x, y, 1n, mod(x * y)];
}

function packed(p) {
  const z = inverse(p[2]);
  let value = mod(p[1] * z) | ((mod(p[0] * z) & 1n) << 255n);
  return Uint8Array.from({ length: 32 }, () => {
    const byte = Number(value & 255n);
    value >>= 8n;
    return byte;
  });
}

const BASE = point(unhex("58" + "66".repeat(31)));
const NOTHING = [0n, 1n, 1n, 0n];

async function own(key, message, signature) {
  const a = point(key);
  const s = little(signature.subarray(32));
  if (a === null || s >= L) return false;
  const k = little(await sha512(signature.subarray(0, 32), key, message)) % L;
  const minus = [mod(-a[0]), a[1], a[2], mod(-a[3])];
  const both = add(BASE, minus);
  let sum = NOTHING;
  for (let bit = 252n; bit >= 0n; bit -= 1n) {
    sum = add(sum, sum);
    const [first, second] = [(s >> bit) & 1n, (k >> bit) & 1n];
    if (first || second) sum = add(sum, first && second ? both : first ? BASE : minus);
  }
  return same(packed(sum), signature.subarray(0, 32));
}

async function native(key, message, signature) {
  const imported = await window.crypto.subtle.importKey("raw", key, { name: "Ed25519" }, false, ["verify"]);
  return window.crypto.subtle.verify({ name: "Ed25519" }, imported, signature, message);
}

// RFC 8032, 7.1, test 1: what a browser that has the algorithm says yes to.
const KNOWN_KEY = unhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
const KNOWN = unhex(
  "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e06522490155"
  + "5fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b");

async function hasNative() {
  if (!engine.subtle) return false;
  try {
    return await native(KNOWN_KEY, new Uint8Array(0), KNOWN);
  } catch (error) {
    return false;
  }
}

// Whether `signature` (64 bytes) is the one of the raw public `key` over `message`.
export async function verifies(key, message, signature) {
  if (key.length !== 32 || signature.length !== 64) return false;
  if (engine.ed25519 === null) engine.ed25519 = await hasNative();
  if (!engine.ed25519) return own(key, message, signature);
  try {
    return await native(key, message, signature);
  } catch (error) {
    return false;
  }
}
