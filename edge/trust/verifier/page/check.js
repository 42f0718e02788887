// What kind of file this is, and the check that belongs to it.

import { bytesOf, isContainer } from "./container.js";
import { checkEvidence } from "./evidence.js";
import { MANIFEST, README } from "./format.js";
import { checkResult, looksLikeResult } from "./resultfile.js";
import { problem, refused } from "./verdict.js";

const LARGEST_DOCUMENT = 256 << 20;
const OTHER = /"payloadType":"application\/vnd\.examroom\.(bundle|certificate|policy|receipt|result)\+json"/;

// The verdict on a file, with nothing but itself and the raw public keys given. Throws only where it cannot be read.
export async function checkFile(blob, roots, witnesses, told) {
  if (await isContainer(blob, README, MANIFEST)) return checkEvidence(blob, roots, witnesses, told);
  const data = await bytesOf(blob, 0, LARGEST_DOCUMENT);
  if (looksLikeResult(data)) return checkResult(data, roots);
  const start = Array.from(data.subarray(0, 65536), (byte) => String.fromCharCode(byte)).join("");
  return refused(null, [problem(OTHER.test(start) ? "verifier_other" : "verify_unknown", null)]);
}
