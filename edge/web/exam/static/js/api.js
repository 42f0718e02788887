// The room's exam API. Every call gives {ok, status, body}; status 0 when the room did not answer.

const TIMEOUT_MS = 10000;
let csrf = "";

export function useToken(token) {
  csrf = token || csrf;
}

async function call(path, options) {
  const stop = new AbortController();
  const timer = setTimeout(() => stop.abort(), TIMEOUT_MS);
  try {
    const response = await fetch("/exam/api/" + path, Object.assign({ credentials: "same-origin", cache: "no-store", signal: stop.signal }, options));
    const body = await response.json().catch(() => null);
    if (response.ok && body === null) return { ok: false, status: 0, body: null };
    return { ok: response.ok, status: response.status, body };
  } catch (error) {
    return { ok: false, status: 0, body: null };
  } finally {
    clearTimeout(timer);
  }
}

function post(path, body) {
  const headers = { "Content-Type": "application/json", "X-CSRF": csrf };
  return call(path, { method: "POST", headers, body: JSON.stringify(body) });
}

export const claim = (seatCode, secret) => post("claim", { seat_code: seatCode, claim: secret });
export const paper = () => call("paper", {});
export const clock = () => call("clock", {});

// Sends one queued operation and says what its queue is to do with it.
export async function sendOp(op) {
  const head = { op_id: op.op_id, seq: op.sent.seq };
  const result = op.kind === "handin"
    ? await post("handin", head)
    : await post("answers", Object.assign(head, { item: op.item, base_version: op.sent.base, value: op.value }));
  return Object.assign({ failure: result.body || {}, reply: result.body, status: result.status }, { outcome: outcomeOf(result) });
}

function outcomeOf(result) {
  const code = (result.body && result.body.error) || "";
  if (result.ok) return "ok";
  if (result.status === 0 || result.status === 429 || result.status >= 500 || code === "exam_not_started") return "retry";
  if (code === "sequence_wrong" || code === "op_id_reused") return "resync";
  if (code === "csrf_wrong") return "token";
  // Without a sentence of the room's own it was something in between (a proxy, a captive portal).
  if (!code) return "retry";
  if (result.status === 401 || code === "tablet_released" || code === "tablet_unknown" || code === "tablet_other") return "gone";
  return "rejected";
}
