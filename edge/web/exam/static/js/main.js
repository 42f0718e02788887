// Ties the exam page together: which screen, whose paper, one page at a time, and what is left behind.

import { byId, h, replace } from "/ui/static/js/dom.js";
import { lang, pick, setLang, t } from "/ui/static/js/text.js";
import { hms } from "/ui/static/js/time.js";
import * as api from "./api.js";
import { createClock } from "./clock.js";
import { openStore } from "./idb.js";
import * as choice from "./kinds/choice.js";
import { createQueue, newId } from "./queue.js";
import * as screens from "./screens.js";
import { createShell } from "./shell.js";
import { createTabs } from "./tabs.js";
import { askForKeys, createWatch, fullScreen } from "./watch.js";

const RETRY_MS = 2000;
const START_SPREAD_MS = 1500;
const MOVED = ["tablet_released", "tablet_other", "tablet_unknown"];
const OF_ATTEMPT = ["paper/", "marks/", "room/", "settings/", "watch/"];
const root = byId("app");

let store = null;
let claim = null;
let sitting = null;
let rest = null;
let redraw = () => {};
let loading = false;
let noReload = false;
let finishing = false;
let leaving = false;
let stuck = false;
// Answers that the room took for the proctor before this page had heard that it was released.
let forProctor = 0;
// What is left of the paper this tablet had last: one object, since what is sent after the end is still counted in it.
let last = null;

const tabs = createTabs(newId(), giveUp);
const shell = createShell(() => sitting && sitting.refreshBanners());
shell.possible().then((yes) => {
  noReload = !yes;
  if (sitting) sitting.refreshBanners();
});

const watch = createWatch({ send: api.watch, keep: (key, note) => store.setNote(key, note), load: (key) => store.note(key) });
const watched = () => Boolean(claim && claim.session.lockdown !== "none");

const clock = createClock({
  ask: () => (sitting ? api.clock(sitting.queue.count(), sitting.queue.unwanted()) : api.clock(0, 0)),
  tick: (left) => sitting && sitting.tick(left),
  changed(now, before) {
    if (sitting) sitting.onClock(now, before);
    else onClockBefore(now);
  },
  refused: (body) => onGone(body || {}),
  reached(yes, changed) {
    const queue = sitting ? sitting.queue : rest;
    if (yes && queue) queue.kick();
    if (sitting) {
      sitting.refreshBanners();
      if (changed) sitting.refresh();
      if (yes && changed) shell.keep();
    } else if (changed && root.querySelector(".waiting")) redraw();
  },
});

// ---- screens

function show(make) {
  const draw = (focus) => {
    const made = make();
    replace(root, languageCorner(), made);
    const panel = made.querySelector(".panel");
    if (panel) panel.prepend(h("p", { class: "brand" }, h("img", { src: "/ui/static/mark.svg", alt: "", width: 34, height: 34 }), t("exam.title")));
    const title = made.querySelector("h1");
    if (focus && title) title.focus();
  };
  redraw = () => draw(root.contains(document.activeElement));
  draw(true);
}

function languageCorner() {
  return h("button", { type: "button", class: "button quiet corner", onclick: switchLanguage, lang: t("exam.other_language_code") }, t("exam.other_language"));
}

function switchLanguage() {
  setLang(lang() === "zh" ? "en" : "zh");
  document.title = t("exam.title");
  if (sitting) sitting.rebuild();
  else redraw();
}

function say(text) {
  byId("spoken").textContent = text;
}

async function showSeatCode(notice) {
  clock.stop();
  const others = (await store.everyOp()).filter((op) => op.kind === "answer").length;
  show(() => screens.seatCode({ notice, others, submit }));
  async function submit(code) {
    await nameDevice();
    const result = await api.claim(code, await claimSecret(code));
    if (result.ok || result.body) await store.dropNotes(["asked"]); // heard, yes or no: the next claim is a new one
    if (!result.ok) return result.body ? pick(result.body) : t("common.no_answer");
    await useClaim(result.body);
    show(() => screens.confirmPerson({ claim, yes: () => { if (watched()) fullScreen(); loadPaper(); }, no: () => showSeatCode("") }));
    return "";
  }
}

