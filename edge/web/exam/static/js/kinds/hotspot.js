// 看图点选: numbered marks on a picture, by touch or by a cursor that the arrow keys move. Places are thousandths.

import { h, replace, setText } from "/ui/static/js/dom.js";
import { t } from "/ui/static/js/text.js";

const STEP = 10;
const NEAR_PX = 24;
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export function make(item, ctx) {
  let marks = [];
  let cursor = [500, 500];
  let shown = false;
  const entry = (item.media || []).find((one) => one.name === item.image) || { name: item.image, kind: "image", alt: "" };
  const layer = h("div", { class: "marks" });
  const cross = h("span", { class: "cross", "aria-hidden": "true", hidden: true });
  const holder = h("div", { class: "spot-picture" });
  const help = h("p", { class: "hint", id: "spot-help" }, t("exam.hint_hotspot", { count: item.marks }));
  const keys = h("p", { class: "small muted", id: "spot-keys" }, t("exam.hotspot_keys"));
  const board = h("div", { class: "spot", tabindex: "0", role: "application", "aria-label": entry.alt || t("exam.hotspot_picture"),
    "aria-describedby": "spot-help spot-keys" }, holder, layer, cross);
  const list = h("div", { class: "spot-list" });
  const count = h("p", { class: "num" });

  board.addEventListener("click", (event) => {
    if (!shown) return;
    const box = board.getBoundingClientRect();
    cursor = [event.clientX - box.left, event.clientY - box.top].map((px, axis) =>
      Math.min(1000, Math.max(0, Math.round((px * 1000) / (axis ? box.height : box.width)))));
    toggle();
  });
  board.addEventListener("keydown", (event) => {
    if (event.target !== board) return; // the button that fetches the picture
    const way = ARROWS[event.key];
    if (way) {
      const step = event.shiftKey ? 1 : STEP;
      cursor = cursor.map((at, axis) => Math.min(1000, Math.max(0, at + way[axis] * step)));
      cross.hidden = false;
      draw();
      ctx.say(t("exam.hotspot_at", { x: cursor[0] / 10, y: cursor[1] / 10 }));
    } else if (event.key === "Enter" || event.key === " ") toggle();
    else if (event.key === "Delete" || event.key === "Backspace") remove(marks.length - 1);
    else return;
    event.preventDefault();
  });
  board.addEventListener("blur", () => { cross.hidden = true; });

  const parse = (mark) => mark.split(",").map(Number);

  function toggle() {
    if (!shown) return;
    const box = board.getBoundingClientRect();
    const hit = marks.findIndex((mark) => {
      const [x, y] = parse(mark);
      const [dx, dy] = [((x - cursor[0]) * box.width) / 1000, ((y - cursor[1]) * box.height) / 1000];
      return dx * dx + dy * dy < NEAR_PX * NEAR_PX;
    });
    if (hit >= 0) {
      remove(hit);
      return;
    }
    if (marks.length >= item.marks && item.marks > 1) {
      ctx.say(t("exam.hotspot_full", { count: item.marks }), true);
      return;
    }
    set(item.marks > 1 ? marks.concat(cursor.join()) : [cursor.join()]);
    ctx.say(t("exam.hotspot_set", { n: marks.length }));
  }

  function remove(at) {
    if (at < 0) return;
    set(marks.filter((mark, index) => index !== at));
    ctx.say(t("exam.hotspot_removed", { n: at + 1 }));
  }

  function set(wanted) {
    marks = wanted;
    draw();
    ctx.choose(marks, 0);
  }

  const percent = (element, mark) => {
    const [x, y] = parse(mark);
    element.style.left = x / 10 + "%";
    element.style.top = y / 10 + "%";
    return element;
  };

  function draw() {
    percent(cross, cursor.join());
    replace(layer, marks.map((mark, at) => percent(h("span", { class: "mark-dot num", "aria-hidden": "true" }, at + 1), mark)));
    setText(count, t("exam.hotspot_count", { count: marks.length, of: item.marks }));
    replace(list, marks.map((mark, at) => h("button", { type: "button", class: "button", onclick: () => { remove(at); board.focus(); } }, t("exam.hotspot_remove", { n: at + 1 }))));
  }

  // Fetched when it is asked for, like every picture: 200 tablets may open on such a question at once.
  const ask = (label) => h("button", { type: "button", class: "button", onclick: (event) => {
    event.stopPropagation();
    board.focus();
    load();
  } }, label);

  async function load() {
    replace(holder, h("p", { class: "wait" }, h("span", { class: "busy" }), " ", t("exam.media_loading")));
    const url = await ctx.media.get(item.image);
    shown = Boolean(url);
    if (url) replace(holder, h("img", { src: url, alt: "", draggable: "false" }));
    else replace(holder, h("p", { class: "wait" }, t("exam.media_failed")), ask(t("exam.media_again")));
    if (url) holder.classList.add("there");
  }

  holder.style.paddingBottom = (item.aspect || 1000) / 10 + "%";
  draw();
  if (ctx.media.has(item.image)) load();
  else replace(holder, ask(ctx.media.label(entry)));
  return {
    node: h("div", { role: "group", "aria-labelledby": ctx.label }, help, board, count, list, keys),
    // The room sorts marks; ours keep the order in which they were set.
    update(value) {
      if (value.slice().sort().join(";") === marks.slice().sort().join(";")) return;
      marks = value.slice();
      draw();
    },
  };
}
