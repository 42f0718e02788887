// Dialogs and passing notices. <dialog> where the browser has it; the same box, kept in front by style, where not.

import { h, byId } from "./dom.js";
import { t } from "./text.js";

const MOST_TOASTS = 2;

export function openBox(dialog) {
  document.body.append(dialog);
  dialog.addEventListener("close", () => dialog.remove());
  if (dialog.showModal) {
    dialog.showModal();
    return;
  }
  const before = document.activeElement;
  dialog.classList.add("poor");
  dialog.setAttribute("open", "");
  dialog.close = () => {
    dialog.removeAttribute("open");
    dialog.dispatchEvent(new Event("close"));
    if (before) before.focus();
  };
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "Escape") dialog.close();
    if (event.key === "Tab") keepInside(dialog, event);
  });
  const first = dialog.querySelector("input, textarea, select, button");
  if (first) first.focus();
}

function keepInside(dialog, event) {
  const stops = dialog.querySelectorAll("input, textarea, select, button:not([disabled])");
  const [first, last] = [stops[0], stops[stops.length - 1]];
  if (event.shiftKey && document.activeElement === first) {
    event.preventDefault();
    last.focus();
  } else if (!event.shiftKey && document.activeElement === last) {
    event.preventDefault();
    first.focus();
  }
}

// Asks, then acts: `fields` are elements inside the form, `act(form data)` may throw a Failure, whose sentence is
// shown in the dialog so that nothing typed is lost.
export function ask({ title, lead, fields, button, danger, act }) {
  const trouble = h("p", { class: "notice bad", role: "alert", hidden: true });
  const go = h("button", { class: "button main" + (danger ? " stop" : "") }, button);
  const form = h("form", { method: "dialog" },
    h("h2", { id: "box-title" }, title), lead ? h("p", { class: "muted" }, lead) : null, fields || [], trouble,
    h("div", { class: "row right" },
      h("button", { type: "button", class: "button", onclick: () => dialog.close() }, t("common.cancel")), go));
  const dialog = h("dialog", { class: "box", "aria-labelledby": "box-title" }, form);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    go.disabled = true;
    trouble.hidden = true;
    try {
      await act(form);
      dialog.close();
    } catch (failure) {
      trouble.textContent = failure.message;
      trouble.hidden = false;
      go.disabled = false;
    }
  });
  openBox(dialog);
  return dialog;
}

// A reason with ready-made phrases to tap; typing stays possible. usual: the first stands there already.
export function reasonField(phrases, usual) {
  const area = h("textarea", { name: "reason", required: true, minlength: 2, maxlength: 500 }, usual ? phrases[0] : "");
  const choices = phrases.map((phrase) =>
    h("button", { type: "button", class: "button slim", onclick: () => { area.value = phrase; area.focus(); } }, phrase));
  return h("div", {}, h("label", { class: "field" }, h("span", {}, t("common.reason")), area),
    h("div", { class: "choices" }, choices));
}

export function toast(kind, sentence, seconds = 6) {
  const note = h("p", { class: "notice " + kind }, sentence);
  const holder = byId("toasts");
  holder.append(note);
  while (holder.children.length > MOST_TOASTS) holder.removeChild(holder.firstChild);
  setTimeout(() => note.remove(), seconds * 1000);
}
