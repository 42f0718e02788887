// Ties the exam page together: which screen, what a touch does, what the room's answers change.

import { byId, h, replace } from "/ui/static/js/dom.js";
import { lang, pick, setLang, t } from "/ui/static/js/text.js";
import { countdown, hms } from "/ui/static/js/time.js";
import { openBox, toast } from "/ui/static/js/dialog.js";
import * as api from "./api.js";
import { createClock } from "./clock.js";
import { openStore } from "./idb.js";
import { createPaper } from "./paper.js";
import { createQueue, newId } from "./queue.js";
import * as screens from "./screens.js";
import { createView, setSize } from "./view.js";

const TAPPING_MS = 400;
const RETRY_MS = 2000;
const START_SPREAD_MS = 1500;
const root = byId("app");
const tab = newId();

let store = null;
let claim = null;
let paper = null;
let view = null;
let queue = null;
let redraw = () => {};
let degraded = false;
let cover = null;
let loading = false;
let handed = null;
let size = setSize(0);
let warned = false;

const clock = createClock({
  ask: api.clock,
  tick: onTick,
  changed: onClock,
  refused: (body) => onGone(body || {}),
  reached(yes, changed) {
    if (yes && queue) queue.kick();
    if (changed) yes || !paper ? redrawSoft() : refreshBanners();
    else refreshBanners();
  },
});

// ---- screens

function show(make, focus = true) {
  const draw = () => {
    const made = make();
    replace(root, languageCorner(), made);
    const panel = made.querySelector(".panel");
    if (panel) panel.prepend(h("p", { class: "brand" }, h("img", { src: "/ui/static/mark.svg", alt: "", width: 34, height: 34 }), t("exam.title")));
    const title = made.querySelector("h1");
    if (focus && title) title.focus();
  };
  redraw = draw;
  view = null;
  draw();
}

function languageCorner() {
  return h("button", { type: "button", class: "button quiet corner", onclick: switchLanguage }, t("exam.other_language"));
}

function redrawSoft() {
  if (view) refreshBanners();
  else if (!paper && clock.state() === "waiting" && claim && root.querySelector(".waiting")) redraw();
}

function switchLanguage() {
  setLang(lang() === "zh" ? "en" : "zh");
  document.title = t("exam.title");
  if (view) {
    view.build();
    refresh();
    showCover();
  } else redraw();
}

async function showSeatCode(notice) {
  clock.stop();
  const others = (await store.everyOp()).filter((op) => op.kind === "answer").length;
  show(() => screens.seatCode({ notice, others, submit }));
  async function submit(code) {
    const result = await api.claim(code, await claimSecret(code));
    if (result.ok || result.body) await store.dropNote("asked"); // heard, yes or no: the next claim is a new one
    if (!result.ok) return result.body ? pick(result.body) : t("common.no_answer");
    await useClaim(result.body);
    show(() => screens.confirmPerson({ claim, yes: () => loadPaper(), no: () => showSeatCode("") }));
    return "";
  }
}

// Made up and kept before the room is asked: asked again after a lost answer, the room knows it is the same tablet.
async function claimSecret(code) {
  const kept = await store.note("asked");
  if (kept && kept.code === code) return kept.secret;
  const secret = newId() + newId().slice(0, 8);
  await keep("asked", { code, secret });
  return secret;
}

async function useClaim(facts) {
  const before = await store.note("claim");
  // Nobody's paper stays on a tablet that has gone to somebody else.
  if (before && before.attempt !== facts.attempt) await store.dropNote("paper/" + before.attempt);
  claim = { attempt: facts.attempt, tablet: facts.tablet, csrf: facts.csrf, candidate: facts.candidate, session: facts.session };
  api.useToken(claim.csrf);
  await keep("claim", claim);
}

async function keep(key, value) {
  try {
    await store.setNote(key, value);
  } catch (error) {
    onDegraded();
  }
}

function showWaiting() {
  show(() => screens.waiting({ claim, connected: clock.connected() }));
  clock.start();
}

async function showDone() {
  const facts = handed || (claim && (await store.note("done/" + claim.attempt)));
  clearCover();
  if (claim) await store.dropNote("paper/" + claim.attempt);
  show(() => screens.done({ facts, time: facts ? hms(facts.at_ms) : "", left: queue ? queue.count() : 0, next: () => { forget(); showSeatCode(""); } }));
}

