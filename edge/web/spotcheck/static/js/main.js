// The supervisor's page of one session: how complete it is, what happened when, and the footage of any moment.

import { byId, h, replace } from "/ui/static/js/dom.js";
import { pick, t } from "/ui/static/js/text.js";
import { getJSON } from "/ui/static/js/http.js";
import { countdown, date, hms } from "/ui/static/js/time.js";
import { drawTimeline, legend } from "./timeline.js";
import { createExports } from "./export.js";
import { createViewer } from "./viewer.js";

const RETRY_MS = 4000;
const SIDE_MS = 30000;
const INCIDENT_SIDE_MS = 120000;
const FREE_SIDE_MS = 300000; // of a moment that is no mark's: there is something to search in
const ZONE_MS = 8 * 3600 * 1000;
const DAY_MS = 86400000;
const MOST_GAPS = 6; // of a camera, in the summary
const ZOOMS = [1, 2, 4, 8, 16, 32];
const CALM = ["admitted", "checkin_opened", "exam_started", "exam_resumed", "exam_closed", "results_signed", "tablet"];
const TAGS = { admitted: "good", refused: "bad", waiting: "warn", retry: "warn", incident: "bad", exam_paused: "warn", clock: "bad", camera: "bad", recording: "bad", "segment-deleted": "bad" };
const SIGNS = { admitted: "✓", refused: "×", waiting: "△", retry: "△", incident: "◆", clock: "◷", camera: "▣", recording: "▣", "segment-deleted": "∅" };
const facts = JSON.parse(byId("facts").textContent);
const holder = byId("check");
let timeline = null;
let viewer = null;
let drawn = null;
let seen = null; // where the player is
let chosen = -1;
let zoom = 0;
let oddOnly = false;
const drawing = h("div", { class: "scroll-x", tabindex: "0" });
const list = h("div", { class: "marks" });

async function load() {
  try {
    const asked = new URLSearchParams(location.search);
    const part = asked.has("at") ? "?at=" + encodeURIComponent(asked.get("at")) : "";
    timeline = await getJSON("/spotcheck/api/" + encodeURIComponent(facts.session) + "/timeline" + part);
    draw();
    if (viewer) lookAt(asked);
  } catch (failure) {
    replace(holder, h("p", { class: "notice bad", role: "alert" }, failure.message));
    if (failure.offline || failure.status >= 500) setTimeout(load, RETRY_MS);
  }
}

// How long a gap was is counted by the clock that only goes forward, where it could be: not the difference of its ends.
function gapText(gap) {
  const told = { from: hms(gap.from_ms), until: hms(gap.until_ms), seconds: seconds(gap.ms), cause: facts.causes[gap.cause] || gap.cause };
  return gap.doubt_ms ? t("spotcheck.gap_doubt", Object.assign({ doubt: seconds(gap.doubt_ms) }, told)) : t("spotcheck.gap_line", told);
}

function seconds(ms) {
  return (Math.round(ms / 100) / 10).toString();
}

// Why a camera has no picture at a moment, for its screen.
function whyNot(name, at) {
  const camera = timeline.cameras.find((one) => one.name === name);
  const gone = timeline.marks.find((mark) => mark.kind === "segment-deleted" && mark.camera === name && mark.at_ms <= at && at < mark.until_ms);
  if (gone) return pick(gone.sentence);
  const gap = camera && camera.gaps.find((one) => one.from_ms <= at && at < one.until_ms);
  if (gap) return gapText(gap);
  return at > timeline.until_ms - 90000 ? t("spotcheck.not_yet") : t("spotcheck.no_picture");
}

function completeness(camera) {
  const share = camera.expected_s ? camera.recorded_s / camera.expected_s : 0;
  // Never rounded up to a hundred: a gap of a second must show.
  const percent = camera.gaps.length || share < 1 ? Math.min(99.99, Math.floor(share * 10000) / 100) : 100;
  return h("section", { class: "card fact" }, h("h2", {}, t("spotcheck.camera", { name: camera.name })),
    h("p", { class: "big num" }, percent + "%"),
    h("p", { class: "num muted" }, t("spotcheck.recorded_of", { expected: countdown(camera.expected_s * 1000), recorded: countdown(camera.recorded_s * 1000) })),
    camera.gaps.length
      ? [h("p", {}, h("span", { class: "tag bad" }, "⚠ " + t("spotcheck.gaps_count", { count: camera.gaps.length }))), gapLists(camera.gaps)]
      : h("p", {}, h("span", { class: "tag good" }, "✓ " + t("spotcheck.gaps_none"))),
    doubts(camera).map((words) => h("p", {}, h("span", { class: "tag warn" }, "△ " + words))), held(camera.name) ? h("p", {}, h("span", { class: "tag brand" }, t("spotcheck.held"))) : null);
}

