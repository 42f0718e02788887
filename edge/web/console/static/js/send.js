// How an act is sent: one op id a dialog, so that a repeat after a lost answer is the same act; a second person where
// the session's policy asks for one; and a way back for ten seconds where there is one.

import { byId, h } from "/ui/static/js/dom.js";
import { t } from "/ui/static/js/text.js";
import { postJSON } from "/ui/static/js/http.js";
import { ask, reasonField, toast } from "/ui/static/js/dialog.js";

const UNDO_SECONDS = 10;
const OPPOSITE = { pause: "resume" };
const UNDOABLE = ["absent", "deny", "retry", "admit", "hand-in", "pause"];

export function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(12));
  return Array.from(bytes, (byte) => (byte < 16 ? "0" : "") + byte.toString(16)).join("");
}

// base: the session's API; took(board): what came back; policy(): acts that two people stand for.
export function createSender(base, took, policy) {
  async function send(act, body, label, op) {
    const id = op || newId();
    const answer = await postJSON(base + "/" + act, Object.assign({ op_id: id }, body));
    if (answer && answer.board) took(answer.board, answer);
    if (UNDOABLE.includes(act)) offerUndo(act, id, label);
    else toast("good", t("console.done", { act: label }));
    return answer;
  }

  function offerUndo(act, id, label) {
    const op = newId();
    const button = h("button", { type: "button", class: "button slim", onclick: undo }, t("console.undo"));
    const note = h("div", { class: "notice good undo", "data-undo": act }, h("span", {}, t("console.done", { act: label })), button);
    const holder = byId("toasts");
    while (holder.children.length > 1) holder.removeChild(holder.firstChild);
    holder.append(note);
    let gone = 0;
    const wait = () => { gone = setTimeout(() => note.remove(), UNDO_SECONDS * 1000); };
    wait();

    async function take(second) {
      const answer = await postJSON(base + "/undo", Object.assign({ op_id: op, of: id, reason: t("console.undo_reason", { act: label }) }, second));
      took(answer.board, answer);
      note.remove();
      toast("good", t("console.undone", { act: label }));
    }

    // What takes two people to do takes two to take back; the offer stands until they have, or have thought better of it.
    async function undo() {
      clearTimeout(gone);
      const second = secondFields(["undo", act].concat(OPPOSITE[act] || []));
      if (second) {
        const title = t("console.undo_title", { act: label });
        ask({ title, button: t("console.undo"), fields: second, act: (form) => take(secondOf(form)) }).addEventListener("close", wait);
        return;
      }
      button.disabled = true;
      try {
        await take({});
      } catch (failure) {
        note.remove();
        toast("bad", failure.message, UNDO_SECONDS);
      }
    }
  }

  function secondFields(acts) {
    if (!acts.some((act) => policy().includes(act))) return null;
    return h("fieldset", { class: "second" }, h("legend", {}, t("console.second_title")),
      h("p", { class: "small muted" }, t("console.second_lead")),
      h("div", { class: "pair" },
        h("label", { class: "field" }, h("span", {}, t("console.second_badge")), h("input", { name: "second_badge", required: true, maxlength: 64, autocomplete: "off", autocapitalize: "characters", onkeydown: readerEnter })),
        h("label", { class: "field" }, h("span", {}, t("console.second_pin")), h("input", { name: "second_pin", type: "password", required: true, maxlength: 64, inputmode: "numeric", autocomplete: "off" }))));
  }

  function secondOf(form) {
    const badge = form.elements.second_badge;
    return badge ? { second: { badge: badge.value.trim(), pin: form.elements.second_pin.value } } : {};
  }

  // An act whose only question is why. `phrases`: reasons to tap. more: danger, fields, body(form), policyNames,
  // then(answer), usual: whether the first phrase stands there already.
  function withReason(act, label, lead, phrases, more = {}) {
    return () => {
      const op = newId();
      ask({
        title: label, lead, button: label, danger: more.danger,
        fields: [more.fields ? more.fields() : null, reasonField(phrases, more.usual), secondFields([act].concat(more.policyNames || []))],
        act: async (form) => {
          const body = Object.assign({ reason: form.elements.reason.value.trim() }, more.body && more.body(form), secondOf(form));
          const answer = await send(act, body, label, op);
          if (more.then) more.then(answer);
        },
      });
    };
  }

  return { send, withReason };
}

// A badge reader types the number and then Enter: on to the PIN, not off with half a form.
function readerEnter(event) {
  if (event.key !== "Enter") return;
  event.preventDefault();
  event.target.form.elements.second_pin.focus();
}
