// The timeline as a drawing: a lane a camera, gaps hatched, marks above by kind. The list beside it says the same in words.

import { h, replace, svg } from "/ui/static/js/dom.js";
import { t } from "/ui/static/js/text.js";
import { hm } from "/ui/static/js/time.js";

const LANE = 34;
const TOP = 80;
const LEFT = 8;
const STEPS_MIN = [1, 2, 5, 10, 15, 30, 60, 120, 240];
const SHAPES = {
  refused: "M-6-6L6 6M6-6L-6 6", retry: "M0-7L7 6H-7Z", waiting: "M0-7L7 6H-7Z", admitted: "M-6 0L-2 5L6-5", incident: "M0-8L8 0L0 8L-8 0Z",
};
const OTHER = "M-5-7H5V7H-5Z";

// Lanes by kind, so that marks of one minute do not cover one another.
const ROW = { admitted: 0, refused: 1, waiting: 1, retry: 1 };

export function drawTimeline(holder, timeline, { zoom, chosen, pick, label }) {
  const length = Math.max(1, timeline.until_ms - timeline.from_ms);
  const width = Math.max(320, holder.clientWidth - 2) * zoom;
  const height = TOP + timeline.cameras.length * (LANE + 18) + 14;
  const x = (ms) => LEFT + ((ms - timeline.from_ms) / length) * (width - 2 * LEFT);
  const at = (px) => timeline.from_ms + ((px - LEFT) / (width - 2 * LEFT)) * length;
  const picture = svg("svg", { class: "time", width, height, viewBox: "0 0 " + width + " " + height, role: "group", "aria-label": t("spotcheck.timeline") },
    svg("defs", {}, svg("pattern", { id: "hatch", width: 8, height: 8, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
      svg("rect", { width: 8, height: 8, class: "hatch-ground" }), svg("rect", { width: 3, height: 8, class: "hatch-line" }))));
  ticks(picture, timeline, width, height, x, length);
  timeline.cameras.forEach((camera, index) => {
    const y = TOP + index * (LANE + 18) + 18;
    const lane = svg("g", { class: "lane" }, svg("text", { x: LEFT, y: y - 4, class: "lane-name" }, t("spotcheck.camera", { name: camera.name })),
      svg("rect", { x: LEFT, y, width: width - 2 * LEFT, height: LANE, class: "bed" }));
    for (const part of camera.segments) lane.append(bar(x, y, part, part.salvaged ? "salvaged" : "footage", ""));
    for (const gap of camera.gaps) lane.append(bar(x, y, gap, "gap", label(gap)));
    lane.addEventListener("click", (event) => {
      const box = picture.getBoundingClientRect();
      pick({ at_ms: Math.round(at(event.clientX - box.left)), camera: camera.name });
    });
    picture.append(lane);
  });
  timeline.marks.forEach((mark, index) => picture.append(sign(mark, index, x(mark.at_ms), chosen === index, pick)));
  replace(holder, picture);
}

function bar(x, y, part, kind, title) {
  return svg("rect", { x: x(part.from_ms), y, width: Math.max(1.5, x(part.until_ms) - x(part.from_ms)), height: LANE, class: kind }, title ? svg("title", {}, title) : null);
}

function sign(mark, index, px, chosen, pick) {
  const row = mark.kind in ROW ? ROW[mark.kind] : 2;
  const kind = mark.kind in SHAPES ? mark.kind : "other";
  return svg("g", { class: "mark " + kind + (chosen ? " chosen" : ""), transform: "translate(" + px + " " + (12 + row * 19) + ")", onclick: () => pick({ at_ms: mark.at_ms, index }) },
    svg("rect", { x: -10, y: -10, width: 20, height: 20, class: "touch" }), svg("path", { d: SHAPES[mark.kind] || OTHER }));
}

function ticks(picture, timeline, width, height, x, length) {
  const per = length / (width / 90);
  const minutes = STEPS_MIN.find((step) => step * 60000 >= per) || STEPS_MIN[STEPS_MIN.length - 1];
  const step = minutes * 60000;
  for (let ms = Math.ceil(timeline.from_ms / step) * step; ms < timeline.until_ms; ms += step) {
    picture.append(svg("line", { x1: x(ms), x2: x(ms), y1: TOP - 16, y2: height - 4, class: "tick" }), svg("text", { x: x(ms) + 3, y: TOP - 5, class: "tick-text" }, hm(ms)));
  }
}

export function legend() {
  return h("ul", { class: "legend" }, [["footage", t("spotcheck.legend_segment")], ["salvaged", t("spotcheck.legend_salvaged")], ["gap", t("spotcheck.legend_gap")]].map(([kind, label]) =>
    h("li", {}, h("span", { class: "swatch " + kind, "aria-hidden": "true" }), label)));
}
