// Checking an evidence file, from the outside in: container, certificate, manifest, ledger, fragments (FORMAT.md, section 4).
// What one step finds damaged, later steps leave out, so that one changed byte has one name.

import { hex, iso, millisOf, printable, unbase64, unhex, utf8, Wrong } from "./bytes.js";
import { bytesOf, eachBlock, readDirectory } from "./container.js";
import { altered, asManifest, asTable, asTimestamp, asWitness, CERTIFICATE, CHECKPOINT, chosen, expectedNames, fragmentsRoot, indexName,
  isPicture, largest, LARGEST_MANIFEST, LARGEST_SMALL, LEDGER, LEDGER_SLACK, MANIFEST, partOf, PROOFS, README, secondOf, sequences, TIMESTAMP, touches, videoName, viewName, WITNESS } from "./format.js";
import { crc32, engine, Sha256, sha256Hex } from "./hashes.js";
import { strictJson } from "./json.js";
import { consistent } from "./merkle.js";
import { checkCertificate, checkEnvelope, checkNote, checkValidity, gatewayKey, onlySigner, openNote, signersOf, sorted } from "./signed.js";
import { checkInclusion, checkLines, checkProofs, checkStory, closes, sliceOf } from "./slice.js";
import { checkAnswer } from "./timestamp.js";
import { problem, refused, verified } from "./verdict.js";

const GAP_MS = 1500;
const CLOCK_STEP_MS = 86400000;
// A video up to this size is read whole and hashed by the browser; a longer one in blocks, by our own hash.
export const limits = { whole: 96 << 20 };

class Box {
  constructor(blob, members, told) {
    this.blob = blob;
    this.members = new Map(members.map((member) => [member.name, member]));
    this.wrongCrc = new Map();
    this.told = told;
  }

  // The first `most` bytes of a member at the most.
  async read(name, most) {
    const member = this.members.get(name);
    const data = await bytesOf(this.blob, member.start, Math.min(member.size, most));
    this.noteCrc(member, crc32(data));
    return data;
  }

  noteCrc(member, crc) {
    if (crc !== member.crc) this.wrongCrc.set(member.name, member.header);
    this.told(member.end / this.blob.size);
  }
}

// The verdict on an open evidence file. `authorities`: root certificates of those who time-stamp. `told` gets the share of it that has been read.
export async function checkEvidence(blob, roots, witnesses, authorities, told) {
  let box;
  try {
    box = new Box(blob, await readDirectory(blob), told);
  } catch (error) {
    if (!(error instanceof Wrong)) throw error;
    return refused("evidence", [problem(error.code, "container", error.facts)]);
  }
  for (const [name, part] of [[CERTIFICATE, "certificate"], [MANIFEST, "manifest"]]) {
    if (!box.members.has(name)) return refused("evidence", [problem("evidence_member_missing", part, { member: name })]);
  }
  // nobody has signed what comes first: its size is looked at before it is read
  const large = Array.from(box.members.values()).filter((member) => member.size > largest(member.name));
  if (large.length) {
    return refused("evidence", large.map(({ name, size }) => problem("evidence_member_large", partOf(name), { member: name, size, most: largest(name) })));
  }
  const issued = await checkCertificate(await box.read(CERTIFICATE, LARGEST_SMALL), roots);
  if (issued.problem) return refused("evidence", [issued.problem]);
  const certificate = issued.certificate;
  const signed = await manifestOf(await box.read(MANIFEST, LARGEST_MANIFEST), certificate);
  if (signed.problem) return refused("evidence", [signed.problem]);
  const manifest = signed.manifest;
  let problems = checkMembers(box, manifest);
  if (problems.length) return refused("evidence", problems);
  // told of every file: a witness.json that was taken out, or names nobody, must not look better than an old one
  const facts = { witnesses: [], witnessed_entries: 0, witness_covers: false };
  problems = await checkContents(box, manifest, certificate, roots.concat(witnesses), authorities, facts);
  const expired = checkValidity(certificate, manifest.made_ms);
  if (expired) problems.push(expired);
  return problems.length ? refused("evidence", problems) : verified("evidence", Object.assign(factsOf(manifest, certificate), facts));
}

