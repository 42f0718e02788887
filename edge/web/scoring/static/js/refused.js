// What the room refused and this tablet still has: each with the reason, to be sent again or thrown away.

import { h } from "/ui/static/js/dom.js";
import { pick, t } from "/ui/static/js/text.js";
import { hms } from "/ui/static/js/time.js";
import { ask } from "/ui/static/js/dialog.js";

export const refusedOf = (app) => app.queue.refused().map((one) => ({ from: app.queue, one, person: one.body.person, what: actName(app, one), at: one.made }))
  .concat(app.pictures.refused().map((one) => ({ from: app.pictures, one, person: one.person, what: t("scoring.pictures"), at: 0 })));

export function actName(app, { path, body }) {
  if (path === "step") return stepName(app, body.rubric, body.step) + " " + t(body.done ? "scoring.step_done" : "scoring.step_open");
  return t("scoring." + (path === "clock" ? "clock_" : "") + body.act);
}

export function stepName(app, rubric, id) {
  const found = app.board && app.board.rubrics.find((one) => one.id === rubric);
  const step = found && found.steps.find((one) => one.id === id);
  return step ? pick(step.title) : id;
}

export function drawRefused(app, all) {
  return h("div", { class: "notice bad refused", role: "alert" }, h("p", {}, t("scoring.refused_lead", { count: all.length })), h("ul", {}, all.map((each) => line(app, each))));
}

function line(app, { from, one, person, what, at }) {
  const who = app.board && app.board.candidates.find((each) => each.person === person);
  const words = [who ? who.name : "", at ? hms(at) : "", what].filter(Boolean).join(" · ") + "：" + one.refused.message;
  return h("li", { class: "row ends" }, h("span", {}, words), h("span", {},
    h("button", { type: "button", class: "button slim retry", onclick: () => from.retry(one) }, t("scoring.refused_retry")),
    h("button", { type: "button", class: "button slim discard", onclick: () => discard(from, one, what) }, t("scoring.refused_discard"))));
}

function discard(from, one, what) {
  ask({ title: t("scoring.refused_sure"), lead: what + "：" + t("scoring.refused_sure_lead"), button: t("scoring.refused_discard"), danger: true, act: () => from.discard(one) });
}
