// Beside the seats: who waits for the proctor, the check-in log, incidents, services and uploads.

import { h, replace } from "/ui/static/js/dom.js";
import { has, pick, t } from "/ui/static/js/text.js";
import { hm, hms } from "/ui/static/js/time.js";
import { age } from "./age.js";
import { kindText, KINDS } from "./incident.js";

const OLD_MS = 15000;
// A camera always gives a reason, even for recording; the others give one only when something is wrong.
const FINE = ["recording", "starting"];
const TROUBLE = ["unknown", "offline"];
const OUTCOME_TAG = { admitted: "good", refused: "bad", waiting: "warn", retry: "info" };

export function drawWaiting(holder, board, acts) {
  const items = board.waiting.map((one) => {
    const can = (act) => !one.actions || one.actions.includes(act);
    return h("li", { class: "case" },
      h("div", { class: "row ends" }, h("strong", {}, one.name, h("span", { class: "num muted" }, "  " + t("console.number", { number: one.number }))),
        h("span", { class: "small muted num" }, t("console.since", { age: age(board.now - one.at_ms) }))),
      h("p", {}, pick(one.sentence), score(one)),
      h("div", { class: "row" },
        can("admit") ? h("button", { type: "button", class: "button main slim", onclick: acts.admit(one) }, t("console.act_admit")) : null,
        can("retry") ? h("button", { type: "button", class: "button slim", onclick: acts.retry(one) }, t("console.act_retry")) : null,
        can("deny") ? h("button", { type: "button", class: "button stop slim", onclick: acts.deny(one) }, t("console.act_deny")) : null));
  });
  replace(holder, h("h2", {}, t("console.waiting_title"), board.waiting.length ? h("span", { class: "badge num" }, String(board.waiting.length)) : null),
    items.length ? h("ul", {}, items) : h("p", { class: "muted" }, t("console.waiting_none")));
  holder.classList.toggle("pressing", items.length > 0);
}

// How far two faces are apart says little by itself; beside the sentence it shows how clear the case was.
function score(one) {
  return one.score === null || one.score === undefined ? null : h("span", { class: "small muted num" }, "  " + t("console.score", { score: one.score.toFixed(2) }));
}

export function drawCheckins(holder, board, acts) {
  const rows = board.checkins.map((one) => h("li", {},
    h("span", { class: "num small muted" }, hms(one.at_ms)),
    h("span", { class: "tag " + (OUTCOME_TAG[one.outcome] || "") }, t("console.outcome_" + one.outcome)),
    h("span", { class: "who" }, h("strong", {}, one.name || t("console.unknown_person")), " ", h("span", { class: "small muted" }, one.outcome === "admitted" && one.route ? t("console.route_" + one.route) : pick(one.sentence)), score(one),
      (one.actions || []).includes("admit") ? h("button", { type: "button", class: "button slim quiet", onclick: acts.admit(one) }, t("console.act_admit")) : null)));
  replace(holder, h("h2", {}, t("console.checkins_title")), rows.length ? h("ul", { class: "log" }, rows) : h("p", { class: "muted" }, t("console.checkins_none")));
}

