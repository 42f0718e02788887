// Checking a result file (FORMAT.md, section 5): one signed result, its ledger entry and the proof that it was entered.

import { find, hex, millisOf, same, startsWith, unhex, utf8 } from "./bytes.js";
import { LARGEST_SMALL } from "./format.js";
import { sha256 } from "./hashes.js";
import { isObject, strictJson } from "./json.js";
import { included, leafHash } from "./merkle.js";
import { checkCertificate, checkEnvelope, checkNote, checkValidity } from "./signed.js";
import { problem, refused, verified } from "./verdict.js";

// The fixed bytes of the canonical form; one value of the file stands after each of them.
const FRAME = ['{"certificate":', ',"proof":{"checkpoint":', ',"entry":', ',"leaf":', ',"path":', ',"seq":', '},"result":'].map(utf8);
const CLOSING = 125;  // a brace

export function looksLikeResult(data) {
  return startsWith(data, FRAME[0]) || find(data, FRAME[1], 0) >= 0;
}

function piecesOfResult(data) {
  if (!startsWith(data, FRAME[0]) || data[data.length - 1] !== CLOSING) return null;
  const pieces = [];
  let start = FRAME[0].length;
  for (const mark of FRAME.slice(1)) {
    const at = find(data, mark, start);
    if (at < 0) return null;
    pieces.push(data.subarray(start, at));
    start = at + mark.length;
  }
  return pieces.concat([data.subarray(start, data.length - 1)]);
}

export async function checkResult(data, roots) {
  const pieces = piecesOfResult(data);
  if (pieces === null) return refused("result", [problem("result_file_frame", "container")]);
  const issued = await checkCertificate(pieces[0], roots);
  if (issued.problem) return refused("result", [issued.problem]);
  const checked = await checkPieces(pieces, issued.certificate);
  return checked.problem ? refused("result", [checked.problem]) : verified("result", checked.facts);
}

async function checkPieces([, note, entry, leaf, path, seq, result], certificate) {
  const { room, epoch, institution, issuer } = certificate;
  const opened = await checkEnvelope(result, "result", certificate, "result", "result_altered", "result_content");
  if (opened.problem) return opened;
  const { payload } = opened;
  if (("room" in payload && payload.room !== room) || ("epoch" in payload && payload.epoch !== epoch)) {
    return { problem: problem("result_other_room", "result", { room }) };
  }
  const noted = await checkNote(textIn(note) || new Uint8Array(0), certificate);
  if (noted.problem) return noted;
  const entered = entryIn(entry, leaf, path, seq, noted.head);
  if (entered.problem) return entered;
  const digest = hex(sha256(result));
  const content = contentOf(entered.text, digest, entered.number);
  if (content === null) return { problem: problem("result_not_entered", "ledger") };
  const expired = checkValidity(certificate, millisOf(content.at));
  if (expired) return { problem: expired };
  return { facts: { room, epoch, institution, issuer, sha256: digest, seq: entered.number, entered: content.at, entries_in_ledger: noted.head.size, payload } };
}

function contentOf(text, digest, number) {
  try {
    const content = strictJson(text);
    const told = isObject(content) && content.kind === "result" && isObject(content.body) && content.body.sha256 === digest && content.seq === number;
    return told && millisOf(content.at) !== null ? content : null;
  } catch (error) {
    return null;
  }
}

// The ledger entry's bytes, once they are in the tree. `leaf` tells an altered entry from an altered path.
function entryIn(entry, leaf, path, seq, head) {
  const text = textIn(entry);
  const wrongProof = { problem: problem("result_proof_altered", "proof") };
  if (Math.max(leaf.length, path.length, seq.length) > LARGEST_SMALL) return wrongProof;
  let named, steps, number;
  try {
    named = unhex(strictJson(leaf));
    steps = strictJson(path).map(unhex);
    number = strictJson(seq);
  } catch (error) {
    return wrongProof;
  }
  if (!Number.isSafeInteger(number)) return wrongProof;
  const own = text && leafHash(text);
  if (own && same(own, named)) return included(named, number, head.size, steps, head.root) ? { text, number } : wrongProof;
  if (own && included(own, number, head.size, steps, head.root)) return wrongProof;
  return { problem: problem("result_entry_altered", "ledger") };
}

// The UTF-8 bytes of a JSON string in canonical form, which nobody has signed yet, or null.
function textIn(piece) {
  if (piece.length > LARGEST_SMALL) return null;
  try {
    const value = strictJson(piece);
    return typeof value === "string" ? utf8(value) : null;
  } catch (error) {
    return null;
  }
}
