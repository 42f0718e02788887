// The supervisor's page of one session: how complete it is, what happened when, and the footage of any moment.

import { byId, h, replace } from "/ui/static/js/dom.js";
import { pick, t } from "/ui/static/js/text.js";
import { getJSON } from "/ui/static/js/http.js";
import { countdown, hms } from "/ui/static/js/time.js";
import { drawTimeline, legend } from "./timeline.js";
import { createExports } from "./export.js";
import { createViewer } from "./viewer.js";

const RETRY_MS = 4000;
const ZOOMS = [1, 2, 4, 8, 16, 32];
const CALM = ["admitted", "checkin_opened", "exam_started", "exam_resumed", "exam_closed", "results_signed", "tablet"];
const TAGS = { admitted: "good", refused: "bad", waiting: "warn", retry: "warn", incident: "bad", exam_paused: "warn", clock: "bad" };
const facts = JSON.parse(byId("facts").textContent);
const holder = byId("check");
let timeline = null;
let viewer = null;
let chosen = -1;
let zoom = 0;
let oddOnly = false;
const drawing = h("div", { class: "scroll-x", tabindex: "0" });
const list = h("div", { class: "marks" });

async function load() {
  try {
    timeline = await getJSON("/spotcheck/api/" + encodeURIComponent(facts.session) + "/timeline");
    draw();
    if (viewer) lookAt(new URLSearchParams(location.search));
  } catch (failure) {
    replace(holder, h("p", { class: "notice bad", role: "alert" }, failure.message));
    if (failure.offline || failure.status >= 500) setTimeout(load, RETRY_MS);
  }
}

function gapText(gap) {
  const seconds = Math.round((gap.until_ms - gap.from_ms) / 1000);
  return t("spotcheck.gap_line", { from: hms(gap.from_ms), until: hms(gap.until_ms), seconds, cause: facts.causes[gap.cause] || gap.cause });
}

function completeness(camera) {
  const share = camera.expected_s ? camera.recorded_s / camera.expected_s : 0;
  // Never rounded up to a hundred: a gap of a second must show.
  const percent = camera.gaps.length || share < 1 ? Math.min(99.99, Math.floor(share * 10000) / 100) : 100;
  return h("section", { class: "card fact" }, h("h3", {}, t("spotcheck.camera", { name: camera.name })),
    h("p", { class: "big num" }, percent + "%"),
    h("p", { class: "num muted" }, t("spotcheck.recorded_of", { expected: countdown(camera.expected_s * 1000), recorded: countdown(camera.recorded_s * 1000) })),
    camera.gaps.length
      ? [h("p", {}, h("span", { class: "tag bad" }, "⚠ " + t("spotcheck.gaps_count", { count: camera.gaps.length }))), h("ul", { class: "small num" }, camera.gaps.map((gap) => h("li", {}, gapText(gap))))]
      : h("p", {}, h("span", { class: "tag good" }, "✓ " + t("spotcheck.gaps_none"))));
}

function ledger(state) {
  const { checkpoint, witnessed } = state;
  return h("section", { class: "card fact" }, h("h3", {}, t("spotcheck.ledger")), h("p", { class: "big num" }, t("spotcheck.ledger_size", { size: state.size })),
    h("p", {}, h("span", { class: "tag " + (checkpoint ? "good" : "warn") }, (checkpoint ? "✓ " : "⚠ ") + (checkpoint ? t("spotcheck.ledger_checkpoint", { time: hms(checkpoint.at_ms), size: checkpoint.size }) : t("spotcheck.ledger_unsigned")))),
    h("p", {}, h("span", { class: "tag " + (witnessed ? "good" : "") }, (witnessed ? "✓ " : "– ") + (witnessed ? t("spotcheck.ledger_witnessed", { size: witnessed.size }) : t("spotcheck.ledger_unwitnessed")))));
}

