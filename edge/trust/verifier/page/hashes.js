// SHA-256, SHA-512 (FIPS 180-4) and CRC-32. The browser's own where it has one and there is much to hash; ours for what
// comes in pieces, for the many small hashes of the ledger, and where the browser gives none.

import { hex, joined } from "./bytes.js";

const OWN_UP_TO = 4096;

export const engine = { subtle: Boolean(window.crypto && window.crypto.subtle), ed25519: null };

function root(value, power) {
  // the integer root, by Newton
  let guess = 1n << BigInt(Math.ceil(value.toString(2).length / power));
  const n = BigInt(power);
  for (;;) {
    const next = ((n - 1n) * guess + value / guess ** (n - 1n)) / n;
    if (next >= guess) return guess;
    guess = next;
  }
}

function primes(count) {
  const found = [];
  for (let n = 2; found.length < count; n += 1) if (found.every((p) => n % p)) found.push(n);
  return found;
}

// The first 64 bits of the fractions of roots of the first primes: SHA-256 takes half of each.
const U64 = (1n << 64n) - 1n;
const CUBES = primes(80).map((p) => root(BigInt(p) << 192n, 3) & U64);
const SQUARES = primes(8).map((p) => root(BigInt(p) << 128n, 2) & U64);
const K32 = Uint32Array.from(CUBES.slice(0, 64), (x) => Number(x >> 32n));
const H32 = Uint32Array.from(SQUARES, (x) => Number(x >> 32n));

export class Sha256 {
  constructor() {
    this.state = Int32Array.from(H32);
    this.words = new Int32Array(64);
    this.rest = new Uint8Array(64);
    this.waiting = 0;
    this.length = 0;
  }

  update(bytes) {
    this.length += bytes.length;
    let at = 0;
    if (this.waiting) {
      at = Math.min(64 - this.waiting, bytes.length);
      this.rest.set(bytes.subarray(0, at), this.waiting);
      this.waiting += at;
      if (this.waiting < 64) return this;
      this.block(this.rest, 0);
      this.waiting = 0;
    }
    for (; at + 64 <= bytes.length; at += 64) this.block(bytes, at);
    this.rest.set(bytes.subarray(at));
    this.waiting = bytes.length - at;
    return this;
  }

  block(bytes, from) {
    const w = this.words;
    for (let t = 0; t < 16; t += 1) {
      const at = from + t * 4;
      w[t] = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
    }
    for (let t = 16; t < 64; t += 1) {
      const a = w[t - 15];
      const b = w[t - 2];
      const one = ((a >>> 7) | (a << 25)) ^ ((a >>> 18) | (a << 14)) ^ (a >>> 3);
      const two = ((b >>> 17) | (b << 15)) ^ ((b >>> 19) | (b << 13)) ^ (b >>> 10);
      w[t] = (w[t - 16] + one + w[t - 7] + two) | 0;
    }
    const s = this.state;
    let a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], h = s[7];
    for (let t = 0; t < 64; t += 1) {
      const big = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const one = (h + big + ((e & f) ^ (~e & g)) + K32[t] + w[t]) | 0;
      const two = ((((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10))) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g; g = f; f = e; e = (d + one) | 0; d = c; c = b; b = a; a = (one + two) | 0;
    }
    s[0] += a; s[1] += b; s[2] += c; s[3] += d; s[4] += e; s[5] += f; s[6] += g; s[7] += h;
  }

  digest() {
    const length = this.length;
    const pad = new Uint8Array((this.waiting < 56 ? 64 : 128) - this.waiting);
    const view = new DataView(pad.buffer);
    pad[0] = 0x80;
    view.setUint32(pad.length - 8, Math.floor(length / 0x20000000));
    view.setUint32(pad.length - 4, (length * 8) % 0x100000000);
    this.update(pad);
    const found = new DataView(new ArrayBuffer(32));
    this.state.forEach((word, at) => found.setInt32(at * 4, word));
    return new Uint8Array(found.buffer);
  }
}

export function sha256(...parts) {
  const hash = new Sha256();
  for (const part of parts) hash.update(part);
  return hash.digest();
}

// The same in hex, by the browser where that is worth the wait for it.
export async function sha256Hex(bytes) {
  if (!engine.subtle || bytes.length <= OWN_UP_TO) return hex(sha256(bytes));
  return hex(new Uint8Array(await window.crypto.subtle.digest("SHA-256", bytes)));
}

export async function sha512(...parts) {
  const bytes = joined(parts);
  if (engine.subtle) return new Uint8Array(await window.crypto.subtle.digest("SHA-512", bytes));
  return ownSha512(bytes);
}

function ownSha512(bytes) {
  const padded = new Uint8Array(Math.ceil((bytes.length + 17) / 128) * 128);
  padded.set(bytes);
  padded[bytes.length] = 0x80;
  const view = new DataView(padded.buffer);
  view.setUint32(padded.length - 8, Math.floor(bytes.length / 0x20000000));
  view.setUint32(padded.length - 4, (bytes.length * 8) % 0x100000000);
  const turn = (x, n) => ((x >> n) | (x << (64n - n))) & U64;
  const word = (at) => (BigInt(view.getUint32(at)) << 32n) | BigInt(view.getUint32(at + 4));
  const state = SQUARES.slice();
  const w = new Array(80);
  for (let from = 0; from < padded.length; from += 128) {
    for (let t = 0; t < 16; t += 1) w[t] = word(from + t * 8);
    for (let t = 16; t < 80; t += 1) {
      const one = turn(w[t - 15], 1n) ^ turn(w[t - 15], 8n) ^ (w[t - 15] >> 7n);
      const two = turn(w[t - 2], 19n) ^ turn(w[t - 2], 61n) ^ (w[t - 2] >> 6n);
      w[t] = (w[t - 16] + one + w[t - 7] + two) & U64;
    }
    let [a, b, c, d, e, f, g, h] = state;
    for (let t = 0; t < 80; t += 1) {
      const one = h + (turn(e, 14n) ^ turn(e, 18n) ^ turn(e, 41n)) + ((e & f) ^ (~e & g & U64)) + CUBES[t] + w[t];
      const two = (turn(a, 28n) ^ turn(a, 34n) ^ turn(a, 39n)) + ((a & b) ^ (a & c) ^ (b & c));
      h = g; g = f; f = e; e = (d + one) & U64; d = c; c = b; b = a; a = (one + two) & U64;
    }
    [a, b, c, d, e, f, g, h].forEach((value, at) => { state[at] = (state[at] + value) & U64; });
  }
  const found = new DataView(new ArrayBuffer(64));
  state.forEach((value, at) => {
    found.setUint32(at * 8, Number(value >> 32n));
    found.setUint32(at * 8 + 4, Number(value & 0xffffffffn));
  });
  return new Uint8Array(found.buffer);
}

const CRC = new Uint32Array(256).map((_, byte) => {
  let value = byte;
  for (let bit = 0; bit < 8; bit += 1) value = value & 1 ? (value >>> 1) ^ 0xedb88320 : value >>> 1;
  return value;
});

// CRC-32 of `bytes`, going on from that of what came before.
export function crc32(bytes, before) {
  let value = ~(before || 0);
  for (let at = 0; at < bytes.length; at += 1) value = (value >>> 8) ^ CRC[(value ^ bytes[at]) & 255];
  return ~value >>> 0;
}
