// The screen by the door: shows what the check-in says, big, and sends what is touched.

import { byId, h, replace, setText, svg } from "/ui/static/js/dom.js";
import { lang, pick, setLang, t } from "/ui/static/js/text.js";
import { createPicture } from "./picture.js";
import { play } from "./sound.js";

const POLL_MS = 400;
// While nobody stands there: what an idle kiosk costs is mostly the asking. The lamp and its beep are at once.
const IDLE_POLL_MS = 700;
const LOST_AFTER_MS = 3000;
const NOTE_MS = 6000;
const NOTICE_MS = 1000;
const HOME = lang();
const SHORT = { zh: 10, en: 24 };
const LONG = { zh: 24, en: 66 };

const stage = byId("stage");
const lost = byId("lost");
const note = byId("note");
let noteTimer = 0;
let noteOver = null;  // what has been shown under the note
let now = null;
let heard = performance.now();
let sound = localStorage.getItem("kiosk-sound") !== "off";
let picture = null;
let notice = null;
const ticks = new Set();  // purposes agreed to beside comparing; none unless touched

// ---- signs: a shape for each state, so that colour is not alone

const SIGNS = {
  closed: ["M30 44V32a18 18 0 0 1 36 0v12", "M22 44h52v36H22z"],
  ready: ["M16 26h64v44H16z", "M16 40h64", "M26 56h18"],
  see_proctor: ["M48 18a14 14 0 1 1 0 28a14 14 0 0 1 0-28z", "M22 82c0-20 10-28 26-28s26 8 26 28"],
  try_again: ["M76 30v18H58", "M75 48a28 28 0 1 0-3 16"],
  refused: ["M30 30l36 36M66 30L30 66"],
  fault: ["M48 18L86 80H10z", "M48 40v18M48 66v5"],
  welcome: ["M22 50l18 18 36-40"],
};

function sign(state) {
  return svg("svg", { class: "sign", viewBox: "0 0 96 96", "aria-hidden": "true" },
    (SIGNS[state] || []).map((d) => svg("path", { d })));
}

const HELP = {
  closed: "kiosk.closed_help", ready: "kiosk.ready_help", see_proctor: "kiosk.proctor_help", try_again: "kiosk.again_help",
  refused: "kiosk.refused_help", fault: "kiosk.fault_help", look: "kiosk.look_help",
};

function sentence() {
  const said = pick(now);
  return h("h1", { class: "say" + (said.length < SHORT[lang()] ? " short" : said.length > LONG[lang()] ? " long" : "") }, said);
}

function help() {
  if (now.state === "look" && now.curtain) return null;  // there is no frame to stand in
  return HELP[now.state] ? h("p", { class: "help" }, t(HELP[now.state])) : null;
}

// Why it takes a while.
function wait() {
  return now.ahead ? h("p", { class: "help wait" }, t("kiosk.ahead", { n: now.ahead })) : null;
}

function touch(act, label, kind) {
  return h("button", { type: "button", class: "touch " + (kind || ""), onclick: () => send(act) }, label);
}

async function send(act) {
  try {
    const ticked = act === "consent" ? Array.from(stage.querySelectorAll("input[name=purpose]:checked"), (box) => box.value) : [];
    const body = JSON.stringify(Object.assign({ act, v: now.v }, ticked.length ? { purposes: ticked } : {}));
    const response = await fetch("/kiosk/api/act", { method: "POST", headers: { "Content-Type": "application/json" }, body, credentials: "same-origin" });
    if (!response.ok) showNote(pick(await response.json()));
  } catch (error) {
    showNote(t("kiosk.touch_lost"));
  }
  poll(true);
}

// What became of a touch that was not taken: it stays over the screen that is shown next, long enough to be read, and
// goes when the room has something newer to say.
function showNote(text) {
  clearTimeout(noteTimer);
  noteOver = null;
  setText(note, text || t("kiosk.touch_lost"));
  note.hidden = false;
  noteTimer = setTimeout(() => { note.hidden = true; }, NOTE_MS);
}

// ---- what each state shows

