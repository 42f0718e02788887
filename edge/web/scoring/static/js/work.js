// A candidate's clock at the station. The room's is the one that counts; this one goes on from what the room last said,
// and from what was tapped here since and has not reached the room yet.

import { h, replace, setText } from "/ui/static/js/dom.js";
import { t } from "/ui/static/js/text.js";
import { countdown } from "/ui/static/js/time.js";
import { ask, reasonField } from "/ui/static/js/dialog.js";
import { stationName } from "./list.js";

const STATES = { start: "working", pause: "paused", resume: "working", stop: "stopped" };

export function localClock(app, person, rubric) {
  let state = "queued";
  let base = 0;
  let at = performance.now();
  let started = false;
  let stamps = {};
  const own = (op) => op.body.person === person && op.body.rubric === rubric;
  const pending = () => app.queue.waiting((op) => own(op) && op.path !== "queue") > 0;

  const elapsed = () => base + (state === "working" ? performance.now() - at : 0);

  // What was tapped here and has not reached the room outlives a reload; the wall clock has to bridge it.
  const key = "clock/" + app.facts.staff + "/" + app.facts.session + "/" + person + "/" + rubric;
  const keep = () => app.store.put(key, { state, base: elapsed(), wall: Date.now(), started, stamps: Object.assign({}, stamps) });

  async function begin() {
    const kept = pending() ? await app.store.get(key) : null;
    if (!kept) return;
    state = kept.state;
    base = kept.base + (state === "working" ? Math.max(0, Date.now() - kept.wall) : 0);
    at = performance.now();
    started = kept.started;
    stamps = kept.stamps;
  }

  function take(detail, old = false) {
    if (pending()) return;
    state = detail.state;
    base = detail.elapsed_ms + (old && detail.running ? Math.max(0, Date.now() - detail.now) : 0);
    at = performance.now();
    started = detail.started_ms !== null;
    stamps = Object.assign({}, detail.stamps);
  }

  function act(name, reason = "") {
    base = elapsed();
    at = performance.now();
    state = STATES[name];
    if (name === "start") started = true;
    keep();
    app.queue.add("clock", { person, rubric, act: name, reason });
  }

  function mark(step, done, ago = 0) {
    if (done) stamps[step] = { at_ms: Date.now() - ago, elapsed_ms: Math.max(0, Math.round(elapsed() - ago)) };
    else delete stamps[step];
    keep();
    app.queue.add("step", { person, rubric, step, done }, ago);
  }

  function told(op, reply) {
    if (!own(op) || pending()) return;
    if (op.path === "clock") {
      state = reply.state;
      base = reply.elapsed_ms;
      at = performance.now();
    }
    if (op.path === "step" && reply.outcome === "applied" && reply.done && stamps[reply.step]) stamps[reply.step] = { at_ms: reply.at_ms, elapsed_ms: reply.elapsed_ms };
  }

  const queue = (name, station) => {
    if (name === "call") state = "called";
    app.queue.add("queue", Object.assign({ person, rubric, act: name }, station ? { station } : {}));
  };
  return { begin, take, act, mark, told, queue, elapsed, state: () => state, timed: () => started, stamps: () => stamps };
}

export function drawClock(app, { who, rubric, clock, updates, detail }) {
  const time = h("output", { class: "time num", role: "timer" });
  const limit = h("span", { class: "muted num" });
  const buttons = h("div", { class: "row" });
  const card = h("section", { class: "card workclock", "aria-label": t("scoring.clock") }, h("div", { class: "row ends" }, h("div", {}, time, limit), buttons));
  const button = (label, act, kind = "") => h("button", { type: "button", class: "button " + kind, onclick: act }, label);
  const why = (title, act, phrases) => ask({ title, button: title, fields: reasonField(phrases), act: async (form) => { clock.act(act, form.elements.reason.value); refresh(); } });
  const turn = (act) => () => { clock.act(act); refresh(); };
  let drawn = "";

  function refresh() {
    for (const each of updates) each();
  }

  function choices(state) {
    if (state === "queued" || state === "called") {
      const station = detail() ? detail().station : "";
      const elsewhere = app.board.stations.filter((one) => one.rubric === rubric.id && one.id !== station);
      return [
        state === "queued" ? button(t("scoring.call"), () => { clock.queue("call"); refresh(); }) : h("span", { class: "tag warn" }, t("scoring.work_called")),
        button(t("scoring.skip"), () => { clock.queue("skip"); refresh(); }),
        elsewhere.length ? button(t("scoring.send"), () => send(elsewhere)) : null,
        button(t("scoring.clock_start"), turn("start"), "main"),
      ];
    }
    if (state === "working") return [button(t("scoring.clock_pause"), () => why(t("scoring.clock_pause"), "pause", [t("scoring.pause_fault"), t("scoring.pause_person")])), button(t("scoring.clock_stop"), turn("stop"), "main")];
    if (state === "paused") return [button(t("scoring.clock_resume"), turn("resume"), "main"), button(t("scoring.clock_stop"), turn("stop"))];
    return [h("span", { class: "tag" }, t("scoring.work_stopped")), button(t("scoring.clock_again"), () => why(t("scoring.clock_again"), "resume", [t("scoring.again_mistake")]))];
  }

  function send(places) {
    const select = h("select", { name: "station" }, places.map((one) => h("option", { value: one.id }, stationName(app.board, one.id))));
    ask({ title: t("scoring.send"), button: t("scoring.send"), fields: h("label", { class: "field" }, h("span", {}, t("scoring.station")), select), act: async () => clock.queue("send", select.value) });
  }

  updates.push(() => {
    const state = clock.state();
    const passed = clock.elapsed();
    setText(time, countdown(passed));
    const over = passed > rubric.minutes * 60000;
    setText(limit, " / " + t("scoring.minutes", { minutes: rubric.minutes }) + (over ? " · " + t("scoring.overtime") : ""));
    card.classList.toggle("over", over);
    const now = state + "|" + (detail() ? detail().station : "") + "|" + app.board.stations.length;
    if (now === drawn) return;
    drawn = now;
    card.dataset.state = state;
    replace(buttons, choices(state));
  });
  return card;
}