function draw() {
  const summary = h("div", { class: "summary" }, timeline.cameras.map(completeness), timeline.ledger ? ledger(timeline.ledger) : null);
  if (timeline.until_ms <= timeline.from_ms) {
    replace(holder, h("div", { class: "stack" }, summary, h("p", { class: "notice" }, t("spotcheck.not_opened"))));
    return;
  }
  const exports = createExports(facts.session);
  viewer = createViewer(facts.session, timeline.cameras.map((camera) => camera.name), timeline.allowed, exports);
  const zoomButton = (by, label, kind) => h("button", { type: "button", class: "button slim " + kind, onclick: () => { zoom = Math.min(ZOOMS.length - 1, Math.max(0, zoom + by)); redraw(); } }, label);
  replace(holder, h("div", { class: "stack" }, summary,
    h("section", { class: "card" }, h("div", { class: "row ends" }, h("h2", {}, t("spotcheck.timeline")), h("div", { class: "row" }, legend(), zoomButton(-1, "− " + t("spotcheck.zoom_out"), "zoom-out"), zoomButton(1, "+ " + t("spotcheck.zoom_in"), "zoom-in"))),
      h("p", { class: "muted small" }, t("spotcheck.timeline_help")), drawing),
    h("div", { class: "columns" }, h("section", { class: "card" }, h("div", { class: "row ends" }, h("h2", {}, t("spotcheck.marks")), filter()), list), viewer.element), exports.element));
  redraw();
  drawMarks();
}

function filter() {
  const box = h("input", { type: "checkbox" });
  box.checked = oddOnly;
  box.addEventListener("change", () => {
    oddOnly = box.checked;
    drawMarks();
  });
  return h("label", { class: "check" }, box, " " + t("spotcheck.filter_refused"));
}

// The moment last chosen stays in the middle while zooming.
function redraw() {
  const middle = chosen >= 0 ? timeline.marks[chosen].at_ms : null;
  const before = drawing.scrollWidth ? (drawing.scrollLeft + drawing.clientWidth / 2) / drawing.scrollWidth : 0.5;
  drawTimeline(drawing, timeline, { zoom: ZOOMS[zoom], chosen, pick: choose, label: gapText });
  const share = middle === null ? before : (middle - timeline.from_ms) / (timeline.until_ms - timeline.from_ms);
  drawing.scrollLeft = share * drawing.scrollWidth - drawing.clientWidth / 2;
}

function choose(moment) {
  chosen = moment.index === undefined ? -1 : moment.index;
  const mark = timeline.marks[chosen];
  // a step at a station is seen by that station's camera
  if (mark && timeline.cameras.some((camera) => camera.name === mark.camera)) moment.camera = mark.camera;
  viewer.choose(moment);
  redraw();
  for (const row of list.querySelectorAll(".mark-row")) row.setAttribute("aria-pressed", String(Number(row.dataset.index) === chosen));
  const row = list.querySelector('[aria-pressed="true"]');
  if (row) row.scrollIntoView({ block: "nearest" });
}

// A minute of a sample is named in the address: from its beginning, in one camera.
function lookAt(asked) {
  const from = Number(asked.get("at"));
  if (from >= timeline.from_ms - 60000 && from <= timeline.until_ms) choose({ at_ms: from + 30000, camera: asked.get("camera") || "" });
}

function drawMarks() {
  const rows = timeline.marks.map((mark, index) => [mark, index]).filter(([mark]) => !oddOnly || !CALM.includes(mark.kind));
  replace(list, rows.length ? rows.map(([mark, index]) => h("button", { type: "button", class: "mark-row", "data-index": index, "aria-pressed": String(index === chosen), onclick: () => choose({ at_ms: mark.at_ms, index }) },
    h("span", { class: "num" }, hms(mark.at_ms)), h("span", { class: "tag " + (TAGS[mark.kind] || "info") }, kindSign(mark.kind)),
    h("span", { class: "words" }, pick(mark.sentence), mark.number ? h("span", { class: "muted num" }, "  " + t("spotcheck.number", { number: mark.number })) : null))) : h("p", { class: "muted" }, t("spotcheck.marks_none")));
}

function kindSign(kind) {
  return { admitted: "✓", refused: "×", waiting: "△", retry: "△", incident: "◆" }[kind] || "▮";
}

let resizing = 0;
window.addEventListener("resize", () => {
  clearTimeout(resizing);
  resizing = setTimeout(() => { if (viewer) redraw(); }, 150);
});
load();