function forget() {
  if (queue) queue.stop();
  clock.stop();
  [paper, view, queue, handed, claim, warned] = [null, null, null, null, null, false];
  clearCover();
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
    else if (code === "already_finished") await showDone();
    else if (result.status === 401 || result.status === 403) onGone(result.body);
    else await withoutRoom();
  } finally {
    loading = false;
  }
}

// The room does not answer: go on with the copy kept here, if there is one, and keep asking.
async function withoutRoom() {
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
  if (fresh) await keep("paper/" + claim.attempt, document_);
  const marks = await store.note("marks/" + claim.attempt);
  queue = createQueue({
    store, newId, send: api.sendOp, refresh: refreshPaper, changed: refresh, acknowledged: onAcknowledged,
    rejected: onRejected, gone: onGone, degraded: onDegraded,
    handedIn: onHandedIn,
  });
  const mine = queue;
  paper = createPaper(document_, marks, (item) => mine.pending(item));
  await queue.start({ attempt: claim.attempt, tablet: document_.tablet, next_seq: document_.next_seq, fresh }, document_.responses);
  replace(root);
  view = createView(root, claim, paper, { choose, go, flag, handIn: askHandIn, language: switchLanguage, resize, take: choose });
  view.build();
  view.show(Math.min(paper.marks.at, paper.items.length - 1), false);
  // How much time is left, an old copy cannot know.
  clock.take(fresh ? document_.clock : { s: "running", left: null, v: null });
  clock.start(!fresh);
  refresh();
  showCover();
}

// The room's word on sequence, versions and token, while the paper stays where it is.
async function refreshPaper() {
  const result = await api.paper();
  if (!result.ok) throw new Error("no paper");
  api.useToken(result.body.csrf);
  claim.tablet = result.body.tablet;
  queue.learn(result.body.responses);
  paper.learn(result.body.responses);
  return result.body;
}

function choose(item, value) {
  if (queue.handingIn()) return;
  paper.chosen(item.id);
  queue.put(item.id, value, item.type === "multiple" ? TAPPING_MS : 0);
  keepMarks();
}

function go(index) {
  queue.flush();
  if (index < 0 || index >= paper.items.length) return;
  paper.marks.at = index;
  view.show(index, true);
  refreshBanners();
  keepMarks();
}

function flag() {
  paper.toggleFlag(paper.items[view.index()].id);
  keepMarks();
  refresh();
}

function keepMarks() {
  return keep("marks/" + claim.attempt, paper.marks);
}

function resize(step) {
  size = setSize(size + step);
  keep("size", size);
}

function onAcknowledged(op, reply, same, more) {
  if (op.kind === "answer") {
    paper.heard(op, reply, same, more);
    if (reply.outcome !== "applied") keepMarks();
  }
  return paper.saved;
}

async function onHandedIn(reply) {
  handed = { answered: reply.answered, of: reply.of, at_ms: reply.at_ms };
  await keep("done/" + claim.attempt, handed);
  if (reply.outcome === "applied") showDone();
  else showCover();
}

function onRejected(op, failure) {
  if (op.kind === "handin") {
    toast("bad", pick(failure), 15);
    showCover();
    return;
  }
  paper.refused(op, failure);
  keepMarks();
}

function onGone(body) {
  if (queue) queue.stop();
  const left = queue ? queue.count() : 0;
  const sentence = pick(body) || t("common.no_answer");
  const unknown = body.error === "tablet_unknown";
  forget();
  if (unknown && !left) showSeatCode("");
  else show(() => screens.gone({ sentence, left, again: () => showSeatCode("") }));
}

function onDegraded() {
  if (!degraded) {
    degraded = true;
    refreshBanners();
  }
}

// ---- the clock

function onClock(now, before) {
  if (!paper) {
    if (now.s === "running" || now.s === "paused" || now.s === "closed") setTimeout(loadPaper, Math.random() * START_SPREAD_MS);
    else if (now.s === "done") showDone();
    return;
  }
  if (now.s === "done" && !queue.handingIn()) {
    showDone();
    return;
  }
  if (before.v !== null && before.v !== now.v && now.s === "running" && before.s === "running" && Math.abs(now.left - before.left) > 30000) {
    toast("warn", t("exam.time_changed", { left: countdown(now.left) }), 10);
  }
  showCover();
}

