// What an evidence file holds (FORMAT.md, section 3): members, manifest, fragment table, witness. Each `as...` gives the
// value once it is exactly of the format, and null otherwise.

import { hex, unhex, utf8 } from "./bytes.js";
import { sha256 } from "./hashes.js";
import { hasKeys } from "./json.js";
import { leafHash, rootOf } from "./merkle.js";
import { isCount, isHex32 } from "./signed.js";

export const README = "README.txt";
export const CERTIFICATE = "certificate.dsse.json";
export const LEDGER = "ledger.jsonl";
export const PROOFS = "proofs.jsonl";
export const CHECKPOINT = "checkpoint.txt";
export const WITNESS = "witness.json";
export const TIMESTAMP = "timestamp.json";
export const MANIFEST = "manifest.dsse.json";
export const SEGMENT = /^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/;
const LAST_MS = 253402300800000, MOST_SEGMENTS = 30000, LONGEST_RUN = 5000000, LONGEST_STAMP = 100000;
const ALTERED = {
  [README]: ["evidence_readme_altered", "readme"],
  [CERTIFICATE]: ["evidence_certificate_altered", "certificate"],
  [CHECKPOINT]: ["evidence_checkpoint_altered", "checkpoint"],
  [WITNESS]: ["evidence_checkpoint_altered", "checkpoint"],
  [TIMESTAMP]: ["evidence_timestamp_altered", "timestamp"],
};
// Bytes of what holds a few signatures or proofs, of each such value in a result file, and of the manifest.
export const LARGEST_SMALL = 256 << 10;
export const LARGEST_MANIFEST = 64 << 20;
// So much more than the manifest says is read of an altered ledger or its proofs: enough to name a line put in.
export const LEDGER_SLACK = 1 << 20;
const LARGEST_INDEX = 16 << 20, LARGEST_LEDGER = 512 << 20;
const PARTS = { [LEDGER]: "ledger", [PROOFS]: "proof", [MANIFEST]: "manifest" };

export const altered = Object.entries(ALTERED);
export const indexName = (segment) => "segments/" + segment + ".json";
export const videoName = (segment) => "video/" + segment + ".mp4";
export const viewName = (segment) => "view/" + segment + ".mp4";
export const isPicture = (name) => name.startsWith("video/") || name.startsWith("view/");

export function partOf(name) {
  if (name in ALTERED) return ALTERED[name][1];
  if (name in PARTS) return PARTS[name];
  if (isPicture(name)) return name.startsWith("video/") ? "video" : "video-view";
  return name.startsWith("segments/") ? "segment-index" : "container";
}

// The most bytes a member may have that is read whole, Infinity for others: known before anything of it is read.
export function largest(name) {
  if (name in ALTERED) return LARGEST_SMALL;
  if (name === LEDGER || name === PROOFS) return LARGEST_LEDGER;
  if (name === MANIFEST) return LARGEST_MANIFEST;
  return name.startsWith("segments/") ? LARGEST_INDEX : Infinity;
}

const isText = (value) => typeof value === "string";
export const isMillis = (value) => isCount(value) && value < LAST_MS;
const every = (value, check) => Array.isArray(value) && value.every(check);

const isMember = (value) => hasKeys(value, ["name", "size", "sha256"]) && isText(value.name) && isCount(value.size) && isHex32(value.sha256);

const isSegment = (value) => hasKeys(value, ["segment", "ledger_seq", "first", "last"]) && isText(value.segment) && SEGMENT.test(value.segment)
  && isCount(value.ledger_seq) && isCount(value.first) && isCount(value.last);

const isSpan = (value) => hasKeys(value, ["first", "last"]) && isCount(value.first) && isCount(value.last) && value.first <= value.last;

const MANIFEST_KEYS = ["version", "room", "epoch", "camera", "session", "from_ms", "until_ms", "clip_ms", "made_ms", "by", "why",
  "why_salt", "export_seq", "span", "others", "segments", "absent", "members"];

