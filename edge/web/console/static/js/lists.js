// Beside the seats: who waits for the proctor, the check-in log, incidents, services and uploads.

import { h, replace } from "/ui/static/js/dom.js";
import { has, pick, t } from "/ui/static/js/text.js";
import { hm, hms } from "/ui/static/js/time.js";
import { age } from "./age.js";

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
      h("p", {}, pick(one.sentence)),
      h("div", { class: "row" },
        can("admit") ? h("button", { type: "button", class: "button main slim", onclick: acts.admit(one, one.route === "policy" ? "policy" : "manual") }, t("console.act_admit")) : null,
        can("deny") ? h("button", { type: "button", class: "button stop slim", onclick: acts.deny(one) }, t("console.act_deny")) : null));
  });
  replace(holder, h("h2", {}, t("console.waiting_title"), board.waiting.length ? h("span", { class: "badge num" }, String(board.waiting.length)) : null),
    items.length ? h("ul", {}, items) : h("p", { class: "muted" }, t("console.waiting_none")));
  holder.classList.toggle("pressing", items.length > 0);
}

export function drawCheckins(holder, board) {
  const rows = board.checkins.map((one) => h("li", {},
    h("span", { class: "num small muted" }, hms(one.at_ms)),
    h("span", { class: "tag " + (OUTCOME_TAG[one.outcome] || "") }, t("console.outcome_" + one.outcome)),
    h("span", { class: "who" }, h("strong", {}, one.name || t("console.unknown_person")), " ", h("span", { class: "small muted" }, one.outcome === "admitted" && one.route ? t("console.route_" + one.route) : pick(one.sentence)))));
  replace(holder, h("h2", {}, t("console.checkins_title")), rows.length ? h("ul", { class: "log" }, rows) : h("p", { class: "muted" }, t("console.checkins_none")));
}

export function drawIncidents(holder, board, acts) {
  const rows = board.incidents.slice().sort((a, b) => b.at_ms - a.at_ms).map((one) => h("li", {},
    h("span", { class: "num small muted" }, hm(one.at_ms)),
    h("span", { class: "tag" }, has("console.kind_" + one.kind) ? t("console.kind_" + one.kind) : one.kind), h("span", { class: "who" }, one.text)));
  replace(holder, h("div", { class: "row ends" }, h("h2", {}, t("console.incidents_title")),
    h("button", { type: "button", class: "button slim", onclick: acts.incident(null) }, "+ " + t("console.act_incident"))),
    rows.length ? h("ul", { class: "log" }, rows) : h("p", { class: "muted" }, t("console.incidents_none")));
}

// A process's name as the proctor knows the thing.
function label(name) {
  if (name.startsWith("camera-")) return t("console.service_camera", { name: name.slice("camera-".length) });
  return has("console.service_" + name) ? t("console.service_" + name) : name;
}

export function drawServices(holder, board) {
  const names = Object.keys(board.services).sort();
  const chips = names.map((name) => {
    const one = board.services[name];
    const reason = one.sentence ? pick(one.sentence) : one.reason || "";
    const old = one.age_ms > OLD_MS;
    const fine = !old && (FINE.includes(one.state) || (!reason && !TROUBLE.includes(one.state)));
    const words = old ? t("console.service_old", { age: age(one.age_ms) }) : fine ? t("console.service_ok") : t("console.service_trouble", { what: reason || one.state });
    return h("li", { class: "tag " + (fine ? "good" : "bad") }, (fine ? "✓ " : "⚠ ") + label(name) + "  " + words);
  });
  const uploads = board.uploads || {};
  replace(holder, h("h2", { class: "sr" }, t("console.services_title")), chips.length ? h("ul", {}, chips) : h("p", { class: "tag bad" }, "⚠ " + t("console.services_none")),
    h("p", { class: "uploads num small" }, uploads.results ? t("console.uploads", uploads) : ""));
}
