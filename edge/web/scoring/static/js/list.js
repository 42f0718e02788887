// Everybody who may be scored, by station: who is next, who is at work, what is signed.

import { h, replace } from "/ui/static/js/dom.js";
import { pick, t } from "/ui/static/js/text.js";
import { hm } from "/ui/static/js/time.js";
import { ask, reasonField } from "/ui/static/js/dialog.js";
import { newId } from "./idb.js";
import { whereIs } from "./drafts.js";

let only = "all";
let station = "";

const here = (who) => ["admitted", "finished"].includes(who.state);
const byPlace = (a, b) => a.work.place[0] - b.work.place[0] || a.work.place[1] - b.work.place[1];

function rows(board) {
  const found = [];
  for (const who of board.candidates) for (const work of who.works) found.push({ who, work });
  return found.filter((row) => !station || row.work.station === station).sort(station ? byPlace : () => 0);
}

// Still to be scored by this examiner.
function toDo(board, { who, work }) {
  return here(who) && !work.mine && (work.standing.state === "open" || work.standing.state === "waiting");
}

export function stationName(board, id) {
  const found = board.stations.find((one) => one.id === id);
  if (!found) return id;
  return found.title || pick((board.rubrics.find((one) => one.id === found.rubric) || {}).title);
}

export function drawList(holder, app) {
  const { board, facts } = app;
  if (!board.rubrics.length) {
    replace(holder, h("p", { class: "notice" }, t("scoring.empty_lead")));
    return;
  }
  if (station && !board.stations.some((one) => one.id === station)) station = "";
  const all = rows(board);
  const count = all.filter((row) => toDo(board, row)).length;
  const shown = only === "open" ? all.filter((row) => toDo(board, row)) : only === "disputed" ? all.filter((row) => row.work.standing.state === "disputed") : all;
  const again = () => drawList(holder, app);
  const tab = (value, label) => h("button", { type: "button", class: "button" + (only === value ? " main" : ""), "aria-pressed": String(only === value), onclick: () => { only = value; again(); } }, label);
  const disputes = all.filter((row) => row.work.standing.state === "disputed").length;
  const next = station ? all.filter((row) => here(row.who) && row.work.state === "queued" && toDo(board, row))[0] : null;
  const focused = document.activeElement && document.activeElement.id;
  replace(holder,
    h("div", {}, h("h1", {}, board.rubrics.map((one) => pick(one.title)).join(" · ")), h("p", { class: "muted" }, facts.title)),
    h("p", {}, t("scoring.list_lead", { points: board.rubrics[0].points, pass: board.pass })),
    board.rules.examiners > 1 ? h("p", { class: "small muted" }, t("scoring.two_lead", { percent: board.rules.max_difference })) : null,
    board.stations.length > 1 ? h("label", { class: "field places" }, h("span", {}, t("scoring.station")), stations(board, again)) : null,
    next && facts.role === "examiner" ? h("button", { type: "button", class: "button main next", id: "next", onclick: () => call(app, next) }, t("scoring.call_next", { name: next.who.name, number: next.who.number })) : null,
    h("div", { class: "row" }, tab("all", t("scoring.filter_all")), tab("open", t("scoring.filter_open")),
      disputes ? tab("disputed", t("scoring.filter_disputed", { count: disputes })) : null,
      h("span", { class: "tag num " + (count ? "warn" : "good") }, t("scoring.to_do", { count }))),
    shown.length ? null : h("p", { class: "notice" }, t(board.candidates.some(here) ? "scoring.nobody_left" : "scoring.nobody_here")),
    h("ul", { class: "people" }, shown.map((row) => person(app, row))),
    facts.role === "proctor" ? chiefs(app) : null);
  if (focused && document.getElementById(focused)) document.getElementById(focused).focus();
}

function stations(board, again) {
  const select = h("select", { id: "station" }, h("option", { value: "" }, t("scoring.all_stations")),
    board.stations.map((one) => h("option", { value: one.id, selected: one.id === station }, stationName(board, one.id))));
  select.addEventListener("change", () => { station = select.value; again(); });
  return select;
}