export function asManifest(value) {
  const fits = hasKeys(value, MANIFEST_KEYS) && value.version === 1 && [value.room, value.camera, value.by, value.why].every(isText)
    && (value.session === null || isText(value.session)) && isCount(value.epoch) && isHex32(value.why_salt) && isCount(value.export_seq)
    && [value.from_ms, value.until_ms, value.clip_ms, value.made_ms].every(isMillis) && isSpan(value.span) && every(value.others, isCount)
    && every(value.segments, isSegment) && every(value.absent, isText) && every(value.members, isMember);
  if (!fits || value.segments.length < 1 || value.segments.length > MOST_SEGMENTS || value.until_ms <= value.from_ms) return null;
  const { first, last } = value.span;
  const apart = value.others.every((seq, at) => (seq < first || seq > last) && (at === 0 || value.others[at - 1] < seq));
  return apart && last - first + 1 <= LONGEST_RUN ? value : null;
}

// The ledger numbers of the lines of ledger.jsonl, in order.
export function sequences(manifest) {
  const { first, last } = manifest.span;
  const found = manifest.others.filter((seq) => seq < first);
  for (let seq = first; seq <= last; seq += 1) found.push(seq);
  return found.concat(manifest.others.filter((seq) => seq > last));
}

// given: the names of the members, of which some need not be there.
export function expectedNames(manifest, given) {
  const names = [README, CERTIFICATE];
  for (const { segment } of manifest.segments) {
    names.push(indexName(segment), videoName(segment));
    if (given.has(viewName(segment))) names.push(viewName(segment));
  }
  names.push(LEDGER, PROOFS, CHECKPOINT);
  return names.concat(given.has(WITNESS) ? [WITNESS] : [], given.has(TIMESTAMP) ? [TIMESTAMP] : [], [MANIFEST]);
}

const isFragment = (value) => hasKeys(value, ["n", "offset", "length", "sha256", "wall_ms", "mono_ms", "duration_ms"])
  && [value.n, value.offset, value.length, value.duration_ms].every(isCount) && isHex32(value.sha256) && isMillis(value.wall_ms) && isMillis(value.mono_ms);

export function asTable(value) {
  const fits = hasKeys(value, ["segment", "camera", "init", "fragments"]) && isText(value.segment) && SEGMENT.test(value.segment)
    && isText(value.camera) && hasKeys(value.init, ["length", "sha256"]) && isCount(value.init.length) && isHex32(value.init.sha256)
    && every(value.fragments, isFragment) && value.fragments.length > 0;
  return fits && value.fragments.every((one, at) => one.n === value.fragments[0].n + at) ? value : null;
}

export function asWitness(value) {
  const fits = hasKeys(value, ["note", "consistency", "gateway"]) && isText(value.note) && every(value.consistency, isHex32)
    && (value.gateway === null || isText(value.gateway));
  return fits ? value : null;
}

export function asTimestamp(value) {
  const fits = hasKeys(value, ["note", "consistency", "tsr"]) && isText(value.note) && every(value.consistency, isHex32)
    && isText(value.tsr) && value.tsr.length > 0 && value.tsr.length <= LONGEST_STAMP;
  return fits ? value : null;
}

export function chosen(table, fact) {
  return table.fragments.filter((one) => fact.first <= one.n && one.n <= fact.last);
}

export function fragmentsRoot(table) {
  return hex(rootOf(table.fragments.map((one) => leafHash(unhex(one.sha256)))));
}

// What the ledger keeps of a purpose.
export function whyCommitment(salt, why) {
  return hex(sha256(unhex(salt), utf8(why)));
}

// Whether a stretch of wall time is of the span asked: what an export has to hold, or to name as absent.
export function touches(startedMs, endedMs, manifest) {
  return startedMs < manifest.until_ms && endedMs > manifest.from_ms;
}

// Seconds from the clip's first fragment, by the room's wall clock.
export function secondOf(fragment, clipMs) {
  return (fragment.wall_ms - clipMs) / 1000;
}
