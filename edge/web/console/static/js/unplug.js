// May the box be switched off? Says yes only when the room says so; else what is missing and what to do.

import { h, replace } from "/ui/static/js/dom.js";
import { pick, t } from "/ui/static/js/text.js";
import { getJSON } from "/ui/static/js/http.js";

const EVERY_MS = 5000;

// wanted(): whether to ask at all now.
export function watchUnplug(holder, wanted) {
  let shown = "";

  async function look() {
    if (wanted()) {
      try {
        const answer = await getJSON("/console/api/safe-to-unplug");
        const key = JSON.stringify([answer.safe, answer.missing, answer.notes]);
        if (key !== shown) draw(answer);
        shown = key;
      } catch (failure) {
        shown = "";
        replace(holder, h("h2", {}, t("console.unplug_title")), h("p", { class: "notice bad" }, failure.message));
      }
    }
    holder.hidden = !wanted();
    setTimeout(look, EVERY_MS);
  }

  function draw(answer) {
    replace(holder, h("h2", {}, t("console.unplug_title")),
      answer.safe ? h("p", { class: "notice good unplug-yes", role: "status" }, h("strong", {}, answer.gateway ? t("console.unplug_safe") : t("console.unplug_local")))
        : [h("p", { class: "notice warn", role: "status" }, h("strong", {}, t("console.unplug_not_yet"))), h("ul", { class: "missing" }, answer.missing.map((one) => h("li", { "data-code": one.code }, "☐ " + pick(one))))],
      answer.notes.map((one) => h("p", { class: "small muted" }, pick(one))));
  }

  look();
}
