// The room's exam API. Every call gives {ok, status, body}; status 0 when the room did not answer.

import { hearRoom, roomNow } from "./clock.js";
import { ageOf } from "./queue.js";
import { browserKeys } from "./watch.js";

const TIMEOUT_MS = 10000;
const MEDIA_TIMEOUT_MS = 90000;
let csrf = "";
let device = "";

export function useToken(token) {
  csrf = token || csrf;
}

// What this tablet calls itself: with it the room tells it from another that holds the same cookie.
export function useDevice(id) {
  device = id;
}

const ours = () => Object.assign(browserKeys(), device ? { "X-Examroom-Device": device } : {});

async function call(path, options) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), TIMEOUT_MS);
  try {
    const response = await fetch("/exam/api/" + path, Object.assign({ credentials: "same-origin", cache: "no-store", signal: stop.signal }, options, { headers: Object.assign(ours(), options.headers) }));
    const body = await response.json().catch(() => null);
    if (response.ok && body === null) return { ok: false, status: 0, body: null };
    return { ok: response.ok, status: response.status, body };
  } catch (error) {
    return { ok: false, status: 0, body: null };
  } finally {
    clearTimeout(timer);
  }
}

function post(path, body, more) {
  const headers = { "Content-Type": "application/json", "X-CSRF": csrf };
  return call(path, Object.assign({ method: "POST", headers, body: JSON.stringify(body) }, more));
}

export const claim = (seatCode, secret) => post("claim", { seat_code: seatCode, claim: secret, device });
export const paper = () => call("paper", {});
// Says how many answers wait here, and how many of them the room refused, so that the proctor sees it at the seat.
export const clock = (queued, unwanted) => call(queued ? "clock?q=" + queued + (unwanted ? "&r=" + unwanted : "") : "clock", {});
export const settings = (wanted) => post("settings", wanted);
// last: the page may be gone before it is answered.
export const watch = (seen, last) => post("watch", seen, last ? { keepalive: true } : null);

// One picture, sound or film of this paper; null when the room did not give it.
export async function media(name) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), MEDIA_TIMEOUT_MS);
  try {
    const response = await fetch("/exam/api/media/" + encodeURIComponent(name), { credentials: "same-origin", signal: stop.signal, headers: ours() });
    return response.ok ? await response.blob() : null;
  } catch (error) {
    return null;
  } finally {
    clearTimeout(timer);
  }
}

// Sends one queued operation and says what its queue is to do with it.
export async function sendOp(op) {
  // from before a reload: how long ago it was given is the room's to say, and this page has not heard of its time yet
  if (op.madeAt === undefined && roomNow() === null) hearRoom((await clock(0, 0)).body);
  const result = await post(op.kind === "answer" ? "answers" : op.kind, bodyOf(op));
  return Object.assign({ failure: result.body || {}, reply: result.body, status: result.status }, { outcome: outcomeOf(result) });
}

function bodyOf(op) {
  const body = { op_id: op.op_id, seq: op.sent.seq, age_ms: ageOf(op) };
  if (op.kind === "part") body.part = Number(op.value[0]);
  if (op.kind === "answer") Object.assign(body, { item: op.item, base_version: op.sent.base, value: op.value });
  return body;
}

function outcomeOf(result) {
  const code = (result.body && result.body.error) || "";
  if (result.ok) return "ok";
  if (result.status === 0 || result.status === 429 || result.status >= 500 || code === "exam_not_started") return "retry";
  if (code === "sequence_wrong" || code === "op_id_reused") return "resync";
  if (code === "csrf_wrong") return "token";
  // Without a sentence of the room's own it was something in between (a proxy, a captive portal).
  if (!code) return "retry";
  if (result.status === 401 || code === "tablet_released" || code === "tablet_unknown" || code === "tablet_other" || code.startsWith("seb_")) return "gone";
  return "rejected";
}
