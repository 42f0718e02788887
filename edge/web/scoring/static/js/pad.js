// A field to sign on, by finger or mouse: strokes of whole points on 1000 by 400, as the room wants them.

import { h, svg } from "/ui/static/js/dom.js";
import { t } from "/ui/static/js/text.js";

const WIDTH = 1000;
const HEIGHT = 400;
const LEAST = 6;
const MOST_POINTS = 1900;
const MOST_STROKES = 58;

export function makePad(label) {
  const canvas = h("canvas", { class: "pad", width: WIDTH, height: HEIGHT, tabindex: "0", role: "img", "aria-label": label });
  const pen = canvas.getContext("2d");
  let strokes = [];
  let current = null;

  function place(event) {
    const box = canvas.getBoundingClientRect();
    const x = Math.round(((event.clientX - box.left) / box.width) * WIDTH);
    const y = Math.round(((event.clientY - box.top) / box.height) * HEIGHT);
    return [Math.max(0, Math.min(WIDTH, x)), Math.max(0, Math.min(HEIGHT, y))];
  }

  function line(from, to) {
    pen.lineWidth = 7;
    pen.lineCap = pen.lineJoin = "round";
    pen.strokeStyle = "#16282d";
    pen.beginPath();
    pen.moveTo(from[0], from[1]);
    pen.lineTo(to[0], to[1]);
    pen.stroke();
  }

  const count = () => strokes.reduce((sum, one) => sum + one.length / 2, 0);

  canvas.addEventListener("pointerdown", (event) => {
    if (strokes.length >= MOST_STROKES || count() >= MOST_POINTS) return;
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    current = place(event);
    strokes.push(current);
    line(current, current);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!current || count() >= MOST_POINTS) return;
    const to = place(event);
    const from = current.slice(-2);
    if (Math.abs(to[0] - from[0]) + Math.abs(to[1] - from[1]) < LEAST) return;
    line(from, to);
    current.push(to[0], to[1]);
  });
  for (const end of ["pointerup", "pointercancel"]) canvas.addEventListener(end, () => { current = null; });

  function clear() {
    strokes = [];
    current = null;
    pen.clearRect(0, 0, WIDTH, HEIGHT);
  }

  const element = h("div", { class: "signing" },
    h("div", { class: "row ends" }, h("strong", {}, label), h("button", { type: "button", class: "button slim", onclick: clear }, t("scoring.clear"))), canvas);
  return { element, strokes: () => (count() >= 8 ? strokes.map((one) => one.slice()) : null) };
}

export function drawing(strokes, label) {
  const lines = strokes.map((one) => svg("polyline", { points: one.join(" "), fill: "none", stroke: "currentColor", "stroke-width": 7, "stroke-linecap": "round" }));
  return svg("svg", { class: "drawn", viewBox: "0 0 1000 400", role: "img", "aria-label": label }, lines);
}
