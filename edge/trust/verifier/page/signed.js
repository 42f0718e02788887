// What evidence and result files share: DSSE envelopes, the room's certificate, signed notes (C2SP tlog-checkpoint).

import { byCodePoint, hex, iso, printable, same, textOf, unbase64, unhex, utf8, joined, Wrong } from "./bytes.js";
import { verifies } from "./ed25519.js";
import { sha256 } from "./hashes.js";
import { hasKeys, isObject, strictJson } from "./json.js";
import { problem } from "./verdict.js";

const TYPE = "application/vnd.examroom.";
const HEX32 = /^[0-9a-f]{64}$/;
export const ROOM = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
const ED25519 = Uint8Array.of(10, 1);  // a newline, and the algorithm's number

export function keyId(key) {
  return hex(sha256(key)).slice(0, 16);
}

export function isHex32(value) {
  return typeof value === "string" && HEX32.test(value);
}

export function isCount(value) {
  return Number.isSafeInteger(value) && value >= 0;
}

const MOST_SIGNATURES = 8, MOST_MARKS = 64;
const MARKS = new Set(utf8("[{,"));

// An envelope before anybody has checked it, its payload in bytes; Wrong where it is none. More brackets and commas than
// so many signatures have are not parsed at all, and no payload is before its signature holds.
export function outline(envelope) {
  let marks = 0;
  for (const byte of envelope) if (MARKS.has(byte)) marks += 1;
  if (marks > MOST_MARKS) throw new Wrong("envelope_broken");
  const outer = strictJson(envelope);
  const fits = hasKeys(outer, ["payload", "payloadType", "signatures"]) && Array.isArray(outer.signatures);
  if (!fits || typeof outer.payloadType !== "string" || outer.signatures.length > MOST_SIGNATURES) throw new Wrong("envelope_broken");
  const signatures = outer.signatures.map((one) => {
    if (!hasKeys(one, ["keyid", "sig"]) || typeof one.keyid !== "string") throw new Wrong("envelope_broken");
    return { keyid: one.keyid, sig: unbase64(one.sig) };
  });
  return { type: outer.payloadType, raw: unbase64(outer.payload), signatures };
}

// Whether `key` signed it as one of this kind, and nobody else did.
async function isSigned(seen, kind, key) {
  const type = TYPE + kind + "+json";
  if (seen.type !== type || seen.signatures.length !== 1 || seen.signatures[0].keyid !== keyId(key)) return false;
  const before = utf8("DSSEv1 " + utf8(type).length + " " + type + " " + seen.raw.length + " ");
  return verifies(key, joined([before, seen.raw]), seen.signatures[0].sig);
}

// Its payload, or null where that is no object in canonical form. Points of results may be no integers.
function payloadOf(seen, kind) {
  try {
    const payload = strictJson(seen.raw, kind === "result");
    return isObject(payload) ? payload : null;
  } catch (error) {
    return null;
  }
}

// The payload that any of several keys signed, once it passes `fits`; null otherwise.
async function openByAny(seen, kind, keys, fits) {
  for (const key of keys) {
    const payload = (await isSigned(seen, kind, key)) ? payloadOf(seen, kind) : null;
    if (payload !== null && fits(payload)) return payload;
  }
  return null;
}

function names(seen) {
  return printable(seen.signatures.map((one) => one.keyid).join(", ") || "-");
}

function isCertificate(value) {
  const keys = ["room", "epoch", "institution", "issuer", "sign_key", "seal_key", "not_before_ms", "not_after_ms"];
  return hasKeys(value, keys) && typeof value.room === "string" && ROOM.test(value.room) && isCount(value.epoch) && value.epoch >= 1
    && typeof value.institution === "string" && typeof value.issuer === "string" && isHex32(value.sign_key) && isHex32(value.seal_key)
    && Number.isSafeInteger(value.not_before_ms) && Number.isSafeInteger(value.not_after_ms);
}

// {certificate} that one of `roots` signed, or {problem}.
export async function checkCertificate(envelope, roots) {
  let seen;
  try {
    seen = outline(envelope);
  } catch (error) {
    return { problem: problem("evidence_certificate_altered", "certificate") };
  }
  const payload = await openByAny(seen, "certificate", roots, isCertificate);
  if (payload !== null) {
    const origin = "examroom." + payload.room + "." + payload.epoch;
    return { certificate: Object.assign({ origin, key: unhex(payload.sign_key) }, payload) };
  }
  const known = roots.map(keyId);
  if (seen.signatures.some((one) => known.includes(one.keyid))) {
    return { problem: problem("evidence_certificate_altered", "certificate") };
  }
  return { problem: problem("evidence_root_unknown", "certificate", { signer: names(seen) }) };
}