async function manifestOf(envelope, certificate) {
  const opened = await checkEnvelope(envelope, "evidence", certificate, "manifest", "evidence_manifest_altered", "evidence_manifest_content");
  if (opened.problem) return opened;
  const manifest = asManifest(opened.payload);
  if (manifest === null) return { problem: problem("evidence_manifest_content", "manifest") };
  if (manifest.room !== certificate.room || manifest.epoch !== certificate.epoch) {
    return { problem: problem("evidence_manifest_room", "manifest", { room: manifest.room, wanted: certificate.room }) };
  }
  return { manifest };
}

// The members are those of the manifest, which are those of the format, in that order.
function checkMembers(box, manifest) {
  const signed = manifest.members.map((fact) => fact.name);
  const wanted = signed.concat([MANIFEST]);
  const there = Array.from(box.members.keys());
  const equal = (one, other) => one.length === other.length && one.every((name, at) => name === other[at]);
  if (!equal(wanted, expectedNames(manifest, new Set(signed)))) return [problem("evidence_manifest_content", "manifest")];
  const missing = wanted.filter((name) => !box.members.has(name));
  const named = new Set(wanted);
  const extra = there.filter((name) => !named.has(name));
  const problems = missing.map((member) => problem("evidence_member_missing", partOf(member), { member }))
    .concat(extra.map((member) => problem("evidence_member_extra", "container", { member })));
  if (!problems.length && !equal(there, wanted)) problems.push(problem("evidence_member_order", "container"));
  return problems;
}

// Every member against the manifest, and what they say against each other.
async function checkContents(box, manifest, certificate, known, authorities, facts) {
  const small = await readSmall(box, manifest);
  const problems = [];
  for (const [name, [reason, part]] of altered) if (small.altered.has(name) && name !== README) problems.push(problem(reason, part));
  let head = null;
  if (!small.altered.has(CHECKPOINT)) {
    const checked = await checkNote(small.content.get(CHECKPOINT), certificate);
    if (checked.problem) {
      problems.push(checked.problem);
    } else {
      head = checked.head;
      facts.entries_in_ledger = head.size;
      if (small.content.has(WITNESS) && !small.altered.has(WITNESS)) {
        problems.push(...await checkWitness(small.content.get(WITNESS), head, certificate, known, footageSeq(manifest), facts));
      }
      if (small.content.has(TIMESTAMP) && !small.altered.has(TIMESTAMP)) {
        problems.push(...await checkStamp(small.content.get(TIMESTAMP), head, certificate, authorities, footageSeq(manifest), facts));
      }
    }
  }
  const found = sliceOf(manifest, small.content.get(LEDGER), small.content.get(PROOFS));
  const wrong = checkLedger(found, small, manifest, head);
  problems.push(...wrong);
  const entries = wrong.length === 0 && head ? found.entries : null;
  if (entries) {
    facts.open_end = !closes(entries.get(manifest.span.last), manifest);
    problems.push(...checkMade(entries.get(manifest.export_seq), manifest, certificate));
  }
  problems.push(...await checkFootage(box, small, manifest, entries, facts));
  if (small.altered.has(README)) problems.push(problem("evidence_readme_altered", "readme"));
  // A header that claims another checksum than its unaltered content has is the container's fault.
  for (const [name, header] of box.wrongCrc) {
    if (!small.altered.has(name)) problems.push(problem("container_altered", "container", { at: header }));
  }
  return problems;
}

async function readSmall(box, manifest) {
  const small = { content: new Map(), altered: new Set() };
  for (const fact of manifest.members) {
    if (isPicture(fact.name)) continue;
    const data = await box.read(fact.name, fact.size + (fact.name === LEDGER || fact.name === PROOFS ? LEDGER_SLACK : 0));
    small.content.set(fact.name, data);
    if (box.members.get(fact.name).size !== fact.size || (await sha256Hex(data)) !== fact.sha256) small.altered.add(fact.name);
  }
  return small;
}

