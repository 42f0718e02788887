// DER and X.509 as a time stamp needs them: values in the one spelling of DER, certificates, and their signatures by the
// browser's own cryptography.

import { same, textOf, unbase64, Wrong } from "./bytes.js";
import { verifies } from "./ed25519.js";

export const OCTETS = 0x04;
export const SET = 0x31;
export const TIME = 0x18;
const INTEGER = 0x02, BITS = 0x03, OID = 0x06, YEAR_TIME = 0x17, SEQUENCE = 0x30, MOST = 1 << 24;

const broken = () => new Wrong("timestamp_broken");

// {tag, content, raw} of the value at `at`.
function readAt(data, at) {
  if (at + 2 > data.length || (data[at] & 0x1f) === 0x1f) throw broken();
  let length = data[at + 1], start = at + 2;
  if (length & 0x80) {
    const count = length & 0x7f;
    if (count < 1 || count > 4 || start + count > data.length || data[start] === 0) throw broken();
    length = 0;
    for (let n = 0; n < count; n += 1) length = length * 256 + data[start + n];
    start += count;
    if (length < 0x80) throw broken();
  }
  if (length > MOST || start + length > data.length) throw broken();
  return { tag: data[at], content: data.subarray(start, start + length), raw: data.subarray(at, start + length) };
}

export function read(data) {
  const node = readAt(data, 0);
  if (node.raw.length !== data.length) throw broken();
  return node;
}

export function parts(node) {
  const found = [];
  for (let at = 0; at < node.content.length; at += found[found.length - 1].raw.length) found.push(readAt(node.content, at));
  return found;
}

export function need(node, tag) {
  if (!node || node.tag !== tag) throw broken();
  return node;
}

// The values of a sequence, at least `least` of them.
export function sequence(node, least) {
  const found = parts(need(node, SEQUENCE));
  if (found.length < least) throw broken();
  return found;
}

// A small integer that is not negative; -1 for any other.
export function small(node) {
  need(node, INTEGER);
  return node.content.length === 1 && node.content[0] < 0x80 ? node.content[0] : -1;
}

// The dotted text of an object identifier.
export function oidOf(node) {
  const numbers = [];
  let number = 0;
  for (const byte of need(node, OID).content) {
    number = number * 128 + (byte & 0x7f);
    if (!(byte & 0x80)) {
      numbers.push(number);
      number = 0;
    }
  }
  if (!numbers.length) throw broken();
  const first = Math.min(2, Math.floor(numbers[0] / 40));
  return [first, numbers[0] - first * 40].concat(numbers.slice(1)).join(".");
}

// Milliseconds of a UTCTime or GeneralizedTime.
export function timeOf(node) {
  let text = textOf(node.content);
  if (node.tag === YEAR_TIME && /^\d{12}Z$/.test(text)) text = (text < "50" ? "20" : "19") + text;
  else if (node.tag !== TIME) throw broken();
  const found = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(?:\.(\d{1,9}))?Z$/.exec(text);
  if (!found) throw broken();
  const [, year, month, day, hour, minute, second, part] = found;
  const plain = `${year}-${month}-${day}T${hour}:${minute}:${second}.${((part || "") + "000").slice(0, 3)}Z`;
  const at = Date.parse(plain);
  if (Number.isNaN(at) || new Date(at).toISOString() !== plain) throw broken();
  return at;
}

export const DIGESTS = { "2.16.840.1.101.3.4.2.1": "SHA-256", "2.16.840.1.101.3.4.2.2": "SHA-384", "2.16.840.1.101.3.4.2.3": "SHA-512" };
const RSA = { "1.2.840.113549.1.1.1": null, "1.2.840.113549.1.1.11": "SHA-256", "1.2.840.113549.1.1.12": "SHA-384", "1.2.840.113549.1.1.13": "SHA-512" };
const ECDSA = { "1.2.840.10045.4.3.2": "SHA-256", "1.2.840.10045.4.3.3": "SHA-384", "1.2.840.10045.4.3.4": "SHA-512" };
const CURVES = { "1.2.840.10045.3.1.7": ["P-256", 32], "1.3.132.0.34": ["P-384", 48], "1.3.132.0.35": ["P-521", 66] };
const RSA_KEY = "1.2.840.113549.1.1.1", EC_KEY = "1.2.840.10045.2.1", ED25519 = "1.3.101.112";
const BASIC = "2.5.29.19", USAGE = "2.5.29.15", PURPOSE = "2.5.29.37", POLICIES = "2.5.29.32", STAMPING = "1.3.6.1.5.5.7.3.8";
const JUDGED = [BASIC, USAGE, PURPOSE, POLICIES];
const CERTIFICATE = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/g;

