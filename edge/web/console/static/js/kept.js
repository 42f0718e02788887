// Answers that came stale or late: both values side by side. The room decides nothing by itself; accepting is an act,
// of one answer, or of all that one candidate could not send in time.

import { h, replace } from "/ui/static/js/dom.js";
import { t } from "/ui/static/js/text.js";
import { getJSON } from "/ui/static/js/http.js";
import { openBox } from "/ui/static/js/dialog.js";
import { hms } from "/ui/static/js/time.js";

function shown(value) {
  return value.length ? value.join(" ") : t("console.no_answer_given");
}

export async function keptDialog(base, sender, board, who) {
  const body = h("div", {}, h("p", { class: "muted" }, t("console.loading")));
  const dialog = h("dialog", { class: "box wide", "aria-labelledby": "kept-title" }, h("div", { class: "inner" },
    h("h2", { id: "kept-title" }, t("console.kept_title", { name: who.name })), h("p", { class: "muted" }, t("console.kept_lead")), body,
    h("div", { class: "row right" }, h("button", { type: "button", class: "button", onclick: () => dialog.close() }, t("console.close_box")))));
  openBox(dialog);
  let found;
  try {
    found = (await getJSON(base + "/kept/" + encodeURIComponent(who.person))).kept;
  } catch (failure) {
    replace(body, h("p", { class: "notice bad", role: "alert" }, failure.message));
    return;
  }
  const open = ["running", "closed"].includes(board.session.state);
  const late = found.filter((one) => one.outcome === "late" && !one.accepted);
  const all = open && late.length > 1
    ? h("button", { type: "button", class: "button", onclick: () => { dialog.close(); acceptAll(sender, who, late); } }, t("console.act_accept_all", { count: late.length })) : null;
  const rows = found.map((one) => h("tr", {},
    h("th", { scope: "row", class: "num" }, one.item),
    h("td", {}, h("span", { class: "tag " + (one.outcome === "late" ? "warn" : "info") }, t("console.kept_" + one.outcome)), one.old_tablet ? h("span", { class: "small" }, " " + t("console.kept_old_tablet")) : null, h("br", {}), h("span", { class: "num small muted" }, hms(one.at_ms))),
    h("td", { class: "value" }, shown(one.value)),
    h("td", { class: "value" }, shown(one.stands), one.stands_ms ? h("span", { class: "num small muted" }, " " + hms(one.stands_ms)) : null),
    h("td", {}, one.accepted ? h("span", { class: "tag good" }, "✓ " + t("console.kept_accepted"))
      : open ? h("button", { type: "button", class: "button slim", onclick: () => { dialog.close(); accept(sender, who, one); } }, t("console.act_accept")) : null)));
  replace(body, rows.length
    ? h("div", {}, all, h("div", { class: "scroll-x" }, h("table", { class: "plain" }, h("thead", {}, h("tr", {}, ["kept_item", "kept_when", "kept_sent", "kept_stands"].map((key) => h("th", { scope: "col" }, t("console." + key))), h("th", {}))), h("tbody", {}, rows))))
    : h("p", { class: "muted" }, t("console.kept_none")));
}

function accept(sender, who, one) {
  const facts = { item: one.item, value: shown(one.value), stands: shown(one.stands), name: who.name };
  sender.withReason("accept-answer", t("console.act_accept"), t("console.lead_accept", facts),
    [t("console.phrase_network_late"), t("console.phrase_two_tablets")], { body: () => ({ person: who.person, n: [one.n] }) })();
}

function acceptAll(sender, who, late) {
  const facts = { name: who.name, count: late.length, items: [...new Set(late.map((one) => one.item))].join(", ") };
  const numbers = late.map((one) => one.n).sort((a, b) => a - b);
  sender.withReason("accept-answer", t("console.act_accept_all", facts), t("console.lead_accept_all", facts),
    [t("console.phrase_network_late")], { body: () => ({ person: who.person, n: numbers }) })();
}
