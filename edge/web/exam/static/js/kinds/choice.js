// 判断 judgement, 单选 single, 多选 multiple: a card for each option.

import { h } from "/ui/static/js/dom.js";
import { t } from "/ui/static/js/text.js";
import { words } from "../words.js";

const TAPPING_MS = 400;

// Of every kind: make(item, ctx) -> {node, update(value)}. ctx: choose(value, wait in ms), flush(), say(text), second,
// media, label (id of the question's heading).
export function make(item, ctx) {
  const many = item.type === "multiple";
  const rows = item.options.map((option) => {
    const input = h("input", { type: many ? "checkbox" : "radio", name: "answer", value: option.key });
    input.addEventListener("change", () => ctx.choose(rows.filter((row) => row.input.checked).map((row) => row.key), many ? TAPPING_MS : 0));
    const label = h("label", { class: "option" }, input, h("span", { class: "letter", "aria-hidden": "true" }, option.key),
      h("span", { class: "text" }, words(option.text, option.more, ctx.second, "words"), ctx.media ? ctx.media.slot(option.image) : null));
    return { key: option.key, input, label };
  });
  const node = h("div", { class: many ? "many" : "one", role: many ? "group" : "radiogroup", "aria-labelledby": ctx.label },
    many ? h("p", { class: "hint" }, t("exam.hint_multiple")) : null, rows.map((row) => row.label));
  return {
    node,
    update(value) {
      for (const row of rows) {
        row.input.checked = value.includes(row.key);
        row.label.classList.toggle("on", row.input.checked);
      }
    },
  };
}
