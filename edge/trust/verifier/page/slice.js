// The ledger slice of an evidence file: which line was altered, which entry is missing, what the entries say.

import { joined, millisOf, printable, unhex } from "./bytes.js";
import { hasKeys, isObject, strictJson } from "./json.js";
import { sequences, touches, whyCommitment } from "./format.js";
import { included, leafHash } from "./merkle.js";
import { problem } from "./verdict.js";

const MOST_NAMED = 50;
const LONG_MS = 86400000;
const LONGEST_PROOF = 8192;  // of a tree of 2^64 leaves, and more

// Each line without its newline; of more than `most`, one more alone: how many others there are changes nothing.
function splitLines(data, most) {
  const lines = [];
  let from = 0;
  for (let at = data.indexOf(10); at >= 0; at = data.indexOf(10, from)) {
    if (lines.length > most) return lines;
    lines.push(data.subarray(from, at));
    from = at + 1;
  }
  // a tail without its newline is a line that can hold nothing
  if (from < data.length) lines.push(joined([data.subarray(from), Uint8Array.of(0)]));
  return lines;
}

// `entries` fills while the lines are checked, by ledger number.
export function sliceOf(manifest, ledger, proofs) {
  const expected = sequences(manifest);
  return { expected, lines: splitLines(ledger, expected.length), proofs: splitLines(proofs, expected.length), entries: new Map() };
}

function readProof(line, seq) {
  if (line.length > LONGEST_PROOF) return null;
  try {
    const value = strictJson(line);
    return hasKeys(value, ["path", "seq"]) && value.seq === seq && Array.isArray(value.path) ? value.path.map(unhex) : null;
  } catch (error) {
    return null;
  }
}

const isIn = (line, seq, path, head) => included(leafHash(line), seq, head.size, path, head.root);
const of = (reason, part, seq) => problem(reason, part, { seq }, { seq });

// proofs.jsonl is not what the manifest names: the first entry whose proof is damaged.
export function checkProofs(found, head, ledgerIntact) {
  for (let at = 0; at < found.expected.length; at += 1) {
    const seq = found.expected[at];
    const path = at < found.proofs.length ? readProof(found.proofs[at], seq) : null;
    let lost = path === null;
    if (!lost && ledgerIntact && head && at < found.lines.length) lost = !isIn(found.lines[at], seq, path, head);
    if (lost) return of("evidence_proof_altered", "proof", seq);
  }
  return problem("evidence_proofs_extra", "proof");
}

// ledger.jsonl is not what the manifest names: each entry that was altered, or is missing.
export function checkLines(found, head) {
  const paths = new Map(found.expected.slice(0, found.proofs.length).map((seq, at) => [seq, readProof(found.proofs[at], seq)]));
  const good = (at, seq) => Boolean(head && at < found.lines.length && paths.get(seq) && isIn(found.lines[at], seq, paths.get(seq), head));
  const problems = [];
  let at = 0;
  for (let index = 0; index < found.expected.length && problems.length < MOST_NAMED; index += 1) {
    const seq = found.expected[index];
    const after = index + 1 < found.expected.length ? found.expected[index + 1] : -1;
    if (good(at, seq)) {
      at += 1;
    } else if (at >= found.lines.length || good(at, after)) {
      problems.push(of("evidence_entry_missing", "ledger", seq));
    } else {
      problems.push(of("evidence_entry_altered", "ledger", seq));
      at += 1;
    }
  }
  return problems.length ? problems : [problem("evidence_entry_extra", "ledger")];
}

// Both members are what the manifest names: every entry must still be in the signed tree, and be itself.
export function checkInclusion(found, head) {
  if (found.lines.length !== found.expected.length || found.proofs.length !== found.expected.length) {
    return [problem("evidence_entry_extra", "ledger")];
  }
  const problems = [];
  found.expected.forEach((seq, at) => {
    const path = readProof(found.proofs[at], seq);
    if (path === null || !isIn(found.lines[at], seq, path, head)) {
      problems.push(of("evidence_proof_altered", "proof", seq));
      return;
    }
    const content = entryOf(found.lines[at]);
    if (content === null || content.seq !== seq) problems.push(of("evidence_entry_content", "ledger", seq));
    else found.entries.set(seq, content);
  });
  return problems;
}

