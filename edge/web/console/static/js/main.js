// The proctor's console of one session: keeps the board on the screen true.

import { byId, h, replace, setText } from "/ui/static/js/dom.js";
import { t } from "/ui/static/js/text.js";
import { countdown, hms } from "/ui/static/js/time.js";
import { createActs } from "./acts.js";
import { follow } from "./feed.js";
import { drawCheckins, drawIncidents, drawServices, drawWaiting } from "./lists.js";
import { drawSeats } from "./seats.js";

const facts = JSON.parse(byId("facts").textContent);
const base = "/console/api/" + encodeURIComponent(facts.session);
const COUNTS = ["expected", "admitted", "waiting", "working", "handed_in", "absent"];

let board = null;
let got = 0;
let live = true;
const shown = {};
const acts = createActs(base, take);
const part = (name, kind) => h("section", { class: kind || "card", "data-part": name });
const parts = {
  head: part("head", "head"), services: part("services", "services"), seats: part("seats"), waiting: part("waiting"),
  checkins: part("checkins"), incidents: part("incidents"),
};
const clock = h("output", { class: "clock num", role: "timer", "aria-live": "off" });
const link = h("p", { class: "link small", role: "status" });

function take(document_) {
  if (!board) {
    replace(byId("board"), parts.head, parts.services, h("div", { class: "columns" }, parts.seats,
      h("div", { class: "side" }, parts.waiting, parts.checkins, parts.incidents)));
  }
  board = document_;
  got = performance.now();
  draw("head", [board.session, board.counts], drawHead);
  draw("services", [board.services, board.uploads], () => drawServices(parts.services, board));
  draw("seats", [board.seats, board.session.state, Math.floor(board.now / 5000)], () => drawSeats(parts.seats, board, acts));
  draw("waiting", [board.waiting, Math.floor(board.now / 15000)], () => drawWaiting(parts.waiting, board, acts));
  draw("checkins", board.checkins, () => drawCheckins(parts.checkins, board));
  draw("incidents", board.incidents, () => drawIncidents(parts.incidents, board, acts));
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
  const { session, counts } = board;
  const tags = { planned: "", checkin: "info", running: "good", closed: "warn", signed: "brand" };
  const paused = session.state === "running" && session.clock.s === "paused";
  replace(parts.head,
    h("div", { class: "title" }, h("h1", {}, session.title),
      h("p", { class: "muted" }, [session.class, session.post].filter(Boolean).join(" · ")),
      h("p", { class: "row" }, h("span", { class: "tag " + (paused ? "warn" : tags[session.state]) }, paused ? t("console.paused") : t("common.state_" + session.state)),
        session.practice ? h("span", { class: "tag warn" }, t("console.practice")) : null)),
    h("div", { class: "clock-box" }, h("span", { class: "small" }, t("console.time_left")), clock, link),
    h("dl", { class: "counts" }, COUNTS.map((name) => h("div", { class: name + (counts[name] ? "" : " nil") }, h("dt", {}, t("console.count_" + name)), h("dd", { class: "num" }, String(counts[name]))))),
    h("div", { class: "acts row" }, acts.ofSession(board).map(([label, action, kind]) => h("button", { type: "button", class: "button " + kind, onclick: action }, label))));
}

function tick() {
  if (!board) return;
  const { session } = board;
  const going = session.clock.s === "running";
  const left = session.clock.left - (going ? performance.now() - got : 0);
  setText(clock, session.state === "planned" || session.state === "checkin" || going || session.clock.s === "paused" ? countdown(left) : "--:--");
  setText(link, live ? "● " + t("console.live") : "⚠ " + t("console.not_live", { time: hms(board.now) }));
  link.className = "link small " + (live ? "ok" : "lost");
}

function failed(failure) {
  if (!board) replace(byId("board"), h("p", { class: "notice bad", role: "alert" }, failure.message));
}

setInterval(tick, 500);
follow(base, { board: take, live: (yes) => { live = yes; tick(); }, failed });
