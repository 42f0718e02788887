// The rehearsal of a planned session: what the last one said, the one that runs, and the buttons for both.

import { h, replace } from "/ui/static/js/dom.js";
import { pick, t } from "/ui/static/js/text.js";
import { ask, toast } from "/ui/static/js/dialog.js";
import { postJSON } from "/ui/static/js/http.js";
import { date, hm } from "/ui/static/js/time.js";
import { newId } from "./send.js";

const FIGURES = [["load_p99_ms", "load"], ["p99_ms", "save"], ["handin_p99_ms", "handin"]];
const GOING = ["asked", "running", "stopping"];

// base: the session's API; took(rehearsal): what came back.
export function drawRehearsal(holder, base, board, took) {
  const one = board.rehearsal;
  holder.hidden = !one;
  if (!one) return;
  const going = one.now !== null && GOING.includes(one.now.state);
  replace(holder, h("h2", {}, t("console.rehearsal_title")),
    one.hours ? h("p", {}, h("span", { class: "tag " + (one.covered ? "good" : "warn") }, t(one.covered ? "console.rehearsal_covered" : "console.rehearsal_wanted", { hours: one.hours }))) : null,
    one.now ? drawNow(one.now) : null,
    one.last ? drawLast(one.last) : going ? null : h("p", { class: "muted" }, t("console.rehearsal_none")),
    h("div", { class: "row" }, buttons(base, one, going, took)));
}

function drawNow(now) {
  if (!GOING.includes(now.state)) return h("div", { class: "notice warn" }, h("div", {}, now.reasons.map((reason) => h("p", {}, pick(reason)))));
  if (now.state === "asked") return h("p", { role: "status" }, t("console.rehearsal_asked"));
  const percent = Math.round(100 * (now.step - 1 + now.share) / now.steps);
  const words = now.state === "stopping" ? t("console.rehearsal_stopping")
    : t("console.rehearsal_step", { step: now.step, steps: now.steps, stage: t("console.rehearsal_stage_" + now.stage), detail: now.detail || "" });
  const done = h("span", {});
  done.style.width = percent + "%"; // not as an attribute, which the pages' own rules forbid
  return h("div", {}, now.here ? null : h("p", {}, t("console.rehearsal_elsewhere", { session: now.session || "–" })),
    h("p", { class: "num" }, words),
    h("div", { class: "bar", role: "progressbar", "aria-label": t("console.rehearsal_title"), "aria-valuemin": "0", "aria-valuemax": "100", "aria-valuenow": String(percent) }, done));
}

function drawLast(last) {
  const grave = last.reasons.filter((reason) => reason.grave);
  const notes = last.reasons.filter((reason) => !reason.grave);
  const ms = (value) => (value === null || value === undefined ? "–" : t("console.rehearsal_ms", { ms: Math.round(value) }));
  return h("div", { class: "last" },
    h("p", {}, h("span", { class: "tag " + (last.passed ? "good" : "bad") }, t(last.passed ? "console.rehearsal_passed" : "console.rehearsal_failed")),
      h("span", { class: "num" }, " " + date(last.at_ms) + " " + hm(last.at_ms) + " · " + t("console.rehearsal_people", { count: last.candidates }))),
    last.same_papers ? null : h("p", { class: "notice warn" }, t("console.rehearsal_other_papers")),
    grave.length ? h("ul", { class: "why" }, grave.map((reason) => h("li", {}, pick(reason)))) : null,
    h("dl", { class: "figures" }, FIGURES.map(([name, key]) => h("div", {}, h("dt", {}, t("console.rehearsal_" + key)), h("dd", { class: "num" }, ms(last.figures[name]))))),
    h("p", { class: "small muted" }, t("console.rehearsal_p99")),
    notes.length ? h("details", { class: "small" }, h("summary", {}, t("console.rehearsal_notes", { count: notes.length })), h("ul", { class: "why" }, notes.map((reason) => h("li", {}, pick(reason))))) : null);
}

function buttons(base, one, going, took) {
  const waits = one.now !== null && one.now.state === "untaken";
  const stops = (going && one.now.state !== "stopping" && one.now.here !== false) || waits;
  return [
    going ? null : h("button", { type: "button", class: "button", onclick: () => begin(base, one, took) }, t("console.rehearsal_now")),
    stops ? h("button", { type: "button", class: "button", onclick: (event) => stop(base, event.target, took) }, t(waits ? "console.rehearsal_withdraw" : "console.rehearsal_stop")) : null,
  ];
}

function begin(base, one, took) {
  const op = newId();
  ask({
    title: t("console.rehearsal_now"), lead: t("console.rehearsal_lead"), button: t("console.rehearsal_now"),
    fields: h("label", { class: "field" }, h("span", {}, t("console.rehearsal_count")),
      h("input", { name: "candidates", type: "number", min: 1, max: 500, step: 1, value: Math.max(1, one.candidates), required: true, inputmode: "numeric" })),
    act: async (form) => {
      took((await postJSON(base + "/rehearsal", { op_id: op, candidates: Number(form.elements.candidates.value) })).rehearsal);
    },
  });
}

async function stop(base, button, took) {
  button.disabled = true;
  try {
    took((await postJSON(base + "/rehearsal/stop", { op_id: newId() })).rehearsal);
  } catch (failure) {
    button.disabled = false;
    toast("bad", failure.message);
  }
}