// Made up and kept before the room is asked: asked again after a lost answer, the room knows it is the same tablet.
async function claimSecret(code) {
  const kept = await store.note("asked");
  if (kept && kept.code === code) return kept.secret;
  const secret = newId() + newId().slice(0, 8);
  await store.setNote("asked", { code, secret });
  return secret;
}

// Made up once for this tablet. Read again before a claim: of two pages that made one up, the store knows which holds.
async function nameDevice() {
  let id = await store.note("device");
  if (!id) {
    id = store.durable() ? "" : otherwise();
    id = id || newId();
    if (!(await store.setNote("device", id))) otherwise(id);
  }
  api.useDevice(id);
}

// Where there is no database there may still be the older kind of storage.
function otherwise(id) {
  try {
    if (id) localStorage.setItem("examroom-device", id);
    return localStorage.getItem("examroom-device") || "";
  } catch (error) {
    return "";
  }
}

async function useClaim(facts) {
  const before = await store.note("claim");
  // Nobody's paper stays on a tablet that has gone to somebody else. Answers still on their way do.
  if (before && before.attempt !== facts.attempt) await store.dropNotes(OF_ATTEMPT.map((name) => name + before.attempt));
  claim = { attempt: facts.attempt, tablet: facts.tablet, csrf: facts.csrf, candidate: facts.candidate, session: facts.session };
  markPractice();
  api.useToken(claim.csrf);
  await store.setNote("claim", claim);
}

// The band and the word under everything: nobody takes a practice session for the real one.
function markPractice() {
  document.body.classList.toggle("practice", Boolean(claim && claim.session.practice));
}

function showWaiting() {
  show(() => screens.waiting({ claim, connected: clock.connected() }));
  clock.start();
}

// ---- the end: what the room has is told, and everything of the paper leaves the tablet

async function finished(facts) {
  if (finishing) return;
  finishing = true;
  try {
    await finish(facts);
  } finally {
    finishing = false;
  }
}

async function finish(facts) {
  const ended = await wipe(facts, true);
  const { attempt, facts: told } = ended;
  if (attempt && !rest && (await store.ops(attempt)).length) sendRest(ended);
  show(() => screens.done({ facts: told, time: told.at_ms ? hms(told.at_ms) : "", left: rest ? rest.count() : 0, wiped: store.wiped(), next: () => { forget(); showSeatCode(""); } }));
  clock.start();
}

// Everything of the paper leaves the tablet; what is needed to send what is left of its answers stays.
async function wipe(facts, evenWithoutClaim) {
  watch.stop();
  const noted = last || (await store.note("last"));
  const attempt = claim ? claim.attempt : noted && evenWithoutClaim ? noted.attempt : "";
  const same = noted && noted.attempt === attempt ? noted : {};
  if (sitting) {
    await sitting.stop();
    sitting.forget();
    sitting = null;
  }
  const known = await store.note("room/" + attempt);
  const ended = Object.assign(same, { handed: (same.handed || 0) + forProctor, attempt, facts: facts || same.facts || { missed: 0 }, next: known ? known.next : same.next || 1 });
  forProctor = 0;
  if (claim) Object.assign(ended, { tablet: claim.tablet, csrf: claim.csrf });
  claim = null;
  if (attempt) {
    last = ended;
    await store.dropNotes(OF_ATTEMPT.map((name) => name + attempt).concat("claim"), "last", ended);
  }
  return ended;
}