function checkLedger(found, small, manifest, head) {
  const intact = !small.altered.has(LEDGER);
  const problems = intact ? [] : checkLines(found, head);
  if (small.altered.has(PROOFS)) return problems.concat([checkProofs(found, head, intact)]);
  if (!intact || head === null) return problems;
  const wrong = checkInclusion(found, head);
  return wrong.length ? wrong : checkStory(found.entries, manifest, head);
}

// When the file was made, by its own ledger entry: `made_ms` alone is a number that the signer chose.
function checkMade(exported, manifest, certificate) {
  const at = millisOf(exported.at), seq = manifest.export_seq;
  if (at === null || manifest.made_ms < at - CLOCK_STEP_MS) {
    return [problem("evidence_made_before", "manifest", { made: iso(manifest.made_ms), at: exported.at, seq }, { seq })];
  }
  const expired = checkValidity(certificate, manifest.made_ms) === null ? checkValidity(certificate, at) : null;
  return expired ? [expired] : [];
}

// The last entry that tells of footage in the file: a tree head of more entries covers all of it.
const footageSeq = (manifest) => manifest.segments.reduce((last, fact) => Math.max(last, fact.ledger_seq), 0);

// An earlier tree head that somebody outside the room signed: the ledger of this file must extend it.
async function checkWitness(data, head, certificate, known, newest, facts) {
  const differs = [problem("evidence_witness_differs", "checkpoint")];
  let witness, earlier, others;
  try {
    witness = asWitness(strictJson(data));
    earlier = await openNote(onlySigner(witness.note, certificate.origin), certificate.origin, certificate.key);
    others = sorted(signersOf(witness.note)).filter((name) => name !== certificate.origin);
  } catch (error) {
    return differs;
  }
  if (earlier.origin !== head.origin || !consistent(earlier.size, head.size, earlier.root, head.root, witness.consistency.map(unhex))) return differs;
  const gateway = witness.gateway === null ? null : await gatewayKey(utf8(witness.gateway), known);
  if (witness.gateway !== null && (gateway === null || !(await vouched(witness.note, gateway.name, [gateway.key])))) return differs;
  const keys = known.concat(gateway ? [gateway.key] : []);
  facts.witnesses = [];
  for (const name of others) if (await vouched(witness.note, name, keys)) facts.witnesses.push(printable(name));
  facts.witnessed_entries = facts.witnesses.length ? earlier.size : 0;
  facts.witness_covers = facts.witnessed_entries > newest;
  return [];
}

// The ledger of this file must extend the checkpoint that an authority dated; with `authorities` given, one of them did.
async function checkStamp(data, head, certificate, authorities, newest, facts) {
  let stamped, answer, earlier, held = false;
  try {
    stamped = asTimestamp(strictJson(data));
    answer = unbase64(stamped.tsr);
    earlier = await openNote(stamped.note, certificate.origin, certificate.key);
    held = earlier.origin === head.origin && consistent(earlier.size, head.size, earlier.root, head.root, stamped.consistency.map(unhex));
  } catch (error) {
    // said below
  }
  if (!held) return [problem("evidence_timestamp_differs", "timestamp")];
  facts.timestamp = { checked: false, entries: earlier.size };
  facts.stamp_covers = earlier.size > newest;
  if (!authorities.length || !engine.subtle) return [];
  try {
    const stamp = await checkAnswer(answer, stamped.note, authorities);
    Object.assign(facts.timestamp, { checked: true, time: iso(stamp.at), authority: stamp.authority });
    return [];
  } catch (error) {
    if (!(error instanceof Wrong)) throw error;
    return [problem(error.code, "timestamp", error.facts)];
  }
}

async function vouched(note, name, keys) {
  for (const key of keys) {
    try {
      await openNote(onlySigner(note, name), name, key);
      return true;
    } catch (error) {
      // by another key perhaps
    }
  }
  return false;
}

