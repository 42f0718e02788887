// The steps of a rubric: deductions counted by large buttons, values measured, each step marked as finished, vetoes asked
// twice.

import { h, setText } from "/ui/static/js/dom.js";
import { pick, t } from "/ui/static/js/text.js";
import { countdown, hms } from "/ui/static/js/time.js";
import { ask, openBox } from "/ui/static/js/dialog.js";
import { measuredLoss, stepTimes, worth, written } from "./points.js";

const MOST = 100;
const KEYS = ["7", "8", "9", "4", "5", "6", "1", "2", "3", ".", "0", "−"];

export function drawSteps({ rubric, content, edit, clock, updates, mark }) {
  const order = rubric.steps.map((step) => step.id);
  let sum = null;
  updates.push(() => { sum = worth(rubric, content(), clock.stamps(), clock.timed() ? clock.elapsed() : null); });

  function deduction(one) {
    const count = h("output", { class: "count num" });
    const step = (by) => () => edit((now) => {
      const next = Math.min(MOST, Math.max(0, (now.marks[one.id] || 0) + by));
      if (next) now.marks[one.id] = next;
      else delete now.marks[one.id];
    });
    const title = pick(one.title);
    const minus = h("button", { type: "button", class: "button round minus", "aria-label": t("scoring.minus", { title }), onclick: step(-1) }, "−");
    const plus = h("button", { type: "button", class: "button round plus", "aria-label": t("scoring.plus", { title }), onclick: step(1) }, "+");
    const row = h("li", { class: "deduction" }, h("div", { class: "what" }, h("span", {}, title), h("span", { class: "muted small num" }, t("scoring.each", { points: one.points }))),
      h("div", { class: "counter" }, minus, count, plus));
    updates.push(() => {
      const n = content().marks[one.id] || 0;
      setText(count, n);
      minus.disabled = n === 0;
      row.classList.toggle("marked", n > 0);
    });
    return row;
  }

  function measure(one) {
    const value = h("span", { class: "value num" });
    const loss = h("span", { class: "small num" });
    const unit = one.unit ? " " + one.unit : "";
    const target = t("scoring.target", { value: one.target + unit });
    const button = h("button", { type: "button", class: "button measure", id: "measure-" + one.id, onclick: () => keypad(one, content().measured[one.id] || "", (typed) => edit((now) => {
      if (typed) now.measured[one.id] = typed;
      else delete now.measured[one.id];
    })) }, value);
    updates.push(() => {
      const typed = content().measured[one.id];
      setText(value, typed === undefined ? t("scoring.measure") : typed + unit);
      const lost = typed === undefined ? 0 : measuredLoss(one, typed);
      setText(loss, typed === undefined ? (one.required === false ? t("scoring.measure_optional") : t("scoring.measure_wanted")) : lost === "veto" ? t("scoring.vetoed") : lost === "zero" ? t("scoring.step_zero") : lost ? "−" + lost : "✓");
      button.classList.toggle("marked", typed !== undefined);
      button.setAttribute("aria-label", pick(one.title) + "：" + value.textContent);
    });
    return h("li", { class: "deduction" }, h("div", { class: "what" }, h("span", {}, pick(one.title)), h("span", { class: "muted small num" }, target)), h("div", { class: "counter" }, loss, button));
  }

  function stepCard(step, index) {
    const points = h("span", { class: "tag num" });
    const stamp = h("span", { class: "small muted num" });
    const done = h("button", { type: "button", class: "button stepdone", onclick: () => mark(step.id, !(step.id in clock.stamps())) });
    const card = h("section", { class: "card step", id: "step-" + step.id }, h("div", { class: "row ends" }, h("h2", {}, index + 1 + ". " + pick(step.title)), points),
      h("ul", {}, step.deductions.map(deduction), (step.measures || []).map(measure)), h("div", { class: "row ends" }, stamp, done));
    updates.push(() => {
      const left = sum.steps[step.id];
      setText(points, t("scoring.step_points", { left, points: step.points }));
      points.className = "tag num " + (left < step.points ? "warn" : "good");
      const stamps = clock.stamps();
      const is = step.id in stamps;
      const took = clock.timed() && is ? countdown(stepTimes(stamps, order)[step.id]) : "";
      const limit = step.minutes ? t("scoring.step_limit", { minutes: step.minutes }) : "";
      setText(stamp, [limit, is ? t("scoring.step_at", { time: hms(stamps[step.id].at_ms) }) : "", took ? t("scoring.step_took", { time: took }) : ""].filter(Boolean).join(" · "));
      setText(done, is ? "✓ " + t("scoring.step_is_done") : t("scoring.step_done"));
      done.setAttribute("aria-pressed", String(is));
      card.classList.toggle("finished", is);
    });
    return card;
  }

  function veto(one) {
    const state = h("span", { class: "state" });
    const set = (on) => edit((now) => { now.vetoes = now.vetoes.filter((id) => id !== one.id).concat(on ? [one.id] : []); });
    const button = h("button", { type: "button", class: "veto", onclick: () => {
      if (content().vetoes.includes(one.id)) set(false);
      else ask({ title: t("scoring.veto_sure"), lead: pick(one.title), button: t("scoring.veto_yes"), danger: true, act: async () => set(true) });
    } }, h("span", {}, pick(one.title)), state);
    updates.push(() => {
      const on = content().vetoes.includes(one.id);
      button.setAttribute("aria-pressed", String(on));
      setText(state, on ? "× " + t("scoring.veto_on") : t("scoring.veto_off"));
    });
    return button;
  }

  const bar = h("div", { class: "fill" });
  const words = h("span", { class: "small num" });
  updates.push(() => {
    const count = order.filter((id) => id in clock.stamps()).length;
    bar.style.width = (100 * count) / order.length + "%";
    setText(words, t("scoring.progress", { count, of: order.length }));
  });
  return [
    h("div", { class: "progress" }, h("div", { class: "track", "aria-hidden": "true" }, bar), words),
    rubric.steps.map(stepCard),
    rubric.vetoes.length ? h("section", { class: "card" }, h("h2", {}, t("scoring.vetoes")), h("p", { class: "muted" }, t("scoring.veto_lead")), h("div", { class: "vetoes" }, rubric.vetoes.map(veto))) : null,
  ];
}