// The paper is closed, or on another tablet, while something of it was still here: it goes to the room all the same,
// which keeps it and counts it only if the proctor says so.
function sendRest(ended) {
  api.useToken(ended.csrf);
  const changed = () => {
    if (rest && rest.empty()) store.dropNotes(["room/" + ended.attempt]);
    if (root.querySelector(".done, .gone")) redraw();
  };
  const acknowledged = (op, reply) => {
    if (reply.released) ended.handed += 1;
    else if (op.kind === "answer" && reply.outcome === "late") ended.facts.missed = (ended.facts.missed || 0) + 1;
    ended.next = op.sent.seq + 1;
    store.setNote("last", ended);
  };
  const refresh = (failure) => (failure.expected ? Promise.resolve({ tablet: ended.tablet, next_seq: failure.expected }) : Promise.reject(new Error("closed")));
  stuck = false;
  rest = createQueue({
    store, newId, send: api.sendOp, refresh, changed, acknowledged, rejected: changed,
    gone: () => { stuck = true; changed(); }, handedIn: changed, opened: () => {},
  });
  rest.start({ attempt: ended.attempt, tablet: ended.tablet, next_seq: ended.next, fresh: true }, {}).then(() => rest && rest.flush());
}

function forget() {
  watch.drop();
  if (sitting) {
    sitting.stop();
    sitting.forget();
  }
  if (rest) rest.stop();
  clock.stop();
  [sitting, rest, claim] = [null, null, null];
}

// ---- the paper

async function loadPaper() {
  if (loading) return;
  loading = true;
  try {
    const result = await api.paper();
    const code = (result.body && result.body.error) || "";
    if (result.ok) await enterPaper(result.body, true);
    else if (code === "exam_not_started") showWaiting();
    else if (code === "already_finished") await finished(null);
    else if (result.status === 401 || result.status === 403) await onGone(result.body);
    else await withoutRoom();
  } finally {
    loading = false;
  }
}

// The room does not answer: go on with the copy kept here, if there is one, and keep asking.
async function withoutRoom() {
  if (!claim) await recall(); // a store that could not be read at first may have come back
  const copy = claim && (await store.note("paper/" + claim.attempt));
  if (copy) {
    const noted = await store.note("room/" + claim.attempt);
    Object.assign(copy.responses, noted && noted.saved);
    await enterPaper(copy, false);
    return;
  }
  if (!root.querySelector(".screen")) show(screens.connecting);
  setTimeout(loadPaper, RETRY_MS);
}

async function enterPaper(document_, fresh) {
  await useClaim(Object.assign({}, document_, claim && claim.attempt === document_.attempt && !fresh ? claim : {}));
  if (fresh) await store.setNote("paper/" + claim.attempt, document_);
  const needed = await modulesFor(document_);
  if (sitting) await sitting.stop();
  sitting = await needed.sitting.createSitting({
    root, store, clock, claim, shell, send: api.sendOp, sendSettings: api.settings, fetchPaper, finished, gone: onGone, released: () => { forProctor += 1; }, language: switchLanguage, say,
    noReload: () => noReload,
  }, document_, fresh, needed.kinds, needed.media);
  // How much time is left, an old copy cannot know.
  clock.take(fresh ? document_.clock : { s: "running", left: null, v: null });
  clock.start(!fresh);
  sitting.begin();
  if (watched()) watch.start("watch/" + claim.attempt);
  shell.keep();
}

// What only the page with the paper needs, and of the kinds of items those that are on it.
async function modulesFor(document_) {
  const kinds = { judgement: choice, single: choice, multiple: choice };
  const all = [];
  for (const part of document_.parts) for (const item of part.items || []) all.push(item, ...(item.items || []));
  const pictures = all.some((item) => item.type === "hotspot" || (item.media || []).length || (item.options || []).some((option) => option.image));
  const wanted = Array.from(new Set(all.map((item) => item.type))).filter((type) => ["fill", "order", "match", "hotspot"].includes(type));
  const [sittingModule, media, ...found] = await Promise.all([
    lazy("./sitting.js"), pictures ? lazy("./media.js") : null, ...wanted.map((type) => lazy("./kinds/" + type + ".js"))]);
  wanted.forEach((type, at) => { kinds[type] = found[at]; });
  return { sitting: sittingModule, kinds, media: media && media.createMedia(api.media) };
}