// The longest gaps, in the order of their time; a camera that came and went has hundreds, which wait behind a click.
function gapLists(gaps) {
  const longest = gaps.slice().sort((a, b) => b.ms - a.ms).slice(0, MOST_GAPS);
  const lines = (some) => h("ul", { class: "small num" }, some.map((gap) => h("li", {}, gapText(gap))));
  const rest = gaps.filter((gap) => !longest.includes(gap));
  return [lines(gaps.filter((gap) => longest.includes(gap))),
    rest.length ? h("details", { class: "small" }, h("summary", {}, t("spotcheck.gaps_more", { count: rest.length })), lines(rest)) : null];
}

// What of the camera's times is not certain, in words.
function doubts(camera) {
  const odd = camera.segments.filter((part) => part.quality !== "synchronised");
  const found = odd.length ? [t("spotcheck.unheld", { from: hms(odd[0].from_ms), until: hms(odd[odd.length - 1].until_ms) })] : [];
  const steps = timeline.marks.filter((mark) => mark.kind === "clock" && mark.step_ms && mark.cameras.includes(camera.name));
  if (steps.length) found.push(t("spotcheck.steps", { count: steps.length, seconds: seconds(Math.max.apply(null, steps.map((mark) => Math.abs(mark.step_ms)))) }));
  return found;
}

function held(name) {
  return timeline.holds.some((hold) => hold.camera === null || hold.camera === name);
}

function ledger(state) {
  const { checkpoint, witnessed } = state;
  return h("section", { class: "card fact" }, h("h2", {}, t("spotcheck.ledger")), h("p", { class: "big num" }, t("spotcheck.ledger_size", { size: state.size })),
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
  viewer = createViewer(facts.session, timeline, { exports, why: whyNot, moved });
  const zoomButton = (by, label, kind) => h("button", { type: "button", class: "button slim " + kind, onclick: () => { zoom = Math.min(ZOOMS.length - 1, Math.max(0, zoom + by)); redraw(); } }, label);
  replace(holder, h("div", { class: "stack" }, summary,
    h("section", { class: "card" }, h("div", { class: "row ends" }, h("h2", {}, t("spotcheck.timeline")), h("div", { class: "row" }, legend(timeline), zoomButton(-1, "− " + t("spotcheck.zoom_out"), "zoom-out"), zoomButton(1, "+ " + t("spotcheck.zoom_in"), "zoom-in"))),
      h("p", { class: "muted small" }, t("spotcheck.timeline_help")), parts(), drawing, goTo()),
    h("div", { class: "columns" }, h("div", { class: "stack" }, quick(), h("section", { class: "card" }, h("div", { class: "row ends" }, h("h2", {}, t("spotcheck.marks")), filter()), list)), viewer.element), exports.element));
  redraw();
  drawMarks();
}

// One click: each candidate's moment at the door, and each incident where it happened.
function quick() {
  const people = timeline.candidates.map((who) => h("button", { type: "button", class: "button slim quick", disabled: who.at_ms === null, "data-number": who.number,
    onclick: () => show({ at_ms: who.at_ms, camera: who.camera, side_ms: SIDE_MS, number: who.number }, -1) },
  h("span", {}, t("spotcheck.number", { number: who.number }) + (who.seat ? " · " + who.seat : "")),
  h("span", { class: "num small" }, who.at_ms === null ? t("spotcheck.absent") : (SIGNS[who.outcome] || "") + " " + hms(who.at_ms))));
  const incidents = timeline.marks.map((mark, index) => [mark, index]).filter(([mark]) => mark.kind === "incident").map(([mark, index]) => row(mark, index, mark.seat));
  return h("section", { class: "card" }, h("h2", {}, t("spotcheck.doors")), h("p", { class: "muted small" }, t("spotcheck.doors_help")),
    people.length ? h("div", { class: "quicks", tabindex: "0" }, people) : h("p", { class: "muted" }, t("spotcheck.doors_none")),
    h("h2", {}, t("spotcheck.incidents")), incidents.length ? h("div", { class: "incidents" }, incidents) : h("p", { class: "muted" }, t("spotcheck.incidents_none")));
}

// Where the clock was set during the session, its footage lies in several times of day: one is shown, the others are a
// click away.
function parts() {
  if (timeline.parts.length < 2) return null;
  const name = (part) => date(part.from_ms) + " " + hms(part.from_ms) + " – " + hms(part.until_ms);
  return h("div", { class: "notice parts" }, h("div", {}, h("p", {}, t("spotcheck.parts")), h("ul", { class: "num" }, timeline.parts.map((part) =>
    h("li", {}, part.shown ? h("strong", { "aria-current": "true" }, name(part)) : h("a", { href: "?at=" + part.from_ms }, name(part)))))));
}

// Whether a moment is in another part than that which is shown.
function elsewhere(at) {
  return timeline.parts.some((part) => !part.shown && part.from_ms <= at && at <= part.until_ms) && !timeline.parts.some((part) => part.shown && part.from_ms <= at && at <= part.until_ms);
}

// Any moment without a pointer.
function goTo() {
  const input = h("input", { type: "time", step: 1, name: "moment", required: true, value: hms(timeline.from_ms) });
  const form = h("form", { class: "row go-to" }, h("label", {}, h("span", { class: "small" }, t("spotcheck.moment") + " "), input), h("button", { class: "button slim" }, t("spotcheck.moment_go")));
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const [hours, minutes, rest] = input.value.split(":").map(Number);
    const wanted = ((hours * 60 + minutes) * 60 + (rest || 0)) * 1000;
    const begin = timeline.from_ms + ZONE_MS;
    const day = begin - (begin % DAY_MS) - ZONE_MS;
    const found = [day, day + DAY_MS].map((start) => start + wanted).find((at) => at >= timeline.from_ms - 1000 && at <= timeline.until_ms);
    choose({ at_ms: found === undefined ? day + wanted : found });
  });
  return form;
}