async function checkFootage(box, small, manifest, entries, facts) {
  const sizes = new Map(manifest.members.map((fact) => [fact.name, fact]));
  const problems = [], spans = [];
  for (let place = 0; place < manifest.segments.length; place += 1) {
    const fact = manifest.segments[place];
    const name = indexName(fact.segment);
    const where = { segment: fact.segment, camera: manifest.camera };
    let table = null;
    if (small.altered.has(name)) {
      problems.push(problem("evidence_index_altered", "segment-index", where));
    } else {
      table = tableOf(small.content.get(name), fact, manifest);
      if (table === null || (place === 0 && chosen(table, fact)[0].wall_ms !== manifest.clip_ms)) {
        problems.push(problem("evidence_index_content", "segment-index", where));
      } else if (entries && !isEntered(table, fact, entries)) {
        problems.push(problem("evidence_index_ledger", "segment-index", Object.assign({}, where, { seq: fact.ledger_seq })));
      } else if (entries) {
        problems.push(...leftOut(manifest, fact, table));
      }
    }
    for (const one of table ? chosen(table, fact) : []) spans.push([one.wall_ms, one.wall_ms + one.duration_ms]);
    problems.push(...await checkVideo(box, small, manifest, fact, table, sizes.get(videoName(fact.segment))));
    const view = sizes.get(viewName(fact.segment));
    if (view) problems.push(...await checkView(box, small, manifest, fact, table, view));
  }
  spans.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  facts.covered_s = coveredMs(manifest, spans) / 1000;
  facts.gaps = gaps(manifest, spans);
  return problems;
}

// How much of the asked span fragments cover; what a clock set back recorded twice counts once.
function coveredMs(manifest, spans) {
  let covered = 0, at = manifest.from_ms;
  for (const [start, end] of spans) {
    const until = Math.min(end, manifest.until_ms);
    covered += Math.max(0, until - Math.max(start, at));
    at = Math.max(at, until);
  }
  return covered;
}

// The stretches of the asked span, longer than 1.5 s, that no fragment covers.
function gaps(manifest, spans) {
  const found = [];
  let at = manifest.from_ms;
  const note = (from, until) => found.push({ from: iso(from), until: iso(until) });
  for (const [start, end] of spans) {
    if (start - at > GAP_MS) note(at, start);
    at = Math.max(at, end);
  }
  if (manifest.until_ms - at > GAP_MS) note(at, manifest.until_ms);
  return found;
}

function tableOf(data, fact, manifest) {
  let table;
  try {
    table = asTable(strictJson(data));
  } catch (error) {
    return null;
  }
  if (table === null || table.segment !== fact.segment || table.camera !== manifest.camera) return null;
  const here = chosen(table, fact);
  return here.length && here.length === fact.last - fact.first + 1 ? table : null;
}

// The ledger's `segment` entry tells of exactly this table, whose fragments follow one another inside its time.
function isEntered(table, fact, entries) {
  const entry = entries.get(fact.ledger_seq);
  if (!entry || entry.kind !== "segment") return false;
  const { body } = entry;
  const told = body.segment === table.segment && body.camera === table.camera && body.init_sha256 === table.init.sha256
    && body.fragments === table.fragments.length && body.fragments_root === fragmentsRoot(table);
  const started = millisOf(body.started), ended = millisOf(body.ended);
  let at = started;
  const inOrder = table.fragments.every((one) => {
    const after = at !== null && at <= one.wall_ms;
    at = one.wall_ms + one.duration_ms;
    return after;
  });
  return told && inOrder && ended !== null && at <= ended;
}

// Fragments of the asked span that the segment has and this file does not: those before the first, after the last.
function leftOut(manifest, fact, table) {
  const touching = table.fragments.filter((one) => touches(one.wall_ms, one.wall_ms + one.duration_ms, manifest));
  return [touching.filter((one) => one.n < fact.first), touching.filter((one) => one.n > fact.last)].filter((gone) => gone.length).map((gone) => {
    const first = gone[0], last = gone[gone.length - 1], second = secondOf(first, manifest.clip_ms);
    const facts = { camera: manifest.camera, segment: fact.segment, second, from: iso(first.wall_ms), until: iso(last.wall_ms + last.duration_ms), count: gone.length };
    return problem("evidence_fragments_missing", "video", facts, { second, seq: fact.ledger_seq });
  });
}

