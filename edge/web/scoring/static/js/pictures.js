// Pictures of the work piece: made smaller here (a canvas carries no camera's notes along), kept until the room has them,
// sent in small parts; an interrupted one goes on where it was.

import { postJSON } from "/ui/static/js/http.js";
import { sha256 } from "./sha256.js";
import { byId } from "/ui/static/js/dom.js";

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

export function makePictures({ store, prefix, root, changed, refused }) {
  let waiting = [];
  let busy = false;
  let timer = 0;

  async function load() {
    waiting = (await store.under(prefix)).map((one) => one.value);
    changed();
    send();
  }

  async function add(person, rubric, file) {
    const blob = await shrink(file);
    const bytes = await read(blob);
    const one = { person, rubric, sha256: sha256(bytes), bytes, sent: 0, parts: Math.ceil(bytes.length / PART) };
    if (waiting.some((other) => other.sha256 === one.sha256 && other.person === person)) return;
    await store.put(prefix + one.person + "/" + one.rubric + "/" + one.sha256, one);
    waiting.push(one);
    changed();
    send();
  }

  async function done(one) {
    waiting = waiting.filter((other) => other !== one);
    await store.drop(prefix + one.person + "/" + one.rubric + "/" + one.sha256);
    changed();
  }

  async function send() {
    clearTimeout(timer);
    if (busy) return;
    busy = true;
    while (waiting.length) {
      const one = waiting[0];
      try {
        await sendOne(one);
        await done(one);
      } catch (failure) {
        if (failure.offline || failure.status >= 500 || failure.status === 429 || failure.status === 401) {
          timer = setTimeout(send, RETRY_MS);
          break;
        }
        await done(one);
        refused(failure);
      }
    }
    busy = false;
    changed();
  }

  async function sendOne(one) {
    const begun = await postJSON(root + "/pictures", { person: one.person, rubric: one.rubric, sha256: one.sha256, size: one.bytes.length });
    for (let part = 0; part < begun.parts; part += 1) {
      one.sent = part;
      if (begun.done || begun.have.indexOf(part) >= 0) continue;
      await sendPart(root + "/pictures/" + begun.picture + "/parts/" + part, one.bytes.subarray(part * PART, (part + 1) * PART));
      changed();
    }
  }

  const of = (person, rubric) => waiting.filter((one) => one.person === person && one.rubric === rubric);
  return { load, add, send, of, waiting: () => waiting.length };
}

async function sendPart(url, bytes) {
  const csrf = JSON.parse(byId("facts").textContent).csrf;
  let response;
  try {
    response = await fetch(url, { method: "POST", credentials: "same-origin", headers: { "Content-Type": "application/octet-stream", "X-CSRF": csrf, "X-SHA256": sha256(bytes) }, body: bytes });
  } catch (error) {
    throw Object.assign(new Error("offline"), { offline: true, status: 0 });
  }
  if (response.ok) return;
  let body = null;
  try {
    body = await response.json();
  } catch (error) {
    body = null;
  }
  const language = document.documentElement.lang.startsWith("zh") ? "zh" : "en";
  throw Object.assign(new Error((body && body[language]) || String(response.status)), { offline: false, status: response.status, code: body && body.error });
}

