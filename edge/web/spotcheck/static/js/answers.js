// What a seat answered, beside the picture: the row of the moment that is shown is marked.

import { h, replace } from "/ui/static/js/dom.js";
import { t } from "/ui/static/js/text.js";
import { getJSON } from "/ui/static/js/http.js";
import { hms } from "/ui/static/js/time.js";

// `candidates` whose answers may be looked at; none where the policy does not allow it.
export function createAnswers(candidates, { address, seek }) {
  const choice = h("select", { name: "answers" }, h("option", { value: "" }, t("spotcheck.answers_nobody")),
    candidates.map((who) => h("option", { value: who.number }, t("spotcheck.number", { number: who.number }) + (who.seat ? " · " + who.seat : ""))));
  const list = h("div", { class: "answers", tabindex: "0" });
  const element = h("section", { class: "stack", hidden: true }, h("label", { class: "field" }, h("span", {}, t("spotcheck.answers")), choice), list);
  let view = "";
  let rows = [];
  let turn = 0;

  choice.addEventListener("change", show);

  async function show() {
    const mine = (turn += 1);
    rows = [];
    replace(list);
    if (!choice.value || !view) return;
    try {
      const found = await getJSON(address(choice.value) + "?" + new URLSearchParams({ view }));
      if (mine === turn) draw(found.answers);
    } catch (failure) {
      if (mine === turn) replace(list, h("p", { class: "notice bad", role: "alert" }, failure.message));
    }
  }

  function draw(given) {
    rows = given.map((one) => ({ at: one.at_ms, element: h("button", { type: "button", class: "answer-row", onclick: () => seek(one.at_ms) },
      h("span", { class: "num" }, hms(one.at_ms)), h("span", {}, words(one)),
      one.outcome === "applied" ? null : h("span", { class: "tag warn" }, t("spotcheck.outcome_" + one.outcome))) }));
    replace(list, rows.length ? rows.map((row) => row.element) : h("p", { class: "muted" }, t("spotcheck.answers_none")));
  }

  function words(one) {
    if (one.kind === "handin") return t("spotcheck.answers_handin");
    const value = one.value.length ? one.value.join(" ") : t("spotcheck.answers_cleared");
    return t("spotcheck.answers_row", { item: one.item || "?", value, version: one.version });
  }

  return {
    element,
    load(opened, number) {
      view = opened;
      element.hidden = !candidates.length;
      if (number !== undefined && number !== null) choice.value = String(number);
      show();
    },
    moved(at) {
      let now = null;
      for (const row of rows) if (row.at <= at) now = row;
      for (const row of rows) row.element.classList.toggle("now", row === now);
    },
  };
}