// One video member: its whole hash, and each fragment's, to name the second that was altered.
async function checkVideo(box, small, manifest, fact, table, signed) {
  const read = await stream(box, signed, piecesOf(manifest, fact, table));
  if (!read.altered.length && read.whole) return [];
  small.altered.add(signed.name);
  if (read.altered.length) return read.altered.map((piece) => alteredAt("evidence_video_altered", "video", piece));
  return [problem("evidence_video_unknown", "video", { segment: fact.segment, camera: manifest.camera })];
}

// The same fragments with another beginning, for which the manifest alone vouches.
async function checkView(box, small, manifest, fact, table, signed) {
  const pieces = piecesOf(manifest, fact, table);
  if (pieces.length) {
    const length = pieces.slice(1).reduce((sum, piece) => sum + piece.length, 0);
    pieces[0] = Object.assign({}, pieces[0], { length: Math.max(0, signed.size - length), sha256: null });
  }
  const read = await stream(box, signed, pieces);
  const where = { segment: fact.segment, camera: manifest.camera };
  if (read.whole) return read.altered.length ? [problem("evidence_view_differs", "video-view", where)] : [];
  small.altered.add(signed.name);
  const named = read.altered.length || read.size !== signed.size ? read.altered : pieces.slice(0, 1);
  if (named.length) return named.map((piece) => alteredAt("evidence_view_altered", "video-view", piece));
  return [problem("evidence_view_unknown", "video-view", where)];
}

function alteredAt(code, part, piece) {
  return problem(code, part, piece.facts, { second: piece.facts.second });
}

// Read a member once: the pieces that are altered, its size, and whether all of it is as it was signed.
async function stream(box, signed, pieces) {
  const member = box.members.get(signed.name);
  const read = member.size <= limits.whole ? await wholeVideo(box.blob, member, pieces) : await longVideo(box.blob, member, pieces);
  box.noteCrc(member, read.crc);
  return { altered: read.altered, size: member.size, whole: read.sha256 === signed.sha256 && member.size === signed.size };
}

async function wholeVideo(blob, member, pieces) {
  const data = await bytesOf(blob, member.start, member.size);
  const found = [];
  let at = 0;
  for (const piece of pieces) {
    const end = Math.min(at + piece.length, data.length);
    if (piece.sha256 !== null && (await sha256Hex(data.subarray(at, end))) !== piece.sha256) found.push(piece);
    at = end;
  }
  return { altered: found, sha256: await sha256Hex(data), crc: crc32(data) };
}

async function longVideo(blob, member, pieces) {
  const whole = new Sha256();
  const found = [];
  let at = 0, crc = 0;
  const take = async (length, also) => {
    await eachBlock(blob, member.start + at, length, (block) => {
      whole.update(block);
      if (also) also.update(block);
      crc = crc32(block, crc);
    });
    at += length;
  };
  for (const piece of pieces) {
    const hash = new Sha256();
    await take(Math.min(piece.length, member.size - at), hash);
    if (piece.sha256 !== null && hex(hash.digest()) !== piece.sha256) found.push(piece);
  }
  await take(member.size - at, null);
  return { altered: found, sha256: hex(whole.digest()), crc };
}

// The initialisation part and each fragment, as they follow: length, hash, and what is to be said where one is altered.
function piecesOf(manifest, fact, table) {
  const here = table ? chosen(table, fact) : [];
  return [null].concat(here).slice(here.length ? 0 : 1).map((one) => {
    const fragment = one || here[0];
    const piece = one || table.init;
    const second = secondOf(fragment, manifest.clip_ms);
    const facts = { camera: manifest.camera, segment: fact.segment, fragment: one && one.n, wall: iso(fragment.wall_ms), second };
    return { length: piece.length, sha256: piece.sha256, facts };
  });
}

function factsOf(manifest, certificate) {
  const { room, epoch, institution, issuer } = certificate;
  const { camera, session, by, why } = manifest;
  return { room, epoch, institution, issuer, camera, session, from: iso(manifest.from_ms), until: iso(manifest.until_ms), made: iso(manifest.made_ms),
    by, why, entries: sequences(manifest).length, segments: manifest.segments.map((one) => one.segment), absent: manifest.absent };
}