function call(app, { who, work }) {
  app.queue.add("queue", { person: who.person, rubric: work.rubric, act: "call" });
  work.state = "called";
  app.show(who.person, work.rubric);
}

function person(app, { who, work }) {
  const disabled = !here(who);
  const place = app.board.rubrics.length > 1 || app.board.stations.length > 1 ? h("span", { class: "small muted block" }, stationName(app.board, work.station)) : null;
  return h("li", {}, h("button", { type: "button", class: "person-row", id: "row-" + who.number + "-" + work.rubric, disabled, onclick: () => app.show(who.person, work.rubric) },
    h("span", { class: "num place" }, who.seat || "–"),
    h("span", { class: "who" }, h("strong", {}, who.name), h("span", { class: "num muted small" }, t("scoring.number", { number: who.number })), place),
    h("span", { class: "standing" }, standing(app, who, work))));
}

function standing(app, who, work) {
  const { state } = work.standing;
  const waits = app.signing.waiting().some((one) => one.person === who.person && one.rubric === work.rubric);
  if (waits) return [h("span", { class: "tag warn" }, t("scoring.tag_sign_waiting"))];
  if (state === "disputed") return [h("span", { class: "tag bad" }, "! " + t("scoring.disputed"))];
  if (work.standing.points !== undefined) {
    const passed = passes(app.board, work);
    const word = work.standing.vetoed ? t("scoring.vetoed") : passed ? t("scoring.passed") : t("scoring.failed");
    return [h("span", { class: "num points" }, t("scoring.points", { points: work.standing.points })), h("span", { class: "tag " + (passed ? "good" : "bad") }, (passed ? "✓ " : "× ") + word)];
  }
  if (work.mine) return [h("span", { class: "tag info" }, t("scoring.second_wanted"))];
  if (who.state === "absent") return [h("span", { class: "tag" }, t("scoring.absent"))];
  if (!here(who)) return [h("span", { class: "tag" }, t("scoring.not_in"))];
  const tags = [];
  const others = work.holders.filter((one) => !one.mine);
  if (others.length) tags.push(h("span", { class: "tag info" }, t("scoring.scored_by", { who: others.map((one) => one.name).join("、"), since: hm(others[0].since_ms) })));
  if (work.state !== "queued") tags.push(h("span", { class: "tag " + (work.state === "working" ? "good" : "warn") }, t("scoring.work_" + work.state)));
  else if (whereIs(app.drafts.find(who.person, work.rubric)) !== "none") tags.push(h("span", { class: "tag warn" }, t("scoring.draft")));
  return [tags, h("span", { class: "go", "aria-hidden": "true" }, "›")];
}

export function passes(board, work) {
  const rubric = board.rubrics.find((one) => one.id === work.rubric);
  return !work.standing.vetoed && work.standing.points * 100 >= board.passes[rubric.test] * rubric.points;
}

// The proctor names who decides where two sheets do not agree.
function chiefs(app) {
  const named = app.board.chiefs.map((one) => one.name).join("、");
  return h("section", { class: "card" }, h("h2", {}, t("scoring.chief")), h("p", {}, named ? t("scoring.chief_is", { names: named }) : t("scoring.chief_none")),
    h("button", { type: "button", class: "button", onclick: () => name(app) }, t("scoring.chief_name")));
}

function name(app) {
  const select = h("select", { name: "examiner" }, app.board.examiners.map((one) => h("option", { value: one.id }, one.name)));
  ask({ title: t("scoring.chief_name"), lead: t("scoring.chief_lead"), button: t("scoring.chief_name"),
    fields: [h("label", { class: "field" }, h("span", {}, t("scoring.examiner")), select), reasonField([t("scoring.chief_away")])],
    act: async (form) => {
      await app.plainPost("chief", { op_id: newId(), examiner: select.value, reason: form.elements.reason.value });
      app.poll();
    } });
}