// A file that did not come is asked for again, under another name since a browser may remember the failure.
async function lazy(path) {
  for (let again = 0; ; again++) {
    try {
      return await import(again ? path + "?again=" + again : path);
    } catch (error) {
      if (!root.querySelector(".screen")) show(screens.connecting);
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }
}

async function fetchPaper() {
  const result = await api.paper();
  if (!result.ok) throw new Error("no paper");
  api.useToken(result.body.csrf);
  claim.tablet = result.body.tablet;
  return result.body;
}

async function onGone(body) {
  if (leaving) return;
  leaving = true;
  try {
    await leave(body || {});
  } finally {
    leaving = false;
  }
}

async function leave(facts) {
  const code = facts.error || "";
  const attempt = claim ? claim.attempt : "";
  const ended = MOVED.includes(code) ? await wipe(null, code !== "tablet_unknown") : { attempt, handed: 0 };
  forget();
  const ops = ended.attempt ? await store.ops(ended.attempt) : [];
  if (code === "tablet_released") {
    // The hand-in is the other tablet's now, and so are the parts; the answers go to the proctor.
    for (const op of ops) if (op.kind !== "answer") await store.settle(op, null, null, null);
  }
  const answers = ops.filter((op) => op.kind === "answer");
  if (code === "tablet_unknown" && !answers.length) {
    showSeatCode("");
    return;
  }
  if (code === "tablet_released" && answers.length && ended.tablet) sendRest(ended);
  show(() => {
    const left = rest ? rest.count() : answers.length;
    const sending = Boolean(rest) && !stuck && !rest.empty();
    return screens.gone({ sentence: pick(facts) || t("common.no_answer"), left, sending, kept: store.durable(), handed: ended.handed, wiped: MOVED.includes(code) && Boolean(ended.attempt) && store.wiped(),
      again: sending ? null : () => { forget(); showSeatCode(""); } });
  });
}

function onClockBefore(now) {
  const ended = root.querySelector(".done");
  if (loading || (ended && now.s === "closed")) return;
  if (now.s === "running" || now.s === "paused" || now.s === "closed") setTimeout(() => sitting || loadPaper(), Math.random() * START_SPREAD_MS);
  else if (now.s === "done" && !ended) finished(null);
}

// What is kept here, or still to be deleted, is not what it was.
let stood = "";
function onStore() {
  if (sitting) sitting.refresh();
  const stands = String([store.durable(), store.wiped()]);
  if (stands !== stood && root.querySelector(".done, .gone")) redraw();
  stood = stands;
}

// ---- start

// Another page of this tablet takes over: what is here goes into the store first.
async function giveUp() {
  watch.stop();
  clock.stop();
  if (rest) await rest.stop();
  if (sitting) await sitting.stop();
  [sitting, rest] = [null, null];
  store.letGo();
  showOtherTab();
}

function showOtherTab() {
  show(() => screens.otherTab({ take }));
}

async function take() {
  show(screens.connecting);
  await tabs.take();
  await begin();
}

async function begin() {
  await recall();
  await loadPaper();
}

async function recall() {
  claim = (await store.note("claim")) || null;
  markPractice();
  if (claim) api.useToken(claim.csrf);
}

async function start() {
  show(screens.connecting);
  window.addEventListener("pagehide", () => { if (sitting) sitting.queue.flush(); });
  document.addEventListener("visibilitychange", () => { if (document.hidden && sitting) sitting.queue.flush(); });
  await askForKeys();
  store = await openStore(onStore);
  await nameDevice();
  if (await tabs.open()) await begin();
  else showOtherTab();
}

start();
