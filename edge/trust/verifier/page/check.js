// What kind of file this is, and the check that belongs to it.

import { checkCompleteness, looksLikeCompleteness } from "./completenessfile.js";
import { bytesOf, isContainer } from "./container.js";
import { checkEvidence } from "./evidence.js";
import { MANIFEST, README } from "./format.js";
import { checkResult, looksLikeResult } from "./resultfile.js";
import { problem, refused } from "./verdict.js";

const LARGEST_DOCUMENT = 64 << 20;
// A larger file that is no container must begin as a document does before more of it is read.
const LARGE = 16 << 20;
const HEAD = 1 << 16;
const TYPE = /"payloadType":"application\/vnd\.examroom\.([a-z]{1,20})\+json"/;
const OTHERS = ["bundle", "certificate", "policy", "receipt"];

// The verdict on a file, with nothing but itself, the raw public keys and the root certificates given. Throws only where it cannot be read.
export async function checkFile(blob, roots, witnesses, authorities, told) {
  if (await isContainer(blob, README, MANIFEST)) return checkEvidence(blob, roots, witnesses, authorities, told);
  const large = blob.size > LARGE ? await ofLarge(blob) : null;
  if (large !== null) return refused(null, [problem(large, null)]);
  const data = await bytesOf(blob, 0, blob.size);
  if (looksLikeCompleteness(data)) return checkCompleteness(data, roots);
  if (looksLikeResult(data)) return checkResult(data, roots);
  const newline = data.indexOf(10);
  const line = newline < 0 ? data : data.subarray(0, newline);
  const found = TYPE.exec(new TextDecoder("latin1").decode(line));
  if (found && found[1] === "result" && (newline < 0 || newline === data.length - 1)) {
    return refused("result", [problem("verify_result_bare", "certificate")]);
  }
  return refused(null, [problem(found && OTHERS.includes(found[1]) ? "verifier_other" : "verify_unknown", null)]);
}

// Why a large file is not read, by its size and first bytes, or null: somebody may drop a film.
async function ofLarge(blob) {
  const head = new TextDecoder("latin1").decode(await bytesOf(blob, 0, HEAD));
  const found = TYPE.exec(head);
  if (found && OTHERS.includes(found[1])) return "verifier_other";
  return blob.size > LARGEST_DOCUMENT || (head[0] !== "{" && !found) ? "verify_unknown" : null;
}