// A signature counts when it was made inside the certificate's time, however old it is today.
export function checkValidity(certificate, atMs) {
  if (certificate.not_before_ms <= atMs && atMs <= certificate.not_after_ms) return null;
  return problem("evidence_certificate_expired", "certificate", { room: certificate.room, at: iso(atMs) });
}

// {payload} that the room signed, or {problem}: `altered`, another signer than the certificate's key, or `unfit`, where
// it signed what is not in the form of the format.
export async function checkEnvelope(envelope, kind, certificate, part, altered, unfit) {
  let seen;
  try {
    seen = outline(envelope);
  } catch (error) {
    return { problem: problem(altered, part) };
  }
  if (await isSigned(seen, kind, certificate.key)) {
    const payload = payloadOf(seen, kind);
    return payload === null ? { problem: problem(unfit, part) } : { payload };
  }
  const wanted = keyId(certificate.key);
  if (seen.signatures.some((one) => one.keyid === wanted)) return { problem: problem(altered, part) };
  return { problem: problem("evidence_signer_wrong", part, { signer: names(seen), wanted, room: certificate.room }) };
}

// A note: text, an empty line, a line a signature. Wrong where it is none.
function split(note) {
  const gap = note.indexOf("\n\n");
  const lines = note.slice(gap + 2);
  if (gap < 0 || !lines.endsWith("\n")) throw new Wrong("checkpoint_broken");
  return { body: note.slice(0, gap) + "\n", lines: lines.slice(0, -1).split("\n") };
}

function headOf(body) {
  const parts = body.replace(/\n+$/, "").split("\n");
  if (parts.length !== 3 || !/^(0|[1-9][0-9]*)$/.test(parts[1])) throw new Wrong("checkpoint_broken");
  const head = { origin: parts[0], size: Number(parts[1]), root: unbase64(parts[2]) };
  if (head.root.length !== 32 || !Number.isSafeInteger(head.size)) throw new Wrong("checkpoint_broken");
  return head;
}

export function signersOf(note) {
  const { body, lines } = split(note);
  headOf(body);
  return lines.filter((line) => line.split(" ").length === 3).map((line) => line.split(" ")[1]);
}

export function onlySigner(note, name) {
  const { body, lines } = split(note);
  return body + "\n" + lines.filter((line) => line.split(" ")[1] === name).map((line) => line + "\n").join("");
}

// The tree head of a note that `name` signed with `key`, and nobody else. Wrong otherwise.
export async function openNote(note, name, key) {
  const { body, lines } = split(note);
  const id = sha256(utf8(name), ED25519, key).subarray(0, 4);
  const [dash, signer, blob, ...more] = lines[0].split(" ");
  const decoded = unbase64(blob);
  const fits = lines.length === 1 && dash === "—" && more.length === 0 && decoded.length === 68;
  if (!fits || signer !== name || !same(decoded.subarray(0, 4), id)) throw new Wrong("checkpoint_signature");
  if (!(await verifies(key, utf8(body), decoded.subarray(4)))) throw new Wrong("checkpoint_signature");
  return headOf(body);
}

// {head} of a checkpoint with the room's signature and no other, or {problem}.
export async function checkNote(bytes, certificate) {
  try {
    const note = textOf(bytes);
    const head = await openNote(note, certificate.origin, certificate.key);
    if (head.origin === certificate.origin && note.split("\n").length === 6) return { head };
  } catch (error) {
    // said below
  }
  return { problem: problem("evidence_checkpoint_altered", "checkpoint") };
}

const isGateway = (value) => hasKeys(value, ["name", "key", "not_before_ms", "not_after_ms"]) && typeof value.name === "string"
  && ROOM.test(value.name) && isHex32(value.key) && isCount(value.not_before_ms) && isCount(value.not_after_ms);

// The gateway's name and key out of the envelope in which a root names them; null where no root does.
export async function gatewayKey(envelope, roots) {
  try {
    const payload = await openByAny(outline(envelope), "gateway", roots, isGateway);
    return payload && { name: payload.name, key: unhex(payload.key) };
  } catch (error) {
    return null;
  }
}

export function sorted(words) {
  return Array.from(new Set(words)).sort(byCodePoint);
}