function entryOf(line) {
  try {
    const content = strictJson(line);
    return isObject(content) && isObject(content.body) && typeof content.kind === "string" && millisOf(content.at) !== null ? content : null;
  } catch (error) {
    return null;
  }
}

// The manifest tells what the ledger tells: a run without a loose end, this export, all segments of the span.
export function checkStory(entries, manifest, head) {
  const problems = [];
  const { first, last } = manifest.span;
  const begins = millisOf(entries.get(first).at);
  if (first !== 0 && (begins === null || begins > manifest.from_ms)) problems.push(of("evidence_span_open", "ledger", first - 1));
  const ends = closes(entries.get(last), manifest) || isLongAfter(entries.get(last), manifest);
  if (last !== head.size - 1 && !ends) problems.push(of("evidence_span_open", "ledger", last + 1));
  const exported = entries.get(manifest.export_seq);
  if (!exported || !tellsOf(exported, manifest)) problems.push(of("evidence_export_differs", "ledger", manifest.export_seq));
  return problems.concat(checkSegments(entries, manifest));
}

// Each segment that the slice tells of is here or named as absent, no other is, and they follow one another.
function checkSegments(entries, manifest) {
  const problems = [], told = new Set();
  const present = new Set(manifest.segments.map((one) => one.segment)), absent = new Set(manifest.absent);
  for (const [seq, { kind, body }] of entries) {
    if (kind !== "segment" || body.camera !== manifest.camera) continue;
    const name = body.segment, started = millisOf(body.started), ended = millisOf(body.ended);
    if (started !== null && ended !== null && !touches(started, ended, manifest)) continue;
    if (typeof name === "string") told.add(name);
    if (!present.has(name) && !absent.has(name)) {
      const facts = { segment: typeof name === "string" ? printable(name) : "?", seq, camera: manifest.camera };
      problems.push(problem("evidence_segment_missing", "video", facts, { seq }));
    }
  }
  for (const name of manifest.absent) {
    if (present.has(name) || !told.has(name)) problems.push(problem("evidence_absent_differs", "manifest", { segment: printable(name) }));
  }
  const places = manifest.segments.map((fact) => placeOf(entries.get(fact.ledger_seq))).filter((place) => place !== null);
  const follows = (place, before) => before[0] < place[0] || (before[0] === place[0] && before[1] <= place[1]);
  if (!places.every((place, at) => at === 0 || follows(place, places[at - 1]))) problems.push(problem("evidence_segments_order", "manifest"));
  return problems;
}

// Where a segment belongs: when it began, and its number where a clock that was set makes two begin at once.
function placeOf(entry) {
  const { started, sequence } = entry ? entry.body : {};
  return millisOf(started) === null ? null : [millisOf(started), Number.isInteger(sequence) ? sequence : 0];
}

// Whether a run may end with this entry: the camera's next segment after the span was entered, so all before it were.
export function closes(entry, manifest) {
  const at = millisOf(entry.at), started = millisOf(entry.body.started);
  return entry.kind === "segment" && entry.body.camera === manifest.camera && entry.body.salvaged === false
    && at !== null && at >= manifest.until_ms && started !== null && started >= manifest.until_ms;
}

// Whether a run may end with this entry although the camera recorded nothing more: it is of a day later.
function isLongAfter(entry, manifest) {
  const at = millisOf(entry.at);
  return at !== null && at >= manifest.until_ms + LONG_MS;
}

function tellsOf(entry, manifest) {
  const same = entry.kind === "export" && entry.by === manifest.by && (entry.session === undefined ? null : entry.session) === manifest.session;
  const { camera, from_ms, until_ms, why } = entry.body;
  return same && hasKeys(entry.body, ["camera", "from_ms", "until_ms", "why"]) && camera === manifest.camera && from_ms === manifest.from_ms
    && until_ms === manifest.until_ms && why === whyCommitment(manifest.why_salt, manifest.why);
}