function onTick(left) {
  if (!view) return;
  view.tick(left);
  if (!warned && left !== null && left < 300000 && left > 290000 && clock.state() === "running") {
    warned = true;
    toast("warn", t("exam.five_minutes"), 10);
  }
  if (left === 0 && clock.state() === "running" && !cover) showCover();
  if (cover && cover.dataset.kind === "timeup" && left > 0 && clock.state() === "running") showCover();
}

// ---- covers and banners

function coverFor() {
  const left = queue.count();
  if (queue.handingIn()) {
    const warn = clock.connected() ? "" : t("exam.handing_offline");
    return { kind: "handing", title: t("exam.handing_title"), lead: t("exam.handing_lead"), warn, left, back: clock.connected() ? null : backToPaper };
  }
  if (clock.state() === "paused") return { kind: "paused", title: t("exam.paused_title"), lead: t("exam.paused_lead"), left };
  if (clock.state() === "closed") return { kind: "timeup", title: t("exam.timeup_title"), lead: t("exam.timeup_lead"), left };
  if (clock.state() === "running" && clock.left() === 0) {
    const lead = clock.connected() ? t("exam.timeup_lead") : t("exam.timeup_offline");
    return { kind: "timeup", title: t("exam.timeup_title"), lead, left };
  }
  return null;
}

function showCover() {
  if (!view) return;
  const wanted = coverFor();
  const key = wanted ? JSON.stringify([wanted.kind, wanted.title, wanted.lead, wanted.warn, wanted.left]) : "";
  if ((cover ? cover.dataset.key : "") === key) return;
  const first = !cover;
  clearCover();
  if (!wanted) return;
  cover = screens.cover(wanted);
  cover.dataset.key = key;
  cover.dataset.kind = wanted.kind;
  document.body.append(cover);
  root.setAttribute("aria-hidden", "true");
  root.firstChild.classList.add("covered");
  if (first) cover.querySelector("h1").focus();
}

function clearCover() {
  if (cover) cover.remove();
  cover = null;
  root.removeAttribute("aria-hidden");
  if (root.firstChild && root.firstChild.classList) root.firstChild.classList.remove("covered");
}

async function backToPaper() {
  if (await queue.withdrawHandIn()) showCover();
}

function refresh() {
  if (!view) return;
  view.update();
  refreshBanners();
  showCover();
}

function refreshBanners() {
  if (!view) return;
  const notices = [];
  if (degraded || !store.durable) notices.push({ kind: "bad", text: t("exam.memory_banner") });
  if (!clock.connected()) notices.push({ kind: "warn", text: t("exam.offline_banner") });
  else if (queue.count() > 1) notices.push({ kind: "", text: t("exam.pending_banner", { count: queue.count() }) });
  const odd = paper.items.findIndex((item, index) => index !== view.index() && paper.state(item.id) === "conflict");
  if (odd >= 0) notices.push({ kind: "warn", text: t("exam.conflict_go", { n: paper.items[odd].n }), act: () => go(odd) });
  view.banners(clock.connected(), notices);
  view.tick(clock.left());
}

// ---- handing in

function askHandIn() {
  queue.flush();
  const first = paper.items.findIndex((item) => !paper.answered(item.id));
  openBox(screens.handInBox({ counts: paper.counts(), toFirst: first >= 0 ? () => go(first) : null, handIn: () => queue.handIn() }));
}

// ---- start

function oneTabOnly() {
  if (!("BroadcastChannel" in window)) return;
  const channel = new BroadcastChannel("examroom-exam");
  channel.onmessage = (event) => {
    if (event.data === tab) return;
    if (queue) queue.stop();
    clock.stop();
    clearCover();
    show(screens.otherTab);
  };
  channel.postMessage(tab);
}

async function start() {
  show(screens.connecting);
  oneTabOnly();
  store = await openStore();
  claim = (await store.note("claim").catch(() => null)) || null;
  if (claim) api.useToken(claim.csrf);
  size = setSize((await store.note("size").catch(() => 0)) || 0);
  if ("serviceWorker" in navigator) navigator.serviceWorker.register("/exam/sw.js").catch(() => {});
  window.addEventListener("pagehide", () => { if (queue) queue.flush(); });
  document.addEventListener("visibilitychange", () => { if (document.hidden && queue) queue.flush(); });
  await loadPaper();
}

start();
