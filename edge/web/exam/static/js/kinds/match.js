// 匹配: the choices as lettered cards, and for each thing on the left a list to pick its letter from.

import { h } from "/ui/static/js/dom.js";
import { t } from "/ui/static/js/text.js";
import { words } from "../words.js";

export function make(item, ctx) {
  const rows = item.left.map((left) => {
    const id = "left-" + left.key;
    const select = h("select", { class: "pick", "aria-labelledby": ctx.label + " " + id },
      h("option", { value: "" }, t("exam.match_pick")), item.options.map((option) => h("option", { value: option.key, lang: "zh-CN" }, option.key + "  " + option.text)));
    const node = h("div", { class: "pair" }, h("div", { class: "pair-left", id }, h("span", { class: "place num" }, left.key),
      h("span", { class: "text" }, words(left.text, left.more, ctx.second, "words"))), select);
    select.addEventListener("change", () => ctx.choose(read(), 0));
    return { key: left.key, select, node };
  });
  const read = () => rows.filter((row) => row.select.value).map((row) => row.key + row.select.value);
  const cards = item.options.map((option) => h("li", {}, h("span", { class: "letter" }, option.key),
    h("span", { class: "text" }, words(option.text, option.more, ctx.second, "words"), ctx.media ? ctx.media.slot(option.image) : null)));
  return {
    node: h("div", { role: "group", "aria-labelledby": ctx.label }, h("p", { class: "hint" }, t("exam.hint_match")),
      h("ul", { class: "choices-list", "aria-label": t("exam.match_choices") }, cards), rows.map((row) => row.node)),
    update(value) {
      for (const row of rows) {
        const pair = value.find((one) => one[0] === row.key);
        row.select.value = pair ? pair.slice(1) : "";
        row.node.classList.toggle("on", Boolean(pair));
      }
    },
  };
}
