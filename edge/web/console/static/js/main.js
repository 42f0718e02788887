// The proctor's console of one session: keeps the board on the screen true.

import { byId, h, replace, setText } from "/ui/static/js/dom.js";
import { t } from "/ui/static/js/text.js";
import { countdown, hms } from "/ui/static/js/time.js";
import { createActs } from "./acts.js";
import { follow } from "./feed.js";
import { drawCheckins, drawIncidents, drawOutages, drawServices, drawWaiting } from "./lists.js";
import { drawRehearsal } from "./rehearsal.js";
import { drawSeats, tickSeats } from "./seats.js";
import { watchUnplug } from "./unplug.js";

const facts = JSON.parse(byId("facts").textContent);
const base = "/console/api/" + encodeURIComponent(facts.session);
const COUNTS = ["expected", "admitted", "waiting", "working", "handed_in", "absent"];
// Nobody presses longer; a release that never came, as with a context menu, must not stop the board.
const PRESS_MS = 2000;

let board = null;
let got = 0;
let live = true;
let pressed = -PRESS_MS;
let later = null;
const shown = {};
const acts = createActs(base, take, () => board);
const part = (name, kind) => h("section", { class: kind || "card", "data-part": name });
const parts = {
  head: part("head", "head"), services: part("services", "services"), seats: part("seats"), waiting: part("waiting"),
  checkins: part("checkins"), incidents: part("incidents"), outages: part("outages", "outages"), rehearsal: part("rehearsal"), forms: part("forms"), unplug: part("unplug"),
};
const clock = h("output", { class: "clock num", role: "timer", "aria-live": "off" });
const link = h("p", { class: "link small", role: "status" });
const title = h("div", { class: "title" });
const counts = h("dl", { class: "counts" });
const buttons = h("div", { class: "acts row" });
replace(parts.head, title, h("div", { class: "clock-box" }, h("span", { class: "small" }, t("console.time_left")), clock, link), counts, buttons);

// Of two boards of one boot, was the first made earlier? An act's answer and the stream cross on their way.
const older = (one, other) => one.made[0] === other.made[0] && one.made[1] < other.made[1];

function take(document_) {
  if (board && older(document_, board)) return;
  if (performance.now() - pressed < PRESS_MS) {
    if (!later || !older(document_, later)) later = document_;
    return;
  }
  if (!board) {
    replace(byId("board"), parts.head, parts.outages, parts.services, h("div", { class: "columns" }, parts.seats,
      h("div", { class: "side" }, parts.waiting, parts.rehearsal, parts.checkins, parts.incidents, parts.forms, parts.unplug)));
    watchUnplug(parts.unplug, () => board && ["closed", "signed"].includes(board.session.state));
  }
  board = document_;
  got = performance.now();
  draw("head", [board.session, board.counts], drawHead);
  draw("services", [board.services, board.uploads, board.unseen, board.session.state], () => drawServices(parts.services, board));
  draw("outages", [board.outages, board.session.state], () => drawOutages(parts.outages, board, acts));
  draw("seats", [board.seats, board.session.state, board.session.clock.s], () => drawSeats(parts.seats, board, acts));
  draw("waiting", [board.waiting, Math.floor(board.now / 15000)], () => drawWaiting(parts.waiting, board, acts));
  draw("rehearsal", board.rehearsal, () => drawRehearsal(parts.rehearsal, base, board, (rehearsal) => take(Object.assign({}, board, { rehearsal }))));
  draw("checkins", board.checkins, () => drawCheckins(parts.checkins, board, acts));
  draw("incidents", board.incidents, () => drawIncidents(parts.incidents, board, acts));
  draw("forms", board.session.state, drawForms);
  tick();
}

// Draws a part again only when what it shows has changed: a button must not move away under a finger.
function draw(name, content, work) {
  const clockless = name === "head" ? [Object.assign({}, content[0], { clock: content[0].clock.s }), content[1]] : content;
  const key = JSON.stringify(clockless);
  if (shown[name] === key) return;
  shown[name] = key;
  work();
}