// Keys large enough for gloves; a keyboard works as well.
function keypad(one, before, done) {
  const field = h("input", { name: "value", inputmode: "none", autocomplete: "off", maxlength: 12, "aria-label": pick(one.title) });
  field.value = before;
  const trouble = h("p", { class: "notice bad", role: "alert", hidden: true }, t("scoring.not_a_number"));
  const put = (key) => () => {
    trouble.hidden = true;
    if (key === "−") field.value = field.value.startsWith("-") ? field.value.slice(1) : "-" + field.value;
    else if (field.value.length < 12) field.value += key;
  };
  const keys = KEYS.map((key) => h("button", { type: "button", class: "button key num", "aria-label": key === "−" ? t("scoring.key_sign") : key, onclick: put(key) }, key));
  const form = h("form", { method: "dialog" }, h("h2", { id: "keypad-title" }, pick(one.title)), h("p", { class: "muted num" }, t("scoring.target", { value: one.target + (one.unit ? " " + one.unit : "") })),
    h("div", { class: "typed" }, field, h("span", { class: "unit" }, one.unit || ""), h("button", { type: "button", class: "button", "aria-label": t("scoring.key_back"), onclick: () => { field.value = field.value.slice(0, -1); } }, "⌫")),
    h("div", { class: "keys" }, keys), trouble,
    h("div", { class: "row right" }, h("button", { type: "button", class: "button", onclick: () => { done(""); dialog.close(); } }, t("scoring.clear")),
      h("button", { type: "button", class: "button", onclick: () => dialog.close() }, t("common.cancel")), h("button", { class: "button main" }, t("scoring.take_value"))));
  const dialog = h("dialog", { class: "box keypad", "aria-labelledby": "keypad-title" }, form);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const typed = written(field.value);
    if (typed === null) {
      trouble.hidden = false;
      field.focus();
      return;
    }
    done(typed);
    dialog.close();
  });
  openBox(dialog);
  field.focus();
}
