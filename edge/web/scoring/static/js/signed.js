// A sheet that is signed: what it says, a correction, and where two do not agree the chief examiner's word.

import { h, replace } from "/ui/static/js/dom.js";
import { pick, t } from "/ui/static/js/text.js";
import { countdown, hm } from "/ui/static/js/time.js";
import { getJSON } from "/ui/static/js/http.js";
import { ask, reasonField } from "/ui/static/js/dialog.js";
import { newId } from "./idb.js";
import { drawing } from "./pad.js";
import { passes } from "./list.js";

export function drawSigned(app, { who, rubric, detail, updates, correct, refresh }) {
  const place = h("div", { class: "signed" });
  let drawn = "";
  updates.push(() => {
    const work = who.works.find((one) => one.rubric === rubric.id);
    const sheets = detail() ? detail().sheets : [];
    const now = JSON.stringify([work.standing, work.mine, sheets.map((one) => [one.id, one.body.note === undefined]), app.board.state, app.board.me]);
    if (now === drawn) return;
    drawn = now;
    replace(place, standing(work), sheets.map(sheet), work.mine && app.board.state !== "signed" && app.facts.role === "examiner" ? h("button", { type: "button", class: "button correct", onclick: correct }, t("scoring.correct")) : null,
      work.standing.state === "disputed" ? ruling(sheets, work) : null);
  });

  function standing(work) {
    const { state, points, vetoed } = work.standing;
    if (state === "disputed") return h("p", { class: "notice bad" }, t("scoring.why_" + work.standing.why));
    if (points === undefined) return h("p", { class: "notice" }, t(work.mine ? "scoring.second_lead" : "scoring.open_lead"));
    const passed = passes(app.board, work);
    return h("p", { class: "notice " + (passed ? "good" : "bad") }, t("scoring.result", { points, full: rubric.points }) + " · " + t(vetoed ? "scoring.vetoed" : passed ? "scoring.passed" : "scoring.failed") + (state === "ruled" ? " · " + t("scoring.ruled") : ""));
  }

  function sheet(one) {
    const { marks, vetoes, measured, note, elapsed_ms: took, pictures } = one.body;
    const lines = [];
    for (const step of rubric.steps) {
      for (const d of step.deductions) if (marks && marks[d.id]) lines.push(pick(d.title) + " ×" + marks[d.id] + "（−" + d.points * marks[d.id] + "）");
      for (const m of step.measures || []) if (measured && measured[m.id] !== undefined) lines.push(pick(m.title) + " " + measured[m.id] + " " + (m.unit || ""));
    }
    for (const v of rubric.vetoes) if (vetoes && vetoes.includes(v.id)) lines.push("× " + pick(v.title));
    const drawings = h("div", { class: "drawings" });
    for (const name of one.drawn) {
      getJSON(app.root + "/sheets/" + one.id + "/signature/" + name).then((strokes) => drawings.append(drawing(strokes, t("scoring.drawn_" + name))), () => {});
    }
    return h("section", { class: "card" }, h("div", { class: "row ends" }, h("h2", {}, t("scoring.sheet_by", { who: one.by, time: hm(one.signed_ms) })), h("span", { class: "tag num" }, t("scoring.points", { points: one.points }))),
      one.version > 1 ? h("p", { class: "small muted" }, t("scoring.version", { version: one.version })) : null,
      lines.length ? h("ul", { class: "lines" }, lines.map((line) => h("li", {}, line))) : h("p", { class: "muted" }, t("scoring.nothing_off")),
      took !== null && took !== undefined ? h("p", { class: "small num" }, t("scoring.took", { time: countdown(took) })) : null,
      pictures && pictures.length ? h("p", { class: "small" }, t("scoring.picture_count", { count: pictures.length })) : null,
      note ? h("p", {}, note) : null, drawings);
  }

  function ruling(sheets, work) {
    if (!app.board.me.chief || work.mine) return h("p", { class: "notice" }, app.board.chiefs.length ? t("scoring.chief_is", { names: app.board.chiefs.map((one) => one.name).join("、") }) : t("scoring.chief_none"));
    return h("button", { type: "button", class: "button main", onclick: () => decide(sheets) }, t("scoring.rule"));
  }

  function decide(sheets) {
    const points = h("input", { name: "points", inputmode: "decimal", required: true, pattern: "[0-9]+([.][0-9]{1,2})?" });
    const vetoed = h("input", { type: "checkbox", name: "vetoed" });
    const pin = h("input", { name: "pin", type: "password", inputmode: "numeric", autocomplete: "off", required: true, maxlength: 64 });
    const use = (one) => () => { points.value = one.points; vetoed.checked = one.vetoed; };
    const op = newId();
    ask({ title: t("scoring.rule"), lead: t("scoring.rule_lead"), button: t("scoring.rule"), danger: true, fields: [
      h("div", { class: "choices" }, sheets.map((one) => h("button", { type: "button", class: "button slim", onclick: use(one) }, t("scoring.rule_use", { who: one.by, points: one.points })))),
      h("label", { class: "field" }, h("span", {}, t("scoring.rule_points", { full: rubric.points })), points),
      h("label", { class: "check" }, vetoed, h("span", {}, t("scoring.vetoed"))),
      reasonField([t("scoring.rule_footage")]), h("label", { class: "field" }, h("span", {}, t("scoring.pin")), pin)],
    act: async (form) => {
      await app.plainPost("rule", { op_id: op, person: who.person, rubric: rubric.id, points: Math.round(Number(points.value) * 100), vetoed: vetoed.checked, reason: form.elements.reason.value, pin: pin.value });
      refresh();
    } });
  }
  return place;
}
