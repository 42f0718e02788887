// The list of sessions: makes a practice session, and says whether the box may be unplugged.

import { byId, h } from "/ui/static/js/dom.js";
import { t } from "/ui/static/js/text.js";
import { postJSON } from "/ui/static/js/http.js";
import { ask } from "/ui/static/js/dialog.js";
import { wake } from "/ui/static/js/wake.js";
import { newId } from "./send.js";
import { watchUnplug } from "./unplug.js";

const button = byId("practice");
if (button) {
  button.addEventListener("click", () => {
    const op = newId();
    ask({
      title: t("console.practice_new"), lead: t("console.practice_lead"), button: t("console.practice_new"),
      fields: h("label", { class: "field" }, h("span", {}, t("console.practice_count")),
        h("input", { name: "candidates", type: "number", min: 1, max: 200, value: 6, required: true, inputmode: "numeric" })),
      act: async (form) => {
        const answer = await postJSON("/console/api/practice", { op_id: op, candidates: Number(form.elements.candidates.value) });
        location.assign("/console/" + encodeURIComponent(answer.session));
      },
    });
  });
}
watchUnplug(byId("unplug"), () => true);
wake();
