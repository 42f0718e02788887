// Pictures of the work piece: made smaller here (a canvas carries no camera's notes along), kept until the room has them,
// sent in small parts; an interrupted one goes on where it was. One that the room refused stays here with the reason until
// the examiner sends it again or throws it away: it may be the only copy.

import { sha256 } from "./sha256.js";
import { byId } from "/ui/static/js/dom.js";
import { Failure } from "/ui/static/js/http.js";
import { t } from "/ui/static/js/text.js";
import { reasonOf, tryAgain } from "./trying.js";

const LONGEST = 1600;
const LARGEST = 1400000;
const PART = 48 * 1024;
const RETRY_MS = 4000;

export async function shrink(file) {
  const url = URL.createObjectURL(file);
  try {
    const image = new Image();
    await new Promise((resolve, reject) => {
      image.onload = resolve;
      image.onerror = () => reject(new Error("unreadable"));
      image.src = url;
    });
    const scale = Math.min(1, LONGEST / Math.max(image.naturalWidth, image.naturalHeight));
    const canvas = document.createElement("canvas");
    canvas.width = Math.max(1, Math.floor(image.naturalWidth * scale));
    canvas.height = Math.max(1, Math.floor(image.naturalHeight * scale));
    const pen = canvas.getContext("2d");
    pen.fillStyle = "#fff";
    pen.fillRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(image, 0, 0, canvas.width, canvas.height);
    for (const quality of [0.82, 0.7, 0.55, 0.4]) {
      const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", quality));
      if (blob && blob.size <= LARGEST) return blob;
    }
    throw new Error("large");
  } finally {
    URL.revokeObjectURL(url);
  }
}

const read = (blob) => new Promise((resolve, reject) => {
  const reader = new FileReader();
  reader.onload = () => resolve(new Uint8Array(reader.result));
  reader.onerror = () => reject(reader.error);
  reader.readAsArrayBuffer(blob);
});

// `post(path, body)` as postJSON, `renew()` gets a new token.
export function makePictures({ store, prefix, root, post, renew, changed, refused }) {
  let waiting = [];
  let running = null;
  let timer = 0;
  let trouble = null;
  const keyOf = (one) => prefix + one.person + "/" + one.rubric + "/" + one.sha256;
  const keep = (one) => store.put(keyOf(one), one);

  async function load() {
    waiting = (await store.under(prefix)).map((one) => one.value);
    changed();
    send();
  }

  async function add(person, rubric, file) {
    const blob = await shrink(file);
    const bytes = await read(blob);
    const one = { person, rubric, sha256: sha256(bytes), bytes, sent: 0, parts: Math.ceil(bytes.length / PART), refused: null };
    if (waiting.some((other) => keyOf(other) === keyOf(one))) return;
    await keep(one);
    waiting.push(one);
    changed();
    send();
  }

  async function done(one) {
    waiting = waiting.filter((other) => other !== one);
    await store.drop(keyOf(one));
    changed();
  }

  const next = () => waiting.find((one) => !one.refused);

  function send() {
    if (!running) running = sendAll().then(() => { running = null; changed(); });
    return running;
  }

  async function sendAll() {
    clearTimeout(timer);
    for (let one = next(); one; one = next()) {
      try {
        await sendOne(one);
        await done(one);
      } catch (failure) {
        trouble = failure;
        if (tryAgain(failure)) {
          if (failure.code === "csrf_wrong") renew();
          timer = setTimeout(send, RETRY_MS);
          break;
        }
        one.refused = reasonOf(failure);
        await keep(one);
        refused(failure);
      }
    }
  }

  async function retry(one) {
    one.refused = null;
    await keep(one);
    await send();
  }

  const of = (person, rubric) => waiting.filter((one) => one.person === person && one.rubric === rubric);

  // Until the room has every picture of this sheet; throws what is in the way.
  async function finish(person, rubric) {
    for (let left = of(person, rubric); left.length; left = of(person, rubric)) {
      const held = left.find((one) => one.refused);
      if (held) throw Object.assign(new Error(t("scoring.picture_held", { reason: held.refused.message })), { code: "picture_held" });
      const before = left.length;
      await send();
      if (of(person, rubric).length === before && !of(person, rubric).some((one) => one.refused)) throw trouble;
    }
  }

  async function sendOne(one) {
    const begun = await post("pictures", { person: one.person, rubric: one.rubric, sha256: one.sha256, size: one.bytes.length });
    for (let part = 0; part < begun.parts; part += 1) {
      one.sent = part;
      if (begun.done || begun.have.indexOf(part) >= 0) continue;
      await sendPart(root + "/pictures/" + begun.picture + "/parts/" + part, one.bytes.subarray(part * PART, (part + 1) * PART));
      changed();
    }
  }

  return { load, add, send, of, finish, retry, discard: done, waiting: () => waiting.filter((one) => !one.refused).length, refused: () => waiting.filter((one) => one.refused) };
}

async function sendPart(url, bytes) {
  const csrf = JSON.parse(byId("facts").textContent).csrf;
  let response;
  try {
    response = await fetch(url, { method: "POST", credentials: "same-origin", headers: { "Content-Type": "application/octet-stream", "X-CSRF": csrf, "X-SHA256": sha256(bytes) }, body: bytes });
  } catch (error) {
    throw new Failure(0, null);
  }
  if (response.ok) return;
  let body = null;
  try {
    body = await response.json();
  } catch (error) {
    body = null;
  }
  throw new Failure(response.status, body);
}