function draw() {
  if (picture) picture.stop();
  picture = null;
  document.body.dataset.state = now.state;
  document.title = t("kiosk.title");
  setText(byId("language"), t("kiosk.other_language"));
  setText(byId("sound"), t(sound ? "kiosk.sound_on" : "kiosk.sound_off"));
  byId("sound").setAttribute("aria-pressed", String(sound));
  const parts = { consent, look, welcome, try_again: look }[now.state] || plain;
  replace(stage, parts());
}

function plain() {
  return h("section", { class: "plain" }, sign(now.state), h("div", {}, sentence(), help(), wait(),
    now.state === "ready" ? touch("press", t("kiosk.start")) : null));
}

// The notice in full, then two buttons of one size. Nobody agrees to what is not on the screen; declining waits for nothing.
function consent() {
  const agree = touch("consent", t("kiosk.agree"));
  const text = h("div", { class: "terms", tabindex: "0" });
  const version = h("p", { class: "version" });
  const known = notice && notice.v === now.v;
  agree.disabled = !known;
  if (known) {
    const parts = notice[lang()];
    const more = parts.filter((part) => part.key !== "face_1to1" && part.key.startsWith("face_"));
    text.classList.toggle("full", more.length > 0);
    replace(text, h("div", { class: "parts" }, parts.filter((part) => !more.includes(part)).map((part) => h("p", {}, h("strong", {}, part.head), " ", part.text))),
      h("div", { class: "mores" }, more.map((part) => h("label", { class: "more" }, h("input", { type: "checkbox", name: "purpose", value: part.key, checked: ticks.has(part.key),
        onchange: (event) => { if (event.target.checked) ticks.add(part.key); else ticks.delete(part.key); } }), h("span", {}, h("strong", {}, part.head), " ", part.text)))));
    setText(version, t("kiosk.notice_version", { version: notice.version, hash: notice.sha256.slice(0, 12) }));
  } else {
    replace(text, h("p", {}, t("kiosk.notice_loading")));
    fetchNotice(now.v);
  }
  return h("section", { class: "consent" }, h("div", { class: "top" }, h("h1", { class: "say" }, t("kiosk.consent_title")), version), text,
    h("div", { class: "equal" }, agree, touch("decline", t("kiosk.decline"))));
}

// Asked for again until it is there, or somebody else stands here.
async function fetchNotice(visit) {
  try {
    const response = await fetch("/kiosk/api/notice", { cache: "no-store", credentials: "same-origin" });
    const found = response.ok ? await response.json() : null;
    if (found && found.v === visit) notice = found;
  } catch (error) {
    // the next try says more
  }
  if (!now || now.v !== visit || now.state !== "consent") return;
  if (notice && notice.v === visit) draw();
  else setTimeout(() => { if (now && now.v === visit && now.state === "consent") fetchNotice(visit); }, NOTICE_MS);
}

function look() {
  const looking = now.state === "look";
  const beside = h("div", { class: "beside" }, looking ? null : sign(now.state), sentence(), help(),
    looking ? [touch("decline", t("kiosk.decline")), touch("cancel", t("kiosk.cancel"), "thin")] : null);
  if (now.curtain) return h("section", { class: "look" }, h("div", { class: "mirror drawn" }, h("p", { class: "none" }, t("kiosk.curtain"))), beside);
  const image = h("img", { alt: "", hidden: true });
  const none = h("p", { class: "none" }, t("kiosk.no_picture"));
  const oval = svg("svg", { class: "oval", viewBox: "0 0 100 100", preserveAspectRatio: "xMidYMid meet", "aria-hidden": "true" },
    svg("ellipse", { cx: "50", cy: "48", rx: "27", ry: "36" }));
  picture = createPicture(image, (yes) => {
    image.hidden = !yes;
    none.hidden = yes;
    oval.toggleAttribute("hidden", !yes);  // a face is put into it; over a sentence it only crosses the words out
  });
  picture.start();
  return h("section", { class: "look" }, h("div", { class: "mirror" }, image, none, looking ? oval : null), beside);
}

