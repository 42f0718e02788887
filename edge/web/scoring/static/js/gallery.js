// The pictures of a work piece on the sheet: taken here, waiting here, in the room.

import { h, replace } from "/ui/static/js/dom.js";
import { t } from "/ui/static/js/text.js";
import { ask, toast } from "/ui/static/js/dialog.js";

export function drawPictures(app, { who, rubric, detail, updates, refresh }) {
  const most = app.board.rules.pictures;
  if (!most) return null;
  const shown = h("ul", { class: "shots" });
  const input = h("input", { type: "file", accept: "image/*", capture: "environment", class: "sr", id: "shot" });
  const label = h("label", { class: "button shot", for: "shot" }, t("scoring.picture_take"));
  const local = new Map();
  let drawn = "";

  input.addEventListener("change", async () => {
    const file = input.files[0];
    input.value = "";
    if (!file) return;
    try {
      await app.pictures.add(who.person, rubric.id, file);
    } catch (error) {
      toast("bad", t("scoring.picture_unreadable"));
    }
  });

  function remove(id) {
    ask({ title: t("scoring.picture_remove"), button: t("scoring.picture_remove"), danger: true, act: async () => {
      await app.plainPost("pictures/" + id + "/remove", {});
      refresh();
    } });
  }

  function localUrl(one) {
    if (!local.has(one.sha256)) local.set(one.sha256, URL.createObjectURL(new Blob([one.bytes], { type: "image/jpeg" })));
    return local.get(one.sha256);
  }

  updates.push(() => {
    const waiting = app.pictures.of(who.person, rubric.id);
    const there = detail() ? detail().pictures : [];
    const now = JSON.stringify([waiting.map((one) => [one.sha256, one.sent, one.refused]), there.map((one) => one.id)]);
    if (now === drawn) return;
    drawn = now;
    input.disabled = waiting.length + there.length >= most;
    label.setAttribute("aria-disabled", String(input.disabled));
    replace(shown,
      there.map((one, at) => h("li", {}, h("img", { src: app.root + "/pictures/" + one.id, alt: t("scoring.picture_alt", { n: at + 1 }) }),
        h("span", { class: "small" }, "✓ " + t("scoring.picture_there")), h("button", { type: "button", class: "button slim", onclick: () => remove(one.id) }, t("scoring.picture_remove")))),
      waiting.map((one) => h("li", {}, h("img", { src: localUrl(one), alt: t("scoring.picture_alt", { n: there.length + 1 }) }), h("span", { class: "small num" }, one.refused ? "! " + one.refused.message : t(app.store.durable() ? "scoring.picture_waits" : "scoring.picture_page", { sent: one.sent, parts: one.parts })))));
  });
  return h("section", { class: "card" }, h("h2", {}, t("scoring.pictures")), h("p", { class: "small muted" }, t("scoring.pictures_lead", { most })), shown, input, label);
}
