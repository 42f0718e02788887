// Writing an incident down: a template to start from, when and at which seat; a correction is a further entry.

import { h } from "/ui/static/js/dom.js";
import { t } from "/ui/static/js/text.js";
import { ask } from "/ui/static/js/dialog.js";
import { hm } from "/ui/static/js/time.js";
import { newId } from "./send.js";

export const KINDS = ["power", "network", "device", "health", "late", "identity", "conduct-copying", "conduct-phone", "conduct-notes",
  "conduct-impersonation", "conduct-talking", "conduct-other", "disturbance", "other"];
const ZONE_MS = 8 * 3600 * 1000;
const DAY_MS = 24 * 3600 * 1000;

export function kindText(kind) {
  return t("console.kind_" + kind.replace("-", "_"));
}

function template(kind) {
  return t("console.template_" + kind.replace("-", "_"));
}

// "14:05" on the room's day, the last time the clock showed it.
function moment(text, now) {
  const [hours, minutes] = text.split(":").map(Number);
  const midnight = Math.floor((now + ZONE_MS) / DAY_MS) * DAY_MS - ZONE_MS;
  const at = midnight + (hours * 60 + minutes) * 60000;
  return at > now + 60000 ? at - DAY_MS : Math.min(at, now);
}

// who: a seat's tile, or null for the room; corrects: the entry to put right, or null.
export function incidentDialog(sender, board, who, corrects) {
  const op = newId();
  const label = corrects ? t("console.act_correct") : t("console.act_incident");
  const text = h("textarea", { name: "text", required: true, minlength: 2, maxlength: 2000, rows: 4 });
  let offered = "";
  const kind = h("select", { name: "kind", onchange: fill }, KINDS.map((one) => h("option", { value: one, selected: corrects ? one === corrects.kind : false }, kindText(one))));
  const seats = board.seats.filter((seat) => seat.seat).sort((a, b) => (a.row - b.row) || (a.column - b.column));
  const chosen = who ? who.seat : corrects ? corrects.seat : "";
  if (corrects) text.value = corrects.text;
  else fill();

  // A template goes in only where nobody has typed: words are never overwritten.
  function fill() {
    if (text.value.trim() && text.value !== offered) return;
    offered = template(kind.value);
    text.value = offered;
  }

  ask({
    title: label, button: label,
    lead: corrects ? t("console.correct_lead") : who ? t("console.incident_about", { name: who.name }) : "",
    fields: [
      h("div", { class: "pair" },
        h("label", { class: "field" }, h("span", {}, t("console.incident_kind")), kind),
        h("label", { class: "field" }, h("span", {}, t("console.incident_when")), h("input", { name: "when", type: "time", required: true, value: hm(corrects ? corrects.happened_ms : board.now) })),
        h("label", { class: "field" }, h("span", {}, t("console.incident_seat")), h("select", { name: "seat", disabled: Boolean(who && who.seat) },
          h("option", { value: "" }, t("console.whole_room")), seats.map((seat) => h("option", { value: seat.seat, selected: seat.seat === chosen }, seat.seat + (seat.name ? " " + seat.name : "")))))),
      h("label", { class: "field" }, h("span", {}, t("console.incident_text")), text),
    ],
    act: (form) => {
      const seat = form.elements.seat.value;
      const at = board.seats.find((one) => one.seat === seat && one.person);
      return sender.send("incident", {
        kind: kind.value, text: text.value.trim(), seat: seat || null,
        person: who ? who.person : at ? at.person : null,
        happened_ms: moment(form.elements.when.value, board.now), corrects: corrects ? corrects.number : null,
      }, label, op);
    },
  });
}