// Newest first; a correction stands under what it corrects, and both stay readable.
export function drawIncidents(holder, board, acts) {
  const known = new Map(board.incidents.map((one) => [one.number, one]));
  const last = new Map();
  const root = (one) => (one.corrects && known.has(one.corrects) ? root(known.get(one.corrects)) : one);
  for (const one of board.incidents) last.set(root(one).number, one);
  const line = (one, old) => h("div", { class: "words" + (old ? " old" : "") }, one.text,
    h("span", { class: "small muted" }, " " + [one.seat, one.name, one.by].filter(Boolean).join(" · ") + (one.corrects ? " · " + t("console.corrected_at", { time: hm(one.at_ms) }) : "")));
  const rows = board.incidents.filter((one) => !one.corrects || !known.has(one.corrects)).sort((a, b) => b.happened_ms - a.happened_ms).map((one) => {
    const chain = board.incidents.filter((other) => root(other) === one);
    const newest = last.get(one.number);
    return h("li", {},
      h("span", { class: "num small muted" }, hm(newest.happened_ms)),
      h("span", { class: "tag" }, KINDS.includes(newest.kind) ? kindText(newest.kind) : newest.kind),
      h("span", { class: "who" }, chain.map((entry) => line(entry, entry !== newest)),
        h("button", { type: "button", class: "button slim quiet", onclick: acts.incident(null, newest) }, t("console.act_correct"))));
  });
  replace(holder, h("div", { class: "row ends" }, h("h2", {}, t("console.incidents_title")),
    h("button", { type: "button", class: "button slim", onclick: acts.incident(null, null) }, "+ " + t("console.act_incident"))),
    rows.length ? h("ul", { class: "log" }, rows) : h("p", { class: "muted" }, t("console.incidents_none")));
}

// Times the room itself was away, measured; giving them back is the proctor's word.
export function drawOutages(holder, board, acts) {
  const open = (board.outages || []).filter((one) => one.credited === null && (one.proposed_seconds > 0 || one.cause === "reboot"));
  const running = board.session.state === "running";
  const words = (one) => (one.cause !== "reboot" ? t("console.outage", { seconds: one.proposed_seconds })
    : one.seconds === null ? t("console.standstill_unknown") : t("console.standstill", { seconds: one.seconds }) + (one.quality === "synchronised" ? "" : " " + t("console.standstill_rough")));
  const buttons = (one) => (one.cause === "reboot" ? [[acts.confirmStandstill(one), "act_confirm_standstill", "main"], [acts.takeBack(one), "act_take_back", ""]] : [[acts.credit(one), "act_credit", "main"]]);
  replace(holder, running ? open.map((one) => h("div", { class: "notice warn row ends" }, h("span", {}, words(one)), h("span", {},
    buttons(one).map(([act, key, kind]) => h("button", { type: "button", class: "button slim " + kind, onclick: act }, t("console." + key)))))) : []);
  holder.hidden = !running || !open.length;
}

// A process's name as the proctor knows the thing.
function label(name) {
  if (name.startsWith("camera-")) return t("console.service_camera", { name: name.slice("camera-".length) });
  if (name.startsWith("reader-")) return t("console.service_reader", { name: name.slice("reader-".length) });
  return has("console.service_" + name) ? t("console.service_" + name) : name;
}

export function drawServices(holder, board) {
  const names = Object.keys(board.services).sort();
  const chips = names.map((name) => {
    const one = board.services[name];
    const reason = one.sentence ? pick(one.sentence) : one.reason || "";
    const old = one.age_ms > OLD_MS;
    const fine = !old && (FINE.includes(one.state) || (!reason && !TROUBLE.includes(one.state)));
    const words = old ? t("console.service_old", { age: age(one.age_ms) }) : fine ? (one.reason === "recording_sound" ? pick(one.sentence) : t("console.service_ok")) : t("console.service_trouble", { what: reason || one.state });
    return h("li", { class: "tag " + (fine ? "good" : "bad") }, (fine ? "✓ " : "⚠ ") + label(name) + "  " + words);
  });
  if (["planned", "checkin", "running"].includes(board.session.state)) {
    for (const one of board.unseen || []) chips.push(h("li", { class: "tag bad" }, "⚠ " + t("console.unseen_" + one.why, { station: one.title || one.station, camera: one.camera })));
  }
  const uploads = board.uploads || {};
  replace(holder, h("h2", { class: "sr" }, t("console.services_title")), chips.length ? h("ul", {}, chips) : h("p", { class: "tag bad" }, "⚠ " + t("console.services_none")),
    h("p", { class: "uploads num small" }, uploads.results ? t("console.uploads", uploads) : ""));
}
