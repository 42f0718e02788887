// 排序: rows that move by two buttons, or by dragging the handle. Nothing is an answer until touched or confirmed.

import { h, replace, setText } from "/ui/static/js/dom.js";
import { t } from "/ui/static/js/text.js";
import { words } from "../words.js";

const TAPPING_MS = 400;

export function make(item, ctx) {
  const list = h("ol", { class: "order" });
  const confirm = h("button", { type: "button", class: "button huge", onclick: () => ctx.choose(keys(), 0) }, t("exam.order_confirm"));
  let rows = item.options.map(row);
  const keys = () => rows.map((one) => one.key);

  function row(option) {
    const place = h("span", { class: "place num" });
    const words_ = h("span", { class: "text" }, words(option.text, option.more, ctx.second, "words"), ctx.media ? ctx.media.slot(option.image) : null);
    const handle = h("span", { class: "handle", "aria-hidden": "true" }, "⠿");
    const up = h("button", { type: "button", class: "button move", onclick: () => move(one, -1, up) }, "↑");
    const down = h("button", { type: "button", class: "button move", onclick: () => move(one, 1, down) }, "↓");
    const one = { key: option.key, text: option.text, place, up, down, node: h("li", { class: "order-row" }, handle, place, words_, h("span", { class: "moves" }, up, down)) };
    handle.addEventListener("pointerdown", (event) => drag(one, handle, event));
    return one;
  }

  function draw() {
    replace(list, rows.map((one) => one.node));
    label();
  }

  function label() {
    rows.forEach((one, at) => {
      setText(one.place, at + 1);
      one.up.setAttribute("aria-label", t("exam.order_up", { text: one.text, n: at + 1 }));
      one.down.setAttribute("aria-label", t("exam.order_down", { text: one.text, n: at + 1 }));
      // Disabled in words only: a button that loses the focus at the edge would strand who goes by keyboard.
      one.up.setAttribute("aria-disabled", String(at === 0));
      one.down.setAttribute("aria-disabled", String(at === rows.length - 1));
    });
  }

  function move(one, step, button) {
    const from = rows.indexOf(one);
    const to = from + step;
    if (to < 0 || to >= rows.length) return;
    rows.splice(from, 1);
    rows.splice(to, 0, one);
    draw();
    button.focus();
    ctx.say(t("exam.order_now", { text: one.text, n: to + 1, total: rows.length }));
    ctx.choose(keys(), TAPPING_MS);
  }

  function drag(one, handle, event) {
    event.preventDefault();
    const before = keys().join();
    handle.setPointerCapture(event.pointerId);
    one.node.classList.add("held");
    const follow = (now) => {
      const at = rows.indexOf(one);
      const over = rows.findIndex((other) => {
        const box = other.node.getBoundingClientRect();
        return now.clientY >= box.top && now.clientY <= box.bottom;
      });
      if (over < 0 || over === at) return;
      const box = rows[over].node.getBoundingClientRect();
      // Past the middle of the neighbour, so that rows of different height do not swap to and fro.
      if (over > at ? now.clientY < box.top + box.height / 2 : now.clientY > box.top + box.height / 2) return;
      rows.splice(at, 1);
      rows.splice(over, 0, one);
      // The held row stays where it is in the document, or it would lose the pointer: its neighbours move around it.
      if (over > at) for (let i = at; i < over; i++) list.insertBefore(rows[i].node, one.node);
      else for (let i = at; i > over; i--) list.insertBefore(rows[i].node, one.node.nextSibling);
      label();
    };
    const end = () => {
      handle.removeEventListener("pointermove", follow);
      handle.removeEventListener("pointerup", end);
      handle.removeEventListener("pointercancel", end);
      one.node.classList.remove("held");
      if (keys().join() !== before) ctx.choose(keys(), 0);
    };
    handle.addEventListener("pointermove", follow);
    handle.addEventListener("pointerup", end);
    handle.addEventListener("pointercancel", end);
  }

  draw();
  return {
    node: h("div", { role: "group", "aria-labelledby": ctx.label }, h("p", { class: "hint" }, t("exam.hint_order")), list, confirm),
    update(value) {
      confirm.hidden = value.length > 0;
      if (!value.length || value.join() === keys().join()) return;
      rows.sort((a, b) => value.indexOf(a.key) - value.indexOf(b.key));
      draw();
    },
  };
}
