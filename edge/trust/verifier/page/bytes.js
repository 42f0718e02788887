// Bytes and their spellings: hex, base64, UTF-8, and Python's way of writing a number.

const TO_TEXT = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const TO_BYTES = new TextEncoder();

export class Wrong extends Error {
  // What does not hold: a code of the catalogue and the facts of the case.
  constructor(code, facts) {
    super(code);
    this.code = code;
    this.facts = facts || {};
  }
}

export function utf8(text) {
  return TO_BYTES.encode(text);
}

// The text of UTF-8 bytes; throws where they are none.
export function textOf(bytes) {
  return TO_TEXT.decode(bytes);
}

export function hex(bytes) {
  let text = "";
  for (const byte of bytes) text += (byte < 16 ? "0" : "") + byte.toString(16);
  return text;
}

export function unhex(text) {
  if (typeof text !== "string" || !/^([0-9a-f]{2})*$/.test(text)) throw new Wrong("not hex");
  const bytes = new Uint8Array(text.length / 2);
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = parseInt(text.substr(at * 2, 2), 16);
  return bytes;
}


// Strict: one text for one value, so that no changed character goes unseen.
export function unbase64(text) {
  if (typeof text !== "string" || !/^[A-Za-z0-9+/]*={0,2}$/.test(text) || text.length % 4) throw new Wrong("not base64");
  const raw = atob(text);
  if (btoa(raw) !== text) throw new Wrong("not canonical base64");
  const bytes = new Uint8Array(raw.length);
  for (let at = 0; at < raw.length; at += 1) bytes[at] = raw.charCodeAt(at);
  return bytes;
}

export function joined(parts) {
  const whole = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

export function same(one, other) {
  if (one.length !== other.length) return false;
  for (let at = 0; at < one.length; at += 1) if (one[at] !== other[at]) return false;
  return true;
}

export function startsWith(bytes, start) {
  return bytes.length >= start.length && same(bytes.subarray(0, start.length), start);
}

// Where `mark` stands in `bytes` from `from` on, or -1.
export function find(bytes, mark, from) {
  for (let at = bytes.indexOf(mark[0], from); at >= 0 && at + mark.length <= bytes.length; at = bytes.indexOf(mark[0], at + 1)) {
    if (same(bytes.subarray(at, at + mark.length), mark)) return at;
  }
  return -1;
}

// Order by code point, as Python sorts; JavaScript's own order is by UTF-16 unit.
export function byCodePoint(one, other) {
  const a = Array.from(one);
  const b = Array.from(other);
  for (let at = 0; at < a.length && at < b.length; at += 1) {
    if (a[at] !== b[at]) return a[at].codePointAt(0) - b[at].codePointAt(0);
  }
  return a.length - b.length;
}

// A float as Python writes it: 7.0, 1e-05, 1e+16.
export function floatText(value) {
  if (value === 0) return Object.is(value, -0) ? "-0.0" : "0.0";
  const [digits, power] = value.toExponential().split("e");
  const exponent = Number(power);
  if (exponent < -4 || exponent >= 16) {
    return digits + "e" + (exponent < 0 ? "-" : "+") + (Math.abs(exponent) < 10 ? "0" : "") + Math.abs(exponent);
  }
  const plain = String(value);
  return plain.includes(".") ? plain : plain + ".0";
}

// Text out of a file nobody has vouched for, safe to show: no controls, at most 80 characters.
export function printable(text) {
  return Array.from(String(text)).slice(0, 80).map((c) => (c !== " " && /[\p{C}\p{Z}]/u.test(c) ? "?" : c)).join("");
}

// The moment as every document of the room writes it: YYYY-MM-DDTHH:MM:SS.mmmZ.
export function iso(milliseconds) {
  return new Date(milliseconds).toISOString();
}

// Milliseconds of such a text; null for anything else.
export function millisOf(moment) {
  if (typeof moment !== "string" || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(moment) || moment.startsWith("0000")) return null;
  const found = Date.parse(moment);
  return Number.isNaN(found) || iso(found) !== moment ? null : found;
}
