// What evidence and result files share: DSSE envelopes, the room's certificate, signed notes (C2SP tlog-checkpoint).

import { byCodePoint, hex, iso, printable, same, textOf, unbase64, unhex, utf8, joined, Wrong } from "./bytes.js";
import { verifies } from "./ed25519.js";
import { sha256 } from "./hashes.js";
import { hasKeys, isObject, strictJson } from "./json.js";
import { problem } from "./verdict.js";

const TYPE = "application/vnd.examroom.";
const HEX32 = /^[0-9a-f]{64}$/;
const ROOM = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;
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

// What an envelope says before anybody has checked it; Wrong where it is none, or its payload not canonical.
export function peek(envelope) {
  const outer = strictJson(envelope);
  const fits = hasKeys(outer, ["payload", "payloadType", "signatures"]) && Array.isArray(outer.signatures);
  if (!fits || typeof outer.payloadType !== "string") throw new Wrong("envelope_broken");
  const signatures = outer.signatures.map((one) => {
    if (!hasKeys(one, ["keyid", "sig"]) || typeof one.keyid !== "string") throw new Wrong("envelope_broken");
    return { keyid: one.keyid, sig: unbase64(one.sig) };
  });
  const raw = unbase64(outer.payload);
  const payload = strictJson(raw);
  if (!isObject(payload)) throw new Wrong("envelope_broken");
  return { type: outer.payloadType, raw, payload, signatures };
}

// The payload, once `key` has signed it and nobody else; null otherwise.
export async function openEnvelope(peeked, kind, key) {
  const type = TYPE + kind + "+json";
  if (peeked.type !== type || peeked.signatures.length !== 1 || peeked.signatures[0].keyid !== keyId(key)) return null;
  const before = utf8("DSSEv1 " + utf8(type).length + " " + type + " " + peeked.raw.length + " ");
  const good = await verifies(key, joined([before, peeked.raw]), peeked.signatures[0].sig);
  return good ? peeked.payload : null;
}

// The payload that any of several keys signed; every signature there is must be by a known key and hold.
async function openByAny(peeked, kind, keys) {
  for (const key of keys) {
    const payload = await openEnvelope(peeked, kind, key);
    if (payload !== null) return payload;
  }
  return null;
}

function names(peeked) {
  return printable(peeked.signatures.map((one) => one.keyid).join(", ") || "-");
}

function isCertificate(value) {
  const keys = ["room", "epoch", "institution", "issuer", "sign_key", "seal_key", "not_before_ms", "not_after_ms"];
  return hasKeys(value, keys) && typeof value.room === "string" && ROOM.test(value.room) && isCount(value.epoch) && value.epoch >= 1
    && typeof value.institution === "string" && typeof value.issuer === "string" && isHex32(value.sign_key) && isHex32(value.seal_key)
    && Number.isSafeInteger(value.not_before_ms) && Number.isSafeInteger(value.not_after_ms);
}

// {certificate} that one of `roots` signed, or {problem}.
export async function checkCertificate(envelope, roots) {
  let peeked;
  try {
    peeked = peek(envelope);
  } catch (error) {
    return { problem: problem("evidence_certificate_altered", "certificate") };
  }
  const payload = await openByAny(peeked, "certificate", roots);
  if (payload !== null && isCertificate(payload)) {
    const origin = "examroom." + payload.room + "." + payload.epoch;
    return { certificate: Object.assign({ origin, key: unhex(payload.sign_key) }, payload) };
  }
  const known = roots.map(keyId);
  if (peeked.signatures.some((one) => known.includes(one.keyid))) {
    return { problem: problem("evidence_certificate_altered", "certificate") };
  }
  return { problem: problem("evidence_root_unknown", "certificate", { signer: names(peeked) }) };
}

// A signature counts when it was made inside the certificate's time, however old it is today.
export function checkValidity(certificate, atMs) {
  if (certificate.not_before_ms <= atMs && atMs <= certificate.not_after_ms) return null;
  return problem("evidence_certificate_expired", "certificate", { room: certificate.room, at: iso(atMs) });
}

// {payload} that the room signed, or {problem}: `altered`, or another signer than the certificate's key.
export async function checkEnvelope(envelope, kind, certificate, part, altered) {
  let peeked;
  try {
    peeked = peek(envelope);
  } catch (error) {
    return { problem: problem(altered, part) };
  }
  const payload = await openEnvelope(peeked, kind, certificate.key);
  if (payload !== null) return { payload };
  const wanted = keyId(certificate.key);
  if (peeked.signatures.some((one) => one.keyid === wanted)) return { problem: problem(altered, part) };
  return { problem: problem("evidence_signer_wrong", part, { signer: names(peeked), wanted, room: certificate.room }) };
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

// The gateway's name and key out of the envelope in which a root names them; null where no root does.
export async function gatewayKey(envelope, roots) {
  try {
    const payload = await openByAny(peek(envelope), "gateway", roots);
    const fits = hasKeys(payload, ["name", "key", "not_before_ms", "not_after_ms"]) && typeof payload.name === "string"
      && ROOM.test(payload.name) && isHex32(payload.key) && isCount(payload.not_before_ms) && isCount(payload.not_after_ms);
    return fits ? { name: payload.name, key: unhex(payload.key) } : null;
  } catch (error) {
    return null;
  }
}

export function sorted(words) {
  return Array.from(new Set(words)).sort(byCodePoint);
}
