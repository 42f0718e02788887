// One candidate's score sheet: count deductions by big buttons, see the points at once, sign with the PIN.

import { h, replace, setText } from "/ui/static/js/dom.js";
import { pick, t } from "/ui/static/js/text.js";
import { postJSON } from "/ui/static/js/http.js";
import { openBox } from "/ui/static/js/dialog.js";
import { dropDraft, loadDraft, saveDraft } from "./draft.js";
import { full, stepPoints, total } from "./points.js";

const MOST = 100;
const RETRY_MS = 4000;

// `leave(result or null)` goes back to the list.
export function drawSheet(holder, { session, rubric, who, leave }) {
  const draft = loadDraft(session, who.person);
  const running = h("output", { class: "running num", "aria-live": "polite" });
  const updates = [];

  function changed() {
    saveDraft(session, who.person, draft);
    update();
  }

  function update() {
    for (const each of updates) each();
    const veto = Object.keys(draft.vetoes).length > 0;
    setText(running, t("scoring.running", { points: total(rubric, draft), full: full(rubric) }) + (veto ? " · " + t("scoring.vetoed") : ""));
    running.classList.toggle("bad", veto);
  }

  function deduction(one) {
    const count = h("output", { class: "count num" });
    const step = (by) => () => {
      const next = Math.min(MOST, Math.max(0, (draft.marks[one.id] || 0) + by));
      if (next) draft.marks[one.id] = next;
      else delete draft.marks[one.id];
      changed();
    };
    const title = pick(one.title);
    const minus = h("button", { type: "button", class: "button round minus", "aria-label": t("scoring.minus", { title }), onclick: step(-1) }, "−");
    const plus = h("button", { type: "button", class: "button round plus", "aria-label": t("scoring.plus", { title }), onclick: step(1) }, "+");
    const row = h("li", { class: "deduction" }, h("div", { class: "what" }, h("span", {}, title), h("span", { class: "muted small num" }, t("scoring.each", { points: one.points }))),
      h("div", { class: "counter" }, minus, count, plus));
    updates.push(() => {
      const n = draft.marks[one.id] || 0;
      setText(count, n);
      minus.disabled = n === 0;
      row.classList.toggle("marked", n > 0);
    });
    return row;
  }

  function stepCard(step, index) {
    const points = h("span", { class: "tag num" });
    updates.push(() => {
      const left = stepPoints(step, draft.marks);
      setText(points, t("scoring.step_points", { left, points: step.points }));
      points.className = "tag num " + (left < step.points ? "warn" : "good");
    });
    return h("section", { class: "card step" }, h("div", { class: "row ends" }, h("h2", {}, index + 1 + ". " + pick(step.title)), points), h("ul", {}, step.deductions.map(deduction)));
  }

  function veto(one) {
    const state = h("span", { class: "state" });
    const button = h("button", { type: "button", class: "veto", onclick: () => {
      if (draft.vetoes[one.id]) delete draft.vetoes[one.id];
      else draft.vetoes[one.id] = true;
      changed();
    } }, h("span", {}, pick(one.title)), state);
    updates.push(() => {
      const on = Boolean(draft.vetoes[one.id]);
      button.setAttribute("aria-pressed", String(on));
      setText(state, on ? "× " + t("scoring.veto_on") : t("scoring.veto_off"));
    });
    return button;
  }

  const note = h("textarea", { maxlength: 1000 });
  note.value = draft.note;
  note.addEventListener("input", () => {
    draft.note = note.value;
    saveDraft(session, who.person, draft);
  });
  replace(holder,
    h("div", { class: "row ends" }, h("button", { type: "button", class: "button", onclick: () => leave(null) }, t("scoring.back")), h("span", { class: "small muted" }, t("scoring.kept_local"))),
    h("h1", { tabindex: "-1" }, who.name + "  ", h("span", { class: "num muted" }, t("scoring.number", { number: who.number }) + (who.seat ? " · " + t("scoring.seat", { seat: who.seat }) : ""))),
    h("p", { class: "muted" }, pick(rubric.title)), rubric.steps.map(stepCard),
    rubric.vetoes.length ? h("section", { class: "card" }, h("h2", {}, t("scoring.vetoes")), h("p", { class: "muted" }, t("scoring.veto_lead")), h("div", { class: "vetoes" }, rubric.vetoes.map(veto))) : null,
    h("label", { class: "field" }, h("span", {}, t("scoring.note")), note),
    h("div", { class: "signbar" }, running, h("button", { type: "button", class: "button main sign", onclick: () => sign() }, t("scoring.sign"))));
  update();
  holder.querySelector("h1").focus();

  // The PIN lives in this dialog and nowhere else. While the room does not answer the dialog keeps trying.
  function sign() {
    const vetoes = Object.keys(draft.vetoes);
    const points = total(rubric, draft);
    const pin = h("input", { name: "pin", type: "password", inputmode: "numeric", autocomplete: "off", required: true, maxlength: 64 });
    const trouble = h("p", { class: "notice bad", role: "alert", hidden: true });
    const go = h("button", { class: "button main" }, t("scoring.sign"));
    let timer = 0;
    let open = true;
    const form = h("form", { method: "dialog" }, h("h2", { id: "sign-title" }, t("scoring.sign")),
      h("p", { class: "lead" }, t(vetoes.length ? "scoring.sign_vetoed" : "scoring.sign_lead", { name: who.name, points })),
      h("label", { class: "field" }, h("span", {}, t("scoring.pin")), pin), trouble,
      h("div", { class: "row right" }, h("button", { type: "button", class: "button", onclick: () => dialog.close() }, t("common.cancel")), go));
    const dialog = h("dialog", { class: "box", "aria-labelledby": "sign-title" }, form);
    dialog.addEventListener("close", () => { open = false; });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      send();
    });
    async function send() {
      clearTimeout(timer);
      if (!open) return;
      go.disabled = true;
      const marks = Object.keys(draft.marks).map((deduction) => ({ deduction, count: draft.marks[deduction] }));
      try {
        const result = await postJSON("/scoring/api/" + encodeURIComponent(session) + "/score", { person: who.person, marks, vetoes, note: draft.note, pin: pin.value });
        dropDraft(session, who.person);
        dialog.close();
        leave(result);
      } catch (failure) {
        const again = failure.offline || failure.status >= 502;
        // It had arrived the time before, and only the answer was lost.
        if (failure.code === "score_signed") {
          dropDraft(session, who.person);
          dialog.close();
          leave({ points });
          return;
        }
        trouble.className = "notice " + (again ? "warn" : "bad");
        trouble.textContent = again ? t("scoring.kept") : failure.message;
        trouble.hidden = false;
        go.disabled = false;
        if (again) timer = setTimeout(send, RETRY_MS);
        else pin.select();
      }
    }
    openBox(dialog);
    pin.focus();
  }
}
