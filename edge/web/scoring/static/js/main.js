// The examiner's list of candidates, and the way to each one's sheet.

import { byId, h, replace } from "/ui/static/js/dom.js";
import { pick, t } from "/ui/static/js/text.js";
import { getJSON } from "/ui/static/js/http.js";
import { toast } from "/ui/static/js/dialog.js";
import { hasDraft } from "./draft.js";
import { drawSheet } from "./sheet.js";

const RETRY_MS = 4000;
const facts = JSON.parse(byId("facts").textContent);
const holder = byId("sheet");
let known = null;
let openOnly = false;

async function load() {
  try {
    known = await getJSON("/scoring/api/" + encodeURIComponent(facts.session));
    drawList();
  } catch (failure) {
    if (!known) replace(holder, h("p", { class: "notice bad", role: "alert" }, failure.message));
    if (failure.offline || failure.status >= 500) setTimeout(load, RETRY_MS);
  }
}

const open = (who) => !who.practical && ["admitted", "finished"].includes(who.state);

function standing(who) {
  if (who.practical) {
    const { points, passed, vetoed } = who.practical;
    return [h("span", { class: "num points" }, t("scoring.points", { points })),
      h("span", { class: "tag " + (passed ? "good" : "bad") }, (passed ? "✓ " : "× ") + t(vetoed ? "scoring.vetoed" : passed ? "scoring.passed" : "scoring.failed"))];
  }
  if (who.state === "absent") return h("span", { class: "tag" }, t("scoring.absent"));
  if (!open(who)) return h("span", { class: "tag" }, t("scoring.not_in"));
  return [hasDraft(facts.session, who.person) ? h("span", { class: "tag warn" }, t("scoring.draft")) : null, h("span", { class: "go", "aria-hidden": "true" }, "›")];
}

function drawList() {
  const { rubric, candidates } = known;
  const count = candidates.filter(open).length;
  const chosen = openOnly ? candidates.filter(open) : candidates;
  const tab = (only, label) => h("button", { type: "button", class: "button" + (openOnly === only ? " main" : ""), "aria-pressed": String(openOnly === only), onclick: () => { openOnly = only; drawList(); } }, label);
  replace(holder, h("div", {}, h("h1", {}, pick(rubric.title)), h("p", { class: "muted" }, facts.title)),
    h("p", {}, t("scoring.list_lead", { points: rubric.points, pass: known.pass })),
    h("div", { class: "row" }, tab(false, t("scoring.filter_all")), tab(true, t("scoring.filter_open")), h("span", { class: "tag num " + (count ? "warn" : "good") }, t("scoring.to_do", { count }))),
    h("ul", { class: "people" }, chosen.map((who) => h("li", {},
      h("button", { type: "button", class: "person-row", disabled: !open(who), onclick: () => start(who) },
        h("span", { class: "num place" }, who.seat || "–"), h("span", { class: "who" }, h("strong", {}, who.name), h("span", { class: "num muted small" }, t("scoring.number", { number: who.number }))),
        h("span", { class: "standing" }, standing(who)))))));
}

function start(who) {
  window.scrollTo(0, 0);
  drawSheet(holder, { session: facts.session, rubric: known.rubric, who, leave });
  function leave(result) {
    drawList();
    if (result) {
      toast("good", t("scoring.done", { name: who.name, points: result.points }));
      load();
    }
  }
}

load();
