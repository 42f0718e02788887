// Notes when a candidate leaves the page, for the proctor's eyes: the beginning of it at once, so that neither a reload
// nor a page that never comes back hides it. What the room has not heard is kept on the tablet; never in the way of an
// answer. Also speaks for Safe Exam Browser's newer web view, which cannot send its keys by itself.

import { newId } from "./queue.js";

const SEND_MS = 10000;
const AT_ONCE_MS = 2000; // an absence is told at once, but nobody who switches to and fro sends more often than this
const AT_MOST = 100;
const LONGEST_MS = 86400000;
const RELOAD_MS = 5000; // a page that comes back within this was loaded again, not left
const SETTLE_MS = 1500; // full screen takes a moment after the touch that asked for it

// What is sent with every request inside Safe Exam Browser; nothing in any other browser.
export function browserKeys() {
  const security = window.SafeExamBrowser && window.SafeExamBrowser.security;
  const headers = {};
  if (security && security.configKey) headers["X-Examroom-Config-Key"] = security.configKey;
  if (security && security.browserExamKey) headers["X-Examroom-Exam-Key"] = security.browserExamKey;
  return headers;
}

// Safe Exam Browser 3.0 fills in its keys only when asked to; later ones have them ready.
export function askForKeys(ms = 1500) {
  const security = window.SafeExamBrowser && window.SafeExamBrowser.security;
  if (!security || security.configKey || typeof security.updateKeys !== "function") return Promise.resolve();
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
    try {
      // a function with a name that the whole page knows: the browser calls back from outside the page's modules
      window.examroomKeysUpdated = function examroomKeysUpdated() { resolve(); };
      security.updateKeys(window.examroomKeysUpdated);
    } catch (error) {
      resolve();
    }
  });
}

// Full screen may only be asked for in the moment of a touch, and some tablets have none.
const canBeFull = () => Boolean(document.fullscreenEnabled && document.documentElement.requestFullscreen && !window.SafeExamBrowser);

export function fullScreen() {
  if (document.fullscreenElement || !canBeFull()) return;
  document.documentElement.requestFullscreen({ navigationUI: "hide" }).catch(() => {});
}

// deps: send({events, away_ms}, keepalive) -> {ok, status}; keep(key, note); load(key); now() -> ms.
export function createWatch(deps) {
  const now = deps.now || Date.now;
  let key = ""; // where it is kept; nothing is once the watch is over
  let waiting = [];
  let away = null;
  let unloading = false;
  let full = false;
  let timer = 0;
  let due = Infinity;
  let sentAt = 0;
  const undo = [];

  function note(kind, at, more) {
    const last = waiting[waiting.length - 1];
    // a key held down is one try
    if (last && !more && last.kind === kind && at - last.at_ms < 1000) return;
    if (waiting.length < AT_MOST) waiting.push(Object.assign({ id: newId(), kind, at_ms: Math.round(at) }, more));
    keep();
    sendIn(SEND_MS);
  }

  function keep(closed) {
    if (key) deps.keep(key, { waiting, away, closed: closed || 0 });
  }

  function sendIn(ms) {
    const at = performance.now() + ms;
    if (at >= due) return;
    clearTimeout(timer);
    due = at;
    timer = setTimeout(send, ms);
  }

  const atOnce = () => sendIn(Math.max(0, sentAt + AT_ONCE_MS - performance.now()));

  // What the room did not hear waits for the next time; what it refused is dropped. It counts each event once, so one
  // may be sent again while an earlier sending is still under way.
  async function send(last) {
    clearTimeout(timer);
    due = Infinity;
    const events = waiting.slice();
    if (!events.length) return;
    sentAt = performance.now();
    let result = { ok: false, status: 0 };
    try {
      result = await deps.send({ events, away_ms: away ? lasted(away.at) : null }, last === true);
    } catch (error) {
      // as if the room had not answered
    }
    if (result.ok || !(result.status === 0 || result.status === 429 || result.status >= 500)) {
      waiting = waiting.filter((event) => !events.includes(event));
      keep();
    }
    if (waiting.length) sendIn(SEND_MS);
  }

  const lasted = (from) => Math.max(0, Math.min(LONGEST_MS, Math.round(now() - from)));

  function left(kind) {
    away = { at: now(), kind };
    note(kind, away.at, { for_ms: 0 });
  }

  function back() {
    const { at, kind } = away;
    away = null;
    note(kind, at, { for_ms: lasted(at), end: true });
  }

  // Hidden and without focus are one absence, named by how it began.
  function look() {
    if (unloading) return;
    const hidden = document.visibilityState === "hidden";
    const gone = hidden || !document.hasFocus();
    if (gone === Boolean(away)) return;
    if (gone) left(hidden ? "page_hidden" : "window_blur");
    else back();
    if (hidden) send(true);
    else atOnce();
  }

  // A page that is being closed or loaded again is no absence by itself; it is when it does not come back soon.
  function onPageHide() {
    unloading = true;
    keep(now());
    send(true);
  }

  function onPageShow(event) {
    if (!event.persisted) return;
    unloading = false;
    look();
  }

  function onFullScreen() {
    if (full && !document.fullscreenElement) note("fullscreen_left", now());
    full = Boolean(document.fullscreenElement);
  }

  async function takeUp(name) {
    const kept = await deps.load(name).catch(() => null);
    if (kept && key === name) {
      waiting = kept.waiting.concat(waiting).slice(0, AT_MOST);
      if (kept.away && !away) {
        away = kept.away;
        back();
      } else if (kept.closed && lasted(kept.closed) > RELOAD_MS) note("page_hidden", kept.closed, { for_ms: lasted(kept.closed) });
      if (waiting.length) atOnce();
    }
    look();
  }

  const on = (target, name, work) => {
    target.addEventListener(name, work);
    undo.push(() => target.removeEventListener(name, work));
  };

  // An absence that is still open ends with the exam. What the room does not hear now is tried again meanwhile.
  function stop() {
    if (!undo.length) return;
    undo.splice(0).forEach((one) => one());
    if (away) back();
    key = "";
    send(true);
  }

  return {
    // name: under which the store keeps what the room has not heard of this attempt.
    start(name) {
      if (undo.length) return;
      key = name;
      waiting = []; // of this attempt they are in the store, of another nobody is to be told in this one's name
      full = Boolean(document.fullscreenElement);
      on(document, "visibilitychange", look);
      // focus moves between parts of the page too: looked at when that is over
      on(window, "blur", () => setTimeout(() => { if (undo.length) look(); }, 200));
      on(window, "focus", look);
      on(window, "pagehide", onPageHide);
      on(window, "pageshow", onPageShow);
      on(document, "fullscreenchange", onFullScreen);
      on(document, "click", fullScreen);
      on(document, "copy", () => note("copy", now()));
      on(document, "cut", () => note("copy", now()));
      on(document, "paste", () => note("paste", now()));
      on(window, "beforeprint", () => note("print", now()));
      setTimeout(() => { if (undo.length && canBeFull() && !document.fullscreenElement) note("not_fullscreen", now()); }, SETTLE_MS);
      takeUp(name);
    },
    stop,
    // The tablet is to be somebody else's.
    drop() {
      stop();
      waiting = [];
      clearTimeout(timer);
      due = Infinity;
    },
  };
}
