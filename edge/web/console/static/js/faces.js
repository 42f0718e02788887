// Faces from the proctor's side: who takes the other route and why, and one person's consent, which they may withdraw.

import { h, replace } from "/ui/static/js/dom.js";
import { pick, t } from "/ui/static/js/text.js";
import { getJSON } from "/ui/static/js/http.js";
import { openBox } from "/ui/static/js/dialog.js";
import { hms } from "/ui/static/js/time.js";

function box(title, lead) {
  const body = h("div", { class: "faces" }, h("p", { class: "muted" }, t("console.loading")));
  const dialog = h("dialog", { class: "box wide", "aria-labelledby": "faces-title" }, h("div", { class: "inner" },
    h("h2", { id: "faces-title" }, title), h("p", { class: "muted" }, lead), body,
    h("div", { class: "row right" }, h("button", { type: "button", class: "button", onclick: () => dialog.close() }, t("console.close_box")))));
  openBox(dialog);
  return { dialog, body };
}

async function load(path, body) {
  try {
    return await getJSON(path);
  } catch (failure) {
    replace(body, h("p", { class: "notice bad", role: "alert" }, failure.message));
    return null;
  }
}

// Who cannot be verified by face here: they are no fewer rights, and the proctor knows beforehand how many come.
export async function facesDialog(base) {
  const { body } = box(t("console.faces_title"), t("console.faces_lead"));
  const found = await load(base + "/faces", body);
  if (!found) return;
  const rows = found.others.map((one) => h("tr", {}, h("td", { class: "num" }, String(one.number)), h("th", { scope: "row" }, one.name), h("td", {}, pick(one))));
  replace(body, h("p", {}, t("console.faces_counts", { ready: found.ready, others: found.others.length })),
    rows.length ? h("div", { class: "scroll-x" }, h("table", { class: "plain" }, h("thead", {}, h("tr", {}, ["console.faces_number", "console.faces_name", "console.faces_why"].map((key) => h("th", { scope: "col" }, t(key))))), h("tbody", {}, rows))) : null);
}

export async function consentDialog(base, sender, who) {
  const { dialog, body } = box(t("console.consent_title", { name: who.name }), t("console.consent_lead"));
  const found = await load(base + "/faces/" + encodeURIComponent(who.person), body);
  if (!found) return;
  const held = found.held.templates + found.held.photos + found.held.stills > 0;
  const given = found.consents.filter((one) => one.given);
  const rows = found.consents.map((one) => h("tr", {}, h("th", { scope: "row" }, t("console.purpose_" + one.purpose)),
    h("td", {}, t(one.given ? (one.stands ? "console.consent_yes" : "console.consent_old") : "console.consent_no")),
    h("td", {}, one.via ? t("console.via_" + one.via) : ""), h("td", { class: "num small" }, one.notice, " ", new Date(one.at_ms).toLocaleDateString())));
  const still = found.still ? h("div", {}, h("button", { type: "button", class: "button slim", onclick: (event) => showStill(base, who, event.target) }, t("console.still_show")),
    h("p", { class: "small muted" }, t("console.still_lead", { time: hms(found.still.at_ms), date: new Date(found.still.delete_ms).toLocaleDateString() }))) : null;
  replace(body, found.minor ? h("p", { class: "notice" }, t("console.consent_minor")) : null,
    rows.length ? h("table", { class: "plain" }, h("tbody", {}, rows)) : h("p", {}, t("console.consent_none")),
    h("p", {}, t("console.consent_held", found.held)), still,
    given.length || held ? [h("h3", {}, t("console.withdraw_options")),
      h("ul", {}, h("li", {}, t("console.withdraw_keep")), h("li", {}, t("console.withdraw_take"))),
      h("button", { type: "button", class: "button stop", onclick: () => { dialog.close(); withdraw(sender, who)(); } }, t("console.act_withdraw_consent"))] : null);
}

function withdraw(sender, who) {
  return sender.withReason("withdraw-consent", t("console.act_withdraw_consent"), t("console.lead_withdraw_consent", { name: who.name }),
    [t("console.phrase_own_wish")], { danger: true, usual: true, body: () => ({ person: who.person }) });
}

// Looking is recorded, so it is a button, and the picture goes with the dialog.
function showStill(base, who, button) {
  const image = h("img", { class: "still", alt: t("console.still_alt", { name: who.name }), src: base + "/stills/" + encodeURIComponent(who.person) });
  button.replaceWith(image);
}
