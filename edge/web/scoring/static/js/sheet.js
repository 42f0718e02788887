// One candidate's sheet on this tablet: who scores where, the clock, the steps, the pictures, and signing.

import { h, replace, setText } from "/ui/static/js/dom.js";
import { pick, t } from "/ui/static/js/text.js";
import { hm, hms } from "/ui/static/js/time.js";
import { ask, reasonField } from "/ui/static/js/dialog.js";
import { getJSON } from "/ui/static/js/http.js";
import { newId } from "./idb.js";
import { emptyContent, whereIs } from "./drafts.js";
import { missingMeasures, worth } from "./points.js";
import { drawClock, localClock } from "./work.js";
import { drawSteps } from "./steps.js";
import { drawPictures } from "./gallery.js";
import { drawSigned } from "./signed.js";
import { actName } from "./refused.js";

const UNDO_MOST = 50;

export function drawSheet(holder, app, person, rubricId, leave) {
  const who = app.board.candidates.find((one) => one.person === person);
  const rubric = app.board.rubrics.find((one) => one.id === rubricId);
  const cacheKey = "detail/" + app.facts.staff + "/" + app.facts.session + "/" + person + "/" + rubricId;
  const mineOf = () => (who.works.find((one) => one.rubric === rubricId) || {}).mine;
  const clock = localClock(app, person, rubricId);
  const undo = [];
  const updates = [];
  let detail = null;
  let correction = "";
  let mode = "";
  let asking = null;

  const record = () => app.drafts.open(person, rubricId);
  const content = () => (app.drafts.find(person, rubricId) || { content: emptyContent() }).content;
  const others = () => (detail ? detail.holders.filter((one) => !one.mine) : []);
  const elsewhere = () => detail && detail.holders.find((one) => one.mine && one.tablet && one.tablet !== app.tablet);
  const full = () => detail && !detail.holders.some((one) => one.mine) && others().length >= app.board.rules.examiners;
  const waiting = () => app.signing.waiting().some((one) => one.person === person && one.rubric === rubricId);

  const station = () => (detail && app.board.stations.find((one) => one.id === detail.station)) || {};
  // Why no camera films what is done here; nothing where one does, or none is meant to.
  const unseen = () => station().unseen || "";

  // `change(content)` by a tap; what was before can be had back.
  function edit(change) {
    const one = record();
    undo.push(JSON.stringify(one.content));
    if (undo.length > UNDO_MOST) undo.shift();
    change(one.content);
    app.drafts.change(person, rubricId);
    update();
  }

  function back() {
    if (!undo.length) return;
    record().content = JSON.parse(undo.pop());
    app.drafts.change(person, rubricId);
    update();
  }

  // What was asked for before an act of this page does not know of it yet: asked again then, never shared.
  function fetch() {
    asking = (asking || Promise.resolve()).then(look);
    return asking;
  }

  async function look() {
    try {
      detail = await getJSON(app.root + "/board/" + encodeURIComponent(person) + "/" + encodeURIComponent(rubricId));
      app.store.put(cacheKey, detail);
      clock.take(detail);
      app.drafts.adopt(person, rubricId, detail.draft);
    } catch (failure) {
      if (!detail) {
        detail = (await app.store.get(cacheKey)) || null;
        if (detail) clock.take(detail, true);
      }
    }
    update();
  }

  function shownMode() {
    if (app.facts.role !== "examiner") return "signed";
    if (waiting()) return "waiting";
    if (mineOf() && !correction) return "signed";
    const standing = who.works.find((one) => one.rubric === rubricId).standing;
    return !correction && ["settled", "ruled", "disputed"].includes(standing.state) ? "signed" : "score";
  }

  function update() {
    const fresh = app.board.candidates.find((one) => one.person === person);
    if (fresh && fresh !== who) Object.assign(who, fresh);
    const wanted = shownMode();
    if (wanted !== mode) {
      mode = wanted;
      draw();
      return;
    }
    for (const each of updates) each();
  }

  const head = () => [
    h("div", { class: "row ends" }, h("button", { type: "button", class: "button", onclick: leave }, t("scoring.back")), where()),
    h("h1", { tabindex: "-1" }, who.name + "  ", h("span", { class: "num muted" }, t("scoring.number", { number: who.number }) + (who.seat ? " · " + t("scoring.seat", { seat: who.seat }) : ""))),
    h("p", { class: "muted" }, pick(rubric.title)),
  ];

  // Where this sheet is: on this tablet, or in the room, and since when.
  function where() {
    const place = h("span", { class: "small where", role: "status" });
    updates.push(() => {
      const one = app.drafts.find(person, rubricId);
      const state = whereIs(one);
      setText(place, state === "room" ? "✓ " + t("scoring.saved_room", { time: hms(one.saved_ms) }) : state === "here" ? "! " + t("scoring.on_" + app.drafts.where(one)) : "");
      place.className = "small where " + (state === "here" ? "warn" : "muted");
    });
    return place;
  }

  function draw() {
    updates.length = 0;
    if (mode === "signed") {
      replace(holder, head(), drawSigned(app, { who, rubric, detail: () => detail, updates, correct: startCorrection, refresh: app.poll }));
    } else if (mode === "waiting") {
      replace(holder, head(), h("div", { class: "notice warn" }, t(app.store.durable() ? "scoring.waits_here" : "scoring.waits_page")),
        h("button", { type: "button", class: "button", onclick: async () => { await app.signing.reopen(person, rubricId); update(); } }, t("scoring.reopen")));
    } else {
      const running = h("output", { class: "running num", "aria-live": "polite" });
      const undoing = h("button", { type: "button", class: "button undo", onclick: back }, "↶ " + t("scoring.undo"));
      const note = h("textarea", { maxlength: 1000 });
      note.value = content().note;
      note.addEventListener("input", () => {
        record().content.note = note.value;
        app.drafts.change(person, rubricId);
      });
      updates.push(() => {
        const sum = worth(rubric, content(), clock.stamps(), clock.timed() ? clock.elapsed() : null);
        setText(running, t("scoring.running", { points: sum.points, full: sum.full }) + (sum.vetoed ? " · " + t("scoring.vetoed") : ""));
        running.classList.toggle("bad", sum.vetoed);
        undoing.disabled = !undo.length;
        if (document.activeElement !== note && note.value !== content().note) note.value = content().note;
      });
      replace(holder, head(), banners(),
        correction ? h("p", { class: "notice warn" }, t("scoring.correcting")) : null,
        drawClock(app, { who, rubric, clock, updates, detail: () => detail }),
        drawSteps({ rubric, content, edit, clock, updates, mark: (step, done) => { clock.mark(step, done); update(); } }),
        drawPictures(app, { who, rubric, detail: () => detail, updates, refresh: fetch }),
        h("label", { class: "field" }, h("span", {}, t("scoring.note")), note),
        h("div", { class: "signbar" }, running, h("div", { class: "row" }, undoing, h("button", { type: "button", class: "button main sign", onclick: sign }, t("scoring.sign")))));
    }
    update();
    const title = holder.querySelector("h1");
    if (title) title.focus();
  }

  // Who else scores this candidate, and what came too late from here.
  function banners() {
    const place = h("div", { class: "banners", role: "status" });
    let drawn = "";
    updates.push(() => {
      const one = app.drafts.find(person, rubricId);
      const now = JSON.stringify([detail && detail.holders.map((x) => [x.examiner, x.tablet, x.since_ms]), one && one.stale, one && one.held, detail && detail.stale.length, detail && detail.beside, unseen()]);
      if (now === drawn) return;
      drawn = now;
      const parts = (unseen() ? [h("p", { class: "notice warn" }, t("scoring.unseen_" + unseen(), { camera: station().camera }))] : []).concat(others().map((x) => h("p", { class: "notice" }, t("scoring.other_scores", { who: x.name, since: hm(x.since_ms) }))));
      if (full()) parts.push(h("div", { class: "row" }, h("button", { type: "button", class: "button", onclick: () => takeFrom(others()[0]) }, t("scoring.take_from", { who: others()[0].name }))));
      else if (elsewhere()) parts.push(h("div", { class: "notice warn" }, h("span", {}, t("scoring.own_elsewhere", { since: hm(elsewhere().since_ms) })), h("button", { type: "button", class: "button", onclick: takeHere }, t("scoring.take_here"))));
      if (one && one.held && !full()) parts.push(h("p", { class: "notice bad" }, one.held));
      if (one && one.stale) {
        parts.push(h("div", { class: "notice warn" }, h("span", {}, t("scoring.stale")), h("div", { class: "row" },
          h("button", { type: "button", class: "button", onclick: takeMine }, t("scoring.keep_mine")),
          h("button", { type: "button", class: "button", onclick: takeRooms }, t("scoring.take_rooms")))));
      } else if (detail && detail.stale.length) {
        parts.push(h("details", { class: "card" }, h("summary", {}, t("scoring.kept_beside", { count: detail.stale.length })),
          detail.stale.map((old) => h("div", { class: "row ends" }, h("span", { class: "num" }, hms(old.at_ms) + " · " + t("scoring.points", { points: worth(rubric, Object.assign(emptyContent(), old.body), {}, null).points })),
            h("button", { type: "button", class: "button slim", onclick: () => edit((now_) => Object.assign(now_, emptyContent(), JSON.parse(JSON.stringify(old.body)))) }, t("scoring.use_this"))))));
      }
      if (detail && detail.beside.length) parts.push(h("details", { class: "card" }, h("summary", {}, t("scoring.acts_beside", { count: detail.beside.length })), detail.beside.map(besideLine)));
      replace(place, parts);
    });
    return place;
  }

  // An act of a tablet that had been replaced. A finished step can be taken over with its moment; the clock is turned here.
  function besideLine(one) {
    const what = actName(app, { path: one.step ? "step" : "clock", body: Object.assign({ rubric: rubricId }, one) });
    const use = one.step ? h("button", { type: "button", class: "button slim", onclick: () => { clock.mark(one.step, one.done, Math.max(0, detail.now - one.at_ms)); update(); } }, t("scoring.use_this")) : null;
    return h("div", { class: "row ends" }, h("span", { class: "num" }, hms(one.at_ms) + " · " + what), use);
  }

  const take = (more) => app.post("take", Object.assign({ op_id: newId(), person, rubric: rubricId }, more));

  async function takeHere() {
    const reply = await take({});
    const one = app.drafts.find(person, rubricId);
    // by now, not before: what was tapped while the room was asked is not to be lost
    const mine = one && (one.dirty || one.sent || one.stale);
    if (!mine) app.drafts.adopt(person, rubricId, reply.body && { version: reply.version, body: reply.body, at_ms: Date.now() }, true);
    else if (one.base === reply.version && !one.stale) app.drafts.insist(person, rubricId, reply.version);
    else one.stale = { version: reply.version, elsewhere: false };
    fetch();
  }

  async function takeMine() {
    const reply = await take({});
    app.drafts.insist(person, rubricId, reply.version);
    fetch();
  }

  async function takeRooms() {
    const reply = await take({});
    app.drafts.adopt(person, rubricId, { version: reply.version, body: reply.body || emptyContent(), at_ms: detail && detail.draft ? detail.draft.at_ms : Date.now() }, true);
    fetch();
  }

  function takeFrom(other) {
    ask({ title: t("scoring.take_from", { who: other.name }), lead: t("scoring.take_from_lead"), button: t("scoring.take"), fields: reasonField([t("scoring.take_reason")]),
      act: async (form) => {
        const reply = await take({ examiner: other.examiner, reason: form.elements.reason.value });
        app.drafts.insist(person, rubricId, reply.version);
        fetch();
      } });
  }

  function startCorrection() {
    ask({ title: t("scoring.correct"), lead: t("scoring.correct_lead"), button: t("scoring.correct"), fields: reasonField([t("scoring.correct_reason")]),
      act: async (form) => {
        correction = form.elements.reason.value.trim();
        const last = detail && detail.sheets.find((one) => one.mine);
        if (last && whereIs(app.drafts.find(person, rubricId)) === "none") {
          const { marks, vetoes, measured, note } = last.body;
          record().content = Object.assign(emptyContent(), JSON.parse(JSON.stringify({ marks: marks || {}, vetoes: vetoes || [], measured: measured || {}, note: note || "" })));
          record().base = detail.draft ? detail.draft.version : 0;
          app.drafts.change(person, rubricId);
        }
        setTimeout(update, 0);
      } });
  }

  function sign() {
    if (clock.state() === "working") {
      ask({ title: t("scoring.stop_first"), lead: t("scoring.stop_first_lead"), button: t("scoring.clock_stop"), act: async () => { clock.act("stop"); setTimeout(sign, 0); } });
      return;
    }
    const now = content();
    const lacking = missingMeasures(rubric, now);
    if (lacking.length) {
      ask({ title: t("scoring.lacking"), lead: lacking.map((one) => pick(one.title)).join("、"), button: t("scoring.go_there"), act: async () => {
        const field = document.getElementById("measure-" + lacking[0].id);
        setTimeout(() => { field.scrollIntoView({ block: "center" }); field.focus(); }, 0);
      } });
      return;
    }
    const sum = worth(rubric, now, clock.stamps(), clock.timed() ? clock.elapsed() : null);
    const marks = Object.keys(now.marks).map((deduction) => ({ deduction, count: now.marks[deduction] }));
    const pictures = app.pictures.of(person, rubricId).concat(detail ? detail.pictures : []).map((one) => one.sha256);
    const body = { marks, vetoes: now.vetoes, measured: now.measured, note: now.note, pictures: Array.from(new Set(pictures)) };
    if (correction) body.correction = correction;
    app.signing.sign({ who, rubric: rubricId, body, points: sum.points, vetoed: sum.vetoed, done: () => { correction = ""; leave(); } });
  }

  update();
  clock.begin().then(fetch);
  return { update, fetch, told: (op, reply) => { clock.told(op, reply); update(); }, tick: () => { if (mode === "score") for (const each of updates) each(); } };
}
