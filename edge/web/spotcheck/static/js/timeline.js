// The timeline as a drawing: a lane a camera, gaps hatched, what is not certain tinted, marks above by kind, and where
// the player is. The lists beside it say the same in words.

import { h, replace, svg } from "/ui/static/js/dom.js";
import { pick, t } from "/ui/static/js/text.js";
import { hm } from "/ui/static/js/time.js";

const LANE = 34;
const ROW_HEIGHT = LANE + 28;
const TOP = 80;
const LEFT = 8;
const HELD = 5;
const STEPS_MIN = [1, 2, 5, 10, 15, 30, 60, 120, 240];
const SHAPES = {
  refused: "M-6-6L6 6M6-6L-6 6", retry: "M0-7L7 6H-7Z", waiting: "M0-7L7 6H-7Z", admitted: "M-6 0L-2 5L6-5", incident: "M0-8L8 0L0 8L-8 0Z",
  clock: "M0-7A7 7 0 1 0 .1-7M0-4V0L4 2", camera: "M-7-4H3V4H-7ZM3-1L7-4V4L3 1", recording: "M-7-4H3V4H-7ZM3-1L7-4V4L3 1",
};
const OTHER = "M-5-7H5V7H-5Z";
const PATTERNS = [["hatch", 8, 45, 3], ["doubt", 6, 0, 1.5], ["unheld", 7, -45, 1.5], ["deleted", 6, 90, 3]];

// Lanes by kind, so that marks of one minute do not cover one another.
const ROW = { admitted: 0, refused: 1, waiting: 1, retry: 1 };

// `scrub(moment)` may take a moment that the pointer is dragged over; `choose(moment)` is a click.
export function drawTimeline(holder, timeline, { zoom, chosen, choose, scrub, label }) {
  const length = Math.max(1, timeline.until_ms - timeline.from_ms);
  const width = Math.max(320, holder.clientWidth - 2) * zoom;
  const height = TOP + timeline.cameras.length * ROW_HEIGHT + 14;
  const x = (ms) => LEFT + ((Math.min(timeline.until_ms, Math.max(timeline.from_ms, ms)) - timeline.from_ms) / length) * (width - 2 * LEFT);
  const at = (px) => timeline.from_ms + ((px - LEFT) / (width - 2 * LEFT)) * length;
  const picture = svg("svg", { class: "time", width, height, viewBox: "0 0 " + width + " " + height, role: "group", "aria-label": t("spotcheck.timeline") },
    svg("defs", {}, PATTERNS.map(([id, size, turn, thick]) => svg("pattern", { id, width: size, height: size, patternUnits: "userSpaceOnUse", patternTransform: "rotate(" + turn + ")" },
      id === "hatch" ? svg("rect", { width: size, height: size, class: "hatch-ground" }) : null, svg("rect", { width: thick, height: size, class: id + "-line" })))));
  ticks(picture, timeline, width, height, x, length);
  for (const mark of timeline.marks) if (mark.kind === "clock" && mark.step_ms) picture.append(band(x, mark, height));
  timeline.cameras.forEach((camera, index) => {
    const y = TOP + index * ROW_HEIGHT + 18;
    const lane = svg("g", { class: "lane" }, svg("text", { x: LEFT, y: y - 4, class: "lane-name" }, t("spotcheck.camera", { name: camera.name })),
      svg("rect", { x: LEFT, y, width: width - 2 * LEFT, height: LANE, class: "bed" }));
    for (const part of camera.segments) lane.append(bar(x, y, part, part.salvaged ? "salvaged" : "footage", ""));
    for (const part of camera.segments) if (part.quality !== "synchronised") lane.append(bar(x, y, part, "unheld", t("spotcheck.legend_unheld")));
    for (const gap of camera.gaps) {
      if (gap.doubt_ms) lane.append(bar(x, y - 3, { from_ms: gap.from_ms - gap.doubt_ms, until_ms: gap.until_ms + gap.doubt_ms }, "doubt", label(gap), LANE + 6));
      lane.append(bar(x, y, gap, "gap", label(gap)));
    }
    for (const mark of timeline.marks) if (mark.kind === "segment-deleted" && mark.camera === camera.name) lane.append(bar(x, y, { from_ms: mark.at_ms, until_ms: mark.until_ms }, "deleted", pick(mark.sentence)));
    for (const hold of timeline.holds) {
      if (hold.camera === null || hold.camera === camera.name) lane.append(bar(x, y + LANE + 2, { from_ms: hold.from_ms, until_ms: hold.until_ms === null ? timeline.until_ms : hold.until_ms }, "held", t("spotcheck.legend_held"), HELD));
    }
    listen(lane, picture, at, camera.name, choose, scrub);
    picture.append(lane);
  });
  timeline.marks.forEach((mark, index) => picture.append(sign(mark, index, x(mark.at_ms), chosen === index, choose)));
  const head = svg("line", { class: "head", y1: TOP - 4, y2: height - 4, visibility: "hidden" });
  picture.append(head);
  replace(holder, picture);
  return {
    // Where the player is; null for nowhere.
    head(ms) {
      const seen = ms !== null && ms >= timeline.from_ms && ms <= timeline.until_ms;
      head.setAttribute("visibility", seen ? "visible" : "hidden");
      if (!seen) return;
      head.setAttribute("x1", x(ms));
      head.setAttribute("x2", x(ms));
    },
  };
}