export function certificateOf(raw) {
  const [signed, algorithm, signature] = sequence(read(raw), 3);
  const [version, , , issuer, validity, subject, spki, ...rest] = sequence(signed, 7);
  need(version, 0xa0);
  const [from, until] = sequence(validity, 2);
  const wrapped = rest.find((node) => node.tag === 0xa3);
  const extensions = new Map();
  for (const one of wrapped ? sequence(read(wrapped.content), 1) : []) {
    const values = sequence(one, 2);
    const id = oidOf(values[0]);
    if (extensions.has(id)) throw broken();
    extensions.set(id, { critical: values.length === 3 && values[1].content[0] === 0xff, value: need(values[values.length - 1], OCTETS).content });
  }
  return { raw, signed: signed.raw, algorithm: oidOf(sequence(algorithm, 1)[0]), signature: bitsOf(signature), issuer: issuer.raw, subject: subject.raw,
    spki, from: timeOf(from), until: timeOf(until), extensions, name: nameOf(subject) };
}

function bitsOf(node) {
  if (need(node, BITS).content[0] !== 0) throw broken();
  return node.content.subarray(1);
}

// The common name of a subject.
function nameOf(subject) {
  for (const set of parts(subject)) {
    for (const one of parts(set)) {
      const [kind, value] = sequence(one, 2);
      if (oidOf(kind) === "2.5.4.3") return textOf(value.content);
    }
  }
  return "-";
}

export function certificatesIn(text) {
  const found = [];
  text.replace(CERTIFICATE, (whole, body) => found.push(certificateOf(unbase64(body.replace(/\s/g, "")))));
  return found;
}

// For time stamping and for nothing else: the extended key usage is critical and names that alone.
export function isForStamps(certificate) {
  const found = certificate.extensions.get(PURPOSE);
  if (!found || !found.critical) return false;
  const purposes = sequence(read(found.value), 1);
  return purposes.length === 1 && oidOf(purposes[0]) === STAMPING;
}

function mayIssue(certificate, below) {
  const basic = certificate.extensions.get(BASIC), usage = certificate.extensions.get(USAGE);
  const [isCa, longest] = basic ? sequence(read(basic.value), 0) : [];
  if (!isCa || isCa.tag !== 0x01 || isCa.content[0] !== 0xff) return false;
  if (usage && !(need(read(usage.value), BITS).content[1] & 0x04)) return false;
  return longest === undefined || small(longest) >= below;
}

// Whether a chain leads to one of `roots`, every link valid at `at` and without a critical extension nobody here judges.
export async function isTrusted(certificate, others, roots, at, below) {
  const known = Array.from(certificate.extensions).every(([id, one]) => !one.critical || JUDGED.includes(id));
  if (!known || at < certificate.from || at > certificate.until) return false;
  if (roots.some((root) => same(root.raw, certificate.raw))) return true;
  if (below >= 6) return false;
  for (const issuer of roots.concat(others)) {
    const may = same(issuer.subject, certificate.issuer) && !same(issuer.raw, certificate.raw) && mayIssue(issuer, below);
    if (may && await issued(issuer, certificate) && await isTrusted(issuer, others, roots, at, below + 1)) return true;
  }
  return false;
}

// Another CA may have the same name and another kind of key.
async function issued(issuer, certificate) {
  try {
    return await signedBy(issuer, certificate.algorithm, null, certificate.signature, certificate.signed);
  } catch (error) {
    return false;
  }
}

// Whether the key of `certificate` made `signature` over `message`. Throws for an algorithm that is not known here.
export async function signedBy(certificate, algorithm, digest, signature, message) {
  const [kind, bits] = sequence(certificate.spki, 2);
  const [type, curve] = sequence(kind, 1);
  const { subtle } = window.crypto;
  if (oidOf(type) === RSA_KEY && algorithm in RSA) {
    const way = { name: "RSASSA-PKCS1-v1_5", hash: RSA[algorithm] || digest };
    return subtle.verify(way, await subtle.importKey("spki", certificate.spki.raw, way, false, ["verify"]), signature, message);
  }
  if (oidOf(type) === EC_KEY && algorithm in ECDSA && oidOf(curve) in CURVES) {
    const [name, size] = CURVES[oidOf(curve)];
    const way = { name: "ECDSA", namedCurve: name, hash: ECDSA[algorithm] };
    const key = await subtle.importKey("spki", certificate.spki.raw, way, false, ["verify"]);
    return subtle.verify(way, key, fixed(signature, size), message);
  }
  if (oidOf(type) === ED25519 && algorithm === ED25519) return verifies(bitsOf(bits), message, signature);
  throw broken();
}

// A signature's two integers, each of `size` bytes, out of their DER.
function fixed(signature, size) {
  const out = new Uint8Array(2 * size);
  sequence(read(signature), 2).slice(0, 2).forEach((node, at) => {
    let digits = need(node, INTEGER).content;
    while (digits.length > 1 && digits[0] === 0) digits = digits.subarray(1);
    if (digits.length > size) throw broken();
    out.set(digits, (at + 1) * size - digits.length);
  });
  return out;
}
