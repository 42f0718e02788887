// Checking a completeness certificate (FORMAT.md, section 9): who signed it, in its certificate's time, and that it adds up.

import { find, iso, startsWith, utf8 } from "./bytes.js";
import { hasKeys, isObject } from "./json.js";
import { checkCertificate, checkEnvelope, checkNote, checkValidity, isCount, ROOM } from "./signed.js";
import { isMillis, SEGMENT } from "./format.js";
import { problem, refused, verified } from "./verdict.js";

const HEAD = utf8('{"certificate":'), BETWEEN = utf8(',"completeness":');
const CLOSING = 125;  // a brace
const WORD = /^[a-z][a-z0-9_-]{0,63}$/, BOOT = /^[0-9a-f]{32}$/;
const LONGEST_CAMERA = 64, LONGEST_SESSION = 128, LONGEST_NOTE = 4096;

export function looksLikeCompleteness(data) {
  return find(data, BETWEEN, 0) >= 0;
}

export async function checkCompleteness(data, roots) {
  const at = find(data, BETWEEN, 0);
  if (at < 0 || !startsWith(data.subarray(0, at), HEAD) || data[data.length - 1] !== CLOSING) {
    return refused("completeness", [problem("completeness_frame", "container")]);
  }
  const issued = await checkCertificate(data.subarray(HEAD.length, at), roots);
  if (issued.problem) return refused("completeness", [issued.problem]);
  const checked = await checkSigned(data.subarray(at + BETWEEN.length, data.length - 1), issued.certificate);
  return checked.problem ? refused("completeness", [checked.problem]) : verified("completeness", factsOf(checked.found));
}

async function checkSigned(envelope, certificate) {
  const opened = await checkEnvelope(envelope, "completeness", certificate, "completeness", "completeness_altered", "completeness_wrong");
  if (opened.problem) return opened;
  const found = asCompleteness(opened.payload);
  if (found === null) return { problem: problem("completeness_wrong", "completeness") };
  if (found.room !== certificate.room || found.epoch !== certificate.epoch) {
    return { problem: problem("completeness_other_room", "completeness", { room: certificate.room }) };
  }
  const noted = await checkNote(utf8(found.checkpoint), certificate);
  if (noted.problem) return noted;
  const expired = checkValidity(certificate, found.made_ms);
  return expired ? { problem: expired } : { found };
}

const isText = (value, least, most) => typeof value === "string" && Array.from(value).length >= least && Array.from(value).length <= most;
const isCamera = (value) => isText(value, 1, LONGEST_CAMERA);
const isWord = (value) => typeof value === "string" && WORD.test(value);
const every = (value, check) => Array.isArray(value) && value.every(check);
const orNull = (value, check) => value === null || value === undefined || check(value);

const isGap = (value) => hasKeys(value, ["from_ms", "until_ms", "ms", "cause", "doubt_ms"]) && isMillis(value.from_ms) && isMillis(value.until_ms)
  && isCount(value.ms) && isWord(value.cause) && isCount(value.doubt_ms);

const isBlind = (value) => hasKeys(value, ["from_ms", "until_ms", "reason"]) && isMillis(value.from_ms) && isMillis(value.until_ms) && isWord(value.reason);

const CAMERA_KEYS = ["camera", "expected_ms", "recorded_ms", "hundredths", "segments", "salvaged", "frames", "dropped", "lost_ms", "gaps", "blind"];

function isCameraFact(value) {
  const fits = hasKeys(value, CAMERA_KEYS) && isCamera(value.camera) && (value.frames === null || isCount(value.frames))
    && [value.expected_ms, value.recorded_ms, value.hundredths, value.segments, value.salvaged, value.dropped, value.lost_ms].every(isCount)
    && every(value.gaps, isGap) && every(value.blind, isBlind);
  if (!fits) return false;
  const whole = total(value.gaps, "ms") + BigInt(value.recorded_ms) === BigInt(value.expected_ms);
  return whole && value.hundredths === hundredths(BigInt(value.expected_ms), BigInt(value.recorded_ms), value.gaps.length);
}

const CLOCK_KEYS = ["at_ms", "camera", "step_ms", "boot", "quality"];

const isClock = (value) => isObject(value) && Object.keys(value).every((key) => CLOCK_KEYS.includes(key)) && isMillis(value.at_ms) && isCamera(value.camera)
  && orNull(value.step_ms, Number.isSafeInteger) && orNull(value.boot, (boot) => typeof boot === "string" && BOOT.test(boot)) && orNull(value.quality, isWord);

const KEYS = ["format", "version", "room", "epoch", "session", "from_ms", "until_ms", "made_ms", "cameras", "clock", "deleted", "checkpoint"];

// The value once it is exactly of the format and its figures add up, and null otherwise.
function asCompleteness(value) {
  const fits = hasKeys(value, KEYS) && value.format === 1 && isCount(value.version) && value.version >= 1 && typeof value.room === "string"
    && ROOM.test(value.room) && isCount(value.epoch) && value.epoch >= 1 && isText(value.session, 1, LONGEST_SESSION)
    && [value.from_ms, value.until_ms, value.made_ms].every(isMillis) && every(value.cameras, isCameraFact) && every(value.clock, isClock)
    && every(value.deleted, (id) => typeof id === "string" && SEGMENT.test(id)) && isText(value.checkpoint, 0, LONGEST_NOTE);
  if (!fits || new Set(value.cameras.map((one) => one.camera)).size !== value.cameras.length) return null;
  return value;
}

// Sums may pass 2^53, where JavaScript's own numbers are no longer exact.
const total = (list, key) => list.reduce((sum, one) => sum + BigInt(one[key]), 0n);

// The share recorded in hundredths of a percent, rounded down; 10000 only where there is no gap at all.
function hundredths(expected, recorded, gaps) {
  const share = expected > 0n ? Number((recorded * 10000n) / expected) : 10000;
  return gaps || recorded < expected ? Math.min(share, 9999) : 10000;
}

// 9997 as 99.97, 10000 as 100.
function percent(share) {
  const rest = share % 100, whole = String((share - rest) / 100);
  return rest ? whole + "." + (rest < 10 ? "0" : "") + rest : whole;
}

function factsOf(found) {
  const { room, epoch, session, version, cameras } = found;
  const gapCount = cameras.reduce((sum, one) => sum + one.gaps.length, 0);
  const share = cameras.length ? hundredths(total(cameras, "expected_ms"), total(cameras, "recorded_ms"), gapCount) : 0;
  const clock = found.clock.map((one) => Object.assign({ step_ms: null, boot: null, quality: null }, one));
  return { room, epoch, session, version, percent: percent(share), gap_count: gapCount, made: iso(found.made_ms),
    cameras: cameras.map((one) => ({ camera: one.camera, percent: percent(one.hundredths), expected_s: one.expected_ms / 1000,
      recorded_s: one.recorded_ms / 1000, gaps: one.gaps.length })),
    payload: Object.assign({}, found, { clock }) };
}