function moved(at) {
  seen = at;
  drawn.head(at);
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
  const middle = chosen >= 0 ? timeline.marks[chosen].at_ms : seen;
  const before = drawing.scrollWidth ? (drawing.scrollLeft + drawing.clientWidth / 2) / drawing.scrollWidth : 0.5;
  drawn = drawTimeline(drawing, timeline, { zoom: ZOOMS[zoom], chosen, choose, scrub, label: gapText });
  drawn.head(seen);
  const share = middle === null ? before : (middle - timeline.from_ms) / (timeline.until_ms - timeline.from_ms);
  drawing.scrollLeft = share * drawing.scrollWidth - drawing.clientWidth / 2;
}

// Dragged over the timeline: what the open view has is shown at once.
function scrub(moment) {
  if (!viewer.covers(moment.at_ms, moment.camera)) return false;
  viewer.seek(moment.at_ms);
  return true;
}

// A mark is seen from some time before it; any other moment from itself on, within the open view or another.
function choose(moment) {
  const mark = moment.index === undefined ? null : timeline.marks[moment.index];
  if (mark) show({ at_ms: mark.at_ms, camera: mark.camera, side_ms: mark.kind === "incident" ? INCIDENT_SIDE_MS : SIDE_MS, number: mark.number }, moment.index);
  else if (viewer.covers(moment.at_ms, moment.camera)) viewer.seek(moment.at_ms);
  else show({ at_ms: moment.at_ms, camera: moment.camera, side_ms: FREE_SIDE_MS, start_ms: moment.at_ms }, -1);
}

function show(moment, index) {
  if (elsewhere(moment.at_ms)) {
    location.search = "?at=" + (moment.at_ms - SIDE_MS) + "&camera=" + encodeURIComponent(moment.camera || "");
    return;
  }
  chosen = index;
  viewer.choose(moment, true);
  redraw();
  for (const one of document.querySelectorAll(".mark-row")) one.setAttribute("aria-pressed", String(Number(one.dataset.index) === chosen));
  const found = list.querySelector('[aria-pressed="true"]');
  if (found) found.scrollIntoView({ block: "nearest" });
}

// A minute of a sample is named in the address: from its beginning, in one camera.
function lookAt(asked) {
  const from = Number(asked.get("at"));
  if (from >= timeline.from_ms - 60000 && from <= timeline.until_ms) viewer.choose({ at_ms: from + 30000, camera: asked.get("camera") || "", side_ms: SIDE_MS }, false);
}

function row(mark, index, more) {
  const known = mark.number !== null && mark.number !== undefined ? t("spotcheck.number", { number: mark.number }) : "";
  return h("button", { type: "button", class: "mark-row", "data-index": index, "aria-pressed": String(index === chosen), onclick: () => choose({ at_ms: mark.at_ms, index }) },
    h("span", { class: "num" }, hms(mark.at_ms)), h("span", { class: "tag " + (mark.good ? "good" : TAGS[mark.kind] || "info") }, SIGNS[mark.kind] || "▮"),
    h("span", { class: "words" }, pick(mark.sentence), known || more ? h("span", { class: "muted num" }, "  " + [known, more].filter(Boolean).join(" · ")) : null,
      mark.noted_ms && Math.abs(mark.noted_ms - mark.at_ms) > 60000 ? h("span", { class: "muted small num" }, "  " + t("spotcheck.noted", { time: hms(mark.noted_ms) })) : null,
      mark.deleted_ms ? h("span", { class: "muted small num" }, "  " + t("spotcheck.deleted_on", { time: date(mark.deleted_ms) + " " + hms(mark.deleted_ms) })) : null));
}

function drawMarks() {
  const rows = timeline.marks.map((mark, index) => [mark, index]).filter(([mark]) => !oddOnly || !(CALM.includes(mark.kind) || mark.good));
  replace(list, rows.length ? rows.map(([mark, index]) => row(mark, index, mark.seat)) : h("p", { class: "muted" }, t("spotcheck.marks_none")));
}

let resizing = 0;
window.addEventListener("resize", () => {
  clearTimeout(resizing);
  resizing = setTimeout(() => { if (viewer) redraw(); }, 150);
});
load();