function drawHead() {
  const { session } = board;
  const tags = { planned: "", checkin: "info", running: "good", closed: "warn", signed: "brand" };
  const paused = session.state === "running" && session.clock.s === "paused";
  replace(title, h("h1", {}, session.title),
    h("p", { class: "muted" }, [session.class, session.post].filter(Boolean).join(" · ")),
    h("p", { class: "row" }, h("span", { class: "tag " + (paused ? "warn" : tags[session.state]) }, paused ? t("console.paused") : t("common.state_" + session.state)),
      session.practice ? h("span", { class: "tag warn" }, t("console.practice")) : null,
      session.locked_bank && session.state !== "closed" ? h("span", { class: "tag warn" }, t("console.bank_locked")) : null),
    session.bank_short ? h("p", { class: "tag warn" }, t("console.bank_short", { detail: session.bank_short })) : null);
  replace(counts, COUNTS.map((name) => h("div", { class: name + (board.counts[name] ? "" : " nil") }, h("dt", {}, t("console.count_" + name)), h("dd", { class: "num" }, String(board.counts[name])))));
  draw("buttons", acts.ofSession(board).map(([label, , kind]) => [label, kind]), drawButtons);
}

// What a button does is looked up when it is pressed: the counts may change under a finger, the button stays.
function drawButtons() {
  replace(buttons, acts.ofSession(board).map(([label, , kind]) =>
    h("button", { type: "button", class: "button " + kind, onclick: () => acts.ofSession(board).find((one) => one[0] === label)[1]() }, label)));
}

// What can be printed now; before the session too, for the case that the box dies.
function drawForms() {
  const over = ["closed", "signed"].includes(board.session.state);
  const names = ["seats", "sign-in-blank", "answer-sheets", "score-sheets", "incident-blank"].concat(board.session.state === "planned" ? [] : ["sign-in", "incidents"],
    board.session.state === "signed" || (over && board.session.practice) ? ["results"] : []);
  replace(parts.forms, h("h2", {}, t("console.forms_title")), h("ul", { class: "forms" }, names.map((name) =>
    h("li", {}, h("a", { class: "button slim", href: "/console/" + encodeURIComponent(facts.session) + "/forms/" + name, target: "_blank", rel: "noopener" }, t("console.form_" + name.replace(/-/g, "_")))))),
    ["planned", "checkin", "running"].includes(board.session.state) && !board.session.practice ? h("button", { type: "button", class: "button slim", onclick: () => acts.faces() }, t("console.faces_title")) : null);
}

function tick() {
  if (!board) return;
  const { session } = board;
  const going = session.clock.s === "running";
  const since = performance.now() - got;
  const left = session.clock.left - (going ? since : 0);
  tickSeats(board.now + since, left);
  setText(clock, session.state === "planned" || session.state === "checkin" || going || session.clock.s === "paused" ? countdown(left) : "--:--");
  setText(link, live ? "● " + t("console.live") : "⚠ " + t("console.not_live", { time: hms(board.now) }));
  link.className = "link small " + (live ? "ok" : "lost");
}

function failed(failure) {
  if (!board) replace(byId("board"), h("p", { class: "notice bad", role: "alert" }, failure.message));
}

// A button drawn anew between press and release would swallow the click: what came meanwhile is shown after it.
function released() {
  const document_ = later;
  pressed = -PRESS_MS;
  later = null;
  if (document_) take(document_);
}
addEventListener("pointerdown", () => { pressed = performance.now(); }, true);
["pointerup", "pointercancel"].forEach((name) => addEventListener(name, () => setTimeout(released), true));

parts.seats.addEventListener("redraw", () => drawSeats(parts.seats, board, acts));
setInterval(tick, 500);
follow(base, { board: take, live: (yes) => { live = yes; tick(); }, failed });