// The room from above, rows as the roster numbers them, with one seat marked by more than its colour.
function seatMap(seat) {
  const seats = now.map || [];
  if (!seats.some(([name]) => name === seat)) return null;
  const rows = Math.max(...seats.map(([, row]) => row)), columns = Math.max(...seats.map(([, , column]) => column));
  const boxes = seats.map(([name, row, column]) => svg("rect", { class: name === seat ? "here" : "", x: column * 10 - 9, y: row * 10 - 9, width: 8, height: 8, rx: 1.5 }));
  const [, row, column] = seats.find(([name]) => name === seat);
  const mark = svg("path", { class: "mark-here", d: `M${column * 10 - 7.4} ${row * 10 - 5}l1.8 1.8 3-3.6` });
  return svg("svg", { class: "map", viewBox: `0 0 ${columns * 10} ${rows * 10}`, role: "img", "aria-label": t("kiosk.map", { seat }) }, boxes.concat([mark]));
}

function welcome() {
  const facts = now.facts || {};
  const big = (label, value, kind) => (value ? h("div", { class: "fact " + kind }, h("span", {}, label), h("strong", {}, spaced(value))) : null);
  return h("section", { class: "welcome" }, h("div", { class: "top" }, sign("welcome"), h("div", {}, sentence(),
    h("p", { class: "help" }, [facts.name_masked, facts.number ? t("kiosk.number") + " " + facts.number : ""].filter(Boolean).join("　")))),
    h("div", { class: "facts" }, big(t("kiosk.seat"), facts.seat, "seat"), big(t("kiosk.seat_code"), facts.seat_code, "code")),
    h("div", { class: "foot" }, seatMap(facts.seat), facts.seat_code ? h("p", { class: "help" }, t("kiosk.seat_code_help")) : null));
}

// 482913 is read and remembered as 482 913.
function spaced(value) {
  const text = String(value);
  return /^\d{6}$/.test(text) ? text.slice(0, 3) + " " + text.slice(3) : text;
}

// ---- asking the room

async function poll(once) {
  let next = null;
  try {
    const response = await fetch("/kiosk/api/state", { cache: "no-store", credentials: "same-origin" });
    next = await response.json();
    if (response.status === 401) next = { state: "fault", zh: next.zh, en: next.en, facts: {}, v: "unpaired" };
    else if (!response.ok) next = null;
  } catch (error) {
    next = null;
  }
  if (next) {
    heard = performance.now();
    take(next);
  }
  showLost(performance.now() - heard > LOST_AFTER_MS);
  if (once !== true) setTimeout(poll, now && isIdle(now.state) ? IDLE_POLL_MS : POLL_MS);
}

function isIdle(state) {
  return state === "ready" || state === "closed";
}

function take(next) {
  const before = now;
  if (!before || before.v !== next.v) ticks.clear();
  if (before && before.v === next.v && before.at_ms === next.at_ms && before.state === next.state && before.ahead === next.ahead && before.curtain === next.curtain) return;
  now = next;
  note.hidden = note.hidden || Boolean(noteOver);
  noteOver = next;
  const idle = isIdle(next.state);
  // The next person starts in the screen's own language.
  if (idle && before && before.state !== next.state) setLang(HOME, false);
  draw();
  if (next.v === "unpaired") stage.append(h("p", { class: "pair" }, h("a", { href: "/kiosk/pair" }, t("kiosk.unpaired_help"))));
  // Whoever turns the head does not see the next movement asked for.
  const order = before && next.reason !== before.reason && String(next.reason).startsWith("liveness_");
  if (sound && before && (order || before.state !== next.state)) play(next.state);
}

function showLost(yes) {
  if (lost.hidden !== yes) return;
  lost.hidden = !yes;
  if (yes) replace(lost, h("div", {}, h("span", { class: "busy" }), h("h1", {}, t("kiosk.lost_title")), h("p", {}, t("kiosk.lost_help"))));
}

byId("language").addEventListener("click", () => {
  setLang(lang() === "zh" ? "en" : "zh", false);
  if (now) draw();
});
byId("sound").addEventListener("click", () => {
  sound = !sound;
  localStorage.setItem("kiosk-sound", sound ? "on" : "off");
  if (sound) play("look");
  if (now) draw();
});
// On a desk without the panel its button is a key. Not Enter: a card reader that is a keyboard ends each number with it.
document.addEventListener("keydown", (event) => {
  if (event.key !== " " || event.repeat || !now || now.state !== "ready" || event.target.closest("button, a, input")) return;
  event.preventDefault();
  send("press");
});

poll();
