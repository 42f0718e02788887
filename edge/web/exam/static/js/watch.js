// Notes when a candidate leaves the page, for the proctor's eyes: gathered in memory, sent now and then, never in the
// way of an answer. Also speaks for Safe Exam Browser's newer web view, which cannot send its keys by itself.

const SEND_MS = 10000;
const AT_MOST = 100;

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
export function fullScreen() {
  const page = document.documentElement;
  if (document.fullscreenElement || window.SafeExamBrowser || !page.requestFullscreen) return;
  page.requestFullscreen({ navigationUI: "hide" }).catch(() => {});
}

// deps: send(events) -> {ok, status}; now() -> ms.
export function createWatch(deps) {
  const now = deps.now || Date.now;
  let waiting = [];
  let away = null;
  let full = false;
  let timer = 0;
  let sending = false;
  const undo = [];

  function note(kind, at, forMs) {
    const last = waiting[waiting.length - 1];
    // a key held down is one try
    if (last && last.kind === kind && at - last.at_ms < 1000) return;
    if (waiting.length < AT_MOST) waiting.push({ kind, at_ms: Math.round(at), for_ms: Math.max(0, Math.round(forMs || 0)) });
    if (!timer && !sending) timer = setTimeout(send, SEND_MS);
  }

  async function send() {
    timer = 0;
    if (!waiting.length) return;
    const events = waiting;
    waiting = [];
    sending = true;
    let result = { ok: false, status: 0 };
    try {
      result = await deps.send(events);
    } catch (error) {
      // as if the room had not answered
    }
    sending = false;
    // what the room did not hear waits for the next time; what it refused is dropped
    if (!result.ok && (result.status === 0 || result.status === 429 || result.status >= 500)) waiting = events.concat(waiting).slice(0, AT_MOST);
    if (waiting.length && undo.length) timer = setTimeout(send, SEND_MS);
  }

  // Hidden and without focus are one absence, named by the worse of the two.
  function look() {
    const hidden = document.visibilityState === "hidden";
    const gone = hidden || !document.hasFocus();
    if (gone && !away) away = { at: now(), kind: hidden ? "page_hidden" : "window_blur" };
    else if (gone && hidden) away.kind = "page_hidden";
    else if (!gone && away) {
      note(away.kind, away.at, Math.min(86400000, now() - away.at));
      away = null;
    }
  }

  function onFullScreen() {
    if (full && !document.fullscreenElement) note("fullscreen_left", now(), 0);
    full = Boolean(document.fullscreenElement);
  }

  const on = (target, name, work) => {
    target.addEventListener(name, work);
    undo.push(() => target.removeEventListener(name, work));
  };

  return {
    start() {
      if (undo.length) return;
      full = Boolean(document.fullscreenElement);
      on(document, "visibilitychange", look);
      // focus moves between parts of the page too: looked at when that is over
      on(window, "blur", () => setTimeout(() => { if (undo.length) look(); }, 200));
      on(window, "focus", look);
      on(document, "fullscreenchange", onFullScreen);
      on(document, "copy", () => note("copy", now(), 0));
      on(document, "cut", () => note("copy", now(), 0));
      on(document, "paste", () => note("paste", now(), 0));
      on(window, "beforeprint", () => note("print", now(), 0));
    },
    stop() {
      undo.splice(0).forEach((one) => one());
      clearTimeout(timer);
      timer = 0;
      away = null;
      return send();
    },
  };
}