function listen(lane, picture, at, camera, choose, scrub) {
  let dragged = false;
  const moment = (event) => ({ at_ms: Math.round(at(event.clientX - picture.getBoundingClientRect().left)), camera });
  lane.addEventListener("pointerdown", () => { dragged = false; });
  lane.addEventListener("pointermove", (event) => {
    if (event.buttons !== 1 || event.pointerType === "touch") return;
    dragged = scrub(moment(event)) || dragged;
  });
  lane.addEventListener("click", (event) => { if (!dragged) choose(moment(event)); });
}

// The times that a set clock passed over, or shows twice.
function band(x, mark, height) {
  const from = mark.step_ms > 0 ? mark.at_ms - mark.step_ms : mark.at_ms;
  const until = mark.step_ms > 0 ? mark.at_ms : mark.at_ms - mark.step_ms;
  return svg("rect", { x: x(from), y: TOP - 4, width: Math.max(3, x(until) - x(from)), height: height - TOP, class: "clock-band" }, svg("title", {}, pick(mark.sentence)));
}

function bar(x, y, part, kind, title, height = LANE) {
  return svg("rect", { x: x(part.from_ms), y, width: Math.max(1.5, x(part.until_ms) - x(part.from_ms)), height, class: kind }, title ? svg("title", {}, title) : null);
}

function sign(mark, index, px, chosen, choose) {
  const row = mark.kind in ROW ? ROW[mark.kind] : 2;
  const kind = mark.kind in SHAPES ? mark.kind : "other";
  return svg("g", { class: "mark " + kind + (mark.good ? " good" : "") + (chosen ? " chosen" : ""), transform: "translate(" + px + " " + (12 + row * 19) + ")", onclick: () => choose({ at_ms: mark.at_ms, index }) },
    svg("title", {}, pick(mark.sentence)), svg("rect", { x: -10, y: -10, width: 20, height: 20, class: "touch" }), svg("path", { d: SHAPES[mark.kind] || OTHER }));
}

function ticks(picture, timeline, width, height, x, length) {
  const per = length / (width / 90);
  const minutes = STEPS_MIN.find((step) => step * 60000 >= per) || STEPS_MIN[STEPS_MIN.length - 1];
  const step = minutes * 60000;
  for (let ms = Math.ceil(timeline.from_ms / step) * step; ms < timeline.until_ms; ms += step) {
    picture.append(svg("line", { x1: x(ms), x2: x(ms), y1: TOP - 16, y2: height - 4, class: "tick" }), svg("text", { x: x(ms) + 3, y: TOP - 5, class: "tick-text" }, hm(ms)));
  }
}

// Only of what is there, but for the first three.
export function legend(timeline) {
  const every = [].concat.apply([], timeline.cameras.map((camera) => camera.segments));
  const gaps = [].concat.apply([], timeline.cameras.map((camera) => camera.gaps));
  const kinds = [["footage", t("spotcheck.legend_segment")], ["salvaged", t("spotcheck.legend_salvaged")], ["gap", t("spotcheck.legend_gap")]];
  if (every.some((part) => part.quality !== "synchronised")) kinds.push(["unheld", t("spotcheck.legend_unheld")]);
  if (gaps.some((gap) => gap.doubt_ms)) kinds.push(["doubt", t("spotcheck.legend_doubt")]);
  if (timeline.marks.some((mark) => mark.kind === "clock" && mark.step_ms)) kinds.push(["clock-band", t("spotcheck.legend_step")]);
  if (timeline.marks.some((mark) => mark.kind === "segment-deleted")) kinds.push(["deleted", t("spotcheck.legend_deleted")]);
  if (timeline.holds.length) kinds.push(["held", t("spotcheck.legend_held")]);
  return h("ul", { class: "legend" }, kinds.map(([kind, label]) =>
    h("li", {}, h("span", { class: "swatch " + kind, "aria-hidden": "true" }), label)));
}
